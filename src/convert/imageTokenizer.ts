import { RudolphError } from '../errors';
import { LARGEST } from '../format/manifest';
import type { ComponentName, ImageTokenizerConfig } from '../format/manifest';
import { shown } from '../format/shown';
import type { Checkpoint } from './checkpoint';
import { matchTensors, planWhole } from './plan';
import type { Expected, PlannedTensor } from './plan';

/** GroupNorm's groups: every normalised width is a multiple. */
const GROUPS = 32;

/** Keys without Lightning's `model.` and `module.`; `loss.*` belongs to training. */
export function imageTokenizerKey(key: string): string | null {
  const name = key.replace(/^(?:model\.|module\.)+/, '');
  return name.startsWith('loss.') ? null : name;
}

/**
 * The config of a VQGAN from the shapes in its file.
 * @throws RudolphError `bad-checkpoint` when it is none.
 */
export function deduceImageTokenizer(checkpoint: Checkpoint): ImageTokenizerConfig {
  const { label } = checkpoint;
  const shapes = new Map<string, readonly number[]>();
  for (const [key, tensor] of checkpoint.tensors) {
    const name = imageTokenizerKey(key);
    if (name !== null) shapes.set(name, tensor.shape);
  }
  const shape = (name: string, dimensions: number): readonly number[] => {
    const found = shapes.get(name);
    if (found && found.length === dimensions && found.every((n) => n > 0)) return found;
    const what = found ? `${name} is [${found.join(', ')}]` : `it has no ${name}`;
    throw new RudolphError('bad-checkpoint', `${label} is not a VQGAN with Gumbel quantisation: ${what}`, {
      file: label,
    });
  };
  const count = (exists: (i: number) => boolean): number => {
    let n = 0;
    while (exists(n)) n++;
    return n;
  };
  const [channels, imageChannels] = shape('encoder.conv_in.weight', 4) as [number, number];
  const levels = count((level) => shapes.has(`encoder.down.${level}.block.0.conv1.weight`));
  const widths = Array.from(
    { length: levels },
    (_, level) => shape(`encoder.down.${level}.block.0.conv1.weight`, 4)[0]!,
  );
  const [codes, embeddingSize] = shape('quantize.embed.weight', 2) as [number, number];
  const residualBlocks = count((block) => shapes.has(`encoder.down.0.block.${block}.conv1.weight`));
  const zChannels = shape('encoder.conv_out.weight', 4)[0]!;
  const counts: readonly [string, number, number][] = [
    ['levels', levels, LARGEST.levels],
    ['residual blocks a level', residualBlocks, LARGEST.residualBlocks],
    [
      'channels',
      Math.max(...widths.slice(0, LARGEST.levels), channels, imageChannels, zChannels, embeddingSize),
      LARGEST.channels,
    ],
    ['codes', codes, LARGEST.vocabulary],
  ];
  for (const [what, found, most] of counts) {
    if (found > most)
      throw new RudolphError(
        'bad-checkpoint',
        `${label} is not a supported VQGAN: ${found} ${what}, at most ${most} are possible`,
        {
          file: label,
        },
      );
  }
  const odd = [channels, ...widths].find((width) => width % GROUPS !== 0 || width % channels !== 0);
  if (odd !== undefined || levels === 0) {
    throw new RudolphError(
      'bad-checkpoint',
      `${label} is not a supported VQGAN: widths ${[channels, ...widths].join(', ')} must be multiples of ${GROUPS} and of the first`,
      {
        file: label,
      },
    );
  }
  return {
    channels,
    multipliers: widths.map((width) => width / channels),
    residualBlocks,
    zChannels,
    embeddingSize,
    codes,
    attentionLevels: widths
      .map((_, level) => level)
      .filter((level) => shapes.has(`encoder.down.${level}.attn.0.q.weight`)),
    imageChannels,
  };
}

