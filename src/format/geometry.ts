import type { MaskKind, ModelConfig } from './manifest';

/**
 * Who may attend to whom. Positions 0…L−1 are left text, L…L+I−1 the image (d×d, row-major), the last R right text.
 * Everything is causal. Text keys are visible to all later queries, image keys to all right-text queries; only among
 * image tokens does the kind of a layer's mask matter.
 */
export type Geometry = Pick<ModelConfig, 'leftLength' | 'imageSide' | 'rightLength' | 'convKernel' | 'lastConvKernel'>;

export const MASK_KINDS: readonly MaskKind[] = ['row', 'column', 'conv', 'lastConv'];

/** L + I + R. */
export function sequenceLength(geometry: Pick<Geometry, 'leftLength' | 'imageSide' | 'rightLength'>): number {
  return geometry.leftLength + geometry.imageSide ** 2 + geometry.rightLength;
}

/** Mask kind of every layer, in upstream's order of tests, which matters where the number of layers is not 4n. */
export function layerMaskKinds(layers: number): MaskKind[] {
  return Array.from({ length: layers }, (_, i) => {
    // Python's modulo: (0−1) % 4 is 3, so layer 0 is a row layer.
    if (i % 4 === 1) return 'column';
    if (i === layers - 1) return 'lastConv';
    return i % 4 === 3 ? 'conv' : 'row';
  });
}

/** Whether image token `query` sees image token `key` (indices 0…I−1 in the image). */
export function imageTokenSees(geometry: Geometry, kind: MaskKind, query: number, key: number): boolean {
  if (key > query) return false;
  const side = geometry.imageSide;
  // Self and the d previous tokens: the window wraps over the row's edge.
  if (kind === 'row') return query - key <= side;
  const columns = (query % side) - (key % side);
  if (kind === 'column') return columns === 0;
  const rows = Math.floor(query / side) - Math.floor(key / side);
  const reach = Math.floor((kind === 'conv' ? geometry.convKernel : geometry.lastConvKernel) / 2);
  return rows <= reach && Math.abs(columns) <= reach;
}

/** Whether position `query` sees position `key` (0…S−1). `rightSeesLeft` false: the masks of 350M_v1. */
export function allowed(geometry: Geometry, kind: MaskKind, query: number, key: number, rightSeesLeft = true): boolean {
  if (key > query) return false;
  const imageStart = geometry.leftLength;
  const rightStart = imageStart + geometry.imageSide ** 2;
  if (query < imageStart) return true;
  if (query < rightStart)
    return key < imageStart || imageTokenSees(geometry, kind, query - imageStart, key - imageStart);
  return rightSeesLeft || key >= imageStart;
}

/** The whole mask, row-major [S, S], 1 where the query (row) sees the key (column). */
export function computeMask(geometry: Geometry, kind: MaskKind, rightSeesLeft = true): Uint8Array<ArrayBuffer> {
  const length = sequenceLength(geometry);
  const mask = new Uint8Array(length * length);
  for (let query = 0; query < length; query++) {
    for (let key = 0; key <= query; key++) {
      if (allowed(geometry, kind, query, key, rightSeesLeft)) mask[query * length + key] = 1;
    }
  }
  return mask;
}
