import { RudolphError } from '../errors';
import type { ComponentName } from './manifest';
import type { ModelSource } from './modelSource';

/** The tokenizers of all models have less than half a megabyte. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of a component's only tensor, joined from its shards in memory: for the tokenizer.
 * @throws RudolphError `unsupported` when the model has no such component, `bad-model` when a shard is unusable or
 * there are too many.
 */
export async function readComponent(
  source: ModelSource,
  name: ComponentName,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const component = source.manifest.components[name];
  const [tensor] = source.manifest.tensors.filter((entry) => entry.component === name);
  if (!component || !tensor)
    throw new RudolphError('unsupported', `the model ${source.manifest.name} has no component ${name}`, {
      component: name,
    });
  if (component.byteLength > MOST_BYTES)
    throw new RudolphError(
      'bad-model',
      `the component ${name} of ${source.manifest.name} has ${component.byteLength} bytes, expected at most ${MOST_BYTES}`,
      { component: name },
    );
  const bytes = new Uint8Array(component.byteLength);
  let at = 0;
  for (const shard of component.shards) {
    bytes.set(new Uint8Array(await source.shard(shard, signal)), at);
    at += shard.byteLength;
  }
  return bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength);
}
