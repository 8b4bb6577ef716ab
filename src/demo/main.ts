import { startAbout } from './about';
import { startDescribe } from './describe';
import { startDraw } from './draw';
import { startLanguage } from './language';
import { Model } from './model';
import { keepPage } from './offline';
import { startStatus } from './status';

startLanguage(document.querySelectorAll<HTMLButtonElement>('[data-language]'));

/** `?model=URL` opens another web model, relative to the page. */
const asked = new URLSearchParams(location.search).get('model');
const model = new Model(asked ?? `${import.meta.env.BASE_URL}models/embedded/rudolph.json`);

startStatus(model);
startAbout(model);
const drawing = startDraw(model, (image) => describing.describe(image));
const describing = startDescribe(model, (prompt) => drawing.suggest(prompt));
model.load();
keepPage();
