import type { Dispatch } from '../src/gpu/kernel';
import { KeyValueCache } from '../src/model/cache';
import { generate } from '../src/model/generate';
import { ImageTokenizer } from '../src/model/imageTokenizer';
import { Sampler } from '../src/model/sampler';
import { Transformer } from '../src/model/transformer';
import { recordDecoder, recordEncoder } from '../src/model/vqgan/network';
import { Recording, ScratchPool } from '../src/model/vqgan/recording';
import { Weights } from '../src/model/weights';
import { Arena } from '../src/gpu/buffers';
import { IMAGE_SAMPLING } from '../src/tasks/sampling';
import { type Bench, type ModelName, modelSource, rulerOf } from './context';
import { costOf, idealMs, operationOf } from './costs';
import { Decoding, someCodes, somePrompt } from './decoding';
import type { ModelResult } from './results';
import { alternate } from './timing';

/** Steps at either end of the picture that are compared. */
const STEPS = 64;

/** What the models do as a whole: a step, the prompt, pictures to codes and back, a picture, a caption. */
export async function measureModels(bench: Bench): Promise<void> {
  for (const name of bench.options.models) {
    if (!bench.begin(`the model ${name}`)) continue;
    const source = modelSource(bench, name);
    const { manifest } = source;
    bench.log(`model ${name}: loading`);
    const weights = await Weights.load(bench.gpu.device, source, ['transformer', 'imageDecoder', 'imageEncoder']);
    let transformer: Transformer | undefined;
    let images: ImageTokenizer | undefined;
    try {
      transformer = Transformer.create(bench.gpu, manifest.config, weights);
      images = await ImageTokenizer.create(bench.gpu, weights, manifest);
      const sampler = await Sampler.create(bench.gpu);
      for (const candidates of bench.options.rows) await measureSteps(bench, name, transformer, sampler, candidates);
      await measureImages(bench, name, images, weights);
      await measureTasks(bench, name, transformer, sampler, images);
    } finally {
      transformer?.dispose();
      images?.dispose();
      weights.dispose();
    }
  }
}

function add(bench: Bench, result: ModelResult): void {
  bench.results.models.push(result);
  const speed = result.tokensPerSecond === null ? '' : `, ${result.tokensPerSecond.toFixed(1)} tokens/s`;
  bench.log(`  ${result.what}, ${result.count}: ${result.medianMs.toFixed(2)} ms${speed}`);
}

const NOTHING = { tokensPerSecond: null, gflops: null, fraction: null, dispatches: null, bytes: null } as const;

async function measureSteps(
  bench: Bench,
  model: ModelName,
  transformer: Transformer,
  sampler: Sampler,
  candidates: number,
): Promise<void> {
  if (!bench.begin(`steps of ${model}, ${candidates} candidates`)) return;
  const { config, gpu } = transformer;
  const imageTokens = config.imageSide ** 2;
  const shape = {
    prefixes: 1,
    prefixLength: config.leftLength,
    sequences: candidates,
    tailLength: imageTokens,
    rings: true,
  };
  const fitting = KeyValueCache.sequencesThatFit(config, shape, gpu.device.limits.maxStorageBufferBindingSize);
  if (fitting < candidates) {
    bench.results.skipped.push(
      `${model}: ${candidates} candidates are more than the ${fitting} that the engine draws at once on this device`,
    );
    return;
  }
  const decoding = await Decoding.create(transformer, sampler, { candidates, prefix: somePrompt(config.leftLength) });
  const ruler = rulerOf(bench.results);
  try {
    if (candidates === bench.options.rows[0]) {
      const [prompt] = await alternate([() => decoding.computePrefix()], bench.options.samples);
      const rows = config.leftLength;
      const positions = Array.from({ length: rows }, (_, i) => i);
      const cost = sumCosts(decoding.prefill, transformer, rows, positions, decoding.classes);
      add(bench, {
        ...NOTHING,
        ...prompt!,
        model,
        what: `prefill, ${rows} tokens`,
        count: 1,
        tokensPerSecond: (rows / prompt!.medianMs) * 1000,
        dispatches: decoding.prefill.length,
        ...cost,
        gflops: cost.flops / prompt!.medianMs / 1e6,
        fraction: ruler && idealMs(cost, ruler) / prompt!.medianMs,
      });
    }
    await decoding.computePrefix();
    // As many steps as a sample may take, the same number at both ends.
    const started = performance.now();
    await decoding.draw(1);
    await decoding.draw(1);
    const each = (performance.now() - started) / 4;
    const steps = Math.max(2, Math.min(STEPS, imageTokens - 1, Math.floor(bench.chain.mostMs / each)));
    const [first, last] = await alternate(
      [() => decoding.drawFrom(0, steps), () => decoding.drawFrom(imageTokens - 1 - steps, steps)],
      bench.options.samples,
    );
    for (const [what, timing, start] of [
      [`step, first ${steps} tokens`, first!, 0],
      [`step, last ${steps} tokens`, last!, imageTokens - 1 - steps],
    ] as const) {
      const position = config.leftLength + start + Math.floor(steps / 2);
      const cost = sumCosts(decoding.step, transformer, candidates, [position], decoding.classes);
      const medianMs = timing.medianMs / steps;
      add(bench, {
        ...timing,
        medianMs,
        model,
        what,
        count: candidates,
        tokensPerSecond: (candidates / medianMs) * 1000,
        dispatches: decoding.step.length,
        bytes: cost.bytes,
        gflops: cost.flops / medianMs / 1e6,
        fraction: ruler && idealMs(cost, ruler) / medianMs,
      });
    }
  } finally {
    decoding.dispose();
  }
}

