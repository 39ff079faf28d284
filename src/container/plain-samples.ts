/**
 * The plain form of a picture's colours: its samples without loss, in bands of rows. A band's bytes: the number of its rows
 * (varint), in the first band the layout and the palette if there is one, then samples (docs/format.md, section 11).
 */
import { DcompError } from '../errors.js';
import type { Pieces } from '../turns.js';
import { newSamples, type Depth, type Samples } from '../picture.js';
import { concat, readVarint, varint } from '../bytes.js';
import { BinaryDecoder, BinaryEncoder } from '../entropy/mixing.js';
import { PixelModel } from '../entropy/pixel-model.js';
import { SampleModel, type Side } from '../entropy/sample-model.js';

/** Bits of the layout byte. */
const STORED = 1;
const PALETTE = 2;
const PREDICTED = 4;
/** Most colours of a palette. */
const MAX_PALETTE = 256;
/** Grey of more values is better coded as such. */
const MAX_GREY_PALETTE = 32;
/** Of smaller pictures all ways are tried. Larger ones are looked at in places first, */
const MAX_TRIED_PIXELS = 2 ** 17;
/** which take more bytes than they do within the whole, from what they cannot have learnt: up to so many times. */
const ESTIMATE_EXCESS = 2;
/** A band ends with the row in which it reaches so many bytes, or so many binary decisions. */
const BAND_BYTES = 2 ** 16;
const BAND_DECISIONS = 2 ** 21;
/** What is coded of a picture to know about how many bytes it takes: so many tiles, some 2^15 pixels. */
const TILES: Tiling = { count: 32, width: 64, height: 16 };
/** The first look at them, which is enough for most photographs: what takes so many times too much here needs no second one. */
const FEW_TILES: Tiling = { ...TILES, count: 8 };
const FEW_EXCESS = 2 * ESTIMATE_EXCESS;
/** What is coded to know which way is better; prediction has more to learn, and in a whole picture gains so much by it. */
const LARGE_TILES: Tiling = { count: 4, width: 128, height: 64 };
const LEARNING_GAIN = 1.05;
/** Pixels or samples that are looked at in a piece. */
const PIECE = 2 ** 16;

interface Tiling {
  count: number;
  width: number;
  height: number;
}

/** Colour samples without alpha. */
export interface Colours {
  width: number;
  height: number;
  /** Samples of a pixel. */
  colours: 1 | 3;
  depth: Depth;
  samples: Samples;
}

/** What is coded: values, or indices into a palette. */
interface Layout {
  samples: Samples;
  channels: 1 | 3;
  /** Of a sample; 0 where a palette has one colour. */
  bits: number;
  /** Colours of the palette one after the other, and how many. */
  palette?: Samples;
  size: number;
}

/** @param overhead of each band */
function bytesOf(bands: readonly Uint8Array[], overhead = 0): number {
  return bands.reduce((sum, { length }) => sum + length + overhead, 0);
}

/**
 * The smallest plain form that the layouts give.
 * @param limit bytes that it may take, with `overhead` for each band
 * @returns the bands; undefined where they are larger, or would be by far
 */
export function* encodeBandsInPieces(
  picture: Colours,
  limit: number,
  overhead: number,
): Pieces<Uint8Array[] | undefined> {
  let best: Uint8Array[] | undefined;
  let most = limit;
  const large = picture.width * picture.height > MAX_TRIED_PIXELS;
  if (large && (yield* estimatedBytesInPieces(picture, FEW_TILES)) > FEW_EXCESS * limit) return undefined;
  const estimate = large ? yield* estimatedBytesInPieces(picture) : 0;
  if (estimate > ESTIMATE_EXCESS * limit) return undefined;
  for (const layout of yield* layoutsOf(picture)) {
    const hopeless = estimate > (picture.samples.length * picture.depth) / 8;
    for (const encode of hopeless ? [storedBands] : [storedBands, codedBands]) {
      const bands = yield* encode(picture, layout, most, overhead);
      if (bands === undefined || bytesOf(bands, overhead) > most) continue;
      best = bands;
      most = bytesOf(bands, overhead) - 1;
    }
  }
  return best;
}

/**
 * About what `encodeBandsInPieces` of a large picture gives, from tiles of it that are coded as one picture. They know less of what
 * repeats, so it is rather more.
 */
