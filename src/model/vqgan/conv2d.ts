import { RudolphError } from '../../errors';
import { packParams, type KernelSpec } from '../../gpu/kernel';
import { dispatchLimit } from '../../gpu/runner';
import type { Activation, Recording } from './recording';

export interface ConvOptions {
  /** 1 or 3. */
  readonly kernel: 1 | 3;
  /** `half`: every second pixel, zeros below and to the right (0,1,0,1). `double`: nearest enlargement before. */
  readonly resize?: 'half' | 'double';
  /** Adds to this activation instead of making a new one: the residual connection. */
  readonly onto?: Activation;
}

/** Rows that a convolution multiplies with. */
export interface ConvMatrix {
  readonly part: string;
  readonly binding: GPUBuffer | GPUBufferBinding;
  readonly rows: number;
  /** Values from one row to the next, a multiple of 8. */
  readonly rowStride: number;
  readonly bias: GPUBuffer | null;
}

/**
 * Records a convolution with the tensors `<name>.weight` [out, kernel, kernel, in] and `<name>.bias` [out].
 * @param x (height, width, in); for a 3×3 convolution `in` is a multiple of 8.
 */
export async function conv2d(
  recording: Recording,
  name: string,
  x: Activation,
  options: ConvOptions,
): Promise<Activation> {
  const weight = recording.tensor(`${name}.weight`);
  const { kernel } = options;
  const out = weight.shape[0] ?? 0;
  const rowLength = weight.shape.slice(1).reduce((a, b) => a * b, 1);
  const inStride = kernel * kernel * x.stride;
  const fits = kernel === 1 ? rowLength === x.channels : x.channels % 8 === 0 && rowLength === 9 * x.channels;
  if (weight.dtype !== 'f16' || !fits || weight.rowStride !== inStride) {
    throw new RudolphError(
      'bad-model',
      `conv2d: ${weight.name} is ${weight.dtype} [${weight.shape.join(', ')}] in rows of ${weight.rowStride}, but x has ${x.channels} channels ` +
        `and the kernel is ${kernel}×${kernel}: expected f16 rows of ${inStride}${kernel === 3 && x.channels % 8 !== 0 ? ', channels in multiples of 8' : ''}`,
      { tensor: weight.name },
    );
  }
  const bias = recording.vector(`${name}.bias`, out);
  return multiply(
    recording,
    name,
    x,
    { part: recording.weightsPart, binding: weight.buffer, rows: out, rowStride: weight.rowStride, bias },
    options,
  );
}

/**
 * Records y[p, n] = Σ x[p, k]·matrix[n, k] + bias[n] (1×1), or the 3×3 convolution with such rows.
 * The work is split into dispatches of as many multiply-adds as one should have at most.
 */
export async function multiply(
  recording: Recording,
  label: string,
  x: Activation,
  matrix: ConvMatrix,
  options: ConvOptions,
): Promise<Activation> {
  const { kernel, resize, onto } = options;
  const width = resize === 'half' ? x.width >> 1 : resize === 'double' ? 2 * x.width : x.width;
  const height = resize === 'half' ? x.height >> 1 : resize === 'double' ? 2 * x.height : x.height;
  const y = onto ?? recording.activation(label, width, height, matrix.rows);
  if (y.width !== width || y.height !== height || y.channels !== matrix.rows) {
    throw new Error(
      `${label}: the sum is (${y.height}, ${y.width}, ${y.channels}), the convolution gives (${height}, ${width}, ${matrix.rows})`,
    );
  }
  const pixels = width * height;
  const compiled = await recording.gpu.kernels.get(kernelFor(recording, pixels, y.stride, matrix.part));
  const tile = convolutionTile(compiled.spec);
  const perPixel = kernel * kernel * x.stride * y.stride;
  const limit = dispatchLimit(recording.gpu.adapter);
  const step = Math.max(1, Math.min(65535, Math.floor(limit / (perPixel * tile.pixels)))) * tile.pixels;
  for (let first = 0; first < pixels; first += step) {
    const end = Math.min(pixels, first + step);
    recording.dispatches.push(
      compiled.dispatch(recording.arena, {
        label,
        params: packParams([
          x.width,
          x.height,
          x.stride,
          kernel,
          kernel === 3 && resize !== 'half' ? 1 : 0,
          resize === 'half' ? 2 : 1,
          resize === 'double' ? 1 : 0,
          matrix.rowStride / 8,
          width,
          y.stride,
          matrix.rows,
          matrix.bias ? matrix.rows : 0,
          onto ? 1 : 0,
          first,
          end,
        ]),
        bindings: [x.buffer, matrix.bias ?? recording.noBias, y.buffer],
        partBindings: [matrix.binding],
        workgroups: [Math.ceil(y.stride / tile.channels), Math.ceil((end - first) / tile.pixels)],
        work: (end - first) * perPixel,
      }),
    );
  }
  return y;
}

/** Which kernel makes so many pixels of `stride` channels. */
function kernelFor({ tiled, gpu }: Recording, pixels: number, stride: number, weightsPart: string): KernelSpec {
  if (!tiled) {
    // Where 32 channels are too many, as in the last layer, most of what it computes would be thrown away.
    return gpu.variants.subgroups && stride % 32 === 0
      ? { name: 'conv2d_subgroup', parts: [weightsPart, 'dots', 'lanes', 'convolution'] }
      : { name: 'conv2d_direct', parts: [weightsPart, 'dots', 'convolution'] };
  }
  // Small tiles keep more of the GPU busy where there are few outputs, large ones fetch less where there are many.
  const side = stride % 64 === 0 && pixels * stride >= 64 * 64 * 128 ? 16 : 8;
  return { name: 'conv2d', parts: [weightsPart, 'convolution'], constants: { THREADS_M: side, THREADS_N: side } };
}

/** The tile of pixels and channels that one workgroup of such a kernel computes. */
export function convolutionTile({ name, constants = {} }: KernelSpec): {
  readonly pixels: number;
  readonly channels: number;
} {
  if (name === 'conv2d_direct') return { pixels: 64, channels: 8 };
  if (name === 'conv2d_subgroup') return { pixels: 4, channels: 32 };
  return { pixels: 4 * constants['THREADS_M']!, channels: 4 * constants['THREADS_N']! };
}
