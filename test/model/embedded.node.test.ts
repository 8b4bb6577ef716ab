import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolder } from '../../cli/support/folder';
import { judgeCaption } from '../../eval/captions';
import { readHeldOut, readWorld } from '../../eval/files';
import { judgeDrawing } from '../../eval/matcher';
import { compose, randomHeldOutSingle, randomNumbers, type HeldOut, type Judgeable } from '../../eval/scene';
import type { World } from '../../eval/world';
import type { Gpu } from '../../src/gpu/device';
import { Engine } from '../../src/tasks/engine';
import { IMAGE_SAMPLING } from '../../src/tasks/sampling';
import type { TextToImageResult } from '../../src/tasks/types';
import { openGpu } from '../support/gpu';
import {
  DRAWING,
  drawTokens,
  expectTokens,
  imageLogits,
  LARGEST_MARGIN,
  readStoredTokens,
  tokenDifferences,
  transformerOf,
  writeStoredTokens,
} from '../support/tokens';
import { drawTwin } from '../twins/sampler';

/** Another model of the same world can be judged, too. */
const MODEL = process.env['RUDOLPH_TEST_MODEL'] ?? 'public/models/embedded';
const CHERRY: Judgeable = {
  sprites: [{ id: '1f352', bbox: [24, 24, 80, 80] }],
  size: 'large',
  place: 'center',
  background: 'white',
};
const CANDIDATES = 4;

/*
 * WHAT THIS EDITION REACHES, a little less than measured: to be set anew whenever public/models/embedded changes (each test
 * prints what it measured). The README has the figures on the whole held-out set.
 */
/** Of 4 drawings of the cherry so many are a cherry: 3 measured. */
const KINDS = 3;
/** Of 6 captions so many name the sprite, and so many the background: 6 and 6 measured. */
const CAPTIONS = 6;
const NAMED = 5;
const GROUNDS = 5;