export function* estimatedBytesInPieces(picture: Colours, tiling = TILES): Pieces<number> {
  const { width, height } = picture;
  const tiles = tilesOf(picture, tiling);
  const bands = yield* encodeBandsInPieces(tiles, Infinity, 0);
  return (bytesOf(bands!) * width * height) / (tiles.width * tiles.height);
}

/**
 * Whether prediction serves a picture better than copies, palettes and contexts alone do: whether it is a photograph, as far
 * as tiles of it tell.
 * @param maxError that prediction may make
 */
export function* isPhotographInPieces(picture: Colours, maxError: number): Pieces<boolean> {
  const tiles = tilesOf(picture, LARGE_TILES);
  const drawn = bytesOf((yield* encodeBandsInPieces(tiles, Infinity, 0))!);
  const own = { ...tiles, samples: tiles.samples.slice() };
  return bytesOf(yield* predictedBandsInPieces(own, maxError)) < LEARNING_GAIN * drawn;
}

/**
 * The bands of a picture by prediction (src/entropy/sample-model.ts).
 * @param picture whose samples become those that a decoder has
 * @param side a lossy picture that the decoder has, too
 * @param tell told of the fraction of the rows that is done
 */
export function* predictedBandsInPieces(
  picture: Colours,
  maxError: number,
  side?: Side,
  tell?: (fraction: number) => void,
): Pieces<Uint8Array[]> {
  const { width, height, colours, depth, samples } = picture;
  const encoder = new BinaryEncoder();
  const model = new SampleModel(samples, width, height, colours, depth, maxError, side);
  const bands: Uint8Array[] = [];
  for (let y = 0, begun = 0; y < height; y++) {
    yield* model.codeRowInPieces(encoder, y);
    if (y + 1 < height && encoder.bits < 8 * BAND_BYTES && encoder.count < BAND_DECISIONS) continue;
    const head = Uint8Array.from(bandHead(y + 1 - begun, begun === 0, PREDICTED, 0));
    bands.push(concat([head, yield* encoder.flushInPieces()]));
    begun = y + 1;
    tell?.(begun / height);
  }
  return bands;
}

/** Tiles from all over a picture, one above the other. */
function tilesOf({ width, height, colours, depth, samples }: Colours, tiling: Tiling): Colours {
  const [w, h] = [Math.min(tiling.width, width), Math.min(tiling.height, height)];
  const most = tiling.count;
  const columns = Math.max(1, Math.min(most, Math.floor(width / w), Math.ceil(Math.sqrt((most * width) / height))));
  const rows = Math.max(1, Math.min(Math.floor(most / columns), Math.floor(height / h)));
  const tiles = newSamples(columns * rows * w * h * colours, depth);
  for (let i = 0, at = 0; i < columns * rows; i++) {
    const x = placeOf(i % columns, columns, width - w);
    const top = placeOf(Math.floor(i / columns), rows, height - h);
    for (let y = top; y < top + h; y++, at += w * colours) {
      const from = (y * width + x) * colours;
      tiles.set(samples.subarray(from, from + w * colours), at);
    }
  }
  return { width: w, height: columns * rows * h, colours, depth, samples: tiles };
}

/** Tiles that fit side by side do not overlap: what is there twice would look like a drawing. */
function placeOf(i: number, count: number, room: number): number {
  return Math.floor(count === 1 ? room / 2 : (i * room) / (count - 1));
}

function* layoutsOf(picture: Colours): Pieces<Layout[]> {
  const { width, height, colours, depth, samples } = picture;
  const values: Layout = { samples, channels: colours, bits: depth, size: 0 };
  const most = colours === 3 ? MAX_PALETTE : MAX_GREY_PALETTE;
  const indices = yield* indicesOf(picture, most);
  if (indices === undefined) return [values];
  return width * height <= MAX_TRIED_PIXELS ? [indices, values] : [indices];
}

