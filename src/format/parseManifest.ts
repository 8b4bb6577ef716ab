import { RudolphError } from '../errors';
import { layerMaskKinds, MASK_KINDS, sequenceLength } from './geometry';
import { FORMAT_VERSION, LARGEST, MOST_MANIFEST, SHARD_BYTES, TENSOR_ALIGNMENT } from './manifest';
import type { ComponentName, DType, Manifest } from './manifest';
import { DTYPE_BYTES, rowStrideOf, tensorByteLength } from './shards';
import { shown } from './shown';

const COMPONENTS: readonly ComponentName[] = [
  'tokenizer',
  'transformer',
  'imageEncoder',
  'imageDecoder',
  'imageDecoderDwt',
  'preview',
];
/** A shard's file lies beside the manifest: no folders, no `..`, no leading dot. */
const FILE_NAME = /^[0-9A-Za-z_][0-9A-Za-z._-]{0,127}$/;
const TENSOR_NAME = /^[0-9A-Za-z_][0-9A-Za-z._]{0,127}$/;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const MAX_TENSORS = 100_000;
/** Of one dimension of a tensor. */
const MAX_LENGTH = 1e9;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads and checks a manifest: afterwards every number in it can be relied on.
 * @param label where it comes from (a path or URL), for messages.
 * @throws RudolphError `bad-model` naming the field; for a newer format version, that a newer library is needed.
 */
export function parseManifest(text: string, label: string): Manifest {
  const fail = (what: string): never => {
    throw new RudolphError('bad-model', `${label}: ${what}`, { manifest: label });
  };
  if (text.length > MOST_MANIFEST) fail(`has ${text.length} characters: it is not a manifest of a RUDOLPH web model`);
  let json: unknown;
  try {
    json = JSON.parse(text, (key, value: unknown) =>
      FORBIDDEN.has(key) ? fail(`the key ${key} is not allowed`) : value,
    );
  } catch (error) {
    if (error instanceof RudolphError) throw error;
    fail(/^\s*<(!doctype|html)/i.test(text) ? 'is an HTML page, not a manifest (wrong address?)' : 'is no JSON');
  }
  const check = new Checker(label);
  const root = check.object(json, 'the manifest');
  const version = root['formatVersion'];
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    fail('has no formatVersion: it is not a manifest of a RUDOLPH web model');
  if ((version as number) > FORMAT_VERSION) {
    fail(
      `has format version ${String(version)}, this version of rudolph-web reads up to ${FORMAT_VERSION}: update rudolph-web`,
    );
  }
  check.text(root['name'], 'name');
  check.text(root['producer'], 'producer');
  checkPeople(check, root);
  checkConfig(check, root);
  const sizes = checkComponents(check, root);
  checkTensors(check, root, sizes);
  return json as Manifest;
}

/** Readers of single fields; each says what was found where. */
class Checker {
  readonly #label: string;
  constructor(label: string) {
    this.#label = label;
  }
  fail(what: string): never {
    throw new RudolphError('bad-model', `${this.#label}: ${what}`, { manifest: this.#label });
  }
  object(value: unknown, what: string): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail(`${what} is no object`);
    return value as Fields;
  }
  list(value: unknown, what: string): readonly unknown[] {
    if (!Array.isArray(value)) this.fail(`${what} is no list`);
    return value as unknown[];
  }
  text(value: unknown, what: string): string {
    if (typeof value !== 'string') this.fail(`${what} is no text`);
    return value as string;
  }
  whole(value: unknown, what: string, least: number, most: number): number {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      this.fail(`${what} is ${shown(value)}, expected a whole number from ${least} to ${most}`);
    }
    return value as number;
  }
  choice<T extends string>(value: unknown, what: string, choices: readonly T[]): T {
    if (!choices.includes(value as T)) this.fail(`${what} is ${shown(value)}, expected ${choices.join(', ')}`);
    return value as T;
  }
}

