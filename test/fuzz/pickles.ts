import type { Dice } from './dice';

const encoder = new TextEncoder();

const CLASSES = [
  'collections\nOrderedDict',
  'torch._utils\n_rebuild_tensor_v2',
  'torch._utils\n_rebuild_tensor',
  'torch._utils\n_rebuild_parameter',
  'torch._tensor\n_rebuild_from_type_v2',
  'torch\nFloatStorage',
  'torch\nHalfStorage',
  'torch.storage\nUntypedStorage',
  'argparse\nNamespace',
  'numpy\ndtype',
  '__proto__\nconstructor',
  'Object\nprototype',
];
const WORDS = [
  'storage',
  'state_dict',
  'cpu',
  '0',
  '1',
  'w',
  '__proto__',
  'constructor',
  'transformer.layers.0.x',
  'é',
  '',
];

/** Opcodes without an operand, with what they take off the stack and put on it; `mark`: everything down to the last mark. */
const BARE: readonly (readonly [opcode: string, takes: number | 'mark', puts: number])[] = [
  [')', 0, 1],
  [']', 0, 1],
  ['}', 0, 1],
  ['\x8f', 0, 1],
  ['\x88', 0, 1],
  ['N', 0, 1],
  ['2', 1, 2],
  ['2', 1, 2],
  ['0', 1, 0],
  ['\x85', 1, 1],
  ['\x86', 2, 1],
  ['\x87', 3, 1],
  ['a', 2, 1],
  ['s', 3, 1],
  ['R', 2, 1],
  ['R', 2, 1],
  ['\x81', 2, 1],
  ['\x92', 3, 1],
  ['b', 2, 1],
  ['Q', 1, 1],
  ['\x93', 2, 1],
  ['\x94', 1, 1],
  ['t', 'mark', 1],
  ['l', 'mark', 1],
  ['d', 'mark', 1],
  ['u', 'mark', 0],
  ['e', 'mark', 0],
  ['\x90', 'mark', 0],
  ['\x91', 'mark', 1],
  ['o', 'mark', 1],
  ['1', 'mark', 0],
];

/**
 * A pickle of random opcodes that mostly fit their stack: objects, tensors, storages, circles, and loops through the memo that bytes
 * changed at random would hardly hit on.
 */
export function randomPickle(dice: Dice): Uint8Array {
  const out: number[] = [0x80, 2];
  const text = (value: string) => {
    const bytes = encoder.encode(value);
    out.push(0x58, bytes.length & 255, bytes.length >> 8, 0, 0, ...bytes);
  };
  const number = (value: number) => {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
      out.push(0x4a, value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255);
    } else {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value);
      out.push(0x47, ...new Uint8Array(view.buffer));
    }
  };
  const size = () =>
    number(dice.once(12) ? dice.pick([-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 53, 1e300]) : dice.pick([0, 1, 2, 3, 6]));
  const klass = () => out.push(0x63, ...encoder.encode(`${dice.once(50) ? 'os\nsystem' : dice.pick(CLASSES)}\n`));
  const storage = () => {
    out.push(0x28);
    text(dice.once(9) ? dice.pick(WORDS) : 'storage');
    if (dice.once(9)) klass();
    else out.push(...encoder.encode('ctorch\nFloatStorage\n'));
    text(dice.pick(['0', '1', '7']));
    text('cpu');
    if (dice.once(4)) size();
    else number(6);
    out.push(0x74, 0x51);
  };
  const sizes = (count = dice.below(4)) => {
    out.push(0x28);
    for (let k = count; k > 0; k--) size();
    out.push(0x74);
  };
  const tensor = () => {
    out.push(...encoder.encode('ctorch._utils\n_rebuild_tensor_v2\n('));
    storage();
    size();
    const dimensions = dice.below(4);
    sizes(dimensions);
    sizes(dice.once(9) ? 0 : dimensions);
    out.push(0x74, 0x52);
  };
  const step = [
    () => text(dice.pick(WORDS)),
    size,
    klass,
    storage,
    () => sizes(),
    tensor,
    () => out.push(...encoder.encode('ccollections\nOrderedDict\n)R')),
    // Remembers, and recalls: the first only where there is something, which a new list is.
    () => out.push(0x5d, 0x71, dice.below(8)),
    () => out.push(...[0x5d, 0x71, 0, 0x68, 0].slice(dice.once(2) ? 3 : 0)),
    // A value that holds itself twice, again and again: 2ⁿ leaves in n steps.
    () => {
      out.push(0x29);
      for (let k = dice.skewed(60); k > 0; k--) out.push(0x32, 0x86);
    },
    // A list within a list within a list.
    () => {
      out.push(0x29);
      for (let k = dice.skewed(20_000); k > 0; k--) out.push(0x85);
    },
    () => {
      const operand = dice.pick(['I', 'L', 'F', 'S', 'V', 'P', 'g', 'p', 'i']);
      out.push(
        ...encoder.encode(
          `${operand}${dice.pick(['1', '-7', '00', 'NaN', '1e999', "'x'", '', '9'.repeat(1 + dice.skewed(9000))])}\n`,
        ),
      );
    },
    () =>
      out.push(
        dice.pick([0x8a, 0x8b, 0x54, 0x55, 0x8c, 0x8d, 0x43, 0x42, 0x8e, 0x96, 0x95, 0x72, 0x6a]),
        ...word(dice),
      ),
  ];
  /** How many values lie above each mark. */
  const stack = [0];
  for (let k = 1 + dice.skewed(200); k > 0; k--) {
    if (dice.once(2)) {
      dice.pick(step)();
      stack[stack.length - 1]!++;
    } else if (dice.once(6)) {
      out.push(0x28);
      stack.push(0);
    } else {
      const [opcode, takes, puts] = dice.pick(BARE);
      const fits =
        takes === 'mark' ? stack.length > 1 && (stack.at(-1)! % 2 === 0 || puts > 0) : stack.at(-1)! >= takes;
      if (!fits && !dice.once(200)) continue;
      out.push(opcode.charCodeAt(0));
      if (takes === 'mark') stack.pop();
      else stack[stack.length - 1]! -= takes;
      if (stack.length === 0) stack.push(0);
      stack[stack.length - 1]! += puts;
    }
  }
  if (dice.once(2)) {
    // What came last, and a tensor, under names in the dictionary that is the root.
    if (stack.at(-1)! < 1) out.push(0x4e);
    out.push(0x71, 250, ...encoder.encode('}('));
    text(dice.pick(WORDS));
    out.push(0x68, 250);
    text('w');
    tensor();
    out.push(...encoder.encode('u'));
  }
  if (!dice.once(20)) out.push(0x2e);
  return Uint8Array.from(out);
}

/** An operand of some length. */
function word(dice: Dice): number[] {
  const length = dice.pick([1, 2, 4, 8]);
  return Array.from({ length }, (_, k) => (k === 0 ? dice.below(256) : dice.pick([0, 0, 0, 1, 0x7f, 0xff])));
}
