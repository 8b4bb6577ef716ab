import { element } from './dom';
import { say, t } from './language';
import type { Page } from './page';

/** Largest difference of a channel between neighbours of one even area: what a JPEG leaves of it. */
const ALIKE = 2;
/** Of the page's examples at least 84 % of neighbouring pixels are alike, 56 % as JPEGs; of the photographs that were tried at most 38 %. */
const LEAST_EVEN = 0.47;

/** Whether a picture has hardly any even areas, which drawn scenes on plain backgrounds are mostly made of. */
export function isLikePhotograph({ width, height, data }: Pick<ImageData, 'width' | 'height' | 'data'>): boolean {
  let alike = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 1; x < width; x++) {
      const at = 4 * (y * width + x);
      let most = 0;
      for (let channel = 0; channel < 3; channel++)
        most = Math.max(most, Math.abs(data[at + channel]! - data[at + channel - 4]!));
      if (most <= ALIKE) alike++;
    }
  }
  return alike < LEAST_EVEN * height * (width - 1);
}

/** One line where a file that looks like a photograph is shown to the page's own model, which has never seen one. */
export function createPhotoNote({ model, pictures }: Page): HTMLElement {
  const note = say(element('p', { className: 'photograph', role: 'status', hidden: true }), () => t().photograph);
  const show = (): void => {
    const { current } = pictures;
    const canvas = model.isPagesOwn && current?.tokens === null ? current.canvas : null;
    const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height);
    note.hidden = !pixels || !isLikePhotograph(pixels);
  };
  pictures.watch(show);
  let id = '';
  model.watch(() => {
    if (model.id === id) return;
    id = model.id;
    show();
  });
  return note;
}
