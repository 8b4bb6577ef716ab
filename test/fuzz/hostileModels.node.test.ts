import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../cli/support/images';
import { forTerminal } from '../../cli/support/output';
import { openCheckpoint } from '../../src/convert/checkpoint';
import { parseConfigFile, parseSpecialTokens } from '../../src/convert/config';
import { checkImageTokenizer } from '../../src/convert/imageTokenizer';
import { parseMetadata } from '../../src/convert/metadata';
import { RudolphError } from '../../src/errors';
import { parseManifest } from '../../src/format/parseManifest';
import { readComponent } from '../../src/format/readComponent';
import { resize } from '../../src/image/resize';
import { Tokenizer } from '../../src/text/tokenizer';
import { openTokenizer } from '../../src/tasks/loadedModel';
import { checkPicture } from '../../src/tasks/pictures';
import { messageOf, named } from '../convert/tiny';
import { concat } from '../support/concat';
import { CONFIG, loadCorpus, METADATA, TOKENIZER, VQGAN } from './corpus';

/*
 * Model folders, settings and pictures made to harm whoever reads them: each once ended in a crash, a hang, an endless allocation, or
 * an error of JavaScript's own.
 */
const DEEP = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
const NO_PRIMITIVE = '{"toString": 1, "valueOf": 1}';
const { manifest } = await loadCorpus();

/** The message of a RudolphError; any other error fails the test. */
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof RudolphError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** JSON of an object with one value, given as JSON, exchanged. */
function changed(object: object, path: string, json: string): string {
  const copy = structuredClone(object) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, copy);
  parent[last] = '\u0000here';
  return JSON.stringify(copy).replace('"\\u0000here"', json);
}

describe('manifests', () => {
  const read = (path: string, json: string) =>
    refusal(() => parseManifest(changed(manifest, path, json), 'rudolph.json'));
  it.each([
    ['lists 200,000 deep', 'config.layers', DEEP, 'rudolph.json: is no JSON'],
    [
      'an object that is no primitive',
      'config.layers',
      NO_PRIMITIVE,
      'config.layers is an object, expected a whole number',
    ],
    ['an object as a number of codes', 'imageTokenizer.codes', NO_PRIMITIVE, 'imageTokenizer.codes is an object'],
    ['infinity', 'tensors.0.offset', '1e999', 'offset is Infinity, expected a whole number'],
    [
      'too many positions for a mask',
      'config.imageSide',
      '1024',
      'config: 1048582 positions, at most 8192 are possible',
    ],
    [
      'endless residual blocks',
      'imageTokenizer.residualBlocks',
      '10000000',
      'imageTokenizer.residualBlocks is 10000000',
    ],
    ['a script as a link', 'attribution.0.url', '"javascript:alert(1)"', 'attribution[0].url is no web address'],
    ['data as a link', 'attribution.0.url', '"data:text/html,x"', 'attribution[0].url is no web address'],
    ['a key of objects', 'description', '{"__proto__": "x"}', 'the key __proto__ is not allowed'],
    ['another host', 'components.tokenizer.shards.0.file', '"//elsewhere.example/x"', 'expected a plain file name'],
    ['a scheme', 'components.tokenizer.shards.0.file', '"javascript:x"', 'expected a plain file name'],
    ['a drive', 'components.tokenizer.shards.0.file', '"C:x.bin"', 'expected a plain file name'],
    ['an encoded way up', 'components.tokenizer.shards.0.file', '"..%2fx.bin"', 'expected a plain file name'],
  ])('with %s are refused', (_, path, json, message) => {
    expect(read(path, json)).toContain(message);
  });

  it('of more characters than any are refused before they are parsed', () => {
    expect(refusal(() => parseManifest(' '.repeat(2 ** 25 + 1), 'rudolph.json'))).toBe(
      'rudolph.json: has 33554433 characters: it is not a manifest of a RUDOLPH web model',
    );
  });

  it('whose tokenizer has terabytes are refused before memory is set aside', async () => {
    const shard = manifest.components.tokenizer!.shards[0]!;
    const shards = Array.from({ length: 100_000 }, () => ({ ...shard, byteLength: 2 ** 24 }));
    const components = { ...manifest.components, tokenizer: { byteLength: 100_000 * 2 ** 24, shards } };
    const huge = parseManifest(JSON.stringify({ ...manifest, components }), 'rudolph.json');
    const source = { manifest: huge, shard: async () => new ArrayBuffer(2 ** 24) };
    expect(await messageOf(readComponent(source, 'tokenizer'))).toBe(
      'the component tokenizer of micro has 1677721600000 bytes, expected at most 67108864',
    );
  });
});

