import { allowed } from '../src/format/geometry';
import type { MaskKind, ModelConfig } from '../src/format/manifest';

/** The least that an operation has to move and to compute. */
export interface Cost {
  /** Weights once, activations in and out, keys and values that are attended to. */
  readonly bytes: number;
  /** A multiply-add is two. */
  readonly flops: number;
}

export interface CostContext {
  readonly config: ModelConfig;
  /** Rows computed at once: candidates in a step, positions in a prefill. */
  readonly rows: number;
  /** Positions of the rows: in a step one for all. */
  readonly positions: readonly number[];
  /** Image classes that are drawn. */
  readonly classes: number;
}

/**
 * The cost of what the engine's labels name ("qkv", "attention column", "image logits", …); null for labels that are not known here, so
 * that new kernels show up with their times alone.
 */
export function costOf(operation: string, context: CostContext): Cost | null {
  const { config, rows, classes } = context;
  const h = config.hidden;
  switch (operation) {
    case 'qkv':
      return linear(rows, h, 3 * h);
    case 'attention_out':
      return linear(rows, h, h);
    case 'mlp_in':
      return linear(rows, h, 4 * h);
    case 'mlp_out':
      return linear(rows, 4 * h, h);
    case 'image logits':
      return linear(rows, h, classes);
    case 'embed':
      return { bytes: rows * h * 8, flops: rows * h };
    case 'layer_norm':
      return { bytes: rows * h * 8, flops: rows * h * 8 };
    case 'residual_norm':
      return { bytes: rows * h * 16, flops: rows * h * 16 };
    case 'sample':
      return { bytes: rows * classes * 4, flops: rows * classes * 4 };
  }
  const kind = /^attention (\w+)$/.exec(operation)?.[1];
  return kind ? attention(context, kind as MaskKind) : null;
}

/** y = x · Wᵀ + b with fp16 weights and f32 activations. */
function linear(rows: number, inputs: number, outputs: number): Cost {
  return {
    bytes: inputs * outputs * 2 + outputs * 4 + rows * (inputs + outputs) * 4,
    flops: 2 * rows * inputs * outputs,
  };
}

function attention({ config, rows, positions }: CostContext, kind: MaskKind): Cost {
  const h = config.hidden;
  const counts = positions.map((position) => keyCount(config, kind, position));
  const keys = counts.reduce((sum, count) => sum + count, 0) * (rows / positions.length);
  // The left text's keys are shared by all candidates; a prefill reads every key once.
  const shared = Math.min(config.leftLength, ...positions.map((position) => position + 1));
  const distinct = positions.length > 1 ? Math.max(...positions) + 1 : shared + rows * (counts[0]! - shared);
  return { bytes: (distinct * 2 + rows * 2) * h * 4, flops: 4 * keys * h };
}

/** How many keys a position attends to. */
export function keyCount(config: ModelConfig, kind: MaskKind, position: number): number {
  let count = 0;
  for (let key = 0; key <= position; key++) {
    if (allowed(config, kind, position, key, config.masks.rightSeesLeft)) count++;
  }
  return count;
}

/** The engine's label of a dispatch → the operation, e.g. "layer 3 attention" → "attention column". */
export function operationOf(label: string, config: ModelConfig): string {
  const inLayer = /^layer (\d+) (.*)$/.exec(label);
  if (!inLayer) return label.split(' + ')[0]!;
  const [, layer, name] = inLayer;
  return name === 'attention' ? `attention ${config.layerMasks[Number(layer)]!}` : name!;
}

/** Milliseconds that the ruler allows: bytes at the speed of copying or operations at that of multiplying, whichever takes longer. */
export function idealMs(cost: Cost, ruler: { readonly copyGBs: number; readonly gemmGflops: number }): number {
  return Math.max(cost.bytes / ruler.copyGBs, cost.flops / ruler.gemmGflops) / 1e6;
}
