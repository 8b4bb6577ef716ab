import type { GpuMemory, RudolphInfo } from '../index';
import { byId, element } from './dom';
import { bytesText, currentLanguage, say, t } from './language';
import type { Model } from './model';

/** What the model needs of the graphics memory. */
export function memoryText({ total, perCandidate }: GpuMemory): string {
  return t().memoryNeeded(bytesText(total), bytesText(perCandidate));
}

/** What the footer tells about the model, from its manifest. */
export function startAbout(model: Model): void {
  let shown: RudolphInfo | null = null;
  byId('about-model').append(say(element('p'), () => t().aboutLater));
  byId('about-credits').append(say(element('li'), () => t().aboutLater));
  model.watch((state) => {
    if (state.type !== 'ready' || state.rudolph.info === shown) return;
    shown = state.rudolph.info;
    const { memory } = shown;
    const { name, description, attribution, config, imageTokenizer, components } = shown.model;
    const bytes = Object.values(components).reduce((sum, part) => sum + part, 0);
    // A token is a pixel of the lowest level: every further level doubles the side.
    const side =
      config.imageSide * 2 ** ((imageTokenizer?.multipliers.length ?? 4) - 1) * (components.imageDecoder ? 1 : 2);
    byId('about-model').replaceChildren(
      say(element('p'), () => t().modelName(name)),
      say(element('p'), () => inLanguage(description ?? {}) ?? t().noDescription),
      say(element('p', { className: 'facts' }), () =>
        t().facts(side, config.imageSide ** 2, config.layers, bytesText(bytes)),
      ),
      say(element('p', { className: 'facts' }), () => memoryText(memory)),
      ...(components.imageEncoder ? [] : [say(element('p'), () => t().drawsOnly)]),
    );
    const credits = (attribution ?? []).map(({ what, by, licence, url }) => {
      const subject = url ? element('a', { href: url, rel: 'noopener' }) : element('span');
      say(subject, () => (typeof what === 'string' ? what : (inLanguage(what) ?? '')));
      return element('li', {}, subject, element('span', { className: 'credit', textContent: `${by}, ${licence}` }));
    });
    byId('about-credits').replaceChildren(
      ...(credits.length > 0 ? credits : [say(element('li'), () => t().noCredits)]),
    );
  });
}

/** What a model says by language, in the page's; a model need not have every one. */
function inLanguage(texts: Readonly<Record<string, string>>): string | undefined {
  return texts[currentLanguage()] ?? texts['ru'] ?? Object.values(texts)[0];
}