function checkPeople(check: Checker, root: Fields): void {
  const { description, attribution, examples } = root;
  const languages = (texts: unknown, what: string): void => {
    for (const [language, text] of Object.entries(check.object(texts, what))) check.text(text, `${what}.${language}`);
  };
  if (description !== undefined) languages(description, 'description');
  if (examples !== undefined)
    check.list(examples, 'examples').forEach((example, i) => check.text(example, `examples[${i}]`));
  if (attribution !== undefined) {
    check.list(attribution, 'attribution').forEach((item, i) => {
      const credit = check.object(item, `attribution[${i}]`);
      if (typeof credit['what'] === 'object') languages(credit['what'], `attribution[${i}].what`);
      else check.text(credit['what'], `attribution[${i}].what`);
      for (const field of ['by', 'licence']) check.text(credit[field], `attribution[${i}].${field}`);
      // It becomes a link on a page: nothing but the web.
      if (credit['url'] !== undefined && !/^https?:\/\//.test(check.text(credit['url'], `attribution[${i}].url`)))
        check.fail(`attribution[${i}].url is no web address`);
    });
  }
}

function checkConfig(check: Checker, root: Fields): void {
  const config = check.object(root['config'], 'config');
  const number = (key: string, least: number, most: number) => check.whole(config[key], `config.${key}`, least, most);
  const layers = number('layers', 1, LARGEST.layers);
  const hidden = number('hidden', 1, LARGEST.hidden);
  const heads = number('heads', 1, LARGEST.heads);
  if (hidden % heads !== 0) check.fail(`config: ${heads} heads do not divide ${hidden}`);
  const left = number('leftLength', 1, LARGEST.positions);
  const imageSide = number('imageSide', 1, LARGEST.positions);
  const rightLength = number('rightLength', 1, LARGEST.positions);
  const positions = sequenceLength({ leftLength: left, imageSide, rightLength });
  if (positions > LARGEST.positions)
    check.fail(`config: ${positions} positions, at most ${LARGEST.positions} are possible`);
  const text = number('textVocabulary', 1, LARGEST.vocabulary);
  const textSpecial = number('textSpecialTokens', 0, LARGEST.vocabulary);
  if (text - left - textSpecial < 4)
    check.fail(`config.textVocabulary is ${text}, less than ${left} pads, ${textSpecial} special tokens and 4`);
  const image = number('imageVocabulary', 1, LARGEST.vocabulary);
  const imageSpecial = number('imageSpecialTokens', 0, image - 1);
  number('convKernel', 1, LARGEST.kernel);
  number('lastConvKernel', 1, LARGEST.kernel);
  const kinds = check
    .list(config['layerMasks'], 'config.layerMasks')
    .map((kind, i) => check.choice(kind, `config.layerMasks[${i}]`, MASK_KINDS));
  if (kinds.length !== layers)
    check.fail(
      `config.layerMasks has ${kinds.length} entries for ${layers} layers (expected ${layerMaskKinds(layers).join(', ')})`,
    );
  const masks = check.object(config['masks'], 'config.masks');
  check.choice(masks['form'], 'config.masks.form', ['standard', 'bitset']);
  if (typeof masks['rightSeesLeft'] !== 'boolean') check.fail('config.masks.rightSeesLeft is neither true nor false');

  if (root['specialTokens'] !== null) {
    for (const [name, id] of Object.entries(check.object(root['specialTokens'], 'specialTokens')))
      check.whole(id, `specialTokens.${name}`, 0, text - left - 1);
  }
  if (root['imageTokenizer'] === null) return;
  const tokenizer = check.object(root['imageTokenizer'], 'imageTokenizer');
  const size = (key: string, most: number) => check.whole(tokenizer[key], `imageTokenizer.${key}`, 1, most);
  for (const key of ['channels', 'zChannels', 'embeddingSize', 'imageChannels']) size(key, LARGEST.channels);
  size('residualBlocks', LARGEST.residualBlocks);
  size('codes', LARGEST.vocabulary);
  if (tokenizer['codes'] !== image - imageSpecial)
    check.fail(`imageTokenizer.codes is ${String(tokenizer['codes'])}, the transformer draws ${image - imageSpecial}`);
  const multipliers = check.list(tokenizer['multipliers'], 'imageTokenizer.multipliers');
  if (multipliers.length === 0 || multipliers.length > LARGEST.levels)
    check.fail('imageTokenizer.multipliers has no or too many levels');
  multipliers.forEach((multiplier, i) =>
    check.whole(multiplier, `imageTokenizer.multipliers[${i}]`, 1, LARGEST.multiplier),
  );
  check.list(tokenizer['attentionLevels'], 'imageTokenizer.attentionLevels').forEach((level, i) => {
    check.whole(level, `imageTokenizer.attentionLevels[${i}]`, 0, multipliers.length - 1);
  });
}

/** @returns bytes of every component's stream. */
function checkComponents(check: Checker, root: Fields): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [name, value] of Object.entries(check.object(root['components'], 'components'))) {
    check.choice(name, 'a component', COMPONENTS);
    const component = check.object(value, `components.${name}`);
    const byteLength = check.whole(
      component['byteLength'],
      `components.${name}.byteLength`,
      1,
      Number.MAX_SAFE_INTEGER,
    );
    let sum = 0;
    check.list(component['shards'], `components.${name}.shards`).forEach((item, i) => {
      const where = `components.${name}.shards[${i}]`;
      const shard = check.object(item, where);
      if (!FILE_NAME.test(check.text(shard['file'], `${where}.file`)))
        check.fail(`${where}.file is ${shown(shard['file'])}, expected a plain file name`);
      if (!/^[0-9a-f]{64}$/.test(check.text(shard['sha256'], `${where}.sha256`)))
        check.fail(`${where}.sha256 is no SHA-256`);
      const length = check.whole(shard['byteLength'], `${where}.byteLength`, 1, SHARD_BYTES);
      if (length % 4 !== 0) check.fail(`${where}.byteLength is ${length}, expected a multiple of 4`);
      sum += length;
    });
    if (sum !== byteLength) check.fail(`components.${name}.byteLength is ${byteLength}, its shards have ${sum} bytes`);
    sizes.set(name, byteLength);
  }
  return sizes;
}

