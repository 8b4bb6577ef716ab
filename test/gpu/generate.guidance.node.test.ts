import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_TOKEN } from '../../src/model/sampler';
import { SMALL } from '../support/randomModel';
import { DRAW, EMPTY, given, LEFT, openSmallModel, PICTURE, type SmallModel, WRITE } from '../support/smallModel';
import { drawFromTwin, drawTwin, mixtureTwin } from '../twins/sampler';

/** In Node only: half a minute in a browser, where sampler.guidance.test.ts tests the kernels of it. */
let model: SmallModel;
beforeAll(async () => {
  model = await openSmallModel();
});
afterAll(() => model.dispose());

describe('guidance', () => {
  test.each([
    ['nothing given', undefined],
    ['the first row given', given([SMALL.leftLength, PICTURE.slice(0, 6)])],
    ['a row in the middle given', given([SMALL.leftLength + 12, PICTURE.slice(0, 6)])],
  ])('draws from the mixture of both branches: %s', async (_, forced) => {
    const guidance = { prefix: EMPTY, weight: 0.4 };
    const drawn = await model.draw({ guidance, ...(forced ? { forced } : {}) });
    const first = SMALL.leftLength;
    let checked = 0;
    for (const [c, tokens] of drawn.entries()) {
      const [conditional, unconditional] = await Promise.all(
        [LEFT, EMPTY].map((prefix) => model.logitsFor({ ...DRAW, prefix }, tokens)),
      );
      for (const [t, token] of tokens.entries()) {
        const fixed = forced?.[first + t] ?? NO_TOKEN;
        const mixture = mixtureTwin(conditional![t]!, unconditional![t]!, DRAW.sampling, guidance.weight);
        const twin = drawFromTwin(mixture, DRAW.sampling.seed, c, first + t);
        if (fixed === NO_TOKEN && twin.margin < 1e-3) continue; // sums in another order may decide the other way
        expect(token, `candidate ${c}, token ${t}, margin ${twin.margin}`).toBe(
          fixed === NO_TOKEN ? twin.token : fixed,
        );
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(100);
  });

  test('is between the draws with either prefix alone', async () => {
    const [conditional, unconditional] = [await model.draw(), await model.draw({ prefix: EMPTY })];
    expect(await model.draw({ guidance: { prefix: EMPTY, weight: 0 } })).toEqual(conditional);
    expect(await model.draw({ guidance: { prefix: EMPTY, weight: 1e-30 } })).toEqual(conditional);
    expect(await model.draw({ guidance: { prefix: EMPTY, weight: 1 } })).toEqual(unconditional);
    const mixed = await model.draw({ guidance: { prefix: EMPTY, weight: 0.5 }, count: 7 });
    expect(mixed.slice(0, 3)).not.toEqual(conditional);
    expect(mixed.slice(0, 3)).not.toEqual(unconditional);
    expect(await model.draw({ guidance: { prefix: EMPTY, weight: 0.5 }, count: 7, batch: 3 })).toEqual(mixed);
  });

  test.each([-0.5, 1.5, NaN])('refuses the weight %f', async (weight) => {
    await expect(model.draw({ guidance: { prefix: EMPTY, weight } })).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining('guidance'),
    });
  });
});

test.each([
  ['one branch', undefined],
  ['two', { prefix: [...EMPTY, ...PICTURE, 2, 95, 17], weight: 0.8 }],
])('only allowed ids and the end are drawn: %s', async (_, guidance) => {
  const allowed = Array.from({ length: 40 }, (_, i) => 2 * i + 5);
  const sampling = { ...WRITE.sampling, topK: 20, topP: 0.95, temperature: 3 };
  const written = await model.write({ count: 6, allowed, sampling, ...(guidance ? { guidance } : {}) });
  const first = WRITE.prefix.length;
  let checked = 0;
  for (const [c, all] of written.entries()) {
    const end = all.indexOf(3);
    const ids = end < 0 ? all : all.slice(0, end + 1);
    expect(all.slice(ids.length).every((id) => id === 0)).toBe(true);
    const rows = await Promise.all(
      [WRITE.prefix, ...(guidance ? [guidance.prefix] : [])].map(async (prefix) =>
        (await model.logitsFor({ ...WRITE, prefix }, ids)).map((row) =>
          row.map((logit, id) => (id === 3 || allowed.includes(id) ? logit : -Infinity)),
        ),
      ),
    );
    ids.forEach((id, t) => {
      expect(id === 3 || allowed.includes(id), `candidate ${c} drew ${id}`).toBe(true);
      const twin = guidance
        ? drawFromTwin(mixtureTwin(rows[0]![t]!, rows[1]![t]!, sampling, guidance.weight), 6, c, first + t)
        : drawTwin(rows[0]![t]!, sampling, 6, c, first + t);
      if (twin.margin < 1e-3) return; // sums in another order may decide the other way
      expect(id, `candidate ${c}, token ${t}, margin ${twin.margin}`).toBe(twin.token);
      checked++;
    });
  }
  expect(checked).toBeGreaterThan(30);
  expect(new Set(written.flat()).size).toBeGreaterThan(10);
  await expect(model.write({ allowed: [4, WRITE.classes] })).rejects.toMatchObject({ code: 'bad-input' });
});
