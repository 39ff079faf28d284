/** TIFF files of any tags, uncompressed (TIFF 6.0, and BigTIFF): for the tests of the reader. */

/** Field types: 2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL, 7 UNDEFINED; their bytes. */
const BYTES: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1 };

export interface Field {
  tag: number;
  type: number;
  /** Numbers; of a RATIONAL numerator and denominator, two each. */
  values: number[];
}

export interface Page {
  width: number;
  height: number;
  /** Bits of a sample, samples of a pixel. */
  bits: number;
  samples: number;
  /** 1 unsigned (the default), 2 signed, 3 float. */
  format?: number;
  /** 0 white is zero, 1 black is zero, 2 RGB. */
  photometric?: number;
  /** Rows of whole bytes. */
  data: Uint8Array;
  fields?: Field[];
  /** Pages that stand below this one (SubIFDs). */
  below?: Page[];
}

export const ascii = (tag: number, text: string): Field => ({ tag, type: 2, values: [...Buffer.from(`${text}\0`)] });
export const short = (tag: number, ...values: number[]): Field => ({ tag, type: 3, values });

/** @param big BigTIFF */
export function makeTiff(pages: Page[], big = false): Buffer {
  const pieces: Buffer[] = [];
  let length = 0;
  const put = (bytes: Uint8Array): number => {
    const at = length;
    const padded = Buffer.concat([bytes, Buffer.alloc(bytes.length % 2)]);
    pieces.push(padded);
    length += padded.length;
    return at;
  };
  const word = (value: number): Buffer => {
    const out = Buffer.alloc(big ? 8 : 4);
    out.writeUInt32LE(value, 0);
    return out;
  };
  const start = Buffer.from(big ? [73, 73, 43, 0, 8, 0, 0, 0] : [73, 73, 42, 0]);
  const header = Buffer.concat([start, word(0)]);
  put(header);
  let link: { buffer: Buffer; at: number } = { buffer: header, at: start.length };
  const fieldBytes = ({ type, values }: Field): Buffer => {
    const size = type === 5 ? 4 : BYTES[type];
    const out = Buffer.alloc(values.length * size);
    values.forEach((value, i) => out.writeUIntLE(value, i * size, size));
    return out;
  };
  const putPage = (page: Page): { at: number; directory: Buffer } => {
    const { width, height, bits, samples, format = 1, data } = page;
    const strip = put(data);
    const below = (page.below ?? []).map((each) => putPage(each).at);
    const fields = [
      { tag: 256, type: 4, values: [width] },
      { tag: 257, type: 4, values: [height] },
      short(258, ...new Array<number>(samples).fill(bits)),
      short(259, 1),
      short(262, page.photometric ?? (samples > 2 ? 2 : 1)),
      { tag: 273, type: 4, values: [strip] },
      short(277, samples),
      { tag: 278, type: 4, values: [height] },
      { tag: 279, type: 4, values: [data.length] },
      ...(samples % 2 === 0 ? [short(338, 2)] : []),
      short(339, ...new Array<number>(samples).fill(format)),
      ...(below.length === 0 ? [] : [{ tag: 330, type: 4, values: below }]),
      ...(page.fields ?? []),
    ].sort((a, b) => a.tag - b.tag);
    const entries = fields.map((field) => {
      const bytes = fieldBytes(field);
      const count = field.type === 5 ? field.values.length / 2 : field.values.length;
      const out = Buffer.alloc(big ? 20 : 12);
      out.writeUInt16LE(field.tag, 0);
      out.writeUInt16LE(field.type, 2);
      out.writeUInt32LE(count, 4);
      const room = big ? 8 : 4;
      out.set(bytes.length <= room ? bytes : word(put(bytes)), big ? 12 : 8);
      return out;
    });
    const count = Buffer.alloc(big ? 8 : 2);
    count.writeUInt16LE(entries.length, 0);
    const directory = Buffer.concat([count, ...entries, word(0)]);
    const at = length;
    pieces.push(directory);
    length += directory.length;
    return { at, directory };
  };
  for (const page of pages) {
    const { at, directory } = putPage(page);
    link.buffer.writeUInt32LE(at, link.at);
    link = { buffer: directory, at: directory.length - (big ? 8 : 4) };
  }
  return Buffer.concat(pieces.map((piece, i) => (i === 0 ? header : piece)));
}