/** Bytes and operations of a list of dispatches; an operation in several dispatches counts once. */
function sumCosts(
  dispatches: readonly Dispatch[],
  transformer: Transformer,
  rows: number,
  positions: readonly number[],
  classes: number,
): { bytes: number; flops: number } {
  const { config } = transformer;
  const sum = { bytes: 0, flops: 0 };
  let before = '';
  for (const { label } of dispatches) {
    if (label === before) continue;
    before = label;
    const operation = operationOf(label, config);
    const logits = positions.length > 1 && operation === 'image logits'; // of the prompt's last row
    const cost = costOf(operation, { config, rows: logits ? 1 : rows, positions, classes });
    sum.bytes += cost?.bytes ?? 0;
    sum.flops += cost?.flops ?? 0;
  }
  return sum;
}

async function measureImages(bench: Bench, model: ModelName, images: ImageTokenizer, weights: Weights): Promise<void> {
  const { side, config, factor } = images;
  const ruler = rulerOf(bench.results);
  const codes = someCodes(side * side, config.codes);
  const picture = someImage(side * factor);
  // What the convolutions multiply: nearly all of the work.
  const arena = new Arena(bench.gpu.device);
  const work = async (
    record: (recording: Recording) => Promise<unknown>,
  ): Promise<{ flops: number; dispatches: number }> => {
    const recording = new Recording(bench.gpu, new ScratchPool(arena), weights);
    await record(recording);
    const convolutions = recording.dispatches.filter(({ pipeline }) => pipeline.label.startsWith('conv2d'));
    return {
      flops: 2 * convolutions.reduce((sum, dispatch) => sum + dispatch.work, 0),
      dispatches: recording.dispatches.length,
    };
  };
  const pixels = (side * factor) ** 2;
  const buffer = (bytes: number): GPUBuffer => arena.buffer('bench', bytes);
  try {
    for (const [what, run, record] of [
      [
        'image decode',
        () => images.decode(codes),
        (recording: Recording) =>
          recordDecoder(recording, config, buffer(side * side * 4), side, side, buffer(pixels * 12), false),
      ],
      [
        'image encode',
        () => images.encode(picture),
        (recording: Recording) =>
          recordEncoder(recording, config, buffer(pixels * 12), picture.width, picture.height, buffer(side * side * 4)),
      ],
    ] as const) {
      if (!bench.begin(`${what} of ${model}`)) return;
      const [timing] = await alternate([run], bench.options.samples);
      const { flops, dispatches } = await work(record);
      add(bench, {
        ...NOTHING,
        ...timing!,
        model,
        what,
        count: 1,
        dispatches,
        gflops: flops / timing!.medianMs / 1e6,
        fraction: ruler && flops / ruler.gemmGflops / 1e6 / timing!.medianMs,
      });
    }
  } finally {
    arena.dispose();
  }
}

function someImage(side: number): { width: number; height: number; data: Float32Array<ArrayBuffer> } {
  const data = Float32Array.from({ length: 3 * side * side }, (_, i) => 0.5 + 0.5 * Math.sin(i * 0.013));
  return { width: side, height: side, data };
}

async function measureTasks(
  bench: Bench,
  model: ModelName,
  transformer: Transformer,
  sampler: Sampler,
  images: ImageTokenizer,
): Promise<void> {
  const { config } = transformer;
  const { software } = bench.gpu.adapter;
  const imageTokens = config.imageSide ** 2;
  const prefix = somePrompt(config.leftLength);
  const classes = config.imageVocabulary - config.imageSpecialTokens;
  // One run of each is the warm-up; on a software adapter, where a picture takes long, two samples have to do.
  const samples = software ? 2 : Math.min(5, bench.options.samples);
  for (const count of software ? [1] : [1, 16]) {
    if (!bench.begin(`${count} whole pictures of ${model}`)) return;
    const draw = async (): Promise<void> => {
      const drawn = await generate(transformer, sampler, {
        prefix,
        end: config.leftLength + imageTokens,
        count,
        stream: 'image',
        classes,
        sampling: { ...IMAGE_SAMPLING, seed: 1 },
      });
      for (const codes of drawn) await images.decode(codes);
    };
    const [timing] = await alternate([draw], samples);
    add(bench, {
      ...NOTHING,
      ...timing!,
      model,
      what: 'whole picture, prompt to pixels',
      count,
      tokensPerSecond: ((count * imageTokens) / timing!.medianMs) * 1000,
    });
  }
  if (!bench.begin(`a caption of ${model}`)) return;
  const picture = someImage(config.imageSide * images.factor);
  let written = 0;
  const write = async (): Promise<void> => {
    const { indices } = await images.encode(picture);
    const [ids] = await generate(transformer, sampler, {
      prefix: [...prefix, ...indices, 2],
      end: transformer.sequenceLength,
      count: 1,
      stream: 'text',
      classes: config.textVocabulary - config.leftLength,
      sampling: { topK: 1, topP: 1, temperature: 1, seed: 1 },
    });
    const end = ids!.indexOf(3);
    written = end < 0 ? ids!.length : end + 1;
  };
  const [timing] = await alternate([write], samples);
  add(bench, {
    ...NOTHING,
    ...timing!,
    model,
    what: 'whole caption, pixels to words',
    count: 1,
    tokensPerSecond: (written / timing!.medianMs) * 1000,
    remark: `${written} tokens, greedy`,
  });
}
