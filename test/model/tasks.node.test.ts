import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bundle } from '../../cli/parity/bundle';
import { convertBundle } from '../../cli/parity/convertBundle';
import { readImage } from '../../cli/support/images';
import type { Gpu } from '../../src/gpu/device';
import type { RgbaImage } from '../../src/image/image';
import { Engine } from '../../src/tasks/engine';
import { imageTokens } from '../../src/tasks/pictures';
import type { NoticeEvent, PictureTokens } from '../../src/tasks/types';
import { openGpu } from '../support/gpu';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/*
 * What every task promises beyond upstream's numbers (those are compared by parity and test/cli/tasks.node.test.ts): finite scores at
 * the edges, the same result for a seed, shared prefixes that change nothing, clear refusals. On the random model tiny-a.
 */
const SIDE = 4;
const TOKENS = SIDE * SIDE;

describe('tasks', () => {
  let gpu: Gpu;
  let engine: Engine;
  let picture: RgbaImage;
  const codes = Array.from({ length: TOKENS }, (_, t) => (7 * t + 3) % 40);
  const others = Array.from({ length: TOKENS }, (_, t) => (5 * t + 11) % 40);

  beforeAll(async () => {
    const bundle = await Bundle.open('test/fixtures/tiny-a');
    gpu = await openGpu({ variants: 'base' });
    engine = await Engine.load(gpu, await convertBundle(bundle, 'pytorch_model.bin'));
    picture = await readImage(bundle.path('image0.png'));
  });
  afterAll(() => {
    engine?.dispose();
    gpu?.dispose();
  });

  const finite = (...lists: readonly (readonly number[])[]): void => {
    for (const list of lists)
      for (const value of list) expect(Number.isFinite(value), `${JSON.stringify(lists)}`).toBe(true);
  };

  describe('classify', () => {
    it.each([1, 2, 100])('of %i classes is finite, and each class is scored as it would be alone', async (count) => {
      const names = Array.from(
        { length: count },
        (_, k) => ['кот', 'красный круг', 'дом и лес', 'олень'][k % 4]! + (k > 3 ? ` ${k}` : ''),
      );
      const result = await engine.classify(codes, names);
      finite(result.scores, result.probabilities, result.textPerplexities);
      expect(result.scores).toHaveLength(count);
      expect(result.scores.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
      expect(result.probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
      expect(result.label).toBe(result.textPerplexities.indexOf(Math.min(...result.textPerplexities)));
      expect(result.scores[result.label]).toBe(Math.min(...result.scores));
      expect(result.probabilities[result.label]).toBe(Math.max(...result.probabilities));
      expect(result.class).toBe(names[result.label]);
      const last = count - 1;
      const alone = await engine.classify(codes, [names[last]!]);
      expect(alone.textPerplexities[0]! / result.textPerplexities[last]!).toBeCloseTo(1, 4);
    });

    it('gives equal classes equal scores', async () => {
      const { scores, label } = await engine.classify(codes, ['кот', 'кот']);
      expect(scores).toEqual([0.5, 0.5]);
      expect(label).toBe(0);
    });

    it('reads a class at the left with a prefix of its own', async () => {
      const names = ['кот', 'дом', 'красный круг'];
      const options = { leftTemplate: 'рисунок {}', template: 'на картинке' };
      const { textPerplexities } = await engine.classify(codes, names, options);
      expect(new Set(textPerplexities).size).toBe(3);
      for (const [k, name] of names.entries()) {
        // One class alone: nothing can be shared wrongly.
        const alone = await engine.perplexity(
          { left: `рисунок ${name}`, image: codes, right: 'на картинке' },
          { leftSpecialToken: 'LT_I2T' },
        );
        expect(alone.right! / textPerplexities[k]!).toBeCloseTo(1, 4);
      }
    });

    it('refuses no classes, empty ones and templates without a place', async () => {
      await expect(engine.classify(codes, [])).rejects.toThrow(/no classes/);
      await expect(engine.classify(codes, ['кот', ' '])).rejects.toThrow(/class 2 is empty/);
      await expect(engine.classify(codes, ['кот'], { template: 'на картинке' })).rejects.toThrow(/has no \{\}/);
    });
  });

  it('tells the ids that were read: without special ones and padding, with unknown letters, cut where they were cut', async () => {
    const { tokenizer } = engine.model;
    const long = 'красный круг и дом '.repeat(8);
    const { tokens } = await engine.classify(codes, ['кот', '漢', long], { template: '{}' });
    expect(tokens.slice(0, 2)).toEqual([tokenizer.encode('кот'), tokenizer.encode('漢')]);
    expect(tokens[1]).toContain(tokenizer.unk);
    const room = engine.manifest.config.rightLength - 2; // 2 and the special token; no 3 where the text was cut
    expect(tokens[2]).toEqual(tokenizer.encode(long.trim()).slice(0, room));
  });

  describe('rankings', () => {
    it('are finite for one candidate, for equal ones and for an empty text', async () => {
      for (const pictures of [[codes], [codes, codes, codes], [codes, others]] as PictureTokens[][]) {
        for (const text of ['кот', '']) {
          const { scores, order, textPerplexities, imagePerplexities } = await engine.rankImages(text, pictures);
          finite(scores, textPerplexities, imagePerplexities);
          expect([...order].sort()).toEqual(pictures.map((_, k) => k));
          if (pictures.length !== 2) expect(scores).toEqual(pictures.map(() => 0));
        }
      }
      for (const texts of [['кот'], ['кот', 'кот'], ['', 'дом']]) {
        const { scores, textPerplexities, imagePerplexities } = await engine.rankTexts(codes, texts);
        finite(scores, textPerplexities, imagePerplexities);
      }
    });

    it('take pixels and tokens alike', async () => {
      const [tokens] = await imageTokens(engine.model, [picture], {});
      const { imagePerplexities } = await engine.rankImages('кот', [picture, tokens!, codes]);
      expect(imagePerplexities[0]! / imagePerplexities[1]!).toBeCloseTo(1, 5);
    });

    it('refuse nothing to rank, tokens out of range and counts that do not fit', async () => {
      await expect(engine.rankImages('кот', [])).rejects.toThrow(/no pictures to rank/);
      await expect(engine.rankImages('кот', undefined as never)).rejects.toThrow(/no pictures to rank/);
      await expect(engine.rankTexts(codes, [])).rejects.toThrow(/no texts to rank/);
      await expect(engine.rankImages('кот', [codes, codes.with(3, -1)])).rejects.toThrow(/token 3 of picture 2 is -1/);
      await expect(engine.rankImages('кот', [codes.slice(1)])).rejects.toThrow(/15 image tokens, expected 16/);
      await expect(engine.rankTexts(codes, ['а', 'б'], { counts: [1] })).rejects.toThrow(/counts/);
    });
  });

  describe('drawing', () => {
    it('keeps the best, best first, with the scores that rankImages gives', async () => {
      const all = await engine.textToImage('кот', { count: 5, seed: 3 });
      const kept = await engine.textToImage('кот', { count: 5, seed: 3, keep: 2 });
      const ranked = await engine.rankImages('кот', all.codebooks);
      expect(kept.codebooks).toEqual(ranked.order.slice(0, 2).map((k) => all.codebooks[k]));
      expect(kept.images).toHaveLength(2);
      kept.ranking!.scores.forEach((score, k) => expect(score).toBeCloseTo(ranked.scores[ranked.order[k]!]!, 5));
      await expect(engine.textToImage('кот', { count: 2, keep: 3 })).rejects.toThrow(/keep is 3/);
    });

    it('repeats for a seed, also under guidance, whose weight changes the picture', async () => {
      const plain = await engine.textToImage('кот', { seed: 5, count: 2 });
      const guided = await engine.textToImage('кот', { seed: 5, count: 2, guidance: 0.5 });
      expect((await engine.textToImage('кот', { seed: 5, count: 2 })).codebooks).toEqual(plain.codebooks);
      expect((await engine.textToImage('кот', { seed: 5, count: 2, guidance: 0.5 })).codebooks).toEqual(
        guided.codebooks,
      );
      expect(guided.codebooks).not.toEqual(plain.codebooks);
      await expect(engine.textToImage('кот', { guidance: 1.5 })).rejects.toThrow(/guidance is 1.5/);
    });

    it('puts the prompt into its template', async () => {
      const whole = await engine.textToImage('рисунок кот', { seed: 5 });
      const filled = await engine.textToImage('кот', { seed: 5, template: 'рисунок {}' });
      expect(filled.codebooks).toEqual(whole.codebooks);
      await expect(engine.textToImage('кот', { template: 'рисунок' })).rejects.toThrow(/has no \{\}/);
    });

    it('has the DWT decoder, twice as wide', async () => {
      const plain = await engine.textToImage('кот', { seed: 1 });
      const dwt = await engine.textToImage('кот', { seed: 1, decoder: 'dwt' });
      expect(dwt.codebooks).toEqual(plain.codebooks);
      expect([dwt.images[0]!.width, dwt.images[0]!.height]).toEqual([
        plain.images[0]!.width * 2,
        plain.images[0]!.height * 2,
      ]);
    });

    it('refuses what it would stumble over at the end before it begins', async () => {
      const events: string[] = [];
      const context = { onEvent: ({ type }: { type: string }) => events.push(type) };
      const wrong = { decoder: 'haar' as 'dwt' };
      await expect(engine.textToImage('кот', wrong, context)).rejects.toThrow(/decoder is haar/);
      const heavy = { keep: 1, rankingWeight: 2 };
      await expect(engine.textToImage('кот', heavy, context)).rejects.toThrow(/weight of the text is 2/);
      await expect(engine.caption(codes, heavy, context)).rejects.toThrow(/weight of the text is 2/);
      expect(events).toEqual([]);
    });
  });

  describe('inpainting', () => {
    it('keeps what lies outside the mask and draws the rest from the seed', async () => {
      const mask = Array.from({ length: TOKENS }, (_, t) => (t % SIDE === 1 ? 1 : 0));
      const options = { mask, seed: 9, count: 3 };
      const { codebooks } = await engine.inpaint(codes, 'кот', options);
      for (const drawn of codebooks) drawn.forEach((id, t) => mask[t] === 0 && expect(id).toBe(codes[t]));
      expect(new Set(codebooks.map(String)).size).toBeGreaterThan(1);
      expect((await engine.inpaint(codes, 'кот', options)).codebooks).toEqual(codebooks);
    });

    it('takes borders, pixels of a mask or tokens of one for the same thing', async () => {
      const borders = await engine.inpaint(codes, 'кот', { borders: { up: 2 }, seed: 2 });
      const tokens = await engine.inpaint(codes, 'кот', { mask: codes.map((_, t) => (t < 8 ? 0 : 1)), seed: 2 });
      const data = new Uint8ClampedArray(64 * 64 * 4).fill(255);
      for (let p = 0; p < 64 * 32; p++) data.fill(0, p * 4, p * 4 + 3);
      const pixels = await engine.inpaint(codes, 'кот', { mask: { width: 64, height: 64, data }, seed: 2 });
      expect(tokens.codebooks).toEqual(borders.codebooks);
      expect(pixels.codebooks).toEqual(borders.codebooks);
    });

    it('refuses to draw nothing, or both ways at once', async () => {
      for (const options of [undefined, {}, { borders: undefined }])
        await expect(engine.inpaint(codes, 'кот', options)).rejects.toThrow(/either borders .* or a mask/);
      await expect(engine.inpaint(codes, 'кот', { borders: null as never })).rejects.toMatchObject({
        code: 'bad-input',
        message: expect.stringContaining('the borders are null'),
      });
      await expect(engine.inpaint(codes, 'кот', { borders: {}, mask: codes })).rejects.toThrow(/either borders/);
      await expect(engine.inpaint(codes, 'кот', { borders: { up: 4 } })).rejects.toThrow(/nothing to draw/);
      await expect(engine.inpaint(codes, 'кот', { mask: codes.map(() => 0) })).rejects.toThrow(/black everywhere/);
    });
  });

  describe('texts', () => {
    it('are the same for a seed, and counted', async () => {
      const runs = [
        () => engine.caption(codes, { seed: 4, count: 3 }),
        () => engine.answer('что слева', codes, { seed: 4, count: 3 }),
        () => engine.answer('что слева', null, { seed: 4, count: 3 }),
        () => engine.answer('|3+4=', null, { kind: 'maths', seed: 4, count: 3 }),
        () => engine.readText(codes, { seed: 4, count: 3 }),
        () => engine.continueText('дом', { seed: 4, count: 3 }),
      ];
      for (const run of runs) {
        const first = await run();
        expect(first.counts.reduce((sum, count) => sum + count, 0)).toBe(3);
        expect(first.tokens).toHaveLength(first.texts.length);
        expect(new Set(first.texts).size).toBe(first.texts.length);
        expect(await run()).toEqual(first);
      }
    });

    it('say when the model was not trained for the task, and go on', async () => {
      const notices: NoticeEvent[] = [];
      const onEvent = (event: { type: string }): void => {
        if (event.type === 'notice') notices.push(event as NoticeEvent);
      };
      await engine.answer('что слева', codes, { seed: 1, instruction: '' }, { onEvent });
      expect(notices).toEqual([
        {
          type: 'notice',
          code: 'untrained',
          message: expect.stringMatching(/no token LT_VQA.*LT_UNK stands in/),
          details: { token: 'LT_VQA', standIn: 'LT_UNK' },
        },
      ]);
      notices.length = 0;
      await engine.caption(codes, { seed: 1 }, { onEvent });
      expect(notices).toEqual([]);
      const long = 'дом '.repeat(40);
      await engine.rankTexts(codes, ['дом', long], {}, { onEvent });
      expect(notices).toEqual([
        {
          type: 'notice',
          code: 'text-cut',
          message: expect.stringMatching(
            /^the text «(дом ){10}…» is too long: only its first 16 of \d+ tokens were used$/,
          ),
          details: { used: 16, total: expect.any(Number) },
        },
      ]);
    });

    it('answer with BPE ids only, behind image ids 0 where there is no picture', async () => {
      const none = await engine.answer('дом', null, { seed: 2 });
      const zeros = await engine.answer('дом', new Array<number>(TOKENS).fill(0), {
        seed: 2,
        instruction: 'определи правильный ответ по тексту.',
      });
      expect(zeros.tokens).toEqual(none.tokens);
      expect(none).not.toHaveProperty('textPerplexities'); // another pass over the sequence: only where it is asked for
      const scored = await engine.answer('дом', null, { seed: 2, perplexities: true });
      expect(scored).toEqual({ ...none, textPerplexities: none.texts.map(() => expect.any(Number)) });
      finite(scored.textPerplexities!);
      for (const id of none.tokens.flat()) expect(id).toBeLessThan(engine.model.bpeVocabulary);
      await expect(engine.answer('дом', null, { kind: 'visual' })).rejects.toThrow(/needs a picture/);
      await expect(engine.answer('дом', codes, { kind: 'text' })).rejects.toThrow(/takes no picture/);
      await expect(engine.answer(' ', codes)).rejects.toThrow(/question is empty/);
    });

    it('are ranked by the picture with keep', async () => {
      const all = await engine.caption(codes, { seed: 8, count: 6, temperature: 2, topK: 0, topP: 1 });
      expect(all.texts.length).toBeGreaterThan(1);
      const kept = await engine.caption(codes, { seed: 8, count: 6, temperature: 2, topK: 0, topP: 1, keep: 1 });
      const { order } = await engine.rankTexts(codes, all.texts, { counts: all.counts });
      expect(kept.texts).toEqual([all.texts[order[0]!]]);
      expect(kept.ranking!.scores).toHaveLength(1);
      await expect(engine.caption(codes, { count: 2, keep: 3 })).rejects.toThrow(/keep is 3/);
      await expect(engine.caption(codes, { keep: 2 })).rejects.toThrow(/keep is 2/);
    });

    it('continue with allowed ids only, and have the perplexity of the decoded text', async () => {
      const allowed = [50, 60, 70];
      const { tokens, texts, textPerplexities } = await engine.continueText('дом', { allowed, seed: 1, count: 4 });
      const given = engine.model.tokenizer.encode('дом').length;
      for (const ids of tokens) for (const id of ids.slice(given)) expect(allowed).toContain(id);
      finite(textPerplexities);
      const { left } = await engine.perplexity({ left: texts[0]! });
      expect(left! / textPerplexities[0]!).toBeCloseTo(1, 5);
      await expect(engine.continueText('дом', { allowed: [1e6] })).rejects.toThrow(/allowed holds 1000000/);
      await expect(engine.continueText('дом '.repeat(40))).rejects.toThrow(/leaves no room/);
    });

    it('begin from nothing, as upstream does for an empty template', async () => {
      const { texts, textPerplexities } = await engine.continueText('', { seed: 1, count: 2 });
      expect(texts.length).toBeGreaterThan(0);
      finite(textPerplexities);
    });
  });

  it('perplexity scores what is given, and nothing else', async () => {
    expect(await engine.perplexity({ left: 'Кот' })).toEqual({
      left: expect.any(Number),
      image: null,
      right: null,
      tokens: { left: engine.model.tokenizer.encode('кот'), right: null },
    });
    const whole = await engine.perplexity({ left: 'кот', image: codes, right: 'кот' });
    finite([whole.left!, whole.image!, whole.right!]);
    const empty = await engine.perplexity({ left: '' });
    finite([empty.left!]);
    await expect(engine.perplexity({})).rejects.toThrow(/nothing to score/);
    await expect(engine.perplexity({ right: 'кот' })).rejects.toThrow(/needs a picture/);
  });

  it('every task stops when it is aborted, and the next one works', async () => {
    const runs: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (signal) => engine.textToImage('кот', {}, { signal }),
      (signal) => engine.inpaint(codes, 'кот', { borders: { up: 1 } }, { signal }),
      (signal) => engine.caption(codes, {}, { signal }),
      (signal) => engine.answer('кот', codes, {}, { signal }),
      (signal) => engine.readText(codes, {}, { signal }),
      (signal) => engine.classify(codes, ['кот'], {}, { signal }),
      (signal) => engine.continueText('кот', {}, { signal }),
      (signal) => engine.rankImages('кот', [codes], {}, { signal }),
      (signal) => engine.rankTexts(codes, ['кот'], {}, { signal }),
      (signal) => engine.perplexity({ left: 'кот' }, {}, { signal }),
    ];
    for (const run of runs) {
      await expect(run(AbortSignal.abort(new DOMException('stop', 'AbortError')))).rejects.toThrow(/stop/);
    }
    expect((await engine.classify(codes, ['кот', 'дом'])).scores).toHaveLength(2);
  });
});
