import type { Engine } from '../../src/tasks/engine';
import { readImage } from '../support/images';
import { given } from '../support/options';
import type { Bundle, GreedyCase, Perplexities } from './bundle';
import { type Report, TOLERANCE } from './report';

/** What every case is handed. */
interface Place {
  readonly bundle: Bundle;
  readonly engine: Engine;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** Always the likeliest token. */
const GREEDY = { topK: 1, seed: 0 } as const;

/** A bundle's name of a special token without its angle brackets; null for none, undefined where the bundle names none. */
const token = (name: string | null | undefined): string | null | undefined =>
  typeof name === 'string' ? name.replace(/^<|>$/g, '') : name;

/** Greedy pictures, inpainting, continuations and captions, by the tasks themselves. */
export async function greedyCases(place: Place): Promise<void> {
  for (const item of place.bundle.cases.greedy ?? []) {
    const run = GREEDY_TASKS[item.task];
    if (run) await run(item, place);
    else place.report.leftOut(`greedy ${item.task}`, 'this version knows no such task');
  }
}

const GREEDY_TASKS: Readonly<Record<string, (item: GreedyCase, place: Place) => Promise<void>>> = {
  async text_to_image(item, { bundle, engine, report, signal }) {
    const options = { ...GREEDY, ...given({ specialToken: token(item.special_token) }) };
    const { codebooks } = await engine.textToImage(item.text!, options, { signal });
    report.equal(item.codebook!, codebooks[0]!, bundle.tensor(item.codebook!).data);
  },

  /** The kept tokens are upstream's: how the picture was resized before it was encoded is no part of the case. */
  async inpaint(item, { bundle, engine, report, signal }) {
    const options = { ...GREEDY, borders: item.borders!, ...given({ specialToken: token(item.special_token) }) };
    const kept = Array.from(bundle.tensor(item.prompt_tokens!).data);
    const { codebooks } = await engine.inpaint(kept, item.text!, options, { signal });
    report.equal(item.codebook!, codebooks[0]!, bundle.tensor(item.codebook!).data);
  },

  async text_to_text(item, { engine, report, signal }) {
    const options = { ...GREEDY, ...given({ specialToken: token(item.special_token) }) };
    const { texts, textPerplexities } = await engine.continueText(item.template!, options, { signal });
    const name = `greedy.text_to_text «${item.template}»`;
    const expected = item.result!;
    report.same(
      name,
      texts,
      expected.map(({ text }) => text),
    );
    const perplexities = expected.map(({ ppl_txt }) => ppl_txt);
    report.relative(`${name} ppl_txt`, textPerplexities, perplexities, TOLERANCE.perplexity);
  },

  async caption(item, { bundle, engine, report, signal }) {
    const options = {
      ...GREEDY,
      ...given({
        template: item.template,
        leftSpecialToken: token(item.l_special_token),
        rightSpecialToken: token(item.r_special_token),
      }),
    };
    const { texts } = await engine.caption(await readImage(bundle.path(item.image!)), options, { signal });
    report.same(`greedy.caption ${item.image}`, texts, item.texts);
  },
};

/** Pictures ranked by a text, texts ranked by a picture, and zero-shot classes. */
export async function rankingCases({ bundle, engine, report, signal }: Place): Promise<void> {
  const { rank_images_by_text: images, rank_texts_by_image: texts, zero_shot: zeroShot } = bundle.cases;
  const compare = (
    name: string,
    actual: {
      readonly textPerplexities: ArrayLike<number>;
      readonly imagePerplexities: ArrayLike<number>;
      readonly scores: ArrayLike<number>;
    },
    expected: Perplexities,
  ): void => {
    report.relative(`${name}.ppl_txt`, actual.textPerplexities, expected.ppl_txt, TOLERANCE.perplexity);
    report.relative(`${name}.ppl_img`, actual.imagePerplexities, expected.ppl_img, TOLERANCE.perplexity);
    report.close(`${name}.scores`, actual.scores, expected.scores, TOLERANCE.rankScore);
  };
  if (images) {
    const { shape, data } = bundle.tensor(images.codebooks);
    const [count, tokens] = shape as [number, number];
    const codebooks = Array.from({ length: count }, (_, i) => Array.from(data.subarray(i * tokens, (i + 1) * tokens)));
    compare('rank_images_by_text', await engine.rankImages(images.text, codebooks, {}, { signal }), images);
  }
  if (texts) {
    const image = await readImage(bundle.path(texts.image));
    compare('rank_texts_by_image', await engine.rankTexts(image, texts.texts, {}, { signal }), texts);
  }
  if (zeroShot) {
    const image = await readImage(bundle.path(zeroShot.image));
    const options = given({ template: zeroShot.r_template, leftTemplate: zeroShot.l_template });
    const result = await engine.classify(image, zeroShot.classes, options, { signal });
    report.same('zero_shot.label', [result.label, result.class], [zeroShot.label, zeroShot.class]);
    report.close('zero_shot.scores', result.scores, zeroShot.scores, TOLERANCE.zeroShotScore);
  }
}
