import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat32,
  float16Bits,
  float16ToFloat32,
  float16Value,
  float32ToFloat16,
} from '../../src/format/float16';

describe('float16', () => {
  it('keeps every half', () => {
    const wrong: string[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = float16Value(bits);
      const back = float16Bits(value);
      if (Number.isNaN(value) ? (back & 0x7fff) <= 0x7c00 : back !== bits)
        wrong.push(`${bits.toString(16)} → ${value} → ${back.toString(16)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest half, ties to even, between all neighbours', () => {
    const wrong: string[] = [];
    for (let low = 0; low < 0x7bff; low++) {
      const [a, b] = [float16Value(low), float16Value(low + 1)];
      const middle = (a + b) / 2; // exact in f32
      const gap = (b - a) / 1024;
      const cases = [
        [middle, low % 2 === 0 ? low : low + 1],
        [middle - gap, low],
        [middle + gap, low + 1],
      ] as const;
      for (const [value, expected] of cases) {
        for (const sign of [0, 0x8000]) {
          const bits = float16Bits(sign ? -value : value);
          if (bits !== (expected | sign))
            wrong.push(`${sign ? -value : value}: ${bits.toString(16)}, expected ${(expected | sign).toString(16)}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('overflows where IEEE 754 says', () => {
    expect([65504, 65519.99, 65520, 1e30, -65520, Infinity].map(float16Bits)).toEqual([
      0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0x7c00,
    ]);
    expect(float16Bits(NaN) & 0x7fff).toBe(0x7e00);
    expect(float16Bits(-0)).toBe(0x8000);
  });

  it('converts arrays', () => {
    const floats = Float32Array.of(0, -1.5, 0.1, 65504, 6e-8);
    const halves = float32ToFloat16(floats);
    expect([...halves]).toEqual([0, 0xbe00, 0x2e66, 0x7bff, 1]);
    expect([...float16ToFloat32(halves)].slice(0, 2)).toEqual([0, -1.5]);
    expect([...bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc040, 0x7f80))]).toEqual([1, -3, Infinity]);
  });
});
