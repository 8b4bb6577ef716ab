import { RudolphError } from '../errors';
import { shown } from '../format/shown';

/**
 * A reader of Python's pickles (protocols 0 to 5, as far as torch's checkpoints go) that executes nothing: classes
 * on the caller's list are rebuilt by the caller's functions, every other one becomes an `Opaque` that only remembers
 * its name. dict → Map, list and tuple → array, set → array, int → number (or bigint), bytes → Uint8Array, None → null.
 */
export class Opaque {
  /** Python's module and name, e.g. `argparse.Namespace`. */
  readonly className: string;
  constructor(className: string) {
    this.className = className;
  }
}

/** A class or function by its name; calling it is what pickles do to make objects. */
export class PickleGlobal {
  readonly className: string;
  constructor(className: string) {
    this.className = className;
  }
}

export interface PickleOptions {
  /** Builders of the allowed classes and functions, by `module.name`; the arguments are the pickle's. */
  readonly builders: Readonly<Record<string, (args: readonly unknown[]) => unknown>>;
  /** What a persistent id (torch: a storage) stands for. */
  readonly persistent: (id: unknown) => unknown;
  /** File name for messages. */
  readonly label: string;
}

/** Thrown when the bytes end before the pickle does: the caller may come again with more. */
export class PickleTruncated extends Error {}

/** A checkpoint has no use for these: whoever pickled them wanted them to run. */
const HOSTILE =
  /^(os|posix|nt|subprocess|sys|socket|shutil|runpy|pty|importlib|ctypes|commands|webbrowser|pickle|code|__builtin__\.(eval|exec|execfile|compile|open|__import__)$|builtins\.(eval|exec|compile|open|__import__)$)(\.|$)/;

const MARK = Symbol('mark');

/**
 * The largest checkpoint takes 30,000. An opcode of one byte makes an object of up to 250: a file full of them would take the memory
 * of a whole machine.
 */
const MOST_OPCODES = 2 ** 20;
/** Of a module and a class; a longer one, recalled from the memo again and again, would be copied each time. */
const MOST_NAME = 200;
/** Python's own limit; V8 would throw for what does not fit its largest bigint. */
const MOST_DIGITS = 4300;

/**
 * Reads one pickle from `bytes` at `start`.
 * @returns the value and the offset behind the pickle.
 * @throws PickleTruncated when the bytes end first; RudolphError `bad-checkpoint` when the pickle is malformed.
 */
