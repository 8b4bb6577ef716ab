/*
 * The image tokenizer in plain loops over (channels, height, width) arrays, in f64, weights as checkpoints have them
 * ([out, in, kernel, kernel]): independent of the kernels' layouts.
 */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

export function planes(channels: number, height: number, width: number, data: ArrayLike<number>): Planes {
  return { channels, height, width, data: Float64Array.from(data) };
}

function make(
  channels: number,
  height: number,
  width: number,
  value: (c: number, y: number, x: number) => number,
): Planes {
  const data = new Float64Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) data[(c * height + y) * width + x] = value(c, y, x);
    }
  }
  return { channels, height, width, data };
}

/** Zero outside the picture. */
export function at(p: Planes, c: number, y: number, x: number): number {
  return y < 0 || x < 0 || y >= p.height || x >= p.width ? 0 : p.data[(c * p.height + y) * p.width + x]!;
}

export interface Conv {
  /** [out, in, kernel, kernel] */
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly out: number;
  readonly kernel: number;
}

/** `half`: stride 2 behind padding (0, 1, 0, 1); `double`: nearest enlargement before. */
export function conv(x: Planes, { weight, bias, out, kernel }: Conv, resize?: 'half' | 'double'): Planes {
  const input =
    resize === 'double' ? make(x.channels, 2 * x.height, 2 * x.width, (c, i, j) => at(x, c, i >> 1, j >> 1)) : x;
  const stride = resize === 'half' ? 2 : 1;
  const pad = kernel === 3 && resize !== 'half' ? 1 : 0;
  return make(out, Math.floor(input.height / stride), Math.floor(input.width / stride), (n, i, j) => {
    let sum = bias[n]!;
    for (let c = 0; c < x.channels; c++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++) {
          sum +=
            weight[((n * x.channels + c) * kernel + ky) * kernel + kx]! *
            at(input, c, i * stride + ky - pad, j * stride + kx - pad);
        }
      }
    }
    return sum;
  });
}

export function groupNorm(x: Planes, gain: ArrayLike<number>, bias: ArrayLike<number>, swish: boolean): Planes {
  const width = x.channels / 32;
  const size = width * x.height * x.width;
  const y = new Float64Array(x.data.length);
  for (let g = 0; g < 32; g++) {
    const values = x.data.subarray(g * size, (g + 1) * size);
    const mean = values.reduce((a, b) => a + b, 0) / size;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / size;
    values.forEach((value, i) => {
      const c = g * width + Math.floor(i / (x.height * x.width));
      const normed = ((value - mean) / Math.sqrt(variance + 1e-6)) * gain[c]! + bias[c]!;
      y[g * size + i] = swish ? normed / (1 + Math.exp(-normed)) : normed;
    });
  }
  return { ...x, data: y };
}

/** softmax(q·kᵀ / √c)·v over all pixels. */
export function attend(q: Planes, k: Planes, v: Planes): Planes {
  const tokens = q.height * q.width;
  const y = new Float64Array(q.data.length);
  for (let t = 0; t < tokens; t++) {
    const scores = Array.from({ length: tokens }, (_, u) => {
      let sum = 0;
      for (let c = 0; c < q.channels; c++) sum += q.data[c * tokens + t]! * k.data[c * tokens + u]!;
      return sum / Math.sqrt(q.channels);
    });
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = weights.reduce((a, b) => a + b, 0);
    for (let c = 0; c < q.channels; c++) {
      y[c * tokens + t] = weights.reduce((sum, weight, u) => sum + weight * v.data[c * tokens + u]!, 0) / total;
    }
  }
  return { ...q, data: y };
}

export function add(a: Planes, b: Planes): Planes {
  return { ...a, data: a.data.map((value, i) => value + b.data[i]!) };
}

/** (4·colours, h, w) → (colours, 2h, 2w), not clamped. Written from the transform's definition: synthesis by columns, then rows. */
export function inverseHaar(x: Planes): Planes {
  const colours = x.channels / 4;
  const band = (c: number, which: number) => (which === 0 ? c : colours + 3 * c + which - 1); // ll, lh, hl, hh
  const root = Math.SQRT1_2;
  const columns = (low: number, high: number) =>
    make(
      1,
      2 * x.height,
      x.width,
      (_, y, i) => root * (at(x, low, y >> 1, i) + (y % 2 ? -1 : 1) * at(x, high, y >> 1, i)),
    );
  const halves = Array.from(
    { length: colours },
    (_, c) => [columns(band(c, 0), band(c, 1)), columns(band(c, 2), band(c, 3))] as const,
  );
  return make(colours, 2 * x.height, 2 * x.width, (c, y, i) => {
    const [low, high] = halves[c]!;
    return root * (at(low, 0, y, i >> 1) + (i % 2 ? -1 : 1) * at(high, 0, y, i >> 1));
  });
}

