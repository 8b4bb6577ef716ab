import { createComposer } from '../composer';
import { fit } from '../controls';
import { element } from '../dom';
import { Easel } from '../easel';
import { LocalError } from '../explain';
import { say, t } from '../language';
import { TokenMask } from '../mask';
import type { Page } from '../page';
import { createNote, fillPanel } from '../panel';
import { createPhotoNote } from '../photograph';
import { type PagePicture, tokenSide } from '../pictures';
import { createErrors, createShelf, fileInput } from '../slot';

/** Draws parts of a picture anew: those that a mask is painted over. */
export function startInpaint(page: Page): { readonly redraw: (picture: PagePicture) => void } {
  const { model, pictures, tabs } = page;
  const easel = new Easel(tokenSide(model));
  const composer = createComposer(
    page,
    'inpaint',
    { label: (strings) => strings.inpaintPrompt, button: (strings) => strings.inpaint },
    (prompt, options) => {
      const { current } = pictures;
      if (!current) throw new LocalError((strings) => strings.noPicture);
      if (easel.mask.count === 0) throw new LocalError((strings) => strings.emptyMask);
      const painted = easel.mask.resized(easel.mask.side);
      return (rudolph, signal) => {
        // It may have been painted before the model was there to say how many tokens a picture has.
        const mask = painted.resized(rudolph.info.model.config.imageSide).values;
        return rudolph.inpaint(pictures.sourceOf(current), prompt, { ...options, mask, signal });
      };
    },
  );
  easel.keep('left');
  page.links.add('inpaint', 'mask', {
    read: () => easel.mask.text,
    write: (text) => {
      const mask = TokenMask.parse(text);
      if (mask) easel.setMask(mask);
    },
  });
  model.watch(() => easel.setSide(tokenSide(model)));

  let shown: PagePicture | null = null;
  /** The prompt that came with the picture before: what somebody has written stays. */
  let given = '';
  pictures.watch(() => {
    if (pictures.current === shown) return;
    shown = pictures.current;
    easel.show(shown);
    if (!shown || (composer.prompt.value !== given && composer.prompt.value !== '')) return;
    given = shown.described ? shown.name : '';
    composer.prompt.value = given;
    fit(composer.prompt);
  });

  const file = element(
    'label',
    { className: 'chip file-chip' },
    fileInput('inpaint-file', (files) => void pictures.take(files[0]!)),
    say(element('span'), () => t().openFile),
  );
  const picture = element(
    'div',
    { className: 'slot' },
    easel.root,
    createErrors(page),
    createPhotoNote(page),
    say(element('p', { className: 'chips-label' }), () => t().shelf),
    element('div', { className: 'chips' }, file),
    createShelf(page).root,
  );
  const note = createNote(page, () => ({
    untrained: 'draw',
    tokens: ['LT_T2I', 'LT_GEN'],
    early: true,
    picture: true,
  }));
  fillPanel(
    tabs.panel('inpaint'),
    (strings) => strings.inpaintTitle,
    { picture, form: [composer.form], results: [composer.runs] },
    note.root,
  );
  return {
    redraw: (chosen) => {
      pictures.choose(chosen);
      tabs.open('inpaint');
      composer.settings.button.focus({ preventScroll: true });
    },
  };
}
