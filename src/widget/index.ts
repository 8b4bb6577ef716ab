/**
 * `<rudolph-widget>`: importing this module declares the element.
 *
 * ```ts
 * import 'rudolph-web/widget';
 *
 * document.querySelector('rudolph-widget')?.addEventListener('result', ({ detail }) => console.log(detail));
 * ```
 */
import type { RudolphWidget as Widget } from './api';
import { WidgetElement } from './element';

export type {
  RudolphWidgetEventMap,
  WidgetOptions,
  WidgetProgress,
  WidgetResult,
  WidgetState,
  WidgetTask,
} from './api';

export type RudolphWidget = Widget;
/** The element's class, e.g. for `instanceof` or `new RudolphWidget()`. */
export const RudolphWidget: { new (): RudolphWidget; readonly prototype: RudolphWidget } = WidgetElement;

declare global {
  interface HTMLElementTagNameMap {
    'rudolph-widget': RudolphWidget;
  }
}

// A page may end up with two copies of this script; the first one stays.
if (!customElements.get('rudolph-widget')) customElements.define('rudolph-widget', WidgetElement);
