/** 8-bit pixels in rows, four channels (RGBA, not premultiplied), as `ImageData` and sharp's raw output have them. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>; // (height, width, 4)
}

/** A picture as the image tokenizer reads and writes it: planes of R, G, B in 0…1. */
export interface PlanarImage {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array<ArrayBuffer>; // (3, height, width)
}
