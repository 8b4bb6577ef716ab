import { f32, packParams } from '../../gpu/kernel';
import { convolutionTile } from '../vqgan/conv2d';
import { grid } from '../vqgan/recording';
import { halves, series, table, type TestBench } from './bench';

const THREADS = 64;

/** A picture-shaped array: (height, width, stride), channels past `channels` are 0. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly stride: number;
  readonly data: Float64Array;
}

function pixels(seed: number, width: number, height: number, channels: number, stride = channels): Pixels {
  const values = series(seed, width * height * stride);
  return { width, height, channels, stride, data: values.map((value, i) => (i % stride < channels ? value : 0)) };
}

/**
 * conv2d, conv2d_direct, conv2d_subgroup: 3 × 3 as it is, halving and doubling the picture; then 1 × 1 without bias, added to what is there,
 * in two dispatches of the engine's tiles.
 */
export function conv2d(t: TestBench): void {
  const x = pixels(1, 5, 6, 16);
  convolve(t, x, { kernel: 3, out: 24 });
  convolve(t, x, { kernel: 3, out: 8, resize: 'half' });
  convolve(t, x, { kernel: 3, out: 8, resize: 'double' });
  convolve(t, pixels(2, 13, 11, 24), { kernel: 1, out: 13, onto: true, splitAt: convolutionTile(t.spec).pixels });
}

function convolve(
  t: TestBench,
  x: Pixels,
  options: {
    readonly kernel: 1 | 3;
    readonly out: number;
    readonly resize?: 'half' | 'double';
    readonly onto?: boolean;
    /** Pixels of the first dispatch. */
    readonly splitAt?: number;
  },
): void {
  const { kernel, out, resize, onto = false } = options;
  const [enlarge, step] = [resize === 'double' ? 2 : 1, resize === 'half' ? 2 : 1];
  const pad = kernel === 3 && resize !== 'half' ? 1 : 0;
  const width = Math.floor((x.width * enlarge) / step);
  const height = Math.floor((x.height * enlarge) / step);
  const stride = Math.ceil(out / 8) * 8;
  const length = kernel * kernel * x.stride;
  const weight = t.has('weights_f32') ? null : halves(3, out * length, 0.3);
  const values = weight?.values ?? series(3, out * length, 0.3);
  const bias = onto ? null : series(4, out);
  const before = series(5, width * height * stride);
  const y = table(width * height * stride, (i) => {
    const [p, n] = [Math.floor(i / stride), i % stride];
    let sum = onto ? before[i]! : 0;
    if (n >= out) return sum;
    sum += bias?.[n] ?? 0;
    for (let tap = 0; tap < kernel * kernel; tap++) {
      const sy = Math.floor(p / width) * step + Math.floor(tap / kernel) - pad;
      const sx = (p % width) * step + (tap % kernel) - pad;
      if (sy < 0 || sx < 0 || sy >= x.height * enlarge || sx >= x.width * enlarge) continue;
      const at = (Math.floor(sy / enlarge) * x.width + Math.floor(sx / enlarge)) * x.stride;
      for (let c = 0; c < x.stride; c++) sum += x.data[at + c]! * values[n * length + tap * x.stride + c]!;
    }
    return sum;
  });
  const bindings = [t.input(x.data), t.input(bias ?? new Float64Array(4)), onto ? t.f32(y, before) : t.f32(y)];
  const tile = convolutionTile(t.spec);
  const end = width * height;
  const cut = Math.min(end, options.splitAt ?? end);
  for (const [first, last] of [
    [0, cut],
    [cut, end],
  ] as const) {
    if (first === last) continue;
    t.dispatch({
      params: packParams([
        x.width,
        x.height,
        x.stride,
        kernel,
        pad,
        step,
        enlarge - 1,
        length / 8,
        width,
        stride,
        out,
        bias ? out : 0,
        onto ? 1 : 0,
        first,
        last,
      ]),
      bindings,
      partBindings: [t.input(weight?.bits ?? values)],
      workgroups: [Math.ceil(stride / tile.channels), Math.ceil((last - first) / tile.pixels)],
    });
  }
}