/** As indices into the palette of its colours in their order; undefined where there are more than `most`. */
function* indicesOf({ width, height, colours, depth, samples }: Colours, most: number): Pieces<Layout | undefined> {
  const found = new Map<number, number>();
  const keyAt = (p: number): number => {
    let key = 0;
    for (let c = 0; c < colours; c++) key = key * 65536 + samples[p * colours + c]!;
    return key;
  };
  for (let p = 0, last = -1; p < width * height; p++) {
    if (p % PIECE === 0) yield;
    const key = keyAt(p);
    if (key === last) continue;
    last = key;
    found.set(key, p);
    if (found.size > most) return undefined;
  }
  const keys = [...found.keys()].sort((a, b) => a - b);
  const palette = newSamples(keys.length * colours, depth);
  for (const [i, key] of keys.entries()) {
    const p = found.get(key)! * colours;
    palette.set(samples.subarray(p, p + colours), i * colours);
    found.set(key, i);
  }
  const indices = new Uint8Array(width * height);
  for (let p = 0; p < indices.length; p++) {
    if (p % PIECE === 0) yield;
    indices[p] = found.get(keyAt(p))!;
  }
  return { samples: indices, channels: 1, bits: indexBits(keys.length), palette, size: keys.length };
}

/** Bits of an index into so many colours. */
function indexBits(size: number): number {
  return size === 1 ? 0 : 32 - Math.clz32(size - 1);
}

/** Rows and, in the first band, the layout. */
function bandHead(rows: number, first: boolean, kind: number, size: number): number[] {
  if (!first) return varint(rows);
  return [...varint(rows), kind, ...(size > 0 ? [size - 1] : [])];
}

function* codedBands(
  picture: Colours,
  layout: Layout,
  limit: number,
  overhead: number,
): Pieces<Uint8Array[] | undefined> {
  const { width, height, colours, depth } = picture;
  const { samples, channels, bits, palette, size } = layout;
  const encoder = new BinaryEncoder();
  if (palette !== undefined) yield* new PixelModel(palette, size, 1, colours, depth, false).codeRowInPieces(encoder, 0);
  const model = new PixelModel(samples, width, height, channels, bits, palette !== undefined);
  const bands: Uint8Array[] = [];
  let bytes = 0;
  for (let y = 0, begun = 0; y < height; y++) {
    yield* model.codeRowInPieces(encoder, y);
    if (bytes + overhead + encoder.bits / 8 > limit) return undefined;
    if (y + 1 < height && encoder.bits < 8 * BAND_BYTES && encoder.count < BAND_DECISIONS) continue;
    const kind = palette === undefined ? 0 : PALETTE;
    const head = bandHead(y + 1 - begun, begun === 0, kind, size);
    const band = concat([Uint8Array.from(head), yield* encoder.flushInPieces()]);
    bands.push(band);
    bytes += band.length + overhead;
    begun = y + 1;
  }
  return bands;
}

function* storedBands(
  picture: Colours,
  layout: Layout,
  limit: number,
  overhead: number,
): Pieces<Uint8Array[] | undefined> {
  const { width, height, depth } = picture;
  const { samples, channels, bits, palette, size } = layout;
  const row = width * channels;
  if ((row * height * bits) / 8 + overhead > limit) return undefined;
  const rows = storedRows(row, bits);
  const bands: Uint8Array[] = [];
  for (let y = 0; y < height; y += rows) {
    const count = Math.min(rows, height - y);
    const kind = STORED | (palette === undefined ? 0 : PALETTE);
    const head = Uint8Array.from(bandHead(count, y === 0, kind, size));
    const colours = y === 0 && palette !== undefined ? pack(palette, depth) : new Uint8Array(0);
    yield;
    bands.push(concat([head, colours, pack(samples.subarray(y * row, (y + count) * row), bits)]));
  }
  return bands;
}

function storedRows(row: number, bits: number): number {
  return Math.max(1, Math.floor((8 * BAND_BYTES) / Math.max(1, row * bits)));
}

/** Samples bit by bit, the most significant first; the last byte is filled with zeros. */
function pack(samples: Samples, bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((samples.length * bits) / 8));
  let at = 0;
  let held = 0;
  let count = 0;
  for (let i = 0; i < samples.length; i++) {
    held = (held << bits) | samples[i]!;
    for (count += bits; count >= 8; count -= 8) bytes[at++] = held >> (count - 8);
    held &= (1 << count) - 1;
  }
  if (count > 0) bytes[at] = held << (8 - count);
  return bytes;
}