describe('safetensors', () => {
  const file = (header: string, length = BigInt(header.length)) => {
    const bytes = new Uint8Array(8 + header.length);
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    bytes.set(new TextEncoder().encode(header), 8);
    return messageOf(openCheckpoint(named('x.safetensors', bytes)));
  };
  it.each([
    ['lists 200,000 deep as a type', `{"w": {"dtype": ${DEEP}}}`, undefined, 'w is of the unknown type a list of 1'],
    [
      'an object that is no primitive',
      `{"w": {"dtype": ${NO_PRIMITIVE}}}`,
      undefined,
      'w is of the unknown type an object',
    ],
    ['a prototype', '{"__proto__": {"dtype": "F32"}}', undefined, 'the entry of __proto__ is malformed'],
    ['a header of 2⁶³ bytes', '{}', 2n ** 63n, 'its header claims 9223372036854776000 bytes'],
    [
      'infinite sides',
      '{"w": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 0]}}',
      undefined,
      'the entry of w is malformed',
    ],
    [
      'sides whose product is infinite, times zero',
      `{"w": {"dtype": "F32", "shape": [${new Array(40).fill('1e15').join()}, 0], "data_offsets": [0, 0]}}`,
      undefined,
      'needs NaN bytes but has 0',
    ],
  ])('with %s are refused', async (_, header, length, message) => {
    expect(await file(header, length)).toContain(message);
  });
});

const model = (lines: readonly string[]) => new TextEncoder().encode(`${lines.join('\n')}\n`);

describe('tokenizers', () => {
  it('whose every rule doubles the piece before it are refused', () => {
    const rules = Array.from({ length: 40 }, (_, k) => `${4 + k} ${4 + k} ${5 + k}`);
    expect(refusal(() => Tokenizer.parse(model(['1 40', '9601 4', ...rules, '1 0 2 3'])))).toBe(
      'bpe.model is not a usable YouTokenToMe model: line 13 makes a piece of over 1024 characters',
    );
  });
  it('without an id for what every prompt begins or ends with are refused', () => {
    expect(refusal(() => Tokenizer.parse(model(['1 0', '9601 4', '1 0 -1 3'])))).toBe(
      'bpe.model is not a usable YouTokenToMe model: line 3 has no id for <BOS>',
    );
    expect(() => Tokenizer.parse(model(['1 0', '9601 1', '0 -1 2 3']))).not.toThrow();
  });
  it('of another model, whose ids have no embeddings, are refused', () => {
    const { config } = manifest;
    expect(
      refusal(() => openTokenizer(model(['5 0', '9601 4', '97 5', '98 6', '99 7', '100 8', '1 0 2 3']), config)),
    ).toBe("the model's tokenizer has 9 ids, the model knows 8: convert the model again");
    expect(openTokenizer(TOKENIZER, config).vocabularySize).toBe(8);
  });
  it('that announce more lines than they have are refused before memory is set aside', () => {
    expect(refusal(() => Tokenizer.parse(model(['9999999999 9999999999', '1 0 2 3'])))).toContain(
      'announces 9999999999',
    );
  });
});

