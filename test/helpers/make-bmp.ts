/** BMP files of any kind: for the tests of the reader. */

export interface Bmp {
  width: number;
  /** Negative: rows from top to bottom. */
  height: number;
  bits: number;
  compression?: number;
  /** Red, green, blue of each colour. */
  palette?: number[][];
  /** Rows as they are in the file, each of a multiple of 4 bytes, or run lengths. */
  data: Uint8Array;
  /** Behind the first 40 bytes of the header: masks, and what versions 4 and 5 have. */
  more?: Uint8Array;
  /** Bytes between header and pixels that nobody reads. */
  gap?: number;
  perMetre?: [number, number];
  /** The header of OS/2. */
  core?: boolean;
}

export function makeBmp(bmp: Bmp): Buffer {
  const { width, height, bits, compression = 0, palette = [], data, more = new Uint8Array(0), gap = 0 } = bmp;
  const core = bmp.core === true;
  // Masks stand behind a header of 40 bytes; larger headers hold them.
  const size = core ? 12 : more.length > 16 ? 40 + more.length : 40;
  const header = Buffer.alloc(core ? 12 : 40);
  header.writeUInt32LE(size, 0);
  if (core) {
    header.writeUInt16LE(width, 4);
    header.writeUInt16LE(height, 6);
    header.writeUInt16LE(1, 8);
    header.writeUInt16LE(bits, 10);
  } else {
    header.writeInt32LE(width, 4);
    header.writeInt32LE(height, 8);
    header.writeUInt16LE(1, 12);
    header.writeUInt16LE(bits, 14);
    header.writeUInt32LE(compression, 16);
    header.writeUInt32LE(data.length, 20);
    header.writeInt32LE(bmp.perMetre?.[0] ?? 0, 24);
    header.writeInt32LE(bmp.perMetre?.[1] ?? 0, 28);
    header.writeUInt32LE(palette.length, 32);
  }
  const colours = Buffer.from(palette.flatMap(([r, g, b]) => (core ? [b, g, r] : [b, g, r, 0])));
  const start = Buffer.alloc(14);
  start.write('BM', 'latin1');
  const pixels = 14 + header.length + more.length + colours.length + gap;
  start.writeUInt32LE(pixels + data.length, 2);
  start.writeUInt32LE(pixels, 10);
  return Buffer.concat([start, header, more, colours, Buffer.alloc(gap), data]);
}
