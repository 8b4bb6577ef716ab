import { RudolphError } from '../errors';
import type { ComponentName, DType } from '../format/manifest';
import type { Checkpoint } from './checkpoint';
import type { ModelSizes } from './config';

/** A tensor of the checkpoint that must be there. */
export interface Expected {
  readonly key: string;
  readonly shape: readonly number[];
}

/** A tensor to be written: the rows of its parts one after the other. */
export interface PlannedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly component: ComponentName;
  readonly parts: readonly { readonly key: string; readonly fromRow: number; readonly toRow: number }[];
  /** [out, in, ky, kx] → [out, ky, kx, in]. */
  readonly convolution: boolean;
}

/** A matrix (f16), convolution (f16, re-laid) or vector (f32) taken over as a whole. */
export function planWhole(component: ComponentName, name: string, expected: Expected): PlannedTensor {
  const { key, shape } = expected;
  const convolution = shape.length === 4;
  const [out, input, height, width] = shape;
  return {
    name,
    component,
    convolution,
    dtype: shape.length < 2 ? 'f32' : 'f16',
    shape: convolution ? [out!, height!, width!, input!] : shape,
    parts: [{ key, fromRow: 0, toRow: shape.length < 2 ? 1 : out! }],
  };
}

const NORMS = [
  'input_layernorm',
  'before_first_addition_layernorm',
  'post_attention_layernorm',
  'before_second_addition_layernorm',
];
const MATRICES = [
  ['qkv', 'attention.query_key_value', 3, 1],
  ['attention_out', 'attention.dense', 1, 1],
  ['mlp_in', 'mlp.dense_h_to_4h', 4, 1],
  ['mlp_out', 'mlp.dense_4h_to_h', 1, 4],
] as const;

/** Keys of the four masks in a checkpoint. */
export const MASK_KEYS = {
  row: 'transformer.row_mask',
  column: 'transformer.col_mask',
  conv: 'transformer.conv_mask',
  lastConv: 'transformer.last_conv_mask',
} as const;

/** Everything but the masks that a RUDOLPH checkpoint of these sizes holds, and what becomes of it, in the order of use. */
export function planTransformer(model: ModelSizes): {
  expected: Expected[];
  before: PlannedTensor[];
  after: PlannedTensor[];
} {
  const { hidden: h, textVocabulary: text, imageVocabulary: image } = model;
  const expected: Expected[] = [];
  const before: PlannedTensor[] = [];
  const after: PlannedTensor[] = [];
  const expect = (key: string, shape: readonly number[]): Expected => {
    const entry = { key, shape };
    expected.push(entry);
    return entry;
  };
  const whole = (into: PlannedTensor[], name: string, key: string, shape: readonly number[]) => {
    into.push(planWhole('transformer', name, expect(key, shape)));
  };
  const stack = (name: string, keys: readonly string[]) => {
    const parts = keys.map((key) => ({ key: expect(key, [h]).key, fromRow: 0, toRow: 1 }));
    after.push({ name, dtype: 'f32', shape: [keys.length, h], component: 'transformer', parts, convolution: false });
  };
  const part = (name: string, dtype: DType, key: string, shape: readonly number[], fromRow: number, toRow: number) => {
    after.push({ name, dtype, shape, component: 'transformer', parts: [{ key, fromRow, toRow }], convolution: false });
  };

  whole(before, 'text_embeddings', 'text_embeddings.weight', [text, h]);
  whole(before, 'image_embeddings', 'image_embeddings.weight', [image, h]);
  whole(before, 'left_positions', 'l_text_pos_embeddings.weight', [model.leftLength + 1, h]);
  whole(before, 'right_positions', 'r_text_pos_embeddings.weight', [model.rightLength + 1, h]);
  whole(before, 'image_rows', 'image_row_embeddings.weight', [model.imageSide, h]);
  whole(before, 'image_columns', 'image_col_embeddings.weight', [model.imageSide, h]);
  for (let layer = 0; layer < model.layers; layer++) {
    const from = `transformer.layers.${layer}`;
    stack(
      `layers.${layer}.norms`,
      NORMS.flatMap((norm) => [`${from}.${norm}.weight`, `${from}.${norm}.bias`]),
    );
    for (const [name, key, rows, columns] of MATRICES) {
      whole(after, `layers.${layer}.${name}.weight`, `${from}.${key}.weight`, [rows * h, columns * h]);
      whole(after, `layers.${layer}.${name}.bias`, `${from}.${key}.bias`, [rows * h]);
    }
  }
  stack('final.norms', [
    'transformer.final_layernorm.weight',
    'transformer.final_layernorm.bias',
    'to_logits.0.weight',
    'to_logits.0.bias',
  ]);
  const weight = expect('to_logits.1.weight', [text + image, h]).key;
  const bias = expect('to_logits.1.bias', [text + image]).key;
  part('text_logits.weight', 'f16', weight, [text, h], 0, text);
  part('text_logits.bias', 'f32', bias, [text], 0, text);
  part('image_logits.weight', 'f16', weight, [image, h], text, text + image);
  part('image_logits.bias', 'f32', bias, [image], text, text + image);
  return { expected, before, after };
}

