import type { AdapterDescription, LoadProgress } from '../index';
import { memoryText } from './about';
import { announce, byId, element, setBar } from './dom';
import { errorBlock, noticeText } from './explain';
import { bytesText, say, t } from './language';
import type { LoadState, Model } from './model';

/** The chip in the header, and the banners below it. */
export function startStatus(model: Model): void {
  const chip = byId('status');
  const text = byId('status-text');
  const action = byId<HTMLButtonElement>('status-action');
  const bar = byId('status-bar');
  const banners = byId('banners');

  action.addEventListener('click', () => {
    if (model.state.type === 'loading') model.cancel();
    else model.load();
  });
  model.onNotice = (notice) => {
    banners.append(say(element('p', { className: 'banner', role: 'status' }), () => noticeText(notice)));
  };

  let shown: LoadState['type'] | null = null;
  model.watch((state) => {
    const progress = state.type === 'loading' ? state.progress : state.type === 'ready' ? state.fetching : null;
    const software = state.type === 'ready' && state.rudolph.info.adapter.software;
    chip.dataset['state'] = state.type === 'ready' && progress ? 'loading' : software ? 'slow' : state.type;
    say(text, () => sentence(state));
    // Known before the first byte of the weights comes in.
    const memory = progress?.memory;
    say(chip, () => (memory ? memoryText(memory) : ''), 'title');
    bar.hidden = state.type !== 'loading' && progress === null;
    setBar(
      bar,
      progress && progress.stage !== 'compile' && progress.totalBytes > 0
        ? progress.loadedBytes / progress.totalBytes
        : null,
    );
    action.hidden = state.type === 'ready';
    say(action, () =>
      state.type === 'loading' ? t().cancelLoad : state.type === 'failed' ? t().retryLoad : t().startLoad,
    );

    if (state.type === shown) return;
    shown = state.type;
    if (state.type === 'failed') banners.replaceChildren(banner(errorBlock(state.error)));
    else if (state.type === 'loading' || state.type === 'stopped') banners.replaceChildren();
    else announce(sentence(state));
    if (software) banners.prepend(banner(softwareWarning(), 'banner-slow'));
  });
}

function softwareWarning(): HTMLElement {
  return say(element('p'), () => t().softwareWarning);
}

function banner(content: HTMLElement, kind = 'banner-failed'): HTMLElement {
  return element('div', { className: `banner ${kind}` }, content);
}

function sentence(state: LoadState): string {
  const strings = t();
  if (state.type === 'stopped') return strings.loadStopped;
  if (state.type === 'failed') return strings.loadFailed;
  if (state.type === 'loading') return loadingSentence(state.progress, strings.downloading) + roomLeft(state);
  if (state.fetching) return loadingSentence(state.fetching, strings.fetchingPart);
  return strings.ready(adapterName(state.rudolph.info.adapter));
}

function loadingSentence(
  progress: LoadProgress | null,
  bytes: (done: string, total: string, fromCache: boolean) => string,
): string {
  if (!progress || progress.totalBytes === 0) return t().opening;
  const { stage, loadedBytes, totalBytes, fromCache } = progress;
  if (stage === 'compile') return t().compiling;
  const told = stage === 'copy' || stage === 'convert' || stage === 'preview' ? t().preparing[stage] : bytes;
  return told(bytesText(loadedBytes), bytesText(totalBytes), fromCache);
}

/** Beside what a download takes, what there is room for. */
function roomLeft({ progress, plan }: Extract<LoadState, { type: 'loading' }>): string {
  const free = plan?.freeBytes ?? null;
  return progress?.stage === 'download' && !progress.fromCache && free !== null ? t().roomLeft(bytesText(free)) : '';
}

/** Browsers give lower-case identifiers. */
const SPELLING: Readonly<Record<string, string>> = {
  amd: 'AMD',
  apple: 'Apple',
  arm: 'Arm',
  google: 'Google',
  intel: 'Intel',
  nvidia: 'NVIDIA',
  qualcomm: 'Qualcomm',
  samsung: 'Samsung',
  swiftshader: 'SwiftShader',
};

function adapterName(adapter: AdapterDescription): string {
  const { vendor, architecture, device, description, software } = adapter;
  const names = [vendor, architecture || device].map((part) => SPELLING[part] ?? part);
  const name = names.filter(Boolean).join(' ') || description || t().unnamedAdapter;
  return software ? t().softwareAdapter(name) : name;
}
