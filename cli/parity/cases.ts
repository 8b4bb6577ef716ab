import type { MaskKind } from '../../src/format/manifest';
import { computeMask, MASK_KINDS, sequenceLength } from '../../src/format/geometry';
import { readBack } from '../../src/gpu/buffers';
import { preprocessRgba } from '../../src/image/preprocess';
import { forward } from '../../src/model/forward';
import { filterProbabilities } from '../../src/model/sampler';
import type { ImageTokenizer } from '../../src/model/imageTokenizer';
import type { Engine } from '../../src/tasks/engine';
import type { Tokenizer } from '../../src/text/tokenizer';
import { readImage } from '../support/images';
import type { Bundle } from './bundle';
import { type Report, TOLERANCE } from './report';

const MASK_TENSORS: Readonly<Record<MaskKind, string>> = {
  row: 'row_mask',
  column: 'col_mask',
  conv: 'conv_mask',
  lastConv: 'last_conv_mask',
};

/** Encoding, subwords and decoding of the bundle's texts. */
export function tokenizerCases(bundle: Bundle, tokenizer: Tokenizer, report: Report): void {
  const { vocab, encode, subwords, decode } = bundle.tokenizerCases;
  const quoted = (text: string): string => JSON.stringify(text);
  if (vocab)
    report.all(
      'tokenizer.vocab',
      vocab.map((piece, id) => ({ what: `id ${id}`, actual: tokenizer.piece(id), expected: piece })),
    );
  report.all(
    'tokenizer.encode',
    encode.map(({ text, ids }) => ({ what: quoted(text), actual: tokenizer.encode(text), expected: ids })),
  );
  if (subwords) {
    report.all(
      'tokenizer.subwords',
      subwords.map(({ text, pieces }) => ({ what: quoted(text), actual: tokenizer.subwords(text), expected: pieces })),
    );
  }
  report.all(
    'tokenizer.decode',
    decode.map(({ ids, ignore_ids, text }) => ({
      what: `[${ids.join()}]`,
      actual: tokenizer.decode(ids, ignore_ids ?? []),
      expected: text,
    })),
  );
}

/** The four masks, as the engine computes them or as it keeps them. */
export async function maskCases(bundle: Bundle, { model }: Engine, report: Report): Promise<void> {
  const { config } = model.manifest;
  const length = sequenceLength(config);
  const words = Math.ceil(length / 32);
  for (const kind of MASK_KINDS) {
    const name = `mask.${MASK_TENSORS[kind]}`;
    if (!bundle.tensors.has(name)) continue;
    let actual: ArrayLike<number>;
    if (config.masks.form === 'standard') actual = computeMask(config, kind, config.masks.rightSeesLeft);
    else {
      const bits = new Uint32Array(
        await readBack(model.gpu.device, model.transformer.maskBits(kind), 0, length * words * 4),
      );
      actual = Uint8Array.from({ length: length * length }, (_, i) => {
        const [query, key] = [Math.floor(i / length), i % length];
        return (bits[query * words + (key >>> 5)]! >>> (key & 31)) & 1;
      });
    }
    report.equal(name, actual, bundle.tensor(name).data);
  }
}

/** Logits and hidden states of whole sequences and of shortened ones. */
export async function forwardCases(
  bundle: Bundle,
  { model }: Engine,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  for (const name of bundle.numbers('forward', 'ids')) {
    const { shape, data } = bundle.tensor(`forward.${name}.ids`);
    const [batch, length] = shape as [number, number];
    const ids = Array.from({ length: batch }, (_, b) => Array.from(data.subarray(b * length, (b + 1) * length)));
    const result = await forward(model.transformer, ids, signal);
    report.close(
      `forward.${name}.logits`,
      result.logits,
      bundle.tensor(`forward.${name}.logits`).data,
      TOLERANCE.logits,
    );
    report.close(
      `forward.${name}.hidden`,
      result.hidden,
      bundle.tensor(`forward.${name}.hidden`).data,
      TOLERANCE.hidden,
    );
    const shortName = `forward.${name}_minus3.logits_last`;
    if (!bundle.tensors.has(shortName)) continue;
    const short = await forward(
      model.transformer,
      ids.map((row) => row.slice(0, -3)),
      signal,
    );
    const classes = short.logits.length / batch / (length - 3);
    const last = Array.from({ length: batch }, (_, b) =>
      short.logits.subarray(((b + 1) * (length - 3) - 1) * classes, (b + 1) * (length - 3) * classes),
    );
    report.close(
      shortName,
      last.flatMap((row) => Array.from(row)),
      bundle.tensor(shortName).data,
      TOLERANCE.logits,
    );
  }
}

/** Preprocessing, encoding and decoding with both decoders. */
export async function imageCases(
  bundle: Bundle,
  { model }: Engine,
  dwt: ImageTokenizer | null,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const side = model.manifest.config.imageSide;
  const encoder = await model.encoder(signal);
  for (const k of bundle.numbers('preprocess', 'pixels')) {
    const prepared = preprocessRgba(await readImage(bundle.path(`image${k}.png`)), side * encoder.factor);
    const planes = bundle.tensor(`preprocess.${k}.pixels`);
    const pixels = prepared.width * prepared.height;
    report.equal(
      `preprocess.${k}.pixels`,
      Uint8Array.from({ length: 3 * pixels }, (_, i) => prepared.data[(i % pixels) * 4 + Math.floor(i / pixels)]!),
      planes.data,
    );
    if (!bundle.tensors.has(`vqgan.encode.${k}.indices`)) continue;
    // From the reference's own pixels, so that the encoder is judged alone.
    const image = {
      width: prepared.width,
      height: prepared.height,
      data: Float32Array.from(planes.data, (value) => value / 255),
    };
    const { indices, logits } = await encoder.encode(image, { logits: true, signal });
    report.close(`vqgan.encode.${k}.logits`, logits!, bundle.tensor(`vqgan.encode.${k}.logits`).data, TOLERANCE.logits);
    report.equal(`vqgan.encode.${k}.indices`, indices, bundle.tensor(`vqgan.encode.${k}.indices`).data);
  }
  for (const [prefix, tokenizer] of [
    ['vqgan.decode', model.images],
    ['vqgan_dwt.decode', dwt],
  ] as const) {
    for (const k of bundle.numbers(prefix, 'image')) {
      const name = `${prefix}.${k}.image`;
      if (!tokenizer) {
        report.fail(name, 'the bundle has no checkpoint for this decoder');
        continue;
      }
      const indices = bundle.tensor(k === 'random' ? 'vqgan.decode.random.indices' : `vqgan.encode.${k}.indices`).data;
      const { data } = await tokenizer.decode(indices, { dwt: tokenizer === dwt, signal });
      report.close(name, data, bundle.tensor(name).data, TOLERANCE.picture);
    }
  }
}

/** Top-k, then top-p filtering on the GPU. */
export async function filterCases(bundle: Bundle, engine: Engine, report: Report): Promise<void> {
  for (const [j, item] of (bundle.cases.filter ?? []).entries()) {
    const { shape, data } = bundle.tensor(item.logits);
    const filter = { topK: item.top_k, topP: item.top_p, temperature: item.temperature };
    const probabilities = await filterProbabilities(
      engine.model.gpu,
      Float32Array.from(data),
      shape[0]!,
      shape[1]!,
      filter,
    );
    report.close(`filter.${j}.probs`, probabilities, bundle.tensor(item.probs).data, TOLERANCE.probability);
  }
}
