import type { ModelConfig } from '../../src/format/manifest';
import { pickToken } from './sampling';

/** What of onnxruntime is used: the packages are installed on demand, so their types cannot be relied on. */
export interface Ort {
  readonly Tensor: new (
    type: string,
    data: Int32Array | Float32Array | Uint16Array,
    dims: readonly number[],
  ) => OrtTensor;
  readonly InferenceSession: {
    create(model: string, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
}

export interface OrtTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  readonly location: string;
  dispose(): void;
}

export interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** One way of running the peer. */
export interface PeerSpec {
  readonly model: string;
  /** "webgpu", "cpu" (native), "wasm". */
  readonly provider: string;
  readonly type: 'f32' | 'f16';
  readonly config: ModelConfig;
}

/** The same work that `Decoding` does, done by onnxruntime. Times are taken where it runs, so that messages to it do not count. */
export interface Peer {
  /** "onnxruntime-web 1.30.0, webgpu, f32". */
  readonly name: string;
  /** Computes the prompt for so many sequences and keeps its keys and values; @returns the logits of the first. */
  prefill(ids: readonly number[], batch: number): Promise<{ ms: number; logits: Float32Array }>;
  /** Draws the first token and `steps` more behind the prompt. */
  decode(steps: number): Promise<{ ms: number }>;
  /** The first sequence's logits behind each of these codes. */
  logitsBehind(codes: readonly number[]): Promise<Float32Array[]>;
  /** Codes to a picture, read back. */
  decodeImage(codes: readonly number[]): Promise<{ ms: number; image: Float32Array }>;
  dispose(): Promise<void>;
}

export interface PeerFactory {
  /** Providers that there are here. */
  readonly providers: readonly string[];
  /** Models and types that were exported. */
  open(spec: PeerSpec): Promise<Peer>;
}

type Past = Record<string, OrtTensor>;

/** Runs the exported graphs as transformers.js runs decoders: `past` and `present` stay on the GPU, logits come back, JavaScript draws. */
export class OrtPeer implements Peer {
  readonly name: string;
  readonly #ort: Ort;
  readonly #spec: PeerSpec;
  readonly #folder: string;
  readonly #options: Readonly<Record<string, unknown>>;
  readonly #step: OrtSession;
  #decoder: OrtSession | null = null;
  #batch = 1;
  #prompt: { readonly past: Past; readonly logits: Float32Array } | null = null;

  private constructor(
    ort: Ort,
    name: string,
    spec: PeerSpec,
    folder: string,
    options: Readonly<Record<string, unknown>>,
    step: OrtSession,
  ) {
    this.#ort = ort;
    this.name = name;
    this.#spec = spec;
    this.#folder = folder;
    this.#options = options;
    this.#step = step;
  }

  /** @param folder path or URL of what export_onnx.py wrote. @param web onnxruntime-web wants to be told where weights lie. */
  static async create(ort: Ort, name: string, spec: PeerSpec, folder: string, web: boolean): Promise<OrtPeer> {
    const options = {
      executionProviders: [spec.provider],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    };
    const kept = presents(spec.config).map((output) => [output, 'gpu-buffer']);
    const step = await ort.InferenceSession.create(`${folder}/step-${spec.type}.onnx`, {
      ...options,
      ...(spec.provider === 'webgpu' ? { preferredOutputLocation: Object.fromEntries(kept) } : {}),
      ...(web ? { externalData: [external(folder, `step-${spec.type}`)] } : {}),
    });
    const peer = new OrtPeer(ort, name, spec, folder, { ...options, web }, step);
    return peer;
  }

