import { html, type TemplateResult } from 'lit';
import type { ModelFilesInput } from '../index';
import type { Strings } from './strings';

/** Whether a drop is meant to be a model: pictures are pictures, folders have no type. */
export function isModel({ files }: DataTransfer): boolean {
  return [...files].some(({ type }) => !type.startsWith('image/'));
}

/** Where visitors give the files of a model of their own. @param given whether they have @param wanted whether there is no other model */
export function ownModelPicker(
  strings: Strings,
  given: boolean,
  wanted: boolean,
  take: (files: ModelFilesInput) => void,
): TemplateResult {
  const choose = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    if (input.files && input.files.length > 0) take(input.files);
    input.value = ''; // the same ones can be chosen again
  };
  const button = (label: string, folder: boolean): TemplateResult =>
    html`<label class="file">
      <input class="unseen" type="file" multiple ?webkitdirectory=${folder} @change=${choose} />
      <span>${label}</span>
    </label>`;
  return html`<details part="own-model" class="own" ?open=${wanted}>
    <summary>${given ? strings.ownModelGiven : strings.ownModel}</summary>
    <p class="hint">${strings.ownModelHint}</p>
    <p class="files">${button(strings.chooseFiles, false)} ${button(strings.chooseFolder, true)}</p>
  </details>`;
}
