import { deleteModel, listModels, type ModelFilesInput, type StoredModel } from '../index';
import { confirmButton } from './controls';
import { announce, byId, element } from './dom';
import { errorBlock, headlineOf, LocalError } from './explain';
import { bytesText, dateText, say, t } from './language';
import type { Model } from './model';
import { createOwnModel } from './ownModel';
import { createField } from './settings';

/**
 * Models that this browser keeps, and the place where another one is opened.
 * @returns `take`: files of a model that were dropped on the page
 */
export function startModels(model: Model): { readonly take: (input: ModelFilesInput) => Promise<void> } {
  const list = createModelList(model);
  const own = createOwnModel((files, name) => {
    model.open(files, name);
    // What happens now is told at the top of the page.
    scrollTo({ top: 0, behavior: 'smooth' });
  });
  byId('models').append(
    say(element('h3', { id: 'models-title' }), () => t().modelsTitle),
    list.root,
    element('div', { className: 'models-open', id: 'models-open' }, createAddressForm(), own.root),
  );
  // What is stored changes while a model, or a part of it, is fetched.
  let settled = '';
  model.watch((state) => {
    const now = state.type === 'ready' ? `ready ${state.fetching === null}` : state.type;
    if (now === settled || state.type === 'loading' || (state.type === 'ready' && state.fetching)) return;
    settled = now;
    // The address opens it again without its files.
    if (model.id.startsWith('local:')) history.replaceState(null, '', addressOf(model.id, location.hash));
    void list.show();
  });
  return { take: own.take };
}

/** The stored models with their sizes; each can be opened or deleted. `show` reads them anew. */
export function createModelList(model: Model): { readonly root: HTMLElement; readonly show: () => Promise<void> } {
  const items = element('ul', { className: 'model-list' });
  const space = element('p', { className: 'hint' });
  const problem = element('div', { className: 'output' });
  const show = async (): Promise<void> => {
    try {
      const models = await listModels();
      items.replaceChildren(
        ...models.map((stored) => itemOf(stored, stored.url === openUrl(model), () => void remove(stored))),
      );
      items.hidden = models.length === 0;
      problem.replaceChildren();
    } catch (error) {
      problem.replaceChildren(errorBlock(error));
    }
    await showSpace(space);
  };
  const remove = async (stored: StoredModel): Promise<void> => {
    try {
      await deleteModel(stored.url);
      announce(t().modelDeleted(stored.name));
    } catch (error) {
      problem.replaceChildren(errorBlock(error));
      return;
    }
    await show();
    (items.querySelector<HTMLElement>('button') ?? byId('models-url')).focus({ preventScroll: true });
  };
  return { root: element('div', {}, items, problem, space), show };
}

function itemOf(stored: StoredModel, open: boolean, remove: () => void): HTMLElement {
  const { name, url, source, byteLength, storedBytes, savedAt } = stored;
  const title = open
    ? element('span', { className: 'model-name' }, name)
    : element('a', { className: 'model-name', href: addressOf(url), textContent: name });
  const size = (): string =>
    storedBytes < byteLength ? t().modelPart(bytesText(storedBytes), bytesText(byteLength)) : bytesText(byteLength);
  const away = confirmButton('remove', () => t().modelDelete, remove);
  say(away, () => t().modelDeleteLabel(name), 'title');
  return element(
    'li',
    {},
    element(
      'div',
      {},
      title,
      ...(open ? [say(element('span', { className: 'model-open' }), () => t().modelOpen)] : []),
      say(element('span', { className: 'credit' }), () => `${size()}; ${t().modelOpened(dateText(savedAt.getTime()))}`),
      say(element('span', { className: 'credit model-url' }), () =>
        source === 'url' ? shortUrl(url) : source === 'folder' ? t().modelFromFolder : t().modelFromCheckpoint,
      ),
    ),
    away,
  );
}

/** Takes the address of a model on any host; the page opens anew with it. */
function createAddressForm(): HTMLFormElement {
  const field = createField('models-url', (strings) => strings.modelUrl, {
    hint: (strings) => strings.modelUrlHint,
    placeholder: 'https://',
  });
  field.input.inputMode = 'url';
  field.input.spellcheck = false;
  const button = say(element('button', { type: 'submit', className: 'chip' }), () => t().modelUrlOpen);
  const problem = element('p', { className: 'field-error', role: 'alert', hidden: true });
  const form = element('form', { className: 'models-form', noValidate: true }, field.root, button, problem);
  field.input.addEventListener('input', () => {
    problem.hidden = true;
    field.input.removeAttribute('aria-invalid');
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    try {
      location.assign(addressOf(modelAddress(field.input.value)));
    } catch (error) {
      problem.hidden = false;
      say(problem, () => headlineOf(error));
      field.input.setAttribute('aria-invalid', 'true');
      field.input.focus();
    }
  });
  return form;
}

/** @throws LocalError where the text is no address on the web. */
function modelAddress(text: string): string {
  const wrong = new LocalError((strings) => strings.badModelUrl);
  if (text.trim() === '') throw wrong;
  let url: URL;
  try {
    url = new URL(text.trim(), location.href);
  } catch {
    throw wrong;
  }
  if (!/^https?:$/.test(url.protocol)) throw wrong;
  return url.href;
}

/** The page with another model. */
function addressOf(url: string, hash = ''): string {
  const address = new URL(location.href);
  address.search = new URLSearchParams({ model: url }).toString();
  address.hash = hash;
  return address.href;
}

function openUrl({ state }: Model): string {
  return state.type === 'ready' ? state.rudolph.info.model.url : '';
}

/** Beside the page, the path is enough. */
function shortUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin === location.origin ? '' : origin}${pathname.replace(/rudolph\.json$/, '')}`;
}

async function showSpace(place: HTMLElement): Promise<void> {
  // Not there where the page is not secure.
  const { usage, quota } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  place.hidden = usage === undefined || quota === undefined;
  if (usage === undefined || quota === undefined) return;
  say(place, () => t().space(bytesText(usage), bytesText(Math.max(0, quota - usage))));
}