/** embed_codes: codes in the place of which their vectors stand. */
export function embedCodes(t: TestBench): void {
  const [codes, stride] = [[3, 0, 5, 5, 1, 2, 4], 16];
  const vectors = halves(1, 6 * stride);
  t.dispatch({
    params: packParams([codes.length, stride]),
    bindings: [
      t.input(Uint32Array.from(codes)),
      t.f32(
        table(codes.length * stride, (i) => vectors.values[codes[Math.floor(i / stride)]! * stride + (i % stride)]!),
      ),
    ],
    partBindings: [t.input(vectors.bits)],
    workgroups: grid(Math.ceil((codes.length * stride) / 8 / THREADS)),
  });
}

const CHANNELS = 64;
const PIXELS = 10;
/** Pixels of a chunk: the last one is smaller. */
const CHUNK = 4;
const CHUNKS = Math.ceil(PIXELS / CHUNK);

/** Mean and Σ(x − mean)² of each channel of each chunk, (chunks, channels, 2). */
function chunkMoments(x: Float64Array): Float64Array {
  const moments = new Float64Array(CHUNKS * CHANNELS * 2);
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const size = Math.min(CHUNK, PIXELS - chunk * CHUNK);
    for (let c = 0; c < CHANNELS; c++) {
      const values = table(size, (p) => x[(chunk * CHUNK + p) * CHANNELS + c]!);
      const mean = values.reduce((sum, value) => sum + value, 0) / size;
      const at = 2 * (chunk * CHANNELS + c);
      moments[at] = mean;
      moments[at + 1] = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    }
  }
  return moments;
}

export function groupNormMoments(t: TestBench): void {
  const x = series(1, PIXELS * CHANNELS);
  t.dispatch({
    params: packParams([PIXELS, CHANNELS, CHUNK, CHUNKS * CHANNELS]),
    bindings: [t.input(x), t.f32(chunkMoments(x))],
    workgroups: grid(Math.ceil((CHUNKS * CHANNELS) / THREADS)),
  });
}

/** group_norm_affine: 4 groups of 16 channels, from their chunks' moments. */
export function groupNormAffine(t: TestBench): void {
  const [groups, width, epsilon] = [4, CHANNELS / 4, 1e-6];
  const x = series(1, PIXELS * CHANNELS);
  const gain = series(2, CHANNELS);
  const affine = new Float64Array(2 * CHANNELS);
  for (let group = 0; group < groups; group++) {
    const values = x.filter((_, i) => Math.floor((i % CHANNELS) / width) === group);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    for (let c = group * width; c < (group + 1) * width; c++) {
      affine[c] = mean;
      affine[CHANNELS + c] = gain[c]! / Math.sqrt(variance + epsilon);
    }
  }
  t.dispatch({
    params: packParams([PIXELS, CHANNELS, CHUNK, CHUNKS, width, f32(epsilon)]),
    bindings: [t.input(chunkMoments(x)), t.input(gain), t.f32(affine)],
    workgroups: [groups],
  });
}

export function groupNormApply(t: TestBench): void {
  const x = series(1, PIXELS * CHANNELS, 4);
  x[7] = -400; // where exp would overflow
  const affine = series(2, 2 * CHANNELS);
  const bias = series(3, CHANNELS);
  const y = table(PIXELS * CHANNELS, (i) => {
    const c = i % CHANNELS;
    const value = (x[i]! - affine[c]!) * affine[CHANNELS + c]! + bias[c]!;
    return t.constant('SWISH') === 1 ? value / (1 + Math.exp(-value)) : value;
  });
  t.dispatch({
    params: packParams([CHANNELS / 4, (PIXELS * CHANNELS) / 4]),
    bindings: [t.input(x), t.input(affine), t.input(bias), t.f32(y)],
    workgroups: grid(Math.ceil((PIXELS * CHANNELS) / 4 / THREADS)),
  });
}

export function imagePatches(t: TestBench): void {
  const [width, height, channels, stride] = [5, 4, 3, 32];
  const image = series(1, channels * width * height).map((value) => (value + 1) / 2);
  const y = table(width * height * stride, (i) => {
    const [p, k] = [Math.floor(i / stride), i % stride];
    const [tap, c] = [Math.floor(k / channels), k % channels];
    const sy = Math.floor(p / width) + Math.floor(tap / 3) - 1;
    const sx = (p % width) + (tap % 3) - 1;
    if (tap > 8 || sy < 0 || sx < 0 || sy >= height || sx >= width) return 0;
    return 2 * image[(c * height + sy) * width + sx]! - 1;
  });
  t.dispatch({
    params: packParams([width, height, channels, stride]),
    bindings: [t.input(image), t.f32(y)],
    workgroups: grid(Math.ceil(y.length / THREADS)),
  });
}

