import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/convert/checkpoint';
import { readFloats } from '../../src/convert/tensors';
import { openZipEntry, readZipDirectory } from '../../src/convert/zip';
import { writeSafetensors } from '../../src/format/safetensors';
import { FakeObject, pickle, sparseSource, torchLegacy, torchZip, zip, zipEnd, zipHeader } from '../support/torchFiles';
import type { FakeTensor, PickleValue } from '../support/torchFiles';
import { asBrain, asHalf, fixture, floats, FOLDER, messageOf, named, stateOf } from './tiny';

const matrix = floats([2, 3], Float32Array.of(0, 1, 2, 3, 4, 5));

async function open(bytes: Uint8Array) {
  return openCheckpoint(named('x.bin', bytes));
}

async function read(bytes: Uint8Array, key = 'w') {
  const tensor = (await open(bytes)).tensors.get(key)!;
  return [...(await readFloats(tensor, 0, tensor.shape[0]!))];
}

async function refusal(bytes: Uint8Array) {
  return messageOf(open(bytes));
}

describe('containers', () => {
  it.each(['pytorch_model.bin', 'pytorch_model.fp16.bin', 'pytorch_model.legacy.bin'])(
    'reads the same state dict from %s of torch.save',
    async (name) => {
      const [state, reference] = [await stateOf(name), await stateOf('pytorch_model.bin')];
      expect([...state.keys()]).toEqual([...reference.keys()]);
      for (const [key, tensor] of reference) {
        expect(state.get(key)!.shape, key).toEqual(tensor.shape);
        if (tensor.dtype === 'f32') expect(Buffer.compare(state.get(key)!.data, tensor.data), key).toBe(0);
      }
      expect((await openCheckpoint(fixture(name))).container).toBe(
        name.includes('legacy') ? 'torch legacy' : 'torch zip',
      );
    },
  );

  it.each<[string, (root: PickleValue) => Uint8Array]>([
    ['zip', (root) => torchZip(root)],
    ['ZIP64', (root) => torchZip(root, { zip64: true })],
    ['deflated zip', (root) => torchZip(root, { deflate: true })],
    ['deflated ZIP64', (root) => torchZip(root, { deflate: true, zip64: true })],
    ['legacy', (root) => torchLegacy(root)],
  ])('reads f32, f16, bf16, bool and int64 from a %s', async (_, write) => {
    const file = write(
      new Map<string, PickleValue>([
        ['f32', matrix],
        ['f16', asHalf(matrix)],
        ['bf16', asBrain(matrix)],
        ['bool', { dtype: 'bool', shape: [2, 3], data: Uint8Array.of(0, 1, 1, 0, 1, 0) }],
        ['i64', { dtype: 'i64', shape: [2], data: new Uint8Array(BigInt64Array.of(-1n, 1n << 40n).buffer) }],
      ]),
    );
    for (const key of ['f32', 'f16', 'bf16']) expect(await read(file, key), key).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await read(file, 'bool')).toEqual([0, 1, 1, 0, 1, 0]);
    const longs = (await open(file)).tensors.get('i64')!;
    expect([...(await readFloats(longs, 0, 1))]).toEqual([-1, 2 ** 40]);
  });

  it('reads safetensors', async () => {
    const file = writeSafetensors([
      { name: 'w', dtype: 'F32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
    ]);
    expect(await read(file)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await refusal(file.slice(0, -4))).toBe(
      'x.bin is not a usable safetensors file: w ends at byte 96 of 92; it is truncated',
    );
  });

  it('reads transposed, shifted and broadcast views', async () => {
    const view = (strides: number[], shape: number[], offset = 0): Uint8Array =>
      torchZip(new Map([['w', { ...matrix, shape, strides, offset }]]));
    expect(await read(view([1, 3], [3, 2]))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(await read(view([3, 1], [2, 2], 1))).toEqual([1, 2, 4, 5]);
    expect(await read(view([0, 1], [2, 3]))).toEqual([0, 1, 2, 0, 1, 2]);
    const tensor = (await open(view([1, 3], [3, 2]))).tensors.get('w')!;
    expect([...(await readFloats(tensor, 1, 3))]).toEqual([1, 4, 2, 5]);
  });

  it('reads an entry behind 4 GiB', async () => {
    const far = 5_000_000_000;
    const content = new TextEncoder().encode('behind');
    const local = zipHeader('far.txt', { zip64: true }, 6, 6, null);
    const directory = [zipHeader('far.txt', { zip64: true }, 6, 6, far)];
    const end = far + local.length + 6;
    const source = sparseSource(end + directory[0]!.length + 98, [
      [far, local],
      [far + local.length, content],
      [end, directory[0]!],
      [end + directory[0]!.length, zipEnd(directory, end, true)],
    ]);
    const entry = (await readZipDirectory(source, 'big.zip')).get('far.txt')!;
    expect(entry).toMatchObject({ headerOffset: far, byteLength: 6 });
    const opened = await openZipEntry(source, entry, 'big.zip');
    expect(new TextDecoder().decode(await opened.slice(0, 6))).toBe('behind');
  });

  it('takes a state dict out of a Lightning checkpoint, and tolerates the classes beside it', async () => {
    const file = torchZip(
      new Map<string, PickleValue>([
        ['hyper_parameters', new FakeObject('argparse', 'Namespace')],
        [
          'callbacks',
          new Map([['c', new FakeObject('pytorch_lightning.callbacks.model_checkpoint', 'ModelCheckpoint')]]),
        ],
        ['lr', new FakeObject('numpy.core.multiarray', 'scalar', [1.5])],
        ['state_dict', new Map([['w', matrix]])],
      ]),
    );
    expect([...(await open(file)).tensors.keys()]).toEqual(['w']);
  });

  it('takes parameters and their buffers alike', async () => {
    const parameter = new FakeObject('torch._utils', '_rebuild_parameter', [matrix, true, new Map()]);
    expect(await read(torchZip(new Map([['w', parameter]])))).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('files that are no checkpoint', () => {
  const text = (content: string) => new TextEncoder().encode(content);
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'x.bin is empty; expected a checkpoint of torch.save'],
    ['HTML', text('\n<!DOCTYPE html><html>'), 'is an HTML page (a failed download?)'],
    ['gzip', gzipSync('x'), 'is gzip-compressed (unpack it first)'],
    ['an LFS pointer', text('version https://git-lfs.github.com/spec/v1\n'), 'is a Git LFS pointer'],
    ['JSON', text('{"a": 1}'), 'is JSON'],
    ['a plain pickle', pickle(new Map()), 'is a pickle that torch.save did not write'],
    ['zeros', new Uint8Array(1000), 'begins with zeros'],
    ['noise', text('what is this thing?'), 'is of an unknown format'],
    [
      'a zip of something else',
      zip([['a.txt', text('a')]]),
      'x.bin is a zip, but not one of torch.save: it has no data.pkl (it holds a.txt)',
    ],
    [
      'TorchScript',
      zip([
        ['m/data.pkl', pickle(null)],
        ['m/constants.pkl', pickle(null)],
      ]),
      'is a TorchScript archive',
    ],
    ['a list', torchZip(1), 'x.bin holds a number instead of a state dict'],
    ['no tensors', torchZip(new Map<string, PickleValue>([['epoch', 3]])), 'x.bin holds no tensors (its keys: epoch)'],
    [
      'a whole module',
      torchZip(new FakeObject('__main__', 'Model')),
      'x.bin holds an object of the class __main__.Model instead of a state dict; save model.state_dict()',
    ],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(bytes)).toContain(message);
  });
});

describe('damaged checkpoints', () => {
  it('says that a zip is truncated, wherever it was cut', async () => {
    const file = readFileSync(`${FOLDER}/pytorch_model.fp16.bin`);
    for (const length of [5, 1000, file.length >> 1, file.length - 1]) {
      expect(await refusal(file.subarray(0, length)), `${length} bytes`).toBe(
        `x.bin: the zip is truncated (its directory, which ends the file, is missing after ${length} bytes); get the file again`,
      );
    }
  });

  it('says that a legacy file is truncated', async () => {
    const file = readFileSync(`${FOLDER}/pytorch_model.legacy.bin`);
    expect(await refusal(file.subarray(0, 20_000))).toBe(
      'x.bin is truncated: it ends inside its pickle; get the file again',
    );
    expect(await refusal(file.subarray(0, file.length - 10))).toMatch(
      /^x\.bin is truncated: it has 1919066 bytes, storage \w+ ends at 1919076; get the file again$/,
    );
  });

  it('refuses a zip whose directory is damaged', async () => {
    const file = torchZip(new Map([['w', matrix]]), { zip64: true });
    const end = new DataView(file.buffer, file.byteLength - 22);
    const locator = new DataView(file.buffer, file.byteLength - 42);
    locator.setBigUint64(8, 1n << 50n, true);
    expect(await refusal(file)).toBe('x.bin: the ZIP64 directory lies outside the file; get the file again');
    const plain = torchZip(new Map([['w', matrix]]));
    new DataView(plain.buffer, plain.byteLength - 22).setUint32(16, 7, true);
    expect(await refusal(plain)).toBe('x.bin: entry 0 of 3 of the zip directory is damaged; get the file again');
    expect(end.getUint32(0, true)).toBe(0x06054b50);
  });

  it('refuses a tensor that leaves its storage, and a storage that leaves its file', async () => {
    expect(await refusal(torchZip(new Map([['w', { ...matrix, shape: [3, 3] }]])))).toBe(
      'x.bin: a tensor [3, 3] reaches beyond its storage of 6 elements',
    );
    expect(await refusal(torchZip(new Map([['w', { ...matrix, claims: 7 }]])))).toBe(
      'x.bin is damaged: archive/data/0 has 24 bytes, its tensors need 28',
    );
    expect(await refusal(torchLegacy(new Map([['w', { ...matrix, offset: 1 }]])))).toBe(
      'x.bin: a tensor [2, 3] reaches beyond its storage of 6 elements',
    );
  });

  it('refuses a pickle that is cut or malformed', async () => {
    const good = pickle(new Map<string, PickleValue>([['a', 1]]));
    expect(await refusal(zip([['m/data.pkl', good.subarray(0, -1)]]))).toBe(
      'x.bin is damaged: its pickle ends too early; get the file again',
    );
    expect(await refusal(zip([['m/data.pkl', Uint8Array.of(0x80, 2, 0x52, 0x2e)]]))).toContain(
      'the pickle is malformed at byte 3 (the stack is empty)',
    );
    expect(await refusal(zip([['m/data.pkl', Uint8Array.of(0x80, 2, 0xff, 0x2e)]]))).toContain(
      'the pickle is malformed at byte 2 (opcode 0xff is not known)',
    );
  });

  it.each([
    'os.system',
    'posix.system',
    'nt.system',
    'subprocess.Popen',
    'builtins.eval',
    'builtins.exec',
    '__builtin__.eval',
    'runpy.run_path',
  ])('runs nothing and warns of a pickle that calls %s', async (callee) => {
    const dot = callee.lastIndexOf('.');
    const attack = new FakeObject(callee.slice(0, dot), callee.slice(dot + 1), ['touch /tmp/owned']);
    const message = `x.bin asks Python to call ${callee}, which no checkpoint needs: do not trust this file (nothing was run)`;
    expect(
      await refusal(
        torchZip(
          new Map<string, PickleValue>([
            ['w', matrix],
            ['evil', attack],
          ]),
        ),
      ),
    ).toBe(message);
    expect(
      await refusal(
        torchLegacy(
          new Map<string, PickleValue>([
            ['w', matrix],
            ['evil', attack],
          ]),
        ),
      ),
    ).toBe(message);
  });

  it('survives noise: any change of one byte gives a RudolphError or a state dict', async () => {
    const good = torchZip(
      new Map<string, PickleValue>([
        ['w', matrix],
        ['n', 3.5],
      ]),
    );
    for (let at = 0; at < good.length; at++) {
      for (const value of [0, 0x28, 0x52, 0xff]) {
        const bytes = good.slice();
        bytes[at] = value;
        try {
          const checkpoint = await open(bytes);
          for (const tensor of checkpoint.tensors.values())
            if (tensor.shape.length > 0) await readFloats(tensor, 0, Math.min(1, tensor.shape[0]!));
        } catch (error) {
          expect((error as Error).name, `byte ${at} = ${value}: ${String(error)}`).toBe('RudolphError');
        }
      }
    }
  });

  it('says when inflating fails', async () => {
    const tensor: FakeTensor = {
      ...floats(
        [2000],
        new Float32Array(2000).map((_, i) => Math.sin(i)),
      ),
    };
    const bytes = torchZip(new Map([['w', tensor]]), { deflate: true });
    const checkpoint = await open(bytes);
    const entry = (await readZipDirectory(named('x', bytes).source, 'x')).get('archive/data/0')!;
    bytes.fill(0xff, entry.headerOffset + 60, entry.headerOffset + 200);
    expect(await messageOf(readFloats(checkpoint.tensors.get('w')!, 0, 1))).toBe(
      'x.bin: archive/data/0 cannot be inflated; get the file again',
    );
  });
});
