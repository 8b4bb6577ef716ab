// Checkpoints in upstream's format with the shapes of the published models and random weights.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerImport } from 'vite';
import { byteLengthOf, writeTorchZip } from '../support/torchZip.mjs';

const load = async (file) => (await runnerImport(file)).module;
const { MASK_KEYS, planTransformer } = await load('./src/convert/plan.ts');
const { PRESETS } = await load('./src/convert/config.ts');
const { computeMask } = await load('./src/format/geometry.ts');
const { float16ToFloat32, float32ToFloat16 } = await load('./src/format/float16.ts');
const { randomHalves } = await load('./bench/randomModel.ts');

const PIECE_BYTES = 16 * 2 ** 20;
/** Of upstream's vqgan.gumbelf8-sber.model.ckpt; what is not the VQGAN's belongs to its training (`loss.*`). */
const VQGAN_BYTES = 346e6;

/** Gains (of norms) are around 1, everything else around 0; all exact in fp16. */
function* values({ key, dtype, shape }) {
  const byteLength = shape.reduce((product, n) => product * n, 2);
  const gain = shape.length === 1 && /norm\w*(?:\.\d+)?\.weight$|to_logits\.0\.weight$/.test(key);
  for (let first = 0; first < byteLength; first += PIECE_BYTES / 2) {
    const halves = new Uint16Array(randomHalves(key, first, Math.min(PIECE_BYTES / 2, byteLength - first)));
    const floats = dtype === 'f32' || gain ? float16ToFloat32(halves).map((value) => value + (gain ? 1 : 0)) : null;
    const typed =
      dtype === 'f32' ? float16ToFloat32(float32ToFloat16(floats)) : floats ? float32ToFloat16(floats) : halves;
    yield new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
  }
}

/** The names of the files that `writeCheckpoint` writes, as arguments of `rudolph-web convert`; the result is `web`. */
export const CONVERT_ARGS = [
  '--rudolph',
  'pytorch_model.bin',
  '--vqgan',
  'vqgan.ckpt',
  '--tokenizer',
  'bpe.model',
  '--out',
  'web',
];

/**
 * Writes pytorch_model.bin (fp16), vqgan.ckpt (fp32, as Lightning saves it) and bpe.model (letters, no merges) into a folder.
 * @param preset 350M, 1.3B, 2.7B, …
 * @param options `zeros`: weights are holes of sparse files, which take no disk
 * @returns bytes of the two checkpoints
 */
export function writeCheckpoint(folder, preset, { zeros = false } = {}) {
  const sizes = PRESETS[preset];
  if (!sizes) throw new Error(`there is no preset ${preset}; there are ${Object.keys(PRESETS).join(', ')}`);
  const filled = (tensor) => (zeros ? tensor : { ...tensor, pieces: () => values(tensor) });
  const masks = Object.entries(MASK_KEYS).map(([kind, key]) => {
    const mask = computeMask(sizes, kind, preset !== '350M_v1');
    const length = Math.sqrt(mask.length);
    return { key, dtype: 'bool', shape: [length, length], pieces: () => [mask] };
  });
  const weights = planTransformer(sizes).expected.map(({ key, shape }) => filled({ key, shape, dtype: 'f16' }));
  const rudolph = writeTorchZip(join(folder, 'pytorch_model.bin'), [...weights, ...masks]);

  const presets = JSON.parse(readFileSync('test/fixtures/presets.json', 'utf8'));
  const model = Object.entries(presets['sber-vqgan-f8'].state_dict).map(([key, shape]) => ({
    key,
    shape,
    dtype: 'f32',
  }));
  const rest = Math.floor((VQGAN_BYTES - model.reduce((sum, tensor) => sum + byteLengthOf(tensor), 0)) / 4);
  const training = { key: 'loss.perceptual_loss.weight', shape: [rest], dtype: 'f32' };
  const vqgan = writeTorchZip(
    join(folder, 'vqgan.ckpt'),
    [...model, training].map(filled),
    (state) =>
      new Map([
        ['epoch', 1],
        ['global_step', 1000],
        ['pytorch-lightning_version', '1.2.10'],
        ['state_dict', state],
      ]),
  );
  writeFileSync(join(folder, 'bpe.model'), tokenizer());
  return { rudolph, vqgan };
}

/** 16,384 ids: the four special ones, ▁, the letters that prompts are made of, and Chinese characters for the rest. */
function tokenizer() {
  const letters = ['▁', ...'абвгдеёжзийклмнопрстуфхцчшщъыьэюя0123456789.,-'].map((letter) => letter.codePointAt(0));
  const points = Array.from({ length: 16380 }, (_, i) => letters[i] ?? 0x4e00 + i);
  return [`${points.length} 0`, ...points.map((point, i) => `${point} ${4 + i}`), '1 0 2 3', ''].join('\n');
}
