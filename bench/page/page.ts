import { MANIFEST_FILE } from '../../src/format/manifest';
import type { ModelSource } from '../../src/format/modelSource';
import { parseManifest } from '../../src/format/parseManifest';
import type { BenchOptions } from '../context';
import { type Ort, OrtPeer, type PeerFactory } from '../peer/peer';
import type { Conditions, Results } from '../results';
import { runBench } from '../suite';

/** What bench/browser.ts passes in. */
export interface PageInput {
  readonly options: BenchOptions;
  readonly conditions: Pick<Conditions, 'runtime' | 'machine' | 'commit'>;
  readonly peer: boolean;
}

declare global {
  interface Window {
    runBench(input: PageInput): Promise<Results>;
  }
}

window.runBench = async ({ options, conditions, peer }) => {
  return runBench(
    {
      api: navigator.gpu,
      conditions,
      embedded: await openUrl('/models/embedded'),
      peers: peer ? await webPeers() : null,
      log: (line) => console.log(line),
    },
    options,
  );
};

async function openUrl(folder: string): Promise<ModelSource> {
  const manifest = parseManifest(await (await fetch(`${folder}/${MANIFEST_FILE}`)).text(), folder);
  return { manifest, shard: async ({ file }) => (await fetch(`${folder}/${file}`)).arrayBuffer() };
}

/** onnxruntime-web in this page. WebAssembly uses as many threads as it likes: the page is isolated. */
async function webPeers(): Promise<PeerFactory> {
  const url = '/ort/ort.webgpu.bundle.min.mjs';
  const ort = (await import(/* @vite-ignore */ url)) as Ort & {
    readonly env: { wasm: { wasmPaths?: string; numThreads?: number }; versions: { web?: string } };
  };
  ort.env.wasm.wasmPaths = '/ort/';
  return {
    providers: ['webgpu', 'wasm'],
    open: (spec) => {
      const threads = spec.provider === 'wasm' ? `, ${ort.env.wasm.numThreads ?? 'default'} threads` : '';
      const name = `onnxruntime-web ${ort.env.versions.web}, ${spec.provider}${threads}, ${spec.type}`;
      return OrtPeer.create(ort, name, spec, `/peer/${spec.model}`, true);
    },
  };
}
