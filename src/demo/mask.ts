/** Which part of a picture stays. */
export const KEPT_PARTS = ['top', 'bottom', 'left', 'right', 'middle', 'borders'] as const;
export type KeptPart = (typeof KEPT_PARTS)[number];

export interface Cell {
  readonly row: number;
  readonly column: number;
}

/** Which tokens of a picture are drawn anew: d×d cells. */
export class TokenMask {
  readonly side: number;
  readonly #anew: Uint8Array;

  /** @param side d */
  constructor(side: number) {
    this.side = side;
    this.#anew = new Uint8Array(side * side);
  }

  /** Cells to draw anew. */
  get count(): number {
    return this.#anew.reduce((sum, value) => sum + value, 0);
  }

  /** d² values, row by row: 0 keeps, 1 draws anew. */
  get values(): number[] {
    return Array.from(this.#anew);
  }

  /** Side and cells as text: "16.ffff…", four cells a digit. */
  get text(): string {
    const digits = Array.from({ length: Math.ceil(this.#anew.length / 4) }, (_, k) =>
      [0, 1, 2, 3].reduce((digit, bit) => digit * 2 + (this.#anew[4 * k + bit] ?? 0), 0).toString(16),
    );
    return `${this.side}.${digits.join('')}`;
  }

  /** The mask of such a text, or null where it is none. */
  static parse(text: string): TokenMask | null {
    const [, sideText = '', digits = ''] = /^(\d{1,2})\.([0-9a-f]+)$/.exec(text) ?? [];
    const side = Number(sideText);
    if (side === 0 || digits.length !== Math.ceil((side * side) / 4)) return null;
    const mask = new TokenMask(side);
    mask.#anew.forEach((_, k) => {
      mask.#anew[k] = (Number.parseInt(digits[k >> 2]!, 16) >> (3 - (k & 3))) & 1;
    });
    return mask;
  }

  has({ row, column }: Cell): boolean {
    return this.#inside(row, column) && this.#anew[row * this.side + column] === 1;
  }

  /** Marks (or unmarks) the square of `size` cells, odd, around a cell. */
  paint({ row, column }: Cell, size: number, anew: boolean): void {
    const reach = size >> 1;
    for (let y = row - reach; y <= row + reach; y++) {
      for (let x = column - reach; x <= column + reach; x++) {
        if (this.#inside(y, x)) this.#anew[y * this.side + x] = anew ? 1 : 0;
      }
    }
  }

  /** Paints every cell on the way from one to another, which a quick finger skips. */
  stroke(from: Cell, to: Cell, size: number, anew: boolean): void {
    const steps = Math.max(Math.abs(to.row - from.row), Math.abs(to.column - from.column), 1);
    for (let step = 0; step <= steps; step++) {
      const at = (a: number, b: number): number => Math.round(a + ((b - a) * step) / steps);
      this.paint({ row: at(from.row, to.row), column: at(from.column, to.column) }, size, anew);
    }
  }

  /** A copy, of the nearest cells where the side is another. */
  resized(side: number): TokenMask {
    const copy = new TokenMask(side);
    const at = (index: number): number => Math.floor(((index + 0.5) * this.side) / side);
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++)
        copy.paint({ row, column }, 1, this.has({ row: at(row), column: at(column) }));
    }
    return copy;
  }

  clear(): void {
    this.#anew.fill(0);
  }

  invert(): void {
    for (let i = 0; i < this.#anew.length; i++) this.#anew[i] = 1 - this.#anew[i]!;
  }

  /** Keeps a part and draws everything else anew: what is kept is extended over the picture. */
  keep(part: KeptPart): void {
    const { side } = this;
    const half = side >> 1;
    const quarter = Math.max(1, side >> 2);
    const inMiddle = (at: number): boolean => at >= quarter && at < side - quarter;
    const kept: Readonly<Record<KeptPart, (row: number, column: number) => boolean>> = {
      top: (row) => row < half,
      bottom: (row) => row >= half,
      left: (_, column) => column < half,
      right: (_, column) => column >= half,
      middle: (row, column) => inMiddle(row) && inMiddle(column),
      borders: (row, column) => !(inMiddle(row) && inMiddle(column)),
    };
    for (let i = 0; i < this.#anew.length; i++) this.#anew[i] = kept[part](Math.floor(i / side), i % side) ? 0 : 1;
  }

  #inside(row: number, column: number): boolean {
    return row >= 0 && column >= 0 && row < this.side && column < this.side;
  }
}
