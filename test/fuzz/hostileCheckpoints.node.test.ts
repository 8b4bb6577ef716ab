import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/convert/checkpoint';
import { deduceImageTokenizer } from '../../src/convert/imageTokenizer';
import { memorySource } from '../../src/format/byteSource';
import { messageOf, named } from '../convert/tiny';
import { concat } from '../support/concat';
import { type FakeTensor, type PickleValue, torchZip, zip, zipEnd, zipHeader } from '../support/torchFiles';
import { CONFIG, convert, transformerState, vqganState } from './corpus';

/*
 * Files made to harm whoever reads them: each once ended in a crash, a hang, an endless allocation, or an error of JavaScript's own.
 */
const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const times = (count: number, bytes: string) => new Uint8Array(Buffer.alloc(count * bytes.length, bytes, 'latin1'));
const open = (bytes: Uint8Array) => openCheckpoint(named('x.bin', bytes));
const refusal = (bytes: Uint8Array) => messageOf(open(bytes));
/** A checkpoint whose pickle is these bytes. */
const pickled = (...parts: readonly (Uint8Array | string)[]) =>
  zip([
    ['m/data.pkl', concat(parts.map((part) => (typeof part === 'string' ? ascii(part) : part)))],
    ['m/data/0', new Uint8Array(24)],
  ]);
const matrix: FakeTensor = { dtype: 'f32', shape: [2, 3], data: new Uint8Array(24) };
/** A tuple of itself twice, 60 times over: 2⁶⁰ leaves. */
const LAUGHS = `)${'2\x86'.repeat(60)}`;
/** Tuples within tuples. */
const DEEP = concat([ascii(')'), times(300_000, '\x85')]);

describe('zips', () => {
  const content = deflateRawSync(new Uint8Array(1_000_000));
  const entry = (name: string, offset: number, length: number, packed = content.length) =>
    zipHeader(name, { deflate: true }, length, packed, offset);

  it('whose entries share one deflated block are refused (a bomb of 100 × 1 MB in 6 kB)', async () => {
    const local = zipHeader('m/data.pkl', { deflate: true }, 1_000_000, content.length, null);
    const directory = Array.from({ length: 100 }, (_, k) =>
      entry(k === 0 ? 'm/data.pkl' : `m/data/${k}`, 0, 1_000_000),
    );
    const body = concat([local, content]);
    const bomb = concat([body, ...directory, zipEnd(directory, body.length, false)]);
    expect(await refusal(bomb)).toMatch(
      /^x\.bin: its entries overlap \(they take \d+ of \d+ bytes\); get the file again$/,
    );
  });

  it('that claim to unfold further than deflate can are refused before memory is set aside', async () => {
    const local = zipHeader('m/data.pkl', { deflate: true }, 60_000_000, content.length, null);
    const directory = [entry('m/data.pkl', 0, 60_000_000)];
    const body = concat([local, content]);
    expect(await refusal(concat([body, ...directory, zipEnd(directory, body.length, false)]))).toBe(
      `x.bin: m/data.pkl is to become 60000000 bytes out of ${content.length}, which is impossible; get the file again`,
    );
  });

  it('whose pickle unfolds to more than any checkpoint has are refused before it is unfolded', async () => {
    const bomb = zip([['m/data.pkl', new Uint8Array(65 * 2 ** 20)]], { deflate: true });
    expect(bomb.length).toBeLessThan(100_000);
    expect(await refusal(bomb)).toBe('x.bin holds a pickle of 68157440 bytes, expected at most 67108864');
  });

  it('that unfold to another length than they say are refused', async () => {
    const make = (length: number) => {
      const body = concat([zipHeader('m/data.pkl', { deflate: true }, length, content.length, null), content]);
      const directory = [entry('m/data.pkl', 0, length)];
      return concat([body, ...directory, zipEnd(directory, body.length, false)]);
    };
    for (const length of [999_999, 1_000_001])
      expect(await refusal(make(length))).toBe('x.bin: m/data.pkl cannot be inflated; get the file again');
  });

  it('with two entries of one name are refused: programs disagree about which counts', async () => {
    const two = zip([
      ['m/data.pkl', ascii('}.')],
      ['m/data.pkl', ascii('].')],
    ]);
    expect(await refusal(two)).toBe('x.bin: "m/data.pkl" occurs twice; get the file again');
  });

  it('with sizes of 2⁶⁴−1, and entries named like paths elsewhere, hold nothing that is looked for', async () => {
    const wide = torchZip(new Map([['w', matrix]]), { zip64: true });
    const view = new DataView(wide.buffer);
    // The directory's entry of the pickle: its three ZIP64 values.
    const at = Buffer.from(wide).indexOf('PK\x01\x02', 0, 'latin1') + 46 + 'archive/data.pkl'.length + 4;
    for (let k = 0; k < 3; k++) view.setBigUint64(at + 8 * k, 2n ** 64n - 1n, true);
    expect(await refusal(wide)).toBe('x.bin: archive/data.pkl lies outside the file; get the file again');
    const paths = zip(['../data.pkl/x', '/etc/data.pkl', 'C:\\data.pkl'].map((name) => [name, ascii('}.')]));
    expect(await refusal(paths)).toMatch(
      /has no data\.pkl \(it holds \.\.\/data\.pkl\/x, \/etc\/data\.pkl, C:\\data\.pkl\)$/,
    );
  });
});

