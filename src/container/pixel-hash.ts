/**
 * The hash of the decoded samples that a file can carry (part 7): with it, a file can be checked to decode to the very
 * samples that its encoder's own decoder gave, on any machine and by any release.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, readContainer, writePart, type PartExtent } from './container.js';
import { PARTS, type Part } from './parts.js';
import { finish, type Pieces } from '../turns.js';
import { isOneOf } from '../options.js';
import { depthOf, DEPTHS, pictureOf, type Depth, type Picture } from '../picture.js';

const HASH_BYTES = 32;

/** The part with room for a hash: it is known only when the file is complete. */
export const EMPTY_HASH: Part = { type: PARTS.pixelHash, payload: new Uint8Array(HASH_BYTES) };

/**
 * SHA-256 of width and height (4 bytes each, little-endian), channels, depth (1 each), and the samples row by row, those of 16 bits
 * big-endian. At a stretch: 12 megapixels of RGB take some 300 ms, of 16 bits 700.
 * @param depth that is hashed in place of the picture's own
 * @returns 32 bytes
 * @throws DcompError E_PICTURE, E_TOO_LARGE; E_USAGE where there is no such depth
 */
export function pixelHash(picture: Picture, depth?: Depth): Uint8Array {
  return finish(pixelHashInPieces(picture, depth));
}

/** Samples that are hashed in a piece. */
const PIECE = 2 ** 19;

/** As `pixelHash`. */
export function* pixelHashInPieces(picture: Picture, depth?: Depth): Pieces<Uint8Array> {
  const samples = pictureOf(picture);
  const { width, height, channels, data } = samples;
  const head = new DataView(new ArrayBuffer(10));
  head.setUint32(0, width, true);
  head.setUint32(4, height, true);
  head.setUint8(8, channels);
  head.setUint8(9, depth === undefined ? depthOf(samples) : isOneOf(DEPTHS)(depth, 'depth'));
  const hash = sha256.create().update(new Uint8Array(head.buffer));
  for (let i = 0; i < data.length; i += PIECE) {
    const samples = data.subarray(i, i + PIECE);
    hash.update(samples instanceof Uint8Array ? samples : bigEndian(samples));
    yield;
  }
  return hash.digest();
}

function bigEndian(samples: Uint16Array): Uint8Array {
  const out = new Uint8Array(2 * samples.length);
  for (let i = 0; i < samples.length; i++) {
    out[2 * i] = samples[i]! >> 8;
    out[2 * i + 1] = samples[i]!;
  }
  return out;
}

/** The hash that a file holds; undefined if it has none that is intact. */
export function storedHash(file: Uint8Array, parts: readonly PartExtent[]): Uint8Array | undefined {
  const part = parts.find(({ type, state }) => type === PARTS.pixelHash && state === 'complete');
  if (part?.payloadLength !== HASH_BYTES) return undefined;
  return file.subarray(part.payloadOffset, part.payloadOffset + HASH_BYTES);
}

/** Puts a hash into a file that has room for it. */
export function withPixelHash(file: Uint8Array, hash: Uint8Array): Uint8Array {
  const { offset, payloadOffset, payloadLength } = readContainer(file).parts.find(
    ({ type }) => type === PARTS.pixelHash,
  )!;
  return concat([
    file.subarray(0, offset),
    writePart({ type: PARTS.pixelHash, payload: hash }),
    file.subarray(payloadOffset + payloadLength),
  ]);
}
