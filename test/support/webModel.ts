import { readFileSync } from 'node:fs';
import { type ComponentName, type Manifest, MANIFEST_FILE, type ShardEntry } from '../../src/format/manifest';
import { sha256 } from '../../src/format/sha256';

/** A web model that is whole for the store, and nothing for the engine: its manifest, and all its files by name. */
export interface WebModel {
  readonly manifest: Manifest;
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Makes a web model of the given shards, which models may have in common. */
export async function webModel(
  name: string,
  components: Partial<Record<ComponentName, readonly Uint8Array<ArrayBuffer>[]>>,
): Promise<WebModel> {
  const files: WebModel['files'] = new Map();
  const entry = async (bytes: Uint8Array<ArrayBuffer>): Promise<ShardEntry> => {
    const hash = await sha256(bytes);
    files.set(`${hash}.bin`, bytes);
    return { file: `${hash}.bin`, byteLength: bytes.byteLength, sha256: hash };
  };
  const made: { -readonly [Name in ComponentName]?: { byteLength: number; shards: ShardEntry[] } } = {};
  for (const [component, shards] of Object.entries(components)) {
    made[component as ComponentName] = {
      byteLength: shards.reduce((sum, bytes) => sum + bytes.byteLength, 0),
      shards: await Promise.all(shards.map(entry)),
    };
  }
  const manifest: Manifest = {
    formatVersion: 1,
    name,
    producer: 'test',
    config: JSON.parse(readFileSync('test/fixtures/store/config.json', 'utf8')) as Manifest['config'],
    specialTokens: null,
    imageTokenizer: null,
    components: made,
    tensors: Object.entries(components).map(([component, [first]]) => ({
      name: `first of ${component}`.replaceAll(' ', '_'),
      dtype: 'u8',
      shape: [first!.byteLength],
      rowStride: first!.byteLength,
      component: component as ComponentName,
      offset: 0,
      byteLength: first!.byteLength,
    })),
  };
  files.set(MANIFEST_FILE, new TextEncoder().encode(JSON.stringify(manifest)));
  return { manifest, files };
}