describe('the embedded model, base kernels', { timeout: 600_000 }, () => {
  let gpu: Gpu;
  let engine: Engine;
  let world: World;
  let heldOut: HeldOut;
  let drawn: TextToImageResult;

  beforeAll(async () => {
    [world, heldOut] = await Promise.all([readWorld(), readHeldOut()]);
    gpu = await openGpu({ variants: 'base' });
    engine = await Engine.load(gpu, await openFolder(MODEL));
    drawn = await engine.textToImage(DRAWING.prompt, { seed: DRAWING.seed, count: CANDIDATES });
  }, 600_000);
  afterAll(() => {
    engine?.dispose();
    gpu?.dispose();
  });

  test(`draws «${DRAWING.prompt}»`, () => {
    const verdicts = drawn.images.map((image) => judgeDrawing(world, image, CHERRY));
    const count = (part: 'sprites' | 'background' | 'all'): number =>
      verdicts.filter((verdict) => verdict[part]).length;
    const all = verdicts.map((verdict) => JSON.stringify(verdict)).join('\n');
    console.info(`cherry: kind right in ${count('sprites')}, everything in ${count('all')} of ${CANDIDATES}`);
    expect(verdicts[0]!.all, all).toBe(true);
    expect(count('sprites'), all).toBeGreaterThanOrEqual(KINDS);
    expect(count('background'), all).toBe(CANDIDATES);
  });

  test('its captions name the sprites of freshly composed scenes that training held out', async () => {
    const random = randomNumbers(20);
    const known = new Set(heldOut.scenes.map((scene) => scene.caption));
    const lines: string[] = [];
    let right = 0;
    let grounds = 0;
    while (lines.length < CAPTIONS) {
      const scene = await randomHeldOutSingle(world, random);
      if (known.has(scene.caption)) continue;
      const { texts } = await engine.caption(compose(world, scene), { topK: 1, seed: 0 });
      const verdict = judgeCaption(world, texts[0]!, scene);
      if (verdict.sprites) right++;
      if (verdict.background) grounds++;
      lines.push(`${verdict.sprites ? ' ' : '✗'} ${scene.caption} → ${texts[0]}`);
    }
    console.info(`captions: ${right} of ${CAPTIONS} name the sprite, ${grounds} the background`);
    expect(grounds, lines.join('\n')).toBeGreaterThanOrEqual(GROUNDS);
    expect(right, lines.join('\n')).toBeGreaterThanOrEqual(NAMED);
  });

  test('shares the picture among classes and among drafts: ten cost less than half of ten single runs', async () => {
    const codes = drawn.codebooks[0]!;
    const names = ['вишня', 'кот', 'ёлка', 'корона', 'гриб', 'лиса', 'мяч', 'роза', 'рыба', 'медведь'];
    const seconds = async (work: () => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let round = 0; round < 2; round++) {
        const start = performance.now();
        await work();
        times.push((performance.now() - start) / 1000);
      }
      return Math.min(...times);
    };
    const oneClass = await seconds(() => engine.classify(codes, names.slice(0, 1)));
    const tenClasses = await seconds(() => engine.classify(codes, names));
    const oneDraft = await seconds(() => engine.caption(codes, { seed: 1 }));
    const eightDrafts = await seconds(() => engine.caption(codes, { seed: 1, count: 8 }));
    const share = { classify: tenClasses / (10 * oneClass), caption: eightDrafts / (8 * oneDraft) };
    console.info(
      `10 classes: ${tenClasses.toFixed(2)} s, one: ${oneClass.toFixed(2)} s; 8 captions: ${eightDrafts.toFixed(2)} s, one: ${oneDraft.toFixed(2)} s`,
    );
    expect(share.classify).toBeLessThan(0.5);
    expect(share.caption).toBeLessThan(0.5);
  });

  test('draws the tokens that a full forward pass and a plain-loop sampler draw', async () => {
    const [codes] = drawn.codebooks as [readonly number[]];
    const logits = await imageLogits(engine, DRAWING, codes);
    const { leftLength } = engine.manifest.config;
    const wrong = codes.flatMap((id, t) => {
      const { token, margin } = drawTwin(logits[t]!, IMAGE_SAMPLING, DRAWING.seed, 0, leftLength + t);
      return token === id
        ? []
        : [{ text: `token ${t}: ${id} instead of ${token}, which won by ${margin.toExponential(2)}`, margin }];
    });
    for (const { text } of wrong) console.warn(text);
    expect(
      Math.max(0, ...wrong.map(({ margin }) => margin)),
      wrong.map(({ text }) => text).join('\n'),
    ).toBeLessThanOrEqual(LARGEST_MARGIN);
  });

  test('draws the same tokens again for a seed, and others for another', async () => {
    expect(await drawTokens(engine, DRAWING, CANDIDATES)).toEqual(drawn.codebooks);
    const [other] = await drawTokens(engine, { ...DRAWING, seed: 2 }, 1);
    expect(other).not.toEqual(drawn.codebooks[0]);
  });

  test('draws the same tokens for one candidate and for four', async () => {
    const alone = await drawTokens(engine, DRAWING, 2, 1);
    await expectTokens(engine, alone, drawn.codebooks.slice(0, 2), 'alone');
  });

  test('a token that lost by more than rounding is found', async () => {
    // The control of the comparison: one token replaced by its neighbour.
    const [codes] = drawn.codebooks as [readonly number[]];
    const changed = codes.map((id, t) => (t === 40 ? (id + 1) % engine.manifest.config.imageVocabulary : id));
    const [difference] = await tokenDifferences(engine, DRAWING, [changed], [codes]);
    expect(difference?.text).toContain('token 40');
    expect(Math.abs(difference!.margin)).toBeGreaterThan(LARGEST_MARGIN);
  });

  test('draws the stored tokens, whatever the adapter', async () => {
    const transformer = transformerOf(engine);
    const { vendor, device, description } = gpu.adapter;
    const adapter = `${description || device} ${vendor}`.trim();
    if (process.env['RUDOLPH_WRITE_FIXTURES'] === '1')
      writeStoredTokens({ ...DRAWING, transformer, adapter, codebooks: drawn.codebooks });
    const stored = readStoredTokens(transformer);
    expect(stored.codebooks).toHaveLength(CANDIDATES);
    await expectTokens(engine, drawn.codebooks, stored.codebooks, `${adapter} against ${stored.adapter}`);
  });
});
