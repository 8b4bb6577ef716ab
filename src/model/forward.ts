import { RudolphError } from '../errors';
import { abortable } from '../gpu/abortable';
import { Arena, readBack } from '../gpu/buffers';
import { Runner } from '../gpu/runner';
import { KeyValueCache } from './cache';
import type { Transformer } from './transformer';

export interface ForwardResult {
  /** [B, S, V_text + V_image] f32, row-major. */
  readonly logits: Float32Array<ArrayBuffer>;
  /** [layers, B, S, hidden] f32: the output of every layer. */
  readonly hidden: Float32Array<ArrayBuffer>;
}

/**
 * Logits and hidden states of every position, as upstream's `model(input_ids, attention_mask)` gives them.
 * Sequences may be shorter than the model's. Keys and values in f32; sequences are computed one by one.
 * @param ids [B][S]: left text, image and right text ids as upstream's `input_ids` (image ids without an offset).
 * @throws RudolphError `bad-input` for unequal lengths, too long sequences or ids out of range.
 */
export async function forward(
  transformer: Transformer,
  ids: readonly (readonly number[])[],
  signal?: AbortSignal,
): Promise<ForwardResult> {
  const { config, gpu } = transformer;
  const length = checkIds(transformer, ids);
  const { hidden, layers, textVocabulary, imageVocabulary } = config;
  const classes = textVocabulary + imageVocabulary;
  const logits = new Float32Array(ids.length * length * classes);
  const states = new Float32Array(layers * ids.length * length * hidden);
  // Rows of logits computed at once: bounded by the largest binding, and small enough to read back in one piece.
  const chunk = Math.max(1, Math.min(length, Math.floor(2 ** 25 / (Math.max(textVocabulary, imageVocabulary) * 4))));
  const arena = new Arena(gpu.device);
  try {
    const cache = new KeyValueCache(arena, config, {
      prefixes: 1,
      prefixLength: length,
      sequences: 1,
      tailLength: 0,
      rings: false,
    });
    const tokens = arena.buffer('tokens', transformer.sequenceLength * 4);
    const state = arena.buffer('state', 32);
    const recording = transformer.recordBody(arena, {
      cache,
      tokens,
      state,
      sequences: 1,
      rowsPerSequence: length,
      mode: 'prefixes',
    });
    const body = await abortable(recording, signal);
    const everyLayer = arena.buffer('output of every layer', layers * length * hidden * 4);
    const text = arena.buffer('text logits', chunk * textVocabulary * 4);
    const image = arena.buffer('image logits', chunk * imageVocabulary * 4);
    await arena.allocated();
    for (let b = 0; b < ids.length; b++) {
      gpu.device.queue.writeBuffer(tokens, 0, Uint32Array.from(ids[b]!));
      const runner = new Runner(gpu.device, signal);
      await runner.run(body.embed);
      for (let layer = 0; layer < layers; layer++) {
        await runner.run(body.layers[layer]!);
        runner.copy(body.x, 0, everyLayer, layer * length * hidden * 4, length * hidden * 4);
      }
      await runner.idle();
      const outputs = new Float32Array(await readBack(gpu.device, everyLayer, 0, layers * length * hidden * 4));
      for (let layer = 0; layer < layers; layer++) {
        states.set(
          outputs.subarray(layer * length * hidden, (layer + 1) * length * hidden),
          (layer * ids.length + b) * length * hidden,
        );
      }
      for (let first = 0; first < length; first += chunk) {
        const rows = Math.min(chunk, length - first);
        const head = new Arena(gpu.device);
        try {
          const common = { normed: body.normed, first, step: 1, rows };
          await runner.run(
            await transformer.recordHead(head, { ...common, stream: 'text', classes: textVocabulary, logits: text }),
          );
          await runner.run(
            await transformer.recordHead(head, { ...common, stream: 'image', classes: imageVocabulary, logits: image }),
          );
          await runner.idle();
          const textRows = new Float32Array(await readBack(gpu.device, text, 0, rows * textVocabulary * 4));
          const imageRows = new Float32Array(await readBack(gpu.device, image, 0, rows * imageVocabulary * 4));
          for (let row = 0; row < rows; row++) {
            const start = (b * length + first + row) * classes;
            logits.set(textRows.subarray(row * textVocabulary, (row + 1) * textVocabulary), start);
            logits.set(imageRows.subarray(row * imageVocabulary, (row + 1) * imageVocabulary), start + textVocabulary);
          }
        } finally {
          head.dispose();
        }
      }
    }
  } finally {
    arena.dispose();
  }
  return { logits, hidden: states };
}

/**
 * Checks equally long sequences that begin at position `first`.
 * @returns how many ids each has.
 * @throws RudolphError `bad-input`, in which the sequences are called `what`.
 */
export function checkIds(
  transformer: Transformer,
  ids: readonly (readonly number[])[],
  { what = 'ids', first = 0 }: { readonly what?: string; readonly first?: number } = {},
): number {
  const { config } = transformer;
  const length = ids[0]?.length ?? 0;
  const most = transformer.sequenceLength - first;
  if (length < 1 || length > most) {
    throw new RudolphError('bad-input', `${what} must hold sequences of 1 to ${most} ids, the first has ${length}`);
  }
  const imageEnd = config.leftLength + config.imageSide ** 2;
  ids.forEach((sequence, b) => {
    if (sequence.length !== length)
      throw new RudolphError(
        'bad-input',
        `all sequences must be equally long: ${what}[0] has ${length}, ${what}[${b}] has ${sequence.length}`,
      );
    sequence.forEach((id, i) => {
      const inImage = first + i >= config.leftLength && first + i < imageEnd;
      const limit = inImage ? config.imageVocabulary : config.textVocabulary;
      if (!Number.isInteger(id) || id < 0 || id >= limit) {
        throw new RudolphError(
          'bad-input',
          `${what}[${b}][${i}] is ${id}, expected ${inImage ? 'an image' : 'a text'} id from 0 to ${limit - 1}`,
        );
      }
    });
  });
  return length;
}
