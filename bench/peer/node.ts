import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { unpackSwiftShader } from '../../cli/support/swiftshader';
import type { Peer, PeerFactory, PeerSpec } from './peer';
import type { OpenArguments, PeerReply, PeerRequest } from './protocol';

/** onnxruntime-node, each session in a process of its own. @param programme the bundled bench/peer/process.ts. */
export function nodePeers(programme: string, packages: string, exported: string): PeerFactory {
  return {
    providers: ['webgpu', 'cpu'],
    async open(spec: PeerSpec): Promise<Peer> {
      const child = fork(programme, {
        env: environment(),
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      const errors: string[] = [];
      child.stderr?.on('data', (data: Buffer) => errors.push(data.toString()));
      const call = caller(child, errors);
      const open: OpenArguments = { spec, folder: join(exported, spec.model), packages };
      const name = (await call('open', open)) as string;
      return {
        name,
        prefill: (ids, batch) => call('prefill', ids, batch) as ReturnType<Peer['prefill']>,
        decode: (steps) => call('decode', steps) as ReturnType<Peer['decode']>,
        logitsBehind: (codes) => call('logitsBehind', codes) as ReturnType<Peer['logitsBehind']>,
        decodeImage: (codes) => call('decodeImage', codes) as ReturnType<Peer['decodeImage']>,
        async dispose() {
          // Dawn's threads would keep it alive.
          child.kill();
        },
      };
    },
  };
}

function caller(child: ChildProcess, errors: readonly string[]) {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 0;
  child.on('message', (reply: PeerReply) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ('error' in reply) call?.reject(new Error(reply.error));
    else call?.resolve(reply.value);
  });
  child.on('exit', (code, signal) => {
    const reason = new Error(`onnxruntime's process ended (${code ?? signal}): ${errors.join('').slice(-500)}`);
    for (const { reject } of waiting.values()) reject(reason);
    waiting.clear();
  });
  return (method: PeerRequest['method'], ...args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      child.send({ id, method, args } satisfies PeerRequest);
    });
}

/** The same adapter as ours: where that is the npm package's SwiftShader, it has to be named before the process starts. */
function environment(): NodeJS.ProcessEnv {
  if (process.env['RUDOLPH_ADAPTER'] !== 'swiftshader') return process.env;
  const swiftShader = unpackSwiftShader();
  if (!swiftShader) return process.env;
  return {
    ...process.env,
    VK_ICD_FILENAMES: swiftShader.icd,
    VK_DRIVER_FILES: swiftShader.icd,
    LD_LIBRARY_PATH: [join(swiftShader.loader, '..'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':'),
  };
}