export function readPickle(bytes: Uint8Array, start: number, options: PickleOptions): { value: unknown; end: number } {
  const { label } = options;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  let at = start;

  const fail = (what: string): never => {
    throw new RudolphError('bad-checkpoint', `${label}: the pickle is malformed at byte ${at} (${what})`, {
      file: label,
    });
  };
  const take = (count: number): number => {
    if (!(count >= 0)) fail('negative length');
    if (at + count > bytes.length) throw new PickleTruncated(`${label}: the pickle ends behind byte ${bytes.length}`);
    at += count;
    return at - count;
  };
  const text = (length: number) => {
    const from = take(length);
    return new TextDecoder().decode(bytes.subarray(from, from + length));
  };
  const latin1 = (length: number) => {
    const from = take(length);
    return String.fromCharCode(...bytes.subarray(from, from + length));
  };
  const raw = (length: number) => {
    const from = take(length);
    return new Uint8Array(bytes.subarray(from, from + length));
  };
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new PickleTruncated(`${label}: the pickle ends behind byte ${bytes.length}`);
    const result = text(end - at);
    at++;
    return result;
  };
  const length64 = () => Number(view.getBigUint64(take(8), true));
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) fail('the stack is empty');
    return stack.pop();
  };
  const top = (): unknown => (stack.length === 0 || stack.at(-1) === MARK ? fail('the stack is empty') : stack.at(-1));
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) fail('a mark is missing');
    const items = stack.splice(mark);
    return items.slice(1);
  };
  const integer = (from: number, count: number): number | bigint => {
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i]!);
    value = BigInt.asIntN(count * 8, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  };
  const decimal = (digits: string): number | bigint => {
    if (digits.length > MOST_DIGITS || !/^[+-]?\d+$/.test(digits)) fail(`${shown(digits)} is no number`);
    const value = BigInt(digits);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  };
  const call = (callee: unknown, args: unknown): unknown => {
    const name =
      callee instanceof PickleGlobal || callee instanceof Opaque
        ? callee.className
        : fail('what is called is no class');
    const build =
      callee instanceof PickleGlobal && Object.hasOwn(options.builders, name) ? options.builders[name] : undefined;
    return build ? build(Array.isArray(args) ? args : []) : new Opaque(name);
  };
  const global = (module: unknown, name: unknown): PickleGlobal => {
    if (typeof module !== 'string' || typeof name !== 'string') return fail('the name of a class is no text');
    if (module.length + name.length > MOST_NAME) fail('the name of a class is too long');
    const className = `${module}.${name}`;
    if (HOSTILE.test(className)) {
      throw new RudolphError(
        'bad-checkpoint',
        `${label} asks Python to call ${className}, which no checkpoint needs: do not trust this file (nothing was run)`,
        {
          file: label,
          className,
        },
      );
    }
    return new PickleGlobal(className);
  };
  const setItems = (target: unknown, items: readonly unknown[]) => {
    if (items.length % 2 !== 0) fail('a key has no value');
    if (!(target instanceof Map)) return;
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  };
  const append = (target: unknown, items: readonly unknown[]) => {
    if (Array.isArray(target)) for (const item of items) target.push(item);
  };
  const recall = (index: number): unknown => (memo.has(index) ? memo.get(index) : fail(`memo ${index} is empty`));

  for (let opcodes = 0; ; opcodes++) {
    if (opcodes === MOST_OPCODES) fail(`it has more than ${MOST_OPCODES} opcodes`);
    const opcode = bytes[take(1)]!;
    // prettier-ignore
    switch (opcode) { // one line an opcode: a table
      case 0x80: take(1); break; // PROTO
      case 0x95: take(8); break; // FRAME
      case 0x2e: return { value: pop(), end: at }; // STOP .
      case 0x28: stack.push(MARK); break; // MARK (
      case 0x30: if (stack.length === 0) fail('the stack is empty'); stack.pop(); break; // POP 0
      case 0x31: popMark(); break; // POP_MARK 1
      case 0x32: stack.push(top()); break; // DUP 2
      case 0x4e: stack.push(null); break; // NONE N
      case 0x88: stack.push(true); break; // NEWTRUE
      case 0x89: stack.push(false); break; // NEWFALSE
      case 0x49: { const digits = line(); stack.push(digits === '00' ? false : digits === '01' ? true : decimal(digits)); break; } // INT I
      case 0x4c: stack.push(decimal(line().replace(/L$/, ''))); break; // LONG L
      case 0x4b: stack.push(bytes[take(1)]!); break; // BININT1 K
      case 0x4d: stack.push(view.getUint16(take(2), true)); break; // BININT2 M
      case 0x4a: stack.push(view.getInt32(take(4), true)); break; // BININT J
      case 0x8a: { const count = bytes[take(1)]!; stack.push(integer(take(count), count)); break; } // LONG1
      case 0x8b: { const count = view.getInt32(take(4), true); if (count > 1024) fail('an integer of over 1024 bytes'); stack.push(integer(take(count), count)); break; } // LONG4
      case 0x46: stack.push(Number(line())); break; // FLOAT F
      case 0x47: stack.push(view.getFloat64(take(8), false)); break; // BINFLOAT G
      case 0x53: stack.push(line().replace(/^(['"])(.*)\1$/s, '$2')); break; // STRING S
      case 0x56: stack.push(line()); break; // UNICODE V
      case 0x55: stack.push(latin1(bytes[take(1)]!)); break; // SHORT_BINSTRING U
      case 0x54: stack.push(text(view.getInt32(take(4), true))); break; // BINSTRING T
      case 0x8c: stack.push(text(bytes[take(1)]!)); break; // SHORT_BINUNICODE
      case 0x58: stack.push(text(view.getUint32(take(4), true))); break; // BINUNICODE X
      case 0x8d: stack.push(text(length64())); break; // BINUNICODE8
      case 0x43: stack.push(raw(bytes[take(1)]!)); break; // SHORT_BINBYTES C
      case 0x42: stack.push(raw(view.getUint32(take(4), true))); break; // BINBYTES B
      case 0x8e: case 0x96: stack.push(raw(length64())); break; // BINBYTES8, BYTEARRAY8
      case 0x29: stack.push([]); break; // EMPTY_TUPLE )
      case 0x74: stack.push(popMark()); break; // TUPLE t
      case 0x85: stack.push([pop()]); break; // TUPLE1
      case 0x86: { const b = pop(); const a = pop(); stack.push([a, b]); break; } // TUPLE2
      case 0x87: { const c = pop(); const b = pop(); const a = pop(); stack.push([a, b, c]); break; } // TUPLE3
      case 0x5d: case 0x8f: stack.push([]); break; // EMPTY_LIST ], EMPTY_SET
      case 0x6c: case 0x91: stack.push(popMark()); break; // LIST l, FROZENSET
      case 0x61: { const item = pop(); append(top(), [item]); break; } // APPEND a
      case 0x65: case 0x90: { const items = popMark(); append(top(), items); break; } // APPENDS e, ADDITEMS
      case 0x7d: stack.push(new Map()); break; // EMPTY_DICT }
      case 0x64: { const map = new Map(); setItems(map, popMark()); stack.push(map); break; } // DICT d
      case 0x73: { const value = pop(); const key = pop(); setItems(top(), [key, value]); break; } // SETITEM s
      case 0x75: { const items = popMark(); setItems(top(), items); break; } // SETITEMS u
      case 0x63: { const module = line(); stack.push(global(module, line())); break; } // GLOBAL c
      case 0x93: { const name = pop(); stack.push(global(pop(), name)); break; } // STACK_GLOBAL
      case 0x52: { const args = pop(); stack.push(call(pop(), args)); break; } // REDUCE R
      case 0x81: { const args = pop(); stack.push(call(pop(), args)); break; } // NEWOBJ
      case 0x92: { pop(); const args = pop(); stack.push(call(pop(), args)); break; } // NEWOBJ_EX
      case 0x6f: { const [callee, ...args] = popMark(); stack.push(call(callee, args)); break; } // OBJ o
      case 0x69: { const module = line(); const callee = global(module, line()); stack.push(call(callee, popMark())); break; } // INST i
      case 0x62: pop(); top(); break; // BUILD b: state of an object (for an OrderedDict its `_metadata`), never needed
      case 0x70: memo.set(Number(line()), top()); break; // PUT p
      case 0x71: memo.set(bytes[take(1)]!, top()); break; // BINPUT q
      case 0x72: memo.set(view.getUint32(take(4), true), top()); break; // LONG_BINPUT r
      case 0x94: memo.set(memo.size, top()); break; // MEMOIZE
      case 0x67: stack.push(recall(Number(line()))); break; // GET g
      case 0x68: stack.push(recall(bytes[take(1)]!)); break; // BINGET h
      case 0x6a: stack.push(recall(view.getUint32(take(4), true))); break; // LONG_BINGET j
      case 0x50: stack.push(options.persistent(line())); break; // PERSID P
      case 0x51: stack.push(options.persistent(pop())); break; // BINPERSID Q
      default: at--; fail(`opcode 0x${opcode.toString(16)} is not known`);
    }
  }
}
