import { RudolphError } from '../errors';
import type { RgbaImage } from './image';

/** Pillow's filters that upstream uses. */
export type ResizeFilter = 'bilinear' | 'bicubic';

/** The filter's half width in output pixels, and its value at x (Pillow's Resample.c). */
const FILTERS: Record<ResizeFilter, { readonly support: number; readonly at: (x: number) => number }> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic with a = −0.5
  bicubic: {
    support: 2,
    at: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
      return 0;
    },
  },
};

/** Pillow's coefficients are integers of this many fractional bits: 32 less 8 of the pixel and 2 to spare. */
const PRECISION_BITS = 32 - 8 - 2;

interface Coefficients {
  /** Per output pixel the first input pixel. */
  readonly first: Int32Array;
  /** Per output pixel how many input pixels count. */
  readonly count: Int32Array;
  /** (out, width) fixed-point weights. */
  readonly weights: Int32Array;
  readonly width: number;
}

/** Pillow's precompute_coeffs and normalize_coeffs_8bpc for a whole row or column. */
function coefficients(inSize: number, outSize: number, filter: ResizeFilter): Coefficients {
  const { support: halfWidth, at } = FILTERS[filter];
  const scale = inSize / outSize;
  const filterScale = Math.max(1, scale); // antialiasing: the filter grows with the pixels it has to cover
  const support = halfWidth * filterScale;
  const width = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * width);
  const inverse = 1 / filterScale;
  for (let out = 0; out < outSize; out++) {
    const centre = (out + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(inSize, Math.trunc(centre + support + 0.5));
    const values: number[] = [];
    let total = 0;
    for (let x = start; x < end; x++) {
      const value = at((x - centre + 0.5) * inverse);
      values.push(value);
      total += value;
    }
    first[out] = start;
    count[out] = end - start;
    values.forEach((value, index) => {
      const share = (total !== 0 ? value / total : value) * 2 ** PRECISION_BITS;
      weights[out * width + index] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    });
  }
  return { first, count, weights, width };
}

/**
 * Resizes exactly as Pillow's `Image.resize` does with 8-bit RGB: antialiased, rows first, then columns, each pass rounded
 * to 8 bits, in fixed-point arithmetic. Alpha is ignored and comes out as 255.
 * @throws RudolphError `bad-input` for sides that are no whole numbers of at least 1.
 */
export function resize(image: RgbaImage, width: number, height: number, filter: ResizeFilter): RgbaImage {
  if (![width, height, image.width, image.height].every((side) => Number.isInteger(side) && side >= 1)) {
    throw new RudolphError(
      'bad-input',
      `resize: from ${image.width}×${image.height} to ${width}×${height}, expected whole sides of at least 1`,
    );
  }
  // Pillow leaves out a pass that would change nothing.
  let data = image.data;
  if (width !== image.width) {
    const rows = new Uint8ClampedArray(width * image.height * 4);
    pass(data, rows, coefficients(image.width, width, filter), {
      lines: image.height,
      step: 4,
      inLine: image.width * 4,
      outLine: width * 4,
    });
    data = rows;
  }
  if (height !== image.height) {
    const columns = new Uint8ClampedArray(width * height * 4);
    pass(data, columns, coefficients(image.height, height, filter), {
      lines: width,
      step: width * 4,
      inLine: 4,
      outLine: 4,
    });
    data = columns;
  }
  const copy = new Uint8ClampedArray(data);
  for (let alpha = 3; alpha < copy.length; alpha += 4) copy[alpha] = 255;
  return { width, height, data: copy };
}

/** One direction: along each of `lines` lines, whose pixels are `step` values apart and which start `inLine` / `outLine` apart. */
function pass(
  source: Uint8ClampedArray,
  target: Uint8ClampedArray,
  { first, count, weights, width }: Coefficients,
  { lines, step, inLine, outLine }: { lines: number; step: number; inLine: number; outLine: number },
): void {
  const half = 1 << (PRECISION_BITS - 1);
  for (let line = 0; line < lines; line++) {
    for (let out = 0; out < first.length; out++) {
      const from = line * inLine + first[out]! * step;
      const to = line * outLine + out * step;
      let red = half;
      let green = half;
      let blue = half;
      for (let k = 0; k < count[out]!; k++) {
        const weight = weights[out * width + k]!;
        const at = from + k * step;
        red += source[at]! * weight;
        green += source[at + 1]! * weight;
        blue += source[at + 2]! * weight;
      }
      // The clamped array clamps as Pillow's clip8 does.
      target[to] = red >> PRECISION_BITS;
      target[to + 1] = green >> PRECISION_BITS;
      target[to + 2] = blue >> PRECISION_BITS;
    }
  }
}
