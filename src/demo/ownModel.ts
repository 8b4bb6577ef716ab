import {
  type FileRole,
  type FilesReport,
  inspectFiles,
  type ModelFile,
  modelFiles,
  type ModelFilesInput,
} from '../index';
import { quietButton, showAgain } from './controls';
import { announce, element } from './dom';
import { errorBlock, isAbort } from './explain';
import { bytesText, say, t } from './language';
import { createField } from './settings';

/** Weights, a tokenizer, a manifest: a picture has none of these names. */
const MODEL_FILE = /\.(?:bin|ckpt|pth?|safetensors|model)$|^rudolph\.json$/i;

/** Whether what was dropped is meant to be a model: a folder, or a file of one among others. */
export function isModel({ items, files }: DataTransfer): boolean {
  return (
    [...items].some((item) => item.webkitGetAsEntry?.()?.isDirectory) ||
    [...files].some(({ name }) => MODEL_FILE.test(name))
  );
}

/**
 * The place where somebody's own model is put together, file by file, and opened.
 * @param open takes the files, and the name that the model was given
 */
export function createOwnModel(open: (files: readonly ModelFile[], name: string) => void): {
  readonly root: HTMLElement;
  /** Takes files from elsewhere. A drop must come as it is: browsers empty it after the event. */
  readonly take: (input: ModelFilesInput) => Promise<void>;
} {
  let files: readonly ModelFile[] = [];
  let looking = new AbortController();
  const name = createField('own-name', (strings) => strings.ownName, { lang: 'ru' });
  const report = element('div', { className: 'own-report', role: 'status' });
  const button = element('button', { type: 'button', className: 'primary', id: 'own-open' });
  const away = quietButton(
    'close',
    () => t().ownForget,
    () => {
      forget();
      root.querySelector('input')!.focus({ preventScroll: true });
    },
  );
  const ready = element('div', { className: 'own-ready' }, name.root, button);
  const found = element('div', { className: 'own-found', hidden: true }, report, ready, away);

  const forget = (): void => {
    looking.abort();
    files = [];
    found.hidden = true;
    report.replaceChildren();
  };
  const take = async (input: ModelFilesInput): Promise<void> => {
    looking.abort();
    const { signal } = (looking = new AbortController());
    found.hidden = false;
    ready.hidden = true;
    report.replaceChildren(say(element('p', { className: 'stage' }), () => t().ownLooking));
    try {
      const more = await modelFiles(input);
      signal.throwIfAborted();
      // One that is chosen again takes the place of what had its name.
      files = [...files.filter(({ path }) => !more.some((other) => other.path === path)), ...more];
      const made = await inspectFiles(files, { signal });
      signal.throwIfAborted();
      report.replaceChildren(...lines(made));
      ready.hidden = made.problem !== null;
      name.root.hidden = made.kind !== 'checkpoint';
      name.input.placeholder = made.name ?? '';
      say(button, () => (made.kind === 'checkpoint' ? t().ownConvert : t().ownOpen));
    } catch (error) {
      if (!isAbort(error)) report.replaceChildren(errorBlock(error));
    }
  };
  button.addEventListener('click', () => {
    const chosen = files;
    forget();
    announce(t().opening);
    open(chosen, name.input.value.trim());
  });

  const root = element(
    'div',
    { className: 'models-own', id: 'models-own' },
    say(element('p', { className: 'models-label' }), () => t().ownTitle),
    element(
      'div',
      { className: 'chips' },
      chooser('own-files', () => t().ownFiles, take),
      chooser('own-folder', () => t().ownFolder, take, true),
    ),
    say(element('p', { className: 'hint' }), () => t().ownHint),
    found,
  );
  return {
    root,
    take: async (input) => {
      showAgain(root);
      await take(input);
    },
  };
}

function chooser(
  id: string,
  label: () => string,
  take: (files: ModelFilesInput) => Promise<void>,
  webkitdirectory = false,
): HTMLElement {
  const input = element('input', { type: 'file', id, multiple: true, webkitdirectory, className: 'visually-hidden' });
  input.addEventListener('change', () => {
    if (input.files && input.files.length > 0) void take(input.files);
    input.value = ''; // the same ones can be chosen twice
  });
  return element('label', { className: 'chip file-chip' }, input, say(element('span'), label));
}

/** What the files make, what is missing, and what stands in the way. */
function lines({ kind, name, used, missing, unused, neededBytes, freeBytes, problem }: FilesReport): Node[] {
  const lines: Node[] = [];
  const shards = used.filter(({ role }) => role === 'shard');
  if (kind === 'folder' && name !== null) lines.push(say(element('p'), () => t().ownFolderFound(name, shards.length)));
  const known = used.filter(({ role }) => role !== 'shard' && role !== 'manifest');
  if (known.length > 0) {
    const rows = known.flatMap(({ role, path, byteLength }) => [
      say(element('dt'), () => t().roles[role]),
      say(element('dd'), () => `${path}, ${bytesText(byteLength)}`),
    ]);
    lines.push(element('dl', { className: 'own-files' }, ...rows));
  }
  if (missing.length > 0 && used.length > 0)
    lines.push(say(element('p', { className: 'own-missing' }), () => t().ownMissing(listOf(missing))));
  else if (problem) lines.push(errorBlock(problem));
  if (unused.length > 0) lines.push(unusedBlock(unused));
  if (neededBytes !== null && neededBytes > 0) {
    lines.push(
      say(element('p', { className: 'hint' }), () =>
        t().ownSpace(bytesText(neededBytes), freeBytes === null ? null : bytesText(freeBytes)),
      ),
    );
  }
  return lines;
}

function listOf(roles: readonly FileRole[]): string {
  return roles.map((role) => t().roles[role]).join(', ');
}

/** Why files are not used is said in the library's words (English). */
function unusedBlock(unused: FilesReport['unused']): HTMLElement {
  return element(
    'details',
    {},
    say(element('summary'), () => t().ownUnused(unused.length)),
    element('ul', { className: 'error-detail', lang: 'en' }, ...unused.map(({ why }) => element('li', {}, why))),
  );
}
