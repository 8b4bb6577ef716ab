import type { History } from './history';
import type { Links } from './link';
import type { Model } from './model';
import type { PagePicture, Pictures } from './pictures';
import type { TaskId, Tabs } from './tabs';

/** What the tasks share, and what they hand to each other. */
export interface Page {
  readonly model: Model;
  readonly pictures: Pictures;
  readonly tabs: Tabs;
  readonly links: Links;
  readonly history: History;
  /** Puts a text where pictures are drawn from. */
  readonly drawText: (prompt: string) => void;
  readonly describe: (picture: PagePicture) => void;
  readonly redraw: (picture: PagePicture) => void;
  /** Opens any task with a picture, ready to start. */
  readonly passOn: (picture: PagePicture, task: TaskId) => void;
  /** Compares texts with the chosen picture. */
  readonly compareTexts: (texts: readonly string[]) => void;
}
