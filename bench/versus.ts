import type { ImageTokenizer as ImageTokenizerType } from '../src/model/imageTokenizer';
import { ImageTokenizer } from '../src/model/imageTokenizer';
import { Sampler } from '../src/model/sampler';
import { Transformer } from '../src/model/transformer';
import { Weights } from '../src/model/weights';
import { type Bench, type ModelName, modelSource } from './context';
import { Decoding, someCodes, somePrompt } from './decoding';
import type { Peer, PeerFactory } from './peer/peer';
import { summarise, type Timing } from './statistics';

/**
 * Values of the peer and ours differ by less than this share of their range, or the peer computes something else and is not timed.
 * In f32 1e-5 of 20 was measured.
 */
const TOLERANCE = { f32: 1e-3, f16: 5e-2 } as const;

/** Our engine and onnxruntime in turn on the same device, with the same weights: prompt, steps, picture. */
export async function measurePeers(bench: Bench, peers: PeerFactory): Promise<void> {
  for (const model of bench.options.peerModels) {
    if (!bench.begin(`the peer of ${model}`)) continue;
    const source = modelSource(bench, model);
    const { config } = source.manifest;
    const weights = await Weights.load(bench.gpu.device, source, ['transformer', 'imageDecoder']);
    const transformer = Transformer.create(bench.gpu, config, weights);
    const images = await ImageTokenizer.create(bench.gpu, weights, source.manifest);
    const sampler = await Sampler.create(bench.gpu);
    try {
      const providers = bench.options.peerProviders.filter((provider) => peers.providers.includes(provider));
      for (const provider of providers) {
        for (const type of provider === 'webgpu' ? bench.options.peerTypes : (['f32'] as const)) {
          if (type === 'f16' && !bench.hasF16) {
            bench.results.skipped.push(`onnxruntime's ${provider} in f16: this adapter has no shader-f16`);
            continue;
          }
          if (!bench.begin(`${provider} ${type} of ${model}`)) continue;
          let peer: Peer | undefined;
          try {
            bench.log(`onnxruntime, ${provider}, ${type}, ${model}: loading`);
            peer = await peers.open({ model, provider, type, config });
            await compare(bench, model, transformer, sampler, images, peer);
          } catch (error) {
            // One peer that fails must not take the others along.
            bench.results.skipped.push(`onnxruntime's ${provider} ${type} of ${model} failed: ${String(error)}`);
            bench.log(`  failed: ${String(error)}`);
          } finally {
            await peer?.dispose();
          }
        }
      }
    } finally {
      transformer.dispose();
      images.dispose();
      weights.dispose();
    }
  }
}