export function clampToUnit(x: Planes): Planes {
  return { ...x, data: x.data.map((value) => (Math.min(1, Math.max(-1, value)) + 1) / 2) };
}

export function argmax(x: Planes): number[] {
  const pixels = x.height * x.width;
  return Array.from({ length: pixels }, (_, p) => {
    let best = 0;
    for (let c = 1; c < x.channels; c++) if (x.data[c * pixels + p]! > x.data[best * pixels + p]!) best = c;
    return best;
  });
}

/** A whole image tokenizer over tensors by name, as they lie in a checkpoint. */
export interface Network {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: ArrayLike<number> }>;
  readonly levels: number;
  readonly residualBlocks: number;
  readonly attentionLevels: readonly number[];
}

function layers({ tensors }: Network) {
  const get = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    return tensor;
  };
  const convolve = (name: string, x: Planes, resize?: 'half' | 'double') => {
    const { shape, values } = get(`${name}.weight`);
    return conv(x, { weight: values, bias: get(`${name}.bias`).values, out: shape[0]!, kernel: shape[2]! }, resize);
  };
  const norm = (name: string, x: Planes, swish: boolean) =>
    groupNorm(x, get(`${name}.weight`).values, get(`${name}.bias`).values, swish);
  const block = (name: string, x: Planes) => {
    const h = convolve(`${name}.conv1`, norm(`${name}.norm1`, x, true));
    const shortcut = tensors.has(`${name}.nin_shortcut.weight`) ? convolve(`${name}.nin_shortcut`, x) : x;
    return add(shortcut, convolve(`${name}.conv2`, norm(`${name}.norm2`, h, true)));
  };
  const attention = (name: string, x: Planes) => {
    const h = norm(`${name}.norm`, x, false);
    return add(
      x,
      convolve(
        `${name}.proj_out`,
        attend(convolve(`${name}.q`, h), convolve(`${name}.k`, h), convolve(`${name}.v`, h)),
      ),
    );
  };
  const middle = (name: string, x: Planes) =>
    block(`${name}.block_2`, attention(`${name}.attn_1`, block(`${name}.block_1`, x)));
  const finish = (name: string, x: Planes) => convolve(`${name}.conv_out`, norm(`${name}.norm_out`, x, true));
  return { get, convolve, block, attention, middle, finish };
}

/** Picture in 0…1 → logits. */
export function encode(network: Network, image: Planes): Planes {
  const { convolve, block, attention, middle, finish } = layers(network);
  let h = convolve('encoder.conv_in', { ...image, data: image.data.map((value) => 2 * value - 1) });
  for (let level = 0; level < network.levels; level++) {
    for (let i = 0; i < network.residualBlocks; i++) {
      h = block(`encoder.down.${level}.block.${i}`, h);
      if (network.attentionLevels.includes(level)) h = attention(`encoder.down.${level}.attn.${i}`, h);
    }
    if (level < network.levels - 1) h = convolve(`encoder.down.${level}.downsample.conv`, h, 'half');
  }
  return convolve('quantize.proj', convolve('quant_conv', finish('encoder', middle('encoder.mid', h))));
}

/** Indices → what the decoder's last convolution gives. */
export function decode(network: Network, indices: readonly number[], height: number, width: number): Planes {
  const { get, convolve, block, attention, middle, finish } = layers(network);
  const { shape, values } = get('quantize.embed.weight');
  let h = make(shape[1]!, height, width, (c, y, x) => values[indices[y * width + x]! * shape[1]! + c]!);
  h = middle('decoder.mid', convolve('decoder.conv_in', convolve('post_quant_conv', h)));
  for (let level = network.levels - 1; level >= 0; level--) {
    for (let i = 0; i <= network.residualBlocks; i++) {
      h = block(`decoder.up.${level}.block.${i}`, h);
      if (network.attentionLevels.includes(level)) h = attention(`decoder.up.${level}.attn.${i}`, h);
    }
    if (level > 0) h = convolve(`decoder.up.${level}.upsample.conv`, h, 'double');
  }
  return finish('decoder', h);
}