function checkTensors(check: Checker, root: Fields, sizes: ReadonlyMap<string, number>): void {
  const list = check.list(root['tensors'], 'tensors');
  if (list.length > MAX_TENSORS) check.fail(`there are ${list.length} tensors`);
  const names = new Set<string>();
  const ends = new Map<string, number>();
  list.forEach((item, i) => {
    const tensor = check.object(item, `tensors[${i}]`);
    const name = check.text(tensor['name'], `tensors[${i}].name`);
    if (!TENSOR_NAME.test(name)) check.fail(`tensors[${i}].name is ${shown(name)}`);
    if (names.has(name)) check.fail(`there are two tensors ${name}`);
    names.add(name);
    const dtype = check.choice(tensor['dtype'], `${name}: dtype`, Object.keys(DTYPE_BYTES) as DType[]);
    const shape = check
      .list(tensor['shape'], `${name}: shape`)
      .map((length) => check.whole(length, `${name}: shape`, 1, MAX_LENGTH));
    if (shape.length === 0 || shape.length > 4) check.fail(`${name}: a shape of ${shape.length} dimensions`);
    const component = check.choice(tensor['component'], `${name}: component`, COMPONENTS);
    const stream = sizes.get(component);
    if (stream === undefined) return check.fail(`${name}: there is no component ${component}`);
    const stride = check.whole(tensor['rowStride'], `${name}: rowStride`, 1, Number.MAX_SAFE_INTEGER);
    if (stride !== rowStrideOf(dtype, shape))
      check.fail(
        `${name}: rowStride is ${stride}, expected ${rowStrideOf(dtype, shape)} for ${dtype} [${shape.join(', ')}]`,
      );
    const byteLength = check.whole(tensor['byteLength'], `${name}: byteLength`, 1, Number.MAX_SAFE_INTEGER);
    if (byteLength !== tensorByteLength(dtype, shape))
      check.fail(`${name}: byteLength is ${byteLength}, expected ${tensorByteLength(dtype, shape)}`);
    const offset = check.whole(tensor['offset'], `${name}: offset`, 0, Number.MAX_SAFE_INTEGER);
    if (offset % TENSOR_ALIGNMENT !== 0)
      check.fail(`${name}: offset ${offset} is not a multiple of ${TENSOR_ALIGNMENT}`);
    if (offset < (ends.get(component) ?? 0))
      check.fail(`${name}: overlaps the tensor before it, at byte ${offset} of ${component}`);
    if (offset + byteLength > stream)
      check.fail(`${name}: ends at byte ${offset + byteLength} of ${component}, which has ${stream}`);
    ends.set(component, offset + byteLength);
  });
}
