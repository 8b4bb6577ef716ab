import { RudolphError } from '../errors';
import { allowed, MASK_KINDS, sequenceLength } from '../format/geometry';
import type { Geometry } from '../format/geometry';
import type { MaskInfo, MaskKind } from '../format/manifest';
import type { Checkpoint } from './checkpoint';
import { MASK_KEYS } from './plan';
import { readFloats } from './tensors';

/** The masks of a checkpoint, classified. `bitsets` where they are not standard: [S, ceil(S/32)] u32, bit k of word w = key 32w+k. */
export interface FoundMasks {
  readonly info: MaskInfo;
  readonly bitsets: Readonly<Record<MaskKind, Uint32Array<ArrayBuffer>>> | null;
  /** A sentence where something is worth telling. */
  readonly note: string | null;
}

/**
 * Compares a checkpoint's masks with the computed ones. `keys` maps mask names to the checkpoint's keys; none at all
 * (buffers were left out) means the standard ones.
 * @throws RudolphError `bad-checkpoint` when a mask has another shape, values other than 0 and 1, shows a later
 *   position, or is the standard one of another kernel size than the config's.
 */
export async function classifyMasks(
  checkpoint: Checkpoint,
  keys: ReadonlyMap<string, string>,
  geometry: Geometry,
): Promise<FoundMasks> {
  const { label } = checkpoint;
  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label}: ${what}`, { file: label });
  };
  const missing = MASK_KINDS.filter((kind) => !keys.has(MASK_KEYS[kind]));
  if (missing.length === MASK_KINDS.length) {
    return {
      info: { form: 'standard', rightSeesLeft: true },
      bitsets: null,
      note: 'the checkpoint has no masks: the standard ones are assumed',
    };
  }
  if (missing.length > 0)
    fail(`${missing.map((kind) => MASK_KEYS[kind]).join(', ')} missing while other masks are there`);

  const length = sequenceLength(geometry);
  const masks = {} as Record<MaskKind, Uint8Array<ArrayBuffer>>;
  for (const kind of MASK_KINDS) {
    const tensor = checkpoint.tensors.get(keys.get(MASK_KEYS[kind])!)!;
    if (tensor.shape.join() !== `${length},${length}`) {
      fail(
        `${MASK_KEYS[kind]} is [${tensor.shape.join(', ')}], expected [${length}, ${length}] for the config's lengths`,
      );
    }
    const values = await readFloats(tensor, 0, length);
    const mask = new Uint8Array(length * length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value !== 0 && value !== 1)
        fail(`${MASK_KEYS[kind]} holds ${value} at [${Math.floor(i / length)}, ${i % length}], expected 0 or 1`);
      if (value === 1 && i % length > Math.floor(i / length))
        fail(`${MASK_KEYS[kind]} lets position ${Math.floor(i / length)} see the later position ${i % length}`);
      mask[i] = value;
    }
    masks[kind] = mask;
  }
  for (const rightSeesLeft of [true, false]) {
    if (MASK_KINDS.every((kind) => isStandard(masks[kind], geometry, kind, rightSeesLeft))) {
      return {
        info: { form: 'standard', rightSeesLeft },
        bitsets: null,
        note: rightSeesLeft ? null : 'the masks are those of 350M_v1: right text does not see left text',
      };
    }
  }
  for (const kind of ['conv', 'lastConv'] as const) {
    const [field, upstream] =
      kind === 'conv' ? (['convKernel', 'kernel_size'] as const) : (['lastConvKernel', 'last_kernel_size'] as const);
    const other = otherKernel(masks[kind], geometry, kind, field);
    if (other !== null) fail(`${MASK_KEYS[kind]} is that of ${upstream} ${other}, the config says ${geometry[field]}`);
  }
  const strange = MASK_KINDS.filter(
    (kind) => ![true, false].some((right) => isStandard(masks[kind], geometry, kind, right)),
  );
  const bitsets = {} as Record<MaskKind, Uint32Array<ArrayBuffer>>;
  for (const kind of MASK_KINDS) bitsets[kind] = toBitset(masks[kind], length);
  const which =
    strange.length > 0
      ? `${strange.map((kind) => MASK_KEYS[kind]).join(', ')} not standard`
      : 'the masks disagree about right text';
  return {
    info: { form: 'bitset', rightSeesLeft: true },
    bitsets,
    note: `${which}: all four are kept as bits, attention will be slower`,
  };
}

/** The kernel size, other than the config's, whose standard mask this is. */
function otherKernel(
  mask: Uint8Array,
  geometry: Geometry,
  kind: MaskKind,
  field: 'convKernel' | 'lastConvKernel',
): number | null {
  const side = geometry.imageSide;
  const reach = (kernel: number) => Math.min(Math.floor(kernel / 2), side - 1);
  for (let kernel = 1; kernel <= 2 * side; kernel += 2) {
    if (reach(kernel) === reach(geometry[field])) continue;
    const candidate = { ...geometry, [field]: kernel };
    if ([true, false].some((right) => isStandard(mask, candidate, kind, right))) return kernel;
  }
  return null;
}

/** Whether a mask without later positions is the standard one. Ends at the first difference: many are compared. */
function isStandard(mask: Uint8Array, geometry: Geometry, kind: MaskKind, rightSeesLeft: boolean): boolean {
  const length = sequenceLength(geometry);
  for (let query = 0; query < length; query++) {
    for (let key = 0; key <= query; key++) {
      if ((mask[query * length + key] === 1) !== allowed(geometry, kind, query, key, rightSeesLeft)) return false;
    }
  }
  return true;
}

/** [S, S] bytes → [S, ceil(S/32)] words. */
export function toBitset(mask: Uint8Array, length: number): Uint32Array<ArrayBuffer> {
  const words = Math.ceil(length / 32);
  const bits = new Uint32Array(length * words);
  for (let query = 0; query < length; query++) {
    for (let key = 0; key <= query; key++) {
      if (mask[query * length + key]) bits[query * words + (key >>> 5)]! |= 1 << (key & 31);
    }
  }
  return bits;
}
