/**
 * The directories of a TIFF (TIFF 6.0, and BigTIFF): what its pictures are, without their pixels. EXIF is such a structure
 * too. Nothing here fails: what cannot be read is not there.
 */
import type { Density } from '../src/picture.js';
import { densityOf, METRES_PER_INCH } from './density.js';

export interface Directory {
  width: number;
  height: number;
  /** Bits of a sample; 1 for unsigned, 2 signed, 3 float, others are rare. */
  bits: number;
  format: number;
  samples: number;
  photometric: number;
  /** Tag 254: bit 0 says that it is a smaller version of another picture, bit 2 that it is a mask. */
  subfile: number;
  density: Density | undefined;
  orientation: number | undefined;
  /** The text of a tag. Read when it is asked for: texts may overlap, and all of them be much longer than the file. */
  text: (tag: number) => string | undefined;
  iptc: Uint8Array | undefined;
  /** Where its EXIF directory stands. */
  exifAt: number | undefined;
  /** Values of the entries of one LONG: where other directories stand. */
  pointers: Map<number, number>;
  /** Pictures below this one. */
  below: Directory[];
  /** All tags. */
  tags: ReadonlySet<number>;
}

interface Entry {
  type: number;
  count: number;
  /** Byte offset of the value. */
  at: number;
}

const TAGS = {
  subfile: 254,
  width: 256,
  height: 257,
  bits: 258,
  photometric: 262,
  orientation: 274,
  samples: 277,
  xResolution: 282,
  yResolution: 283,
  resolutionUnit: 296,
  below: 330,
  format: 339,
  iptc: 33723,
  exif: 34665,
} as const;

/** Bytes of the types of values: TIFF 6.0 section 2, and those of BigTIFF. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const ASCII = 2;
const LONG = 4;

/** Most directories that are looked at, most entries of one and of all (they may overlap), most bytes of a text. */
const MOST_DIRECTORIES = 256;
const MOST_ENTRIES = 4096;
const MOST_ENTRIES_OF_ALL = 2 ** 15;
const MOST_TEXT = 2 ** 16;

/** The shape of a TIFF's header; undefined where the bytes are none. */
function startOf(bytes: Uint8Array): { little: boolean; big: boolean } | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 4));
  if (start === 'II*\0' || start === 'MM\0*') return { little: start[0] === 'I', big: false };
  if (start === 'II+\0' || start === 'MM\0+') return { little: start[0] === 'I', big: true };
  return undefined;
}

/** The chain of directories, each with those below it; empty where there is none. */
export function readDirectories(bytes: Uint8Array): Directory[] {
  const reader = DirectoryReader.of(bytes);
  return reader === undefined ? [] : reader.chain();
}

/** A directory that another one points to, as EXIF's. */
export function readDirectoryAt(bytes: Uint8Array, at: number): Directory | undefined {
  return DirectoryReader.of(bytes)?.directory(at)?.directory;
}

class DirectoryReader {
  private readonly view: DataView;
  private readonly seen = new Set<number>();
  private entriesLeft = MOST_ENTRIES_OF_ALL;