describe('settings', () => {
  const config = (path: string, json: string) => refusal(() => parseConfigFile(changed(CONFIG, path, json), 'c.json'));
  it('with a million layers, or masks of gigabytes, are refused', () => {
    expect(config('rudolph.num_layers', '1000000')).toBe(
      'c.json: num_layers is 1000000, expected a whole number from 1 to 1000',
    );
    expect(config('rudolph.image_tokens_per_dim', '1000')).toBe('c.json: 1000006 positions, at most 8192 are possible');
  });
  it('with lists 200,000 deep, or objects that are no primitives, are refused', () => {
    for (const json of [DEEP, NO_PRIMITIVE]) {
      expect(config('rudolph.kernel_size', json)).toContain('c.json: kernel_size is a');
      const { vqgan } = parseConfigFile(changed(CONFIG, 'vqgan.ch', json), 'c.json');
      expect(refusal(() => checkImageTokenizer(VQGAN, vqgan!, 'c.json'))).toContain('c.json: vqgan.ch is a');
      expect(refusal(() => parseSpecialTokens(JSON.parse(`{"LT_UNK": ${json}}`), 9, 's.json'))).toContain(
        'has the id a',
      );
    }
    const { vqgan } = parseConfigFile(
      changed(CONFIG, 'vqgan.attn_resolutions', `[${NO_PRIMITIVE}, ${NO_PRIMITIVE}]`),
      'c.json',
    );
    expect(() => checkImageTokenizer(VQGAN, vqgan!, 'c.json')).not.toThrow();
  });
  it('bring nothing into a manifest that was not looked at', () => {
    const text = changed(METADATA, 'attribution.0.extra', DEEP);
    expect(parseMetadata({ label: 'm.json', text })).toEqual(METADATA);
    const odd = changed(METADATA, 'description', '{"__proto__": "x"}');
    expect(refusal(() => parseMetadata({ label: 'm.json', text: odd }))).toContain(
      'description is no object of texts by language',
    );
  });
});

describe('the terminal', () => {
  it('is not steered by the texts of a model whose pieces are escape sequences', () => {
    const tokenizer = Tokenizer.parse(model(['4 0', '9601 4', '27 5', '155 6', '8238 7', '1 0 2 3']));
    expect(forTerminal(`a\t${tokenizer.decode([5, 6, 7])}b\n`)).toBe('a\t\ufffd\ufffd\ufffdb\n');
  });
});

describe('pictures', () => {
  /** A PNG of a given size whose pixels are all missing but the first thousand: what it claims is looked at first. */
  const png = (width: number, height: number) => {
    const chunk = (name: string, data: Uint8Array) => {
      const bytes = new Uint8Array(12 + data.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, data.length);
      bytes.set(new TextEncoder().encode(name), 4);
      bytes.set(data, 8);
      view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
      return bytes;
    };
    const header = new DataView(new ArrayBuffer(13));
    header.setUint32(0, width);
    header.setUint32(4, height);
    header.setUint8(8, 8);
    const pixels = chunk('IDAT', deflateSync(new Uint8Array(1000)));
    const start = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
    return concat([start, chunk('IHDR', new Uint8Array(header.buffer)), pixels, chunk('IEND', new Uint8Array(0))]);
  };
  it('of a hundred bytes that unfold to gigabytes are refused', async () => {
    expect((await decodeImage(png(9, 9), 'small.png')).width).toBe(9);
    for (const [width, height] of [
      [8192, 8193],
      [60_000, 60_000],
    ] as const) {
      expect(await messageOf(decodeImage(png(width, height), 'bomb.png'))).toBe(
        'bomb.png is no picture that can be read (PNG, JPEG and WebP can), or it is damaged: Input image exceeds pixel limit',
      );
    }
  });
  it('that are drawings, which may name other files, are refused', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>';
    expect(await messageOf(decodeImage(new TextEncoder().encode(svg), 'x.png'))).toContain('it is svg');
  });
  it.each([
    [1.5, 2],
    [NaN, 3],
    [Infinity, 1],
    ['3', 1],
  ])('of %s × %s pixels are refused', (width, height) => {
    const image = { width: width as number, height, data: new Uint8ClampedArray(12) };
    const { model } = parseConfigFile(JSON.stringify(CONFIG), 'c.json');
    const whole = { ...model, layerMasks: ['row'], masks: { form: 'standard', rightSeesLeft: true } } as const;
    expect(refusal(() => checkPicture(whole, image, 'the picture'))).toContain(
      'with 12 bytes, expected width · height · 4',
    );
    expect(refusal(() => resize(image, 8, 8, 'bilinear'))).toContain('expected whole sides of at least 1');
  });
});
