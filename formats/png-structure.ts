/**
 * A PNG as a row of chunks (PNG sections 5.3 and 5.6). What other readers pass over costs a notice: ancillary chunks with
 * a wrong checksum, transparency that has no place, a missing end. What the pixels depend on is an error unless damage is
 * allowed.
 */
import { crc32 } from 'node:zlib';
import { Faults } from './faults.js';
import type { Chunk } from './png-chunks.js';
import { chunkName, damagedPng, GREY, HEADER_BYTES, PALETTE, RGB, uint32, type Header } from './png-header.js';

/** A file's chunks, as far as anything depends on them. */
export interface Chunks {
  palette: Uint8Array | undefined;
  transparency: Uint8Array | undefined;
  pixels: Uint8Array[];
  /** All other ancillary chunks. */
  metadata: Chunk[];
  /** Why the file ends before its end chunk; undefined if it does not. */
  cut: string | undefined;
}

/** What follows IEND is ignored, as by other readers. @throws DcompError E_DAMAGED_PNG */
export function readChunks(bytes: Uint8Array, header: Header, faults: Faults): Chunks {
  const reader = new ChunkReader(header, faults);
  let at = HEADER_BYTES;
  for (; at + 12 <= bytes.length;) {
    const length = uint32(bytes, at);
    const name = chunkName(bytes, at);
    const where = `${isName(name) ? name : 'unknown'}, byte ${at}`;
    const there = bytes.length - at - 12;
    if (length > there) {
      // Of pixel data, what is there may be all that is needed; of other chunks the rest of the file is nothing.
      if (name === 'IDAT') reader.read({ name, body: bytes.subarray(at + 8) }, where);
      reader.chunks.cut = `a chunk (${where}) says that it has ${length} bytes, but the file has only ${there} more`;
      break;
    }
    const body = bytes.subarray(at + 8, at + 8 + length);
    const sound = crc32(bytes.subarray(at + 4, at + 8 + length)) === uint32(bytes, at + 8 + length);
    at += 12 + length;
    if (name === 'IEND') return reader.end();
    if (sound) reader.read({ name, body }, where);
    else reader.readUnsound({ name, body }, where);
  }
  reader.chunks.cut ??= `it ends after ${bytes.length} bytes, before its end chunk (IEND)`;
  return reader.end();
}

const isName = (name: string): boolean => /^[a-zA-Z]{4}$/.test(name);

/** PNG section 5.4: lower case says that the pixels can be understood without the chunk. */
const isAncillary = (name: string): boolean => isName(name) && name.charCodeAt(0) >= 97;

class ChunkReader {
  readonly chunks: Chunks = {
    palette: undefined,
    transparency: undefined,
    pixels: [],
    metadata: [],
    cut: undefined,
  };
  private pixelsEnded = false;
  private readonly left: string[] = [];

  constructor(
    private readonly header: Header,
    private readonly faults: Faults,
  ) {}

  /** A chunk with a wrong checksum. */
  readUnsound(chunk: Chunk, where: string): void {
    if (isAncillary(chunk.name)) {
      if (this.chunks.pixels.length > 0) this.pixelsEnded = true;
      this.left.push(where);
      return;
    }
    this.faults.damage(`wrong checksum of a chunk (${where})`);
    this.read(chunk, where);
  }

  read({ name, body }: Chunk, where: string): void {
    const { chunks, faults } = this;
    if (name === 'IDAT') {
      if (this.pixelsEnded) faults.damage(`the pixel data is torn apart by other chunks (${where})`);
      chunks.pixels.push(body);
      return;
    }
    if (chunks.pixels.length > 0) this.pixelsEnded = true;
    if (name === 'PLTE') this.readPalette(body, where);
    else if (name === 'tRNS') this.readTransparency(body, where);
    else if (!isAncillary(name)) faults.damage(`a critical chunk (${where}) that PNG does not know`);
    else chunks.metadata.push({ name, body });
  }

  /** PNG section 11.2.2. In pictures without a palette it is a mere suggestion. */
  private readPalette(body: Uint8Array, where: string): void {
    if (this.header.colourType !== PALETTE) return;
    const { chunks, faults } = this;
    if (chunks.palette !== undefined || this.pixelsEnded) {
      faults.notice(`a second or late palette (${where}) is left out`);
      return;
    }
    const { length } = body;
    if (length % 3 !== 0 || length === 0 || length > 768) faults.damage(`a palette (${where}) of ${length} bytes`);
    chunks.palette = body.subarray(0, Math.min(768, length - (length % 3)));
  }

  /** PNG section 11.3.1. One that has no place is ignored, one that is too long is cut, as by libpng. */
  private readTransparency(body: Uint8Array, where: string): void {
    const { chunks, faults } = this;
    const { colourType } = this.header;
    const ignored = (why: string): void => faults.notice(`its transparency (${where}) ${why} and is ignored`);
    if (chunks.transparency !== undefined) return ignored('is a second one');
    if (chunks.pixels.length > 0) return ignored('stands behind the pixels');
    if (colourType === PALETTE && chunks.palette === undefined) return ignored('stands before the palette');
    const length = colourType === GREY ? 2 : colourType === RGB ? 6 : (chunks.palette ?? new Uint8Array(0)).length / 3;
    if (length === 0) return ignored('is of a picture with alpha');
    if (body.length === 0 || (colourType !== PALETTE && body.length < length)) return ignored('is too short');
    if (body.length > length)
      faults.notice(`its transparency (${where}) has ${body.length} bytes, of which the first ${length} count`);
    chunks.transparency = body.subarray(0, length);
  }

  /** @throws DcompError E_DAMAGED_PNG */
  end(): Chunks {
    const { chunks, faults, left } = this;
    if (left.length > 0)
      faults.notice(
        left.length === 1
          ? `a chunk (${left[0]}) has a wrong checksum and is left out`
          : `${left.length} chunks (${left.slice(0, 3).join('; ')}${left.length > 3 ? '; …' : ''}) have wrong checksums and are left out`,
      );
    if (chunks.pixels.length === 0) throw damagedPng(chunks.cut ?? 'it has no pixel data (IDAT)');
    if (this.header.colourType === PALETTE && chunks.palette === undefined)
      throw damagedPng('it has no palette (PLTE), though its header says so');
    return chunks;
  }
}