/** @throws RudolphError `bad-input` where a config file's `vqgan` section says otherwise than the tensors. */
export function checkImageTokenizer(
  found: ImageTokenizerConfig,
  section: Readonly<Record<string, unknown>>,
  label: string,
): void {
  const resolution = section['resolution'];
  const attentionSizes = section['attn_resolutions'];
  const isNumber = (value: unknown): value is number => typeof value === 'number';
  const said: readonly [string, unknown, unknown][] = [
    ['ch', section['ch'], found.channels],
    ['ch_mult', section['ch_mult'], found.multipliers],
    ['num_res_blocks', section['num_res_blocks'], found.residualBlocks],
    ['z_channels', section['z_channels'], found.zChannels],
    ['n_embed', section['n_embed'], found.codes],
    ['embed_dim', section['embed_dim'], found.embeddingSize],
    ['in_channels', section['in_channels'], found.imageChannels],
    ['double_z', section['double_z'], false],
    [
      'attn_resolutions',
      Array.isArray(attentionSizes) && attentionSizes.every(isNumber) && isNumber(resolution)
        ? [...attentionSizes].sort((a, b) => b - a)
        : undefined,
      found.attentionLevels.map((level) => (resolution as number) / 2 ** level),
    ],
  ];
  for (const [field, value, actual] of said) {
    if (value !== undefined && !same(value, actual)) {
      throw new RudolphError(
        'bad-input',
        `${label}: vqgan.${field} is ${shown(value)}, the tensors say ${shown(actual)}`,
        { field },
      );
    }
  }
}