/** Puts so many packed samples into `samples`. @returns index behind them */
function* unpack(bytes: Uint8Array, offset: number, bits: number, samples: Samples): Pieces<number> {
  const end = offset + Math.ceil((samples.length * bits) / 8);
  if (end > bytes.length)
    throw new DcompError(
      'E_TRUNCATED',
      `the stored samples end after ${bytes.length - offset} bytes of ${end - offset}`,
    );
  let at = offset;
  let held = 0;
  let count = 0;
  for (let i = 0; i < samples.length; i++) {
    if (i % PIECE === 0) yield;
    for (; count < bits; count += 8) held = (held << 8) | bytes[at++]!;
    count -= bits;
    samples[i] = held >> count;
    held &= (1 << count) - 1;
  }
  return end;
}

/** Takes bands in their order. */
export class BandReader {
  /** Rows taken. */
  rows = 0;
  private layout: (Layout & { stored: boolean; predicted: boolean }) | undefined;
  private model: PixelModel | SampleModel | undefined;

  /**
   * @param picture whose samples are written
   * @param maxError that predicted samples have
   * @param side the lossy picture that the file begins with; then all is predicted
   */
  constructor(
    private readonly picture: Colours,
    private readonly maxError = 0,
    private readonly side?: Side,
  ) {}

  /** @throws DcompError E_TRUNCATED or E_DAMAGED_SEGMENT if a band isn't what an encoder writes */
  *takeInPieces(band: Uint8Array): Pieces<void> {
    const { width, height, colours, samples } = this.picture;
    const rows = readVarint(band, 0);
    if (rows === undefined || rows.value < 1 || rows.value > height - this.rows)
      throw damaged(`a band has ${rows?.value} rows, where ${height - this.rows} are left`);
    const coded = this.layout === undefined ? yield* this.begin(band, rows.end) : { at: rows.end, decoder: undefined };
    const layout = this.layout!;
    const first = this.rows * width * layout.channels;
    const count = rows.value * width;
    let end: number;
    if (layout.stored) {
      const taken = layout.samples.subarray(first, first + count * layout.channels);
      end = yield* unpack(band, coded.at, layout.bits, taken);
    } else {
      const decoder = coded.decoder ?? new BinaryDecoder(band, coded.at);
      this.model ??= layout.predicted
        ? new SampleModel(samples, width, height, colours, layout.bits, this.maxError, this.side)
        : new PixelModel(layout.samples, width, height, layout.channels, layout.bits, layout.size > 0);
      for (let y = this.rows; y < this.rows + rows.value; y++) yield* this.model.codeRowInPieces(decoder, y);
      end = decoder.finish();
    }
    if (end !== band.length) throw damaged(`a band ends after ${end} bytes, but there are ${band.length}`);
    if (layout.palette !== undefined) {
      for (let p = first; p < first + count; p++) {
        if (p % PIECE === 0) yield;
        const index = layout.samples[p]!;
        if (index >= layout.size) throw damaged(`a pixel has colour ${index} of ${layout.size}`);
        for (let c = 0; c < colours; c++) samples[p * colours + c] = layout.palette[index * colours + c]!;
      }
    }
    this.rows += rows.value;
  }

  /** Reads layout and palette. @returns where the samples begin, or the decoder that is there */
  private *begin(band: Uint8Array, offset: number): Pieces<{ at: number; decoder: BinaryDecoder | undefined }> {
    const { width, height, colours, depth, samples } = this.picture;
    const kind = band[offset];
    if (kind === undefined || kind > PREDICTED) throw damaged(`the layout is ${kind}; it must be 0 to 4`);
    const predicted = kind === PREDICTED;
    if (this.side !== undefined && !predicted) throw damaged(`the layout is ${kind}; here it must be ${PREDICTED}`);
    const stored = (kind & STORED) !== 0;
    if ((kind & PALETTE) === 0) {
      this.layout = { samples, channels: colours, bits: depth, size: 0, stored, predicted };
      return { at: offset + 1, decoder: undefined };
    }
    const size = (band[offset + 1] ?? 0) + 1;
    const palette = newSamples(size * colours, depth);
    const indices = new Uint8Array(width * height);
    this.layout = { samples: indices, channels: 1, bits: indexBits(size), palette, size, stored, predicted };
    if (stored) return { at: yield* unpack(band, offset + 2, depth, palette), decoder: undefined };
    const decoder = new BinaryDecoder(band, offset + 2);
    yield* new PixelModel(palette, size, 1, colours, depth, false).codeRowInPieces(decoder, 0);
    return { at: 0, decoder };
  }
}

function damaged(what: string): DcompError {
  return new DcompError('E_DAMAGED_SEGMENT', `the plain samples are damaged: ${what}`);
}