describe('pickles', () => {
  const storage = (key: string) => `(X\x07\x00\x00\x00storagectorch\nFloatStorage\n${key}X\x03\x00\x00\x00cpuK\x06tQ`;
  it.each<[string, Uint8Array, string]>([
    [
      'lists that hold each other 2⁶⁰ times, as the key of a storage',
      pickled(storage(LAUGHS), '.'),
      'the key of a storage is a list of 2',
    ],
    [
      'such lists as a persistent id',
      pickled('(', LAUGHS, 'tQ.'),
      'holds an object of the class persistent id a list of 2',
    ],
    [
      'such lists as the key of a dictionary',
      pickled('}', LAUGHS, 'K\x01s.'),
      'holds no tensors (its keys: a list of 2)',
    ],
    ['such lists as the name of a class', pickled(LAUGHS, LAUGHS, '\x93.'), 'the name of a class is no text'],
    [
      'lists 300,000 deep as the key of a storage',
      pickled('(X\x07\x00\x00\x00storagectorch\nFloatStorage\n', DEEP, 'NK\x06tQ.'),
      'the key of a storage is a list of 1',
    ],
    [
      'lists 300,000 deep as the key of a dictionary',
      pickled('}', DEEP, 'K\x01s.'),
      'holds no tensors (its keys: a list of 1)',
    ],
    ['lists 300,000 deep as the root', pickled(DEEP, '.'), 'holds a list instead of a state dict'],
    ['a million digits', pickled('I', times(1_000_000, '9'), '\n.'), '999…" is no number'],
    ['a list in a circle', pickled(']q\x002a.'), 'holds a list instead of a state dict'],
    [
      'a long name, recalled again and again',
      pickled('X\x40\x42\x0f\x00', times(1_000_000, 'a'), 'q\x00', times(1000, 'h\x00h\x00\x930'), '.'),
      'the name of a class is too long',
    ],
    ['two million dictionaries', pickled(times(2_000_000, '}'), '.'), 'it has more than 1048576 opcodes'],
    [
      'one list made into dictionaries again and again',
      pickled('](', times(20_000, '))\x86'), 'eq\x00', times(2000, 'ccollections\nOrderedDict\nh\x00\x85R0'), '.'),
      'its dictionaries repeat the same items too often',
    ],
    [
      'a tensor of 100,000 dimensions',
      pickled(
        'ctorch._utils\n_rebuild_tensor_v2\n(',
        storage('X\x01\x00\x00\x000'),
        'K\x00(',
        times(100_000, 'K\x01'),
        't(',
        times(100_000, 'K\x00'),
        'ttR.',
      ),
      'a tensor of the pickle is malformed',
    ],
  ])('of %s are refused in time', async (_, bytes, message) => {
    const start = performance.now();
    expect(await refusal(bytes)).toContain(message);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('with 200,000 tensors are refused for what they lack', async () => {
    const names = Array.from({ length: 200_000 }, (_, k) => {
      const name = `transformer.layers.${k}.x`;
      return `X${String.fromCharCode(name.length)}\x00\x00\x00${name}h\x01`;
    });
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage('X\x01\x00\x00\x000')}K\x00K\x02\x85K\x01\x85tRq\x010`;
    const rudolph = pickled(tensor, '}(', names.join(''), 'u.');
    const options = { rudolph: named('x.bin', rudolph), vqgan: named('v', rudolph), tokenizer: named('t', rudolph) };
    const { prepareConversion } = await import('../../src/convert/convert');
    expect(await messageOf(prepareConversion({ ...options, producer: 'test' }))).toContain(
      'x.bin (200000 layers, text embeddings [?]) has the shapes of no preset',
    );
  });
});

describe('messages', () => {
  it('do not carry escape sequences, turned text or endless names out of a file', async () => {
    const name = '\u001b]0;owned\u0007\u202e\u009b31m';
    const message = await refusal(torchZip(new Map<string, PickleValue>([[name, 1]])));
    expect(message).toBe('x.bin holds no tensors (its keys: ?]0;owned???31m)');
    const long = Object.fromEntries([['a'.repeat(100_000), 1]]);
    expect((await refusal(pickled('}(X\xa0\x86\x01\x00', times(100_000, 'a'), 'K\x01u.'))).length).toBeLessThan(200);
    expect(
      (
        await messageOf(
          convert({
            rudolph: ascii(''),
            vqgan: ascii(''),
            config: JSON.stringify({ ...CONFIG, special_tokens: long }),
          }),
        )
      ).length,
    ).toBeLessThan(5000);
  });
});

describe('image tokenizers', () => {
  const deduce = async (state: Map<string, PickleValue>) => deduceImageTokenizer(await open(torchZip(state)));
  const width = 'encoder.down.0.block.0.conv1.weight';

  it('with thousands of levels and blocks are refused before their product is planned', async () => {
    const state = vqganState();
    for (let k = 0; k < 3000; k++) {
      state.set(`encoder.down.${k}.block.0.conv1.weight`, state.get(width)!);
      state.set(`encoder.down.0.block.${k}.conv1.weight`, state.get(width)!);
    }
    expect(await messageOf(deduce(state))).toBe('x.bin is not a supported VQGAN: 3000 levels, at most 16 are possible');
  });

  it('with billions of channels, out of one number repeated, are refused', async () => {
    const state = vqganState();
    state.set(width, { ...matrix, shape: [2 ** 40, 32, 3, 3], strides: [0, 0, 0, 0] });
    expect(await messageOf(deduce(state))).toBe(
      'x.bin is not a supported VQGAN: 1099511627776 channels, at most 65536 are possible',
    );
  });
});

describe('files of another kind', () => {
  it('as tokenizer are refused by their size', async () => {
    const source = { ...memorySource(new Uint8Array(0)), byteLength: 5e9 };
    const { prepareConversion } = await import('../../src/convert/convert');
    const input = {
      rudolph: named('rudolph.bin', torchZip(transformerState())),
      vqgan: named('vqgan.ckpt', torchZip(vqganState())),
      tokenizer: { label: 'big.bin', source },
      config: { label: 'config.json', text: JSON.stringify(CONFIG) },
      producer: 'test',
    };
    expect(await messageOf(prepareConversion(input))).toBe(
      'big.bin has 5000000000 bytes: it is no bpe.model of YouTokenToMe',
    );
  });
});