async function compare(
  bench: Bench,
  model: ModelName,
  transformer: Transformer,
  sampler: Sampler,
  images: ImageTokenizerType,
  peer: Peer,
): Promise<void> {
  const { config } = transformer;
  const prefix = somePrompt(config.leftLength);
  const { samples } = bench.options;
  const classes = config.imageVocabulary - config.imageSpecialTokens;
  for (const batch of bench.options.peerBatches) {
    if (!bench.begin(`${peer.name}, ${model}, batch ${batch}`)) return;
    const decoding = await Decoding.create(transformer, sampler, { candidates: batch, prefix });
    try {
      if (batch === bench.options.peerBatches[0]) {
        await check(bench, model, decoding, peer, prefix, someCodes(3, classes));
        const [ours, theirs] = await inTurn(
          samples,
          () => timed(() => decoding.computePrefix()),
          async () => (await peer.prefill(prefix, 1)).ms,
        );
        add(bench, {
          model,
          what: `prefill, ${prefix.length} tokens`,
          batch: 1,
          peer: peer.name,
          ours,
          theirs,
          tokens: prefix.length,
        });
      }
      await decoding.computePrefix();
      await peer.prefill(prefix, batch);
      // As many steps as the slower of the two does in the time of a sample; shapes met for the first time are warmed up.
      const first = (await peer.decode(2)).ms / 2;
      await decoding.draw(2);
      const theirStep = (await peer.decode(2)).ms / 2;
      const ourStep = (await timed(() => decoding.draw(2))) / 3;
      bench.log(`  ${peer.name}: a step takes ${first.toFixed(1)} ms at first, then ${theirStep.toFixed(1)} ms`);
      const each = Math.max(theirStep, ourStep);
      const steps = Math.max(4, Math.min(64, Math.floor((2 * bench.chain.mostMs) / each)));
      const [ours, theirs] = await inTurn(
        samples,
        () => timed(() => decoding.draw(steps)),
        async () => (await peer.decode(steps)).ms,
      );
      add(bench, {
        model,
        what: `decode, ${steps} tokens`,
        batch,
        peer: peer.name,
        ours,
        theirs,
        tokens: batch * steps,
      });
    } finally {
      decoding.dispose();
    }
  }
  if (!bench.begin(`${peer.name}, ${model}, image decode`)) return;
  const codes = someCodes(config.imageSide ** 2, classes);
  const mine = await images.decode(codes);
  const { image } = await peer.decodeImage(codes);
  const difference = largestDifference(mine.data, image);
  expectClose(bench, `${model}, image decode`, peer.name, difference, 1);
  const [ours, theirs] = await inTurn(
    samples,
    () => timed(() => images.decode(codes)),
    async () => (await peer.decodeImage(codes)).ms,
  );
  add(bench, { model, what: 'image decode', batch: 1, peer: peer.name, ours, theirs, tokens: null });
}

/** The peer must compute what we compute, or there is nothing to compare. */
async function check(
  bench: Bench,
  model: ModelName,
  decoding: Decoding,
  peer: Peer,
  prefix: readonly number[],
  codes: readonly number[],
): Promise<void> {
  const ours = [await decoding.computePrefix(), ...(await decoding.logitsBehind(codes))];
  const theirs = [(await peer.prefill(prefix, 1)).logits, ...(await peer.logitsBehind(codes))];
  let difference = 0;
  let range = 0;
  for (const [index, row] of theirs.entries()) {
    difference = Math.max(difference, largestDifference(ours[index]!.subarray(0, row.length), row));
    range = Math.max(
      range,
      row.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    );
  }
  expectClose(bench, `${model}, logits behind the prompt and ${codes.length} codes`, peer.name, difference, range);
}

function expectClose(bench: Bench, what: string, peer: string, difference: number, range: number): void {
  const line = `${what}: ${peer} differs by at most ${difference.toExponential(1)} (values up to ${range.toFixed(1)})`;
  if (!(difference <= TOLERANCE[peer.endsWith('f16') ? 'f16' : 'f32'] * range)) throw new Error(line);
  bench.results.checks.push(line);
  bench.log(`  ${line}`);
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return NaN;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** A B A B …, each once before that. Functions tell their own milliseconds. */
async function inTurn(
  samples: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<[Timing, Timing]> {
  const times: [number[], number[]] = [[], []];
  await ours();
  await theirs();
  for (let sample = 0; sample < samples; sample++) {
    times[0].push(await ours());
    times[1].push(await theirs());
  }
  return [summarise(times[0]), summarise(times[1])];
}

function add(
  bench: Bench,
  {
    tokens,
    ...result
  }: {
    model: string;
    what: string;
    batch: number;
    peer: string;
    ours: Timing;
    theirs: Timing;
    tokens: number | null;
  },
): void {
  const { ours, theirs } = result;
  const ratio = theirs.medianMs / ours.medianMs;
  bench.results.peers.push({
    ...result,
    tokensPerSecond: tokens === null ? null : [(tokens / ours.medianMs) * 1000, (tokens / theirs.medianMs) * 1000],
    ratio,
  });
  bench.log(
    `  ${result.what}, batch ${result.batch}: ours ${ours.medianMs.toFixed(1)} ms, ${result.peer} ${theirs.medianMs.toFixed(1)} ms: ${ratio.toFixed(2)} ×`,
  );
}