  private constructor(
    private readonly bytes: Uint8Array,
    private readonly little: boolean,
    private readonly big: boolean,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  static of(bytes: Uint8Array): DirectoryReader | undefined {
    const start = startOf(bytes);
    return start === undefined ? undefined : new DirectoryReader(bytes, start.little, start.big);
  }

  chain(): Directory[] {
    const found: Directory[] = [];
    for (let at = this.word(this.big ? 8 : 4); at !== undefined && at !== 0;) {
      const next = this.directory(at);
      if (next === undefined) break;
      found.push(next.directory);
      at = next.next;
    }
    return found;
  }

  /** undefined where there is none, or where it was before: no file can lead round in circles. */
  directory(at: number): { directory: Directory; next: number | undefined } | undefined {
    if (this.seen.has(at) || this.seen.size >= MOST_DIRECTORIES) return undefined;
    this.seen.add(at);
    const count = this.big ? this.word(at) : this.number(at, 2);
    if (count === undefined || count > Math.min(MOST_ENTRIES, this.entriesLeft)) return undefined;
    this.entriesLeft -= count;
    const [first, size] = this.big ? [at + 8, 20] : [at + 2, 12];
    const entries = new Map<number, Entry>();
    for (let i = 0; i < count; i++) {
      const entry = first + i * size;
      const tag = this.number(entry, 2);
      const type = this.number(entry + 2, 2);
      const values = this.big ? this.word(entry + 4) : this.number(entry + 4, 4);
      if (tag === undefined || type === undefined || values === undefined) return undefined;
      const length = values * (TYPE_BYTES[type] ?? 0);
      const room = this.big ? 8 : 4;
      const place = entry + size - room;
      const where = length <= room ? place : this.word(place);
      if (where !== undefined && where + length <= this.bytes.length && !entries.has(tag))
        entries.set(tag, { type, count: values, at: where });
    }
    return { directory: this.understand(entries), next: this.word(first + count * size) };
  }

  private understand(entries: Map<number, Entry>): Directory {
    const number = (tag: number, otherwise: number): number => this.value(entries.get(tag)) ?? otherwise;
    const text = (tag: number): string | undefined => {
      const { type, count, at } = entries.get(tag) ?? { type: 0, count: 0, at: 0 };
      return type === ASCII && count <= MOST_TEXT ? this.text(at, count) : undefined;
    };
    const iptc = entries.get(TAGS.iptc);
    const pointers = new Map<number, number>();
    for (const [tag, entry] of entries) {
      const value = entry.type === LONG && entry.count === 1 ? this.value(entry) : undefined;
      if (value !== undefined) pointers.set(tag, value);
    }
    const orientation = number(TAGS.orientation, 0);
    return {
      width: number(TAGS.width, 0),
      height: number(TAGS.height, 0),
      bits: number(TAGS.bits, 1),
      format: number(TAGS.format, 1),
      samples: number(TAGS.samples, 1),
      photometric: number(TAGS.photometric, 1),
      subfile: number(TAGS.subfile, 0),
      density: this.density(entries),
      orientation: orientation >= 1 && orientation <= 8 ? orientation : undefined,
      text,
      iptc:
        iptc === undefined
          ? undefined
          : this.bytes.subarray(iptc.at, iptc.at + iptc.count * (TYPE_BYTES[iptc.type] ?? 0)),
      exifAt: this.value(entries.get(TAGS.exif)),
      pointers,
      below: this.below(entries.get(TAGS.below)),
      tags: new Set(entries.keys()),
    };
  }

  private below(entry: Entry | undefined): Directory[] {
    if (entry === undefined) return [];
    return Array.from({ length: Math.min(entry.count, MOST_DIRECTORIES) }, (_, i) => this.value(entry, i)).flatMap(
      (at) => {
        const found = at === undefined ? undefined : this.directory(at);
        return found === undefined ? [] : [found.directory];
      },
    );
  }

  /** Unit 1 is none: the shape of a pixel, which says nothing where it is square; 2 inch, 3 centimetre. */
  private density(entries: Map<number, Entry>): Density | undefined {
    const x = this.value(entries.get(TAGS.xResolution));
    const y = this.value(entries.get(TAGS.yResolution));
    const unit = this.value(entries.get(TAGS.resolutionUnit)) ?? 2;
    if (x === undefined || y === undefined) return undefined;
    if (unit === 1) return densityOf(x, y, undefined);
    return unit === 2 || unit === 3 ? densityOf(x, y, unit === 2 ? METRES_PER_INCH : 0.01) : undefined;
  }

  private text(at: number, length: number): string {
    const bytes = this.bytes.subarray(at, at + length);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      text = Buffer.from(bytes).toString('latin1');
    }
    return text.split('\0', 1)[0].trim();
  }

  /** A number of an entry, whole or a fraction. */
  private value(entry: Entry | undefined, i = 0): number | undefined {
    if (entry === undefined || i >= entry.count) return undefined;
    const { type, at } = entry;
    const size = TYPE_BYTES[type] ?? 0;
    switch (type) {
      case 1: // BYTE, SHORT, LONG, IFD
      case 3:
      case 4:
      case 13:
        return this.number(at + i * size, size as 1 | 2 | 4);
      case 16: // LONG8, IFD8
      case 18:
        return this.word8(at + i * size);
      case 5: {
        const [a, b] = [this.number(at + i * size, 4), this.number(at + i * size + 4, 4)];
        return a === undefined || b === undefined || b === 0 ? undefined : a / b;
      }
      default:
        return undefined;
    }
  }

  private number(at: number, size: 1 | 2 | 4): number | undefined {
    if (at < 0 || at + size > this.bytes.length) return undefined;
    return size === 1
      ? this.view.getUint8(at)
      : size === 2
        ? this.view.getUint16(at, this.little)
        : this.view.getUint32(at, this.little);
  }

  private word8(at: number): number | undefined {
    if (at < 0 || at + 8 > this.bytes.length) return undefined;
    const value = Number(this.view.getBigUint64(at, this.little));
    return Number.isSafeInteger(value) ? value : undefined;
  }

  /** An offset. */
  private word(at: number): number | undefined {
    return this.big ? this.word8(at) : this.number(at, 4);
  }
}