const LISTED = 3;

/** "a, b, c and 12 more". */
export function listSome(names: readonly string[]): string {
  const rest = names.length - LISTED;
  return names.slice(0, LISTED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/**
 * Compares a checkpoint with what is expected of it: nothing missing, nothing else, every shape right.
 * @param strip maps the checkpoint's keys to the expected names; null: to be skipped.
 * @param what the kind of model, for messages.
 * @returns the checkpoint's key of every expected one, and those of keys that `optional` allows.
 * @throws RudolphError `bad-checkpoint` in one sentence that names up to a few tensors of each kind.
 */
export function matchTensors(
  checkpoint: Checkpoint,
  expected: readonly Expected[],
  strip: (key: string) => string | null,
  what: string,
  optional: ReadonlySet<string> = new Set(),
): Map<string, string> {
  const { label } = checkpoint;
  const found = new Map<string, string>();
  const ambiguous: string[] = [];
  for (const key of [...checkpoint.tensors.keys(), ...checkpoint.others.keys()]) {
    const name = strip(key);
    if (name === null) continue;
    if (found.has(name)) ambiguous.push(name);
    found.set(name, key);
  }
  const shapes = new Map(expected.map(({ key, shape }) => [key, shape]));
  const missing = [...shapes.keys()].filter((name) => !found.has(name));
  const surplus = [...found.keys()].filter((name) => !shapes.has(name) && !optional.has(name));
  const foreign: string[] = [];
  const wrong: string[] = [];
  for (const [name, key] of found) {
    const shape = shapes.get(name);
    const tensor = checkpoint.tensors.get(key);
    if (!tensor) foreign.push(`${key} is ${checkpoint.others.get(key)}`);
    else if (shape && tensor.shape.join() !== shape.join())
      wrong.push(`${key} is [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`);
  }
  const complaints = [
    ambiguous.length > 0 && `${listSome(ambiguous)} occur twice under different prefixes`,
    foreign.length > 0 && `${listSome(foreign)}, expected tensors`,
    missing.length > 0 && `${missing.length} missing: ${listSome(missing)}`,
    surplus.length > 0 && `${surplus.length} unknown: ${listSome(surplus)}`,
    wrong.length > 0 && `${wrong.length} of wrong shape: ${listSome(wrong)}`,
  ].filter((text) => text !== false);
  if (complaints.length > 0) {
    throw new RudolphError('bad-checkpoint', `${label}: the tensors do not fit ${what} (${complaints.join('; ')})`, {
      file: label,
      missing: missing.slice(0, 20),
      surplus: surplus.slice(0, 20),
      wrong: wrong.slice(0, 20),
    });
  }
  return found;
}
