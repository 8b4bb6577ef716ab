import { createRequire } from 'node:module';
import { type Ort, OrtPeer } from './peer';
import type { OpenArguments, PeerReply, PeerRequest } from './protocol';

/*
 * onnxruntime-node in a process of its own: it brings another Dawn, and reads the driver's path from the environment before anything else.
 */
let peer: OrtPeer | undefined;

async function answer({ method, args }: PeerRequest): Promise<unknown> {
  if (method === 'open') {
    const { spec, folder, packages } = args[0] as OpenArguments;
    const require = createRequire(`${packages}/`);
    const { version } = require('onnxruntime-node/package.json') as { version: string };
    const name = `onnxruntime-node ${version}, ${spec.provider}, ${spec.type}`;
    peer = await OrtPeer.create(require('onnxruntime-node') as Ort, name, spec, folder, false);
    return name;
  }
  if (!peer) throw new Error('open comes first');
  const call = peer[method] as (...args: unknown[]) => Promise<unknown>;
  return call.apply(peer, [...args]);
}

let last: Promise<void> = Promise.resolve();
process.on('message', (request: PeerRequest) => {
  last = last.then(async () => {
    let reply: PeerReply;
    try {
      reply = { id: request.id, value: await answer(request) };
    } catch (error) {
      reply = { id: request.id, error: String((error as Error).stack ?? error) };
    }
    process.send!(reply);
  });
});
process.on('disconnect', () => process.exit());