/** Equal values, or lists of equal values. */
function same(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Collects the tensors of a VQGAN's half in the order of use. */
class Layers {
  readonly expected: Expected[] = [];
  conv(name: string, output: number, input: number, size: number): void {
    this.expected.push(
      { key: `${name}.weight`, shape: [output, input, size, size] },
      { key: `${name}.bias`, shape: [output] },
    );
  }
  norm(name: string, width: number): void {
    this.expected.push({ key: `${name}.weight`, shape: [width] }, { key: `${name}.bias`, shape: [width] });
  }
  block(name: string, input: number, output: number): void {
    this.norm(`${name}.norm1`, input);
    this.conv(`${name}.conv1`, output, input, 3);
    this.norm(`${name}.norm2`, output);
    this.conv(`${name}.conv2`, output, output, 3);
    if (input !== output) this.conv(`${name}.nin_shortcut`, output, input, 1);
  }
  attention(name: string, width: number): void {
    this.norm(`${name}.norm`, width);
    for (const part of ['q', 'k', 'v', 'proj_out']) this.conv(`${name}.${part}`, width, width, 1);
  }
  middle(name: string, width: number): void {
    this.block(`${name}.block_1`, width, width);
    this.attention(`${name}.attn_1`, width);
    this.block(`${name}.block_2`, width, width);
  }
}

function encoderTensors(config: ImageTokenizerConfig): Expected[] {
  const layers = new Layers();
  const { channels, multipliers, residualBlocks, zChannels, embeddingSize, codes } = config;
  layers.conv('encoder.conv_in', channels, config.imageChannels, 3);
  let width = channels;
  multipliers.forEach((multiplier, level) => {
    for (let i = 0; i < residualBlocks; i++) {
      layers.block(`encoder.down.${level}.block.${i}`, width, channels * multiplier);
      width = channels * multiplier;
      if (config.attentionLevels.includes(level)) layers.attention(`encoder.down.${level}.attn.${i}`, width);
    }
    if (level < multipliers.length - 1) layers.conv(`encoder.down.${level}.downsample.conv`, width, width, 3);
  });
  layers.middle('encoder.mid', width);
  layers.norm('encoder.norm_out', width);
  layers.conv('encoder.conv_out', zChannels, width, 3);
  layers.conv('quant_conv', embeddingSize, zChannels, 1);
  layers.conv('quantize.proj', codes, zChannels, 1);
  return layers.expected;
}

/** @param prefix of the decoder proper and @param postQuant of its entry (the DWT file nests both). */
function decoderTensors(
  config: ImageTokenizerConfig,
  prefix: string,
  postQuant: string,
  outputChannels: number,
): Expected[] {
  const layers = new Layers();
  const { channels, multipliers, residualBlocks, zChannels, embeddingSize, codes } = config;
  layers.expected.push({ key: 'quantize.embed.weight', shape: [codes, embeddingSize] });
  layers.conv(postQuant, zChannels, embeddingSize, 1);
  let width = channels * multipliers.at(-1)!;
  layers.conv(`${prefix}.conv_in`, width, zChannels, 3);
  layers.middle(`${prefix}.mid`, width);
  for (let level = multipliers.length - 1; level >= 0; level--) {
    const output = channels * multipliers[level]!;
    for (let i = 0; i <= residualBlocks; i++) {
      layers.block(`${prefix}.up.${level}.block.${i}`, width, output);
      width = output;
      if (config.attentionLevels.includes(level)) layers.attention(`${prefix}.up.${level}.attn.${i}`, width);
    }
    if (level > 0) layers.conv(`${prefix}.up.${level}.upsample.conv`, width, width, 3);
  }
  layers.norm(`${prefix}.norm_out`, width);
  layers.conv(`${prefix}.conv_out`, outputChannels, width, 3);
  return layers.expected;
}

/** Every tensor that the plain VQGAN's file of a config holds (but for what belongs to training), in the order of use. */
export function imageTokenizerTensors(config: ImageTokenizerConfig): {
  readonly encoder: readonly Expected[];
  readonly decoder: readonly Expected[];
} {
  const decoder = decoderTensors(config, 'decoder', 'post_quant_conv', config.imageChannels);
  return { encoder: encoderTensors(config), decoder };
}

/** What to write of an image tokenizer's file: the checkpoint's keys and the planned tensors of each component. */
export interface ImageTokenizerPlan {
  readonly keys: Map<string, string>;
  readonly encoder: PlannedTensor[];
  readonly decoder: PlannedTensor[];
}

/** Names in the web model: DWT's nested decoder is flattened and prefixed, so that names stay unique. */
function plan(
  component: ComponentName,
  tensors: readonly Expected[],
  rename: (key: string) => string,
): PlannedTensor[] {
  return tensors.map((expected) => planWhole(component, rename(expected.key), expected));
}

/** @throws RudolphError `bad-checkpoint` when the file's tensors do not fit its own config. */
export function planImageTokenizer(checkpoint: Checkpoint, config: ImageTokenizerConfig): ImageTokenizerPlan {
  const { encoder, decoder } = imageTokenizerTensors(config);
  const keys = matchTensors(checkpoint, [...encoder, ...decoder], imageTokenizerKey, 'a VQGAN of their own config');
  const same = (key: string) => key;
  return { keys, encoder: plan('imageEncoder', encoder, same), decoder: plan('imageDecoder', decoder, same) };
}

/**
 * The same for the DWT variant, whose decoder ends in four bands a colour. Its own `post_quant_conv` and the constant
 * filters `decoder.idwt.*` are surplus.
 */
export function planImageTokenizerDwt(checkpoint: Checkpoint, config: ImageTokenizerConfig): ImageTokenizerPlan {
  const encoder = encoderTensors(config);
  const decoder = decoderTensors(config, 'decoder.decoder', 'decoder.post_quant_conv', 4 * config.imageChannels);
  const strip = (key: string): string | null => {
    const name = imageTokenizerKey(key);
    return name === null || name.startsWith('post_quant_conv.') || name.startsWith('decoder.idwt.') ? null : name;
  };
  const keys = matchTensors(checkpoint, [...encoder, ...decoder], strip, 'a VQGAN with DWT of their own config');
  const rename = (key: string) =>
    `dwt.${key.replace(/^decoder\.post_quant_conv/, 'post_quant_conv').replace(/^decoder\.decoder\./, 'decoder.')}`;
  return {
    keys,
    encoder: plan('imageEncoder', encoder, (key) => key),
    decoder: plan('imageDecoderDwt', decoder, rename),
  };
}
