import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { RudolphWidget, RudolphWidgetEventMap } from 'rudolph-web/widget';

type Settable = Pick<
  RudolphWidget,
  'task' | 'model' | 'prompt' | 'classes' | 'count' | 'seed' | 'src' | 'picture' | 'options' | 'workerUrl'
>;
type Events = { [K in keyof RudolphWidgetEventMap as `on${K}`]?: (event: RudolphWidgetEventMap[K]) => void };

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'rudolph-widget': DetailedHTMLProps<HTMLAttributes<RudolphWidget>, RudolphWidget> & Partial<Settable> & Events;
    }
  }
}