/** From −1…1, beyond which values are cut, to 0…1. */
const toUnit = (value: number): number => (Math.min(1, Math.max(-1, value)) + 1) / 2;

export function imagePlanes(t: TestBench): void {
  const [count, channels, stride] = [35, 3, 8];
  const x = series(1, count * stride, 1.5);
  const image = table(channels * count, (i) => toUnit(x[(i % count) * stride + Math.floor(i / count)]!));
  t.dispatch({
    params: packParams([count, channels, stride]),
    bindings: [t.input(x), t.f32(image)],
    workgroups: grid(Math.ceil(image.length / THREADS)),
  });
}

/** Signs of the four bands in the four pixels of each, low-low first. */
const HAAR = [
  [1, 1, 1, 1],
  [1, 1, -1, -1],
  [1, -1, 1, -1],
  [1, -1, -1, 1],
] as const;

export function inverseHaar(t: TestBench): void {
  const [width, height, colours, stride] = [5, 4, 3, 16];
  const x = series(1, width * height * stride, 0.8);
  const image = new Float64Array(colours * 4 * width * height);
  for (let colour = 0; colour < colours; colour++) {
    for (let row = 0; row < 2 * height; row++) {
      for (let column = 0; column < 2 * width; column++) {
        const at = ((row >> 1) * width + (column >> 1)) * stride;
        const pixel = 2 * (row & 1) + (column & 1);
        const bands = [colour, ...[0, 1, 2].map((band) => colours + 3 * colour + band)];
        const sum = bands.reduce((total, channel, band) => total + HAAR[band]![pixel]! * x[at + channel]!, 0);
        image[(colour * 2 * height + row) * 2 * width + column] = toUnit(sum / 2);
      }
    }
  }
  t.dispatch({
    params: packParams([width, height, colours, stride]),
    bindings: [t.input(x), t.f32(image)],
    workgroups: grid(Math.ceil(image.length / THREADS)),
  });
}

export function imageTranspose(t: TestBench): void {
  const [count, channels, xStride, yStride] = [13, 10, 16, 16];
  const x = series(1, (count + 1) * xStride); // what lies behind the last pixel must not be read
  const y = table(channels * yStride, (i) => {
    const p = i % yStride;
    return p < count ? x[p * xStride + Math.floor(i / yStride)]! : 0;
  });
  t.dispatch({
    params: packParams([count, channels, xStride, yStride]),
    bindings: [t.input(x), t.f32(y)],
    workgroups: grid(Math.ceil(y.length / THREADS)),
  });
}

export function imageSoftmax(t: TestBench): void {
  const [rows, columns, stride, scale] = [3, 150, 152, 0.7];
  const before = series(1, rows * stride, 5);
  const scores = table(rows * stride, (i) => {
    const [row, u] = [Math.floor(i / stride), i % stride];
    if (u >= columns) return 0;
    const own = before.subarray(row * stride, row * stride + columns);
    return Math.exp(scale * before[i]!) / own.reduce((sum, value) => sum + Math.exp(scale * value), 0);
  });
  t.dispatch({
    params: packParams([columns, stride, f32(scale)]),
    bindings: [t.f32(scores, before)],
    workgroups: [rows],
  });
}

/** codebook_argmax: the lowest of equals, and a row whose largest value comes last. */
export function codebookArgmax(t: TestBench): void {
  const [count, codes, stride] = [4, 150, 152];
  const logits = series(1, count * stride);
  logits.fill(9, stride - 2, stride); // behind the codes: must not win
  for (const [p, code] of [
    [0, 70],
    [0, 9], // found by another thread
    [0, 73], // by the same
    [1, codes - 1],
    [2, 0],
  ] as const)
    logits[p * stride + code] = 2;
  const own = Array.from(logits.subarray(3 * stride, 3 * stride + codes));
  t.dispatch({
    params: packParams([count, codes, stride]),
    bindings: [t.input(logits), t.u32([9, codes - 1, 0, own.indexOf(Math.max(...own))])],
    workgroups: grid(count),
  });
}
