import { startAbout } from './about';
import { fit } from './controls';
import { byId } from './dom';
import { loadFont } from './font';
import { History } from './history';
import { startHistory } from './historyPanel';
import { startLanguage } from './language';
import { Links } from './link';
import { Model } from './model';
import { startModels } from './models';
import { isModel } from './ownModel';
import type { Page } from './page';
import { Pictures } from './pictures';
import { acceptPictures } from './slot';
import { startStatus } from './status';
import { type TaskId, Tabs } from './tabs';
import { startAnswer } from './tasks/answer';
import { startCaption } from './tasks/caption';
import { startClassify } from './tasks/classify';
import { startContinue } from './tasks/continue';
import { startDraw } from './tasks/draw';
import { startInpaint } from './tasks/inpaint';
import { startPerplexity } from './tasks/perplexity';
import { startRank } from './tasks/rank';
import { startRead } from './tasks/read';
import { keepPage } from './update';

loadFont();
startLanguage(document.querySelectorAll<HTMLButtonElement>('[data-language]'));

/** `?model=URL` opens another web model, relative to the page. */
const asked = new URLSearchParams(location.search).get('model');
const embedded = `${import.meta.env.BASE_URL}models/embedded/rudolph.json`;
const model = new Model(asked ?? embedded, embedded);
const pictures = new Pictures(model);
const tabs = new Tabs();
const links = new Links(tabs);
const page: Page = {
  model,
  pictures,
  tabs,
  links,
  history: new History(),
  drawText: (prompt) => drawing.suggest(prompt),
  describe: (picture) => captioning.describe(picture),
  redraw: (picture) => inpainting.redraw(picture),
  passOn: (picture, task) => {
    pictures.choose(picture);
    expectPicture(task);
    tabs.open(task);
    byId(`${task}-button`).focus({ preventScroll: true });
  },
  compareTexts: (texts) => ranking.compare(texts),
};

startStatus(model);
startAbout(model);
const drawing = startDraw(page);
const inpainting = startInpaint(page);
const captioning = startCaption(page);
const asking = startAnswer(page);
startRead(page);
startClassify(page);
const ranking = startRank(page);
startContinue(page);
const measuring = startPerplexity(page);
startHistory(page);
const models = startModels(model);
links.start();

/** Tasks that can do without a picture, or with several, get ready for one. */
function expectPicture(task: TaskId): void {
  if (task === 'rank') ranking.expectPicture();
  if (task === 'answer') asking.expectPicture();
  if (task === 'perplexity') measuring.expectPicture();
}

/** Pictures from anywhere: the open task takes the first, a comparison of pictures all, or else it is described. */
acceptPictures(
  async (files) => {
    if (tabs.current === 'rank') return ranking.take(files);
    expectPicture(tabs.current);
    if (tabs.current === 'draw' || tabs.current === 'continue') tabs.open('caption');
    if ((await pictures.take(files[0]!)) && tabs.current === 'caption') captioning.run();
  },
  (drop) => {
    if (!isModel(drop)) return false;
    void models.take(drop);
    return true;
  },
);

byId('skip').addEventListener('click', (event) => {
  // The address keeps the task's name.
  event.preventDefault();
  const fields = tabs.panel(tabs.current).querySelectorAll<HTMLElement>('textarea, input, button');
  [...fields].find((field) => field.checkVisibility())?.focus();
});

// A phone was turned: the lines break elsewhere.
addEventListener('resize', () => {
  for (const field of document.querySelectorAll('textarea')) fit(field);
});

void pictures.loadExamples();
model.load();
keepPage(page, () => links.keep());
// Now everything is in its place; see style/base.css.
document.body.dataset['built'] = '';
