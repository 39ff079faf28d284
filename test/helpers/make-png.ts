/** PNG files of any kind, chunk by chunk: for the tests of the reader. */
import { crc32, deflateSync } from 'node:zlib';

export const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

/** Samples per pixel of the colour types. */
export const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

export function chunk(name: string, body: Uint8Array = new Uint8Array(0)): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

export function ihdr(width: number, height: number, depth: number, colourType: number, interlace = 0): Buffer {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([depth, colourType, 0, 0, interlace], 8);
  return chunk('IHDR', body);
}

export function png(...chunks: Buffer[]): Buffer {
  return Buffer.concat([SIGNATURE, ...chunks, chunk('IEND')]);
}

/** Samples of any depth, packed into rows of filter 0. */
export function rows(
  width: number,
  height: number,
  perPixel: number,
  depth: number,
  samples: ArrayLike<number>,
): Buffer {
  const rowBytes = Math.ceil((width * perPixel * depth) / 8);
  const out = Buffer.alloc(height * (rowBytes + 1));
  for (let y = 0; y < height; y++) {
    for (let k = 0; k < width * perPixel; k++) {
      const value = samples[y * width * perPixel + k];
      const at = y * (rowBytes + 1) + 1;
      if (depth === 16) out.writeUInt16BE(value, at + 2 * k);
      else out[at + ((k * depth) >> 3)] |= value << (8 - depth - ((k * depth) & 7));
    }
  }
  return out;
}

/** The same rows, each with a filter: PNG section 9. @param step bytes from a sample to that of the pixel to the left */
export function filterRows(plain: Uint8Array, height: number, step: number, filterOf: (row: number) => number): Buffer {
  const length = plain.length / height;
  const out = Buffer.from(plain);
  for (let y = 0; y < height; y++) {
    const at = (i: number, up = 0): number => (i < 1 || y < up ? 0 : plain[(y - up) * length + i]);
    out[y * length] = filterOf(y);
    for (let i = 1; i < length; i++) {
      const [a, b, c] = [at(i - step), at(i, 1), at(i - step, 1)];
      const p = a + b - c;
      const paeth = [a, b, c].reduce((best, each) => (Math.abs(p - each) < Math.abs(p - best) ? each : best));
      out[y * length + i] = at(i) - [0, a, b, (a + b) >> 1, paeth][filterOf(y)];
    }
  }
  return out;
}

export interface Pixels {
  width: number;
  height: number;
  depth: number;
  colourType: number;
  samples: ArrayLike<number>;
}

/** The uncompressed pixel data. @param filterOf filter by row */
export function pixelData(
  { width, height, depth, colourType, samples }: Pixels,
  interlaced = false,
  filterOf: (row: number) => number = () => 0,
): Buffer {
  const perPixel = SAMPLES[colourType];
  const step = Math.max(1, (perPixel * depth) >> 3);
  // First column and row, and steps, of Adam7's passes: PNG section 8.2.
  const passes = interlaced ? ['0088', '4088', '0448', '2044', '0224', '1022', '0112'] : ['0011'];
  return Buffer.concat(
    passes.map((pass) => {
      const [x0, y0, dx, dy] = Array.from(pass, Number);
      const [w, h] = [Math.ceil((width - x0) / dx), Math.ceil((height - y0) / dy)];
      if (w <= 0 || h <= 0) return Buffer.alloc(0);
      const taken: number[] = [];
      for (let y = y0; y < height; y += dy) {
        for (let x = x0; x < width; x += dx)
          for (let s = 0; s < perPixel; s++) taken.push(samples[(y * width + x) * perPixel + s]);
      }
      return filterRows(rows(w, h, perPixel, depth, taken), h, step, filterOf);
    }),
  );
}

export interface PngParts {
  interlaced?: boolean;
  filterOf?: (row: number) => number;
  /** zlib's. */
  level?: number;
  /** Chunks between IHDR and the pixels, and behind them. */
  before?: Buffer[];
  after?: Buffer[];
  /** Bytes of the IDAT chunks, the rest in a last one. */
  pieces?: number[];
}

/** A whole file. */
export function makePng(
  pixels: Pixels,
  { interlaced = false, filterOf, level = 6, before = [], after = [], pieces = [] }: PngParts = {},
): Buffer {
  let rest: Buffer = deflateSync(pixelData(pixels, interlaced, filterOf), { level });
  const data: Buffer[] = [];
  for (const size of pieces) {
    data.push(chunk('IDAT', rest.subarray(0, size)));
    rest = rest.subarray(size);
  }
  if (rest.length > 0) data.push(chunk('IDAT', rest));
  return png(
    ihdr(pixels.width, pixels.height, pixels.depth, pixels.colourType, interlaced ? 1 : 0),
    ...before,
    ...data,
    ...after,
  );
}
