import { concat } from '../support/concat';
import type { Dice } from './dice';

/** Values at which lengths, counts and offsets go wrong: signs, sizes of words, the last exact double, 4 GiB, infinity. */
const LIMITS = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1f_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0xffff_ffff_ffff_ffffn,
];

/** Kinds of changes; the first ones leave the length as it is. */
const KINDS = 9;
const SMALL_KINDS = 3;
/** Inputs grow no further: a million of them are to be read. */
const MOST_BYTES = 128 * 1024;

/**
 * A changed copy of a file: flipped bits, bytes and numbers at their limits, cut, doubled, moved and foreign pieces. Usually one or
 * two changes, so that what comes behind them is reached.
 * @param from where changes begin, for files whose beginning alone decides what they are taken for
 */
export function mutateBytes(dice: Dice, original: Uint8Array, foreign: readonly Uint8Array[], from = 0): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(original); // not `slice`, which does not copy where it is Node's Buffer
  // A third with one small change: most formats have checks that nothing else comes past.
  if (dice.once(3)) return once(dice, bytes, foreign, from, dice.below(SMALL_KINDS));
  for (let change = 1 + dice.skewed(8); change > 0; change--)
    bytes = once(dice, bytes, foreign, from, dice.below(KINDS));
  return bytes;
}

function once(dice: Dice, bytes: Uint8Array, foreign: readonly Uint8Array[], from: number, kind: number): Uint8Array {
  if (bytes.length <= from) return bytes;
  const at = from + dice.below(bytes.length - from);
  const length = Math.min(bytes.length - at, 1 + dice.skewed(bytes.length - from));
  switch (kind) {
    case 0:
      bytes[at]! ^= 1 << dice.below(8);
      return bytes;
    case 1:
      bytes[at] = dice.below(256);
      return bytes;
    case 2: {
      const width = dice.pick([1, 2, 4, 8]);
      const value = dice.once(4) ? BigInt(bytes.length + dice.below(9) - 4) : dice.pick(LIMITS);
      for (let k = 0; k < width && at + k < bytes.length; k++) bytes[at + k] = Number((value >> BigInt(8 * k)) & 0xffn);
      return bytes;
    }
    case 3:
      return bytes.slice(0, at);
    case 4:
      return concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 5: {
      const piece = bytes.subarray(at, at + length);
      const times = Math.min(1 + dice.skewed(20), Math.floor(MOST_BYTES / length));
      return concat([bytes.subarray(0, at), ...new Array<Uint8Array>(times).fill(piece), bytes.subarray(at)]);
    }
    case 6: {
      const to = from + dice.below(bytes.length - from);
      bytes.copyWithin(to, at, at + length);
      return bytes;
    }
    case 7: {
      const other = dice.pick(foreign);
      const start = dice.below(other.length);
      const piece = other.subarray(start, start + 1 + dice.skewed(other.length - start));
      return concat([bytes.subarray(0, at), piece, bytes.subarray(at + (dice.once(2) ? piece.length : 0))]);
    }
    default:
      bytes.fill(dice.pick([0, 0x20, 0x7b, 0xff]), at, at + length);
      return bytes;
  }
}