  async prefill(ids: readonly number[], batch: number): Promise<{ ms: number; logits: Float32Array }> {
    const { config, type } = this.#spec;
    const { heads, hidden, leftLength, textVocabulary } = config;
    if (this.#prompt) free(this.#prompt.past);
    this.#prompt = null;
    this.#batch = batch;
    const nothing: Past = {};
    for (let layer = 0; layer < config.layers; layer++) {
      for (const what of ['key', 'value']) {
        nothing[`past_${what}_${layer}`] = new this.#ort.Tensor(
          type === 'f16' ? 'float16' : 'float32',
          type === 'f16' ? new Uint16Array(0) : new Float32Array(0),
          [batch, heads, 0, hidden / heads],
        );
      }
    }
    // A pad is a class of its own, one for each place.
    const classes = ids.map((id, i) => (id === 0 ? textVocabulary - leftLength + i : id));
    const all = Int32Array.from({ length: batch * ids.length }, (_, i) => classes[i % ids.length]!);
    const started = performance.now();
    const out = await this.#run(all, 0, ids.length, nothing);
    const ms = performance.now() - started;
    this.#prompt = out;
    return { ms, logits: out.logits.slice(0, this.#classes) };
  }

  async decode(steps: number): Promise<{ ms: number }> {
    const { config } = this.#spec;
    let { past, logits } = this.#kept();
    const started = performance.now();
    let ids = this.#draw(logits);
    for (let step = 0; step < steps; step++) {
      const out = await this.#run(ids, config.leftLength + step, 1, past);
      if (step > 0) free(past); // the prompt's is kept for the next run
      ({ past, logits } = out);
      ids = this.#draw(logits);
    }
    const ms = performance.now() - started;
    if (steps > 0) free(past);
    return { ms };
  }

  async logitsBehind(codes: readonly number[]): Promise<Float32Array[]> {
    const { config } = this.#spec;
    let { past } = this.#kept();
    const rows: Float32Array[] = [];
    for (const [index, code] of codes.entries()) {
      const ids = new Int32Array(this.#batch).fill(config.textVocabulary + code);
      const out = await this.#run(ids, config.leftLength + index, 1, past);
      if (index > 0) free(past);
      past = out.past;
      rows.push(out.logits.slice(0, this.#classes));
    }
    if (codes.length > 0) free(past);
    return rows;
  }

  async decodeImage(codes: readonly number[]): Promise<{ ms: number; image: Float32Array }> {
    const { web, ...options } = this.#options;
    const name = `decoder-${this.#spec.type}`;
    this.#decoder ??= await this.#ort.InferenceSession.create(`${this.#folder}/${name}.onnx`, {
      ...options,
      ...(web ? { externalData: [external(this.#folder, name)] } : {}),
    });
    const input = new this.#ort.Tensor('int32', Int32Array.from(codes), [1, codes.length]);
    const started = performance.now();
    const { image } = await this.#decoder.run({ codes: input });
    return { ms: performance.now() - started, image: image!.data };
  }

  async dispose(): Promise<void> {
    if (this.#prompt) free(this.#prompt.past);
    this.#prompt = null;
    await this.#step.release();
    await this.#decoder?.release();
  }

  get #classes(): number {
    const { imageVocabulary, imageSpecialTokens } = this.#spec.config;
    return imageVocabulary - imageSpecialTokens;
  }

  #kept(): { past: Past; logits: Float32Array } {
    if (!this.#prompt) throw new Error('prefill comes first');
    return this.#prompt;
  }

  #draw(logits: Float32Array): Int32Array {
    const classes = this.#classes;
    return Int32Array.from({ length: this.#batch }, (_, c) => {
      const row = logits.subarray(c * classes, (c + 1) * classes);
      return this.#spec.config.textVocabulary + pickToken(row);
    });
  }

  async #run(
    ids: Int32Array,
    position: number,
    length: number,
    past: Past,
  ): Promise<{ past: Past; logits: Float32Array }> {
    const { Tensor } = this.#ort;
    const out = await this.#step.run({
      input_ids: new Tensor('int32', ids, [this.#batch, length]),
      position_ids: new Tensor(
        'int32',
        Int32Array.from({ length }, (_, i) => position + i),
        [length],
      ),
      ...past,
    });
    const present = Object.entries(out).filter(([name]) => name.startsWith('present_'));
    return {
      past: Object.fromEntries(present.map(([name, tensor]) => [name.replace('present', 'past'), tensor])),
      logits: out['logits']!.data,
    };
  }
}

function presents(config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, i) => [`present_key_${i}`, `present_value_${i}`]).flat();
}

const external = (folder: string, name: string) => ({ path: `${name}.data`, data: `${folder}/${name}.data` });

function free(past: Past): void {
  for (const tensor of Object.values(past)) tensor.dispose();
}
