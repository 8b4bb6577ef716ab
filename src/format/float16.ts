/** Half and brain floats as bit patterns in integer arrays: JavaScript's own `Float16Array` is too young to rely on. */

const floatOf = new Float32Array(1);
const bitsOf = new Uint32Array(floatOf.buffer);

/** The largest finite half. */
export const FLOAT16_MAX = 65504;

/** Bits of the half nearest to `value`, ties to even; beyond 65504 (after rounding) infinity, NaN stays NaN. */
export function float16Bits(value: number): number {
  floatOf[0] = value;
  const bits = bitsOf[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude >= 0x4780_0000) return sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x3880_0000) {
    // Normal: rebias the exponent by −112 and round the 13 dropped bits; a carry moves into the exponent by itself.
    return sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  // Subnormal: adding 0.5 leaves the half's 10 bits at the bottom of the sum, rounded to even by the addition itself.
  floatOf[0] = Math.abs(value) + 0.5;
  return sign | (bitsOf[0]! - 0x3f00_0000);
}

/** The value of a half's bits. */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let table: Float32Array | undefined;

/** Widens halves to floats; exact. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => float16Value(bits));
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) floats[i] = table[halves[i]!]!;
  return floats;
}

/** Rounds floats to halves as `float16Bits` does. */
export function float32ToFloat16(floats: Float32Array): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < floats.length; i++) halves[i] = float16Bits(floats[i]!);
  return halves;
}

/** Widens bfloat16 bits (the upper half of a float) to floats; exact. */
export function bfloat16ToFloat32(brains: Uint16Array): Float32Array {
  const bits = new Uint32Array(brains.length);
  for (let i = 0; i < brains.length; i++) bits[i] = brains[i]! << 16;
  return new Float32Array(bits.buffer);
}
