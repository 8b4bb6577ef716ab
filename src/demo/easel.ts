import { announce, element } from './dom';
import { say, t } from './language';
import { type Cell, KEPT_PARTS, type KeptPart, TokenMask } from './mask';
import type { PagePicture } from './pictures';
import { createSegments } from './settings';
import type { Strings } from './strings';

/** Least pixels a side of the mask's canvas. */
const RESOLUTION = 512;
const KEEP_LABELS: Readonly<Record<KeptPart, (strings: Strings) => string>> = {
  top: (strings) => strings.keepTop,
  bottom: (strings) => strings.keepBottom,
  left: (strings) => strings.keepLeft,
  right: (strings) => strings.keepRight,
  middle: (strings) => strings.keepMiddle,
  borders: (strings) => strings.keepBorders,
};

/** A picture over which a mask is painted, by mouse, finger or keyboard. */
export class Easel {
  readonly root: HTMLElement;
  readonly #picture = element('canvas', { className: 'easel-picture', width: 1, height: 1, 'aria-hidden': 'true' });
  readonly #overlay = element('canvas', {
    className: 'easel-mask',
    id: 'easel',
    tabIndex: 0,
    role: 'application',
    'aria-describedby': 'mask-count',
  });
  readonly #count = element('p', { className: 'hint', id: 'mask-count' });
  readonly #tool = createSegments(
    'mask-tool',
    (strings) => strings.tool,
    [
      ['paint', (strings) => strings.toolPaint],
      ['restore', (strings) => strings.toolRestore],
    ],
    'paint',
  );
  readonly #brush = createSegments('mask-brush', (strings) => strings.brush, [[1], [3], [5]], 3);
  #mask: TokenMask;
  /** Where a stroke has come to. */
  #last: Cell | null = null;
  /** The mask as it was when the stroke began. */
  #before: TokenMask | null = null;
  /** Under the pointer, or moved by arrow keys. */
  #cursor: Cell | null = null;

  /** @param side d */
  constructor(side: number) {
    this.#mask = new TokenMask(side);
    say(this.#overlay, () => t().easelLabel, 'aria-label');
    const frame = element('div', { className: 'easel' }, this.#picture, this.#overlay);
    const keeps = KEPT_PARTS.map((part) =>
      this.#chip(
        (strings) => KEEP_LABELS[part](strings),
        () => this.#mask.keep(part),
        `keep-${part}`,
      ),
    );
    this.root = element(
      'div',
      { className: 'easel-block' },
      frame,
      say(element('p', { className: 'hint' }), () => t().easelHint),
      this.#count,
      element('div', { className: 'easel-tools' }, this.#tool.root, this.#brush.root),
      element(
        'div',
        { className: 'chips' },
        this.#chip(
          (strings) => strings.clearMask,
          () => this.#mask.clear(),
          'mask-clear',
        ),
        this.#chip(
          (strings) => strings.invertMask,
          () => this.#mask.invert(),
          'mask-invert',
        ),
      ),
      say(element('p', { className: 'chips-label', id: 'keep-label' }), () => t().keepPart),
      element('div', { className: 'chips', role: 'group', 'aria-labelledby': 'keep-label' }, ...keeps),
    );
    this.#fit();
    this.#listen();
  }

  get mask(): TokenMask {
    return this.#mask;
  }

  /** Pixels a cell on the canvas of the mask. */
  get #cell(): number {
    return Math.ceil(RESOLUTION / this.#mask.side);
  }

  /** Takes over a whole mask, of whatever side. */
  setMask(mask: TokenMask): void {
    this.#mask = mask.resized(this.#mask.side);
    this.#paint();
  }

  /** Another model has other tokens: the mask is carried over to them. */
  setSide(side: number): void {
    if (side === this.#mask.side) return;
    this.#mask = this.#mask.resized(side);
    this.#fit();
  }

  /** Shows another picture; the mask stays. */
  show(picture: PagePicture | null): void {
    this.#overlay.hidden = picture === null;
    if (!picture) return;
    const { canvas } = picture;
    this.#picture.width = canvas.width;
    this.#picture.height = canvas.height;
    this.#picture.getContext('2d')!.drawImage(canvas, 0, 0);
  }

  /** Keeps a part, as the button does. */
  keep(part: KeptPart): void {
    this.#mask.keep(part);
    this.#paint();
  }

  #fit(): void {
    this.#cursor = null;
    this.#overlay.width = this.#overlay.height = this.#mask.side * this.#cell;
    this.#paint();
  }

  #chip(label: (strings: Strings) => string, act: () => void, id: string): HTMLButtonElement {
    const chip = say(element('button', { type: 'button', className: 'chip', id }), () => label(t()));
    chip.addEventListener('click', () => {
      act();
      this.#paint();
      announce(this.#countText());
    });
    return chip;
  }

  #listen(): void {
    const canvas = this.#overlay;
    const paintsAnew = (): boolean => this.#tool.value === 'paint';
    const stroke = (event: PointerEvent): void => {
      const coalesced = event.getCoalescedEvents?.() ?? [];
      for (const { clientX, clientY } of coalesced.length > 0 ? coalesced : [event]) {
        const cell = this.#cellAt(clientX, clientY);
        this.#mask.stroke(this.#last ?? cell, cell, this.#brush.value, paintsAnew());
        this.#last = cell;
      }
    };
    const takeBack = (): void => {
      if (!this.#last || !this.#before) return;
      this.#mask = this.#before;
      this.#last = null;
      this.#paint();
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      // A second finger: two of them zoom, and what the first has painted was not meant.
      if (!event.isPrimary) return takeBack();
      canvas.setPointerCapture(event.pointerId);
      this.#last = null;
      this.#before = this.#mask.resized(this.#mask.side);
      stroke(event);
      this.#cursor = null;
      this.#paint();
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!event.isPrimary) return;
      if (this.#last) stroke(event);
      else if (event.pointerType !== 'mouse') return;
      this.#cursor = event.pointerType === 'mouse' ? this.#cellAt(event.clientX, event.clientY) : null;
      this.#paint();
    });
    const end = (event: PointerEvent): void => {
      if (event.isPrimary) this.#last = null;
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', takeBack); // the browser zooms or scrolls
    const leave = (): void => {
      this.#cursor = null;
      this.#paint();
    };
    canvas.addEventListener('pointerleave', leave);
    canvas.addEventListener('blur', leave);
    canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  #key(event: KeyboardEvent): void {
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    if (!move && event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    const { side } = this.#mask;
    const before = this.#cursor;
    let cell = before ?? { row: side >> 1, column: side >> 1 };
    if (move && before) {
      const within = (at: number): number => Math.min(side - 1, Math.max(0, at));
      cell = { row: within(cell.row + move[0]), column: within(cell.column + move[1]) };
    } else if (!move) {
      this.#mask.paint(cell, 1, !this.#mask.has(cell));
    }
    this.#cursor = cell;
    this.#paint();
    announce(t().cell(cell.row + 1, cell.column + 1, this.#mask.has(cell)));
  }

  #cellAt(clientX: number, clientY: number): Cell {
    const { left, top, width, height } = this.#overlay.getBoundingClientRect();
    const { side } = this.#mask;
    const at = (offset: number, length: number): number => Math.floor((offset / length) * side);
    return { row: at(clientY - top, height), column: at(clientX - left, width) };
  }

  #countText(): string {
    const { count, side } = this.#mask;
    return t().maskCount(count, side * side);
  }

  /** What goes is a chequered hole with a red edge, as in picture editors; it shows on pictures of any colour. */
  #paint(): void {
    const { side } = this.#mask;
    const cell = this.#cell;
    const context = this.#overlay.getContext('2d')!;
    context.clearRect(0, 0, side * cell, side * cell);
    const half = cell / 2;
    const edges = new Path2D();
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        if (!this.#mask.has({ row, column })) continue;
        const [x, y] = [column * cell, row * cell];
        for (let quarter = 0; quarter < 4; quarter++) {
          const [right, down] = [quarter & 1, quarter >> 1];
          context.fillStyle = right === down ? 'rgb(255 255 255 / 88%)' : 'rgb(203 203 203 / 88%)';
          context.fillRect(x + right * half, y + down * half, half, half);
        }
        const edge = (beside: Cell, ax: number, ay: number, bx: number, by: number): void => {
          if (this.#mask.has(beside)) return;
          edges.moveTo(x + ax * cell, y + ay * cell);
          edges.lineTo(x + bx * cell, y + by * cell);
        };
        edge({ row: row - 1, column }, 0, 0, 1, 0);
        edge({ row: row + 1, column }, 0, 1, 1, 1);
        edge({ row, column: column - 1 }, 0, 0, 0, 1);
        edge({ row, column: column + 1 }, 1, 0, 1, 1);
      }
    }
    context.strokeStyle = '#c92a20';
    context.lineWidth = 4;
    context.lineCap = 'square';
    context.stroke(edges);
    this.#paintCursor(context);
    say(this.#count, () => this.#countText());
  }

  #paintCursor(context: CanvasRenderingContext2D): void {
    if (!this.#cursor) return;
    // Keys toggle one cell, the brush may be wider.
    const reach = this.#overlay.matches(':focus-visible') ? 0 : this.#brush.value >> 1;
    const { row, column } = this.#cursor;
    const cell = this.#cell;
    const size = (2 * reach + 1) * cell;
    for (const [colour, width] of [
      ['#ffffff', 6],
      ['#221e1b', 2.5],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect((column - reach) * cell, (row - reach) * cell, size, size);
    }
  }
}
