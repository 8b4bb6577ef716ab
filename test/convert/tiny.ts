import { readFileSync } from 'node:fs';
import { openCheckpoint } from '../../src/convert/checkpoint';
import type { NamedSource } from '../../src/convert/checkpoint';
import { convertModel } from '../../src/convert/convert';
import type { ConvertOptions, ConvertResult } from '../../src/convert/convert';
import { readFloats } from '../../src/convert/tensors';
import { memorySource } from '../../src/format/byteSource';
import { float32ToFloat16 } from '../../src/format/float16';
import type { TensorEntry } from '../../src/format/manifest';
import type { FakeTensor } from '../support/torchFiles';
import { torchZip } from '../support/torchFiles';

export const FOLDER = 'test/fixtures/tiny-a';

export function fixture(name: string): NamedSource {
  return { label: name, source: memorySource(readFileSync(`${FOLDER}/${name}`)) };
}

export function named(label: string, bytes: Uint8Array): NamedSource {
  return { label, source: memorySource(bytes) };
}

export type State = Map<string, FakeTensor>;

/** The tensors of a fixture's state dict, ready to be changed and pickled again. */
export async function stateOf(name: string): Promise<State> {
  const state: State = new Map();
  for (const [key, tensor] of (await openCheckpoint(fixture(name))).tensors) {
    const values = await readFloats(tensor, 0, tensor.shape.length < 2 ? 1 : tensor.shape[0]!);
    if (tensor.dtype === 'bool') state.set(key, { dtype: 'bool', shape: tensor.shape, data: Uint8Array.from(values) });
    else state.set(key, floats(tensor.shape, values));
  }
  return state;
}

export function floats(shape: readonly number[], values: Float32Array): FakeTensor {
  return { dtype: 'f32', shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** The f32 values of a tensor made by `floats`, to be changed in place. */
export function valuesOf(tensor: FakeTensor): Float32Array {
  return new Float32Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength / 4);
}

export function asHalf(tensor: FakeTensor): FakeTensor {
  const values = tensor.dtype === 'bool' ? Float32Array.from(tensor.data) : valuesOf(tensor);
  return { ...tensor, dtype: 'f16', data: new Uint8Array(float32ToFloat16(values).buffer) };
}

/** Cuts f32 to its upper half. */
export function asBrain(tensor: FakeTensor): FakeTensor {
  const values = tensor.dtype === 'bool' ? Float32Array.from(tensor.data) : valuesOf(tensor);
  const bits = Uint16Array.from(new Uint32Array(values.slice().buffer), (word) => word >>> 16);
  return { ...tensor, dtype: 'bf16', data: new Uint8Array(bits.buffer) };
}

/** Converts tiny-a, with some of the inputs exchanged; returns the files by name. */
export async function convertTiny(
  changes: Partial<ConvertOptions> = {},
): Promise<ConvertResult & { files: Map<string, Uint8Array> }> {
  const files = new Map<string, Uint8Array>();
  const result = await convertModel({
    rudolph: fixture('pytorch_model.bin'),
    vqgan: fixture('vqgan.ckpt'),
    tokenizer: fixture('bpe.model'),
    config: { label: 'config.json', text: readFileSync(`${FOLDER}/config.json`, 'utf8') },
    producer: 'test',
    sink: { write: async (file, bytes) => void files.set(file, bytes) },
    ...changes,
  });
  return { ...result, files };
}

/** Converts tiny-a with a changed state dict; the error's message, or the result. */
export async function convertState(change: (state: State) => void, changes: Partial<ConvertOptions> = {}) {
  const state = await stateOf('pytorch_model.bin');
  change(state);
  return convertTiny({ rudolph: named('changed.bin', torchZip(state)), ...changes });
}

export async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if ((error as Error).name !== 'RudolphError') throw error;
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

export type Converted = Awaited<ReturnType<typeof convertTiny>>;

/** The bytes of a tensor in the written shards. */
export function bytesOf({ manifest, files }: Converted, name: string): { entry: TensorEntry; bytes: Uint8Array } {
  const entry = manifest.tensors.find((tensor) => tensor.name === name);
  if (!entry) throw new Error(`no tensor ${name}`);
  const stream = Buffer.concat(manifest.components[entry.component]!.shards.map(({ file }) => files.get(file)!));
  return { entry, bytes: new Uint8Array(stream.subarray(entry.offset, entry.offset + entry.byteLength)) };
}

export function equalBytes(actual: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(actual, expected) === 0;
}

export function halves(values: Float32Array): Uint8Array {
  return new Uint8Array(float32ToFloat16(values).buffer);
}
