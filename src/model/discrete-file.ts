/**
 * The file `.dcd` of a discrete model: tokens, each of which stands for the 12 coefficients of a position of level 3, and a
 * network that says what those may be that are masked. All numbers little-endian:
 *   bytes 0..7    magic: 0x89 'DCD' CR LF 0x1A LF, as that of model files
 *   8..11         format version
 *   12..15        length of the whole file in bytes
 *   16..17        number of tokens K, 2 to 4096
 *   centres       a scale (float32), int16 [K × 12], times the scale: the coefficients that a token stands for
 *   codes         bytes [K × 12], 1 to 254: sigma codes of what it leaves out of them
 *   layer         24 → K, as those of class files: from the network's outputs to logits, of base 2
 *   network       a model file (.dcm) of one network that is not told sigma, and of one level
 *   last 32       SHA-256 of all bytes before
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { DcompError } from '../errors.js';
import { bytesOf } from '../options.js';
import { finish, type Pieces } from '../turns.js';
import { COEFFICIENTS, isToldSigma, OUTPUT_CHANNELS } from './architecture.js';
import { checkFrame, DIGEST, magicOf, type FileKind } from './file-frame.js';
import type { IntegerModel } from './integer/integer-model.js';
import { readModelFileInPieces, sha256InPieces } from './integer/model-file.js';
import { layerBytes, NumberReader, type DenseLayer } from './number-reader.js';
import { EXACT, UNKNOWN } from './sigma.js';

const FIXED = 18;
/** Files of discrete models. */
export const DISCRETE_FILE_KIND: FileKind = {
  name: 'discrete model',
  file: 'discrete model (.dcd)',
  magic: magicOf('DCD'),
  version: 1,
  fixed: FIXED,
};
/** Most tokens; a place of one that is masked holds a number above (src/diffusion/absorbing.ts). */
const MOST_TOKENS = 4096;

/** What tokens stand for, and what makes logits of a network's outputs. */
export interface TokenTables {
  /** K. */
  tokens: number;
  /** K × 12 coefficients. */
  centres: Float64Array;
  /** K × 12 sigma codes of what is left out. */
  codes: Uint8Array;
  /** From the network's 24 outputs to logits, of base 2. */
  layer: DenseLayer;
}

/** A discrete model. */
export interface DiscreteFile extends TokenTables {
  /** Its network, as a model file and as what it holds. */
  network: Uint8Array;
  model: IntegerModel;
}

function damaged(problem: string): never {
  throw new DcompError('E_DAMAGED_MODEL', `discrete model: ${problem}; get the file again or make it anew`);
}

/** Bytes of all tables. */
export function tableBytes(tokens: number): number {
  return 4 + 3 * COEFFICIENTS * tokens + layerBytes(OUTPUT_CHANNELS, tokens);
}

/**
 * Reads a discrete model.
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL; no other error, whatever the bytes; E_USAGE for what are none
 */
export function readDiscreteFile(given: Uint8Array): DiscreteFile {
  return finish(readDiscreteFileInPieces(bytesOf(given, 'the discrete model')));
}

/** As `readDiscreteFile`. @param bytes not changed meanwhile */
export function* readDiscreteFileInPieces(bytes: Uint8Array): Pieces<DiscreteFile> {
  checkFrame(DISCRETE_FILE_KIND, bytes, damaged);
  if (bytes.length < FIXED + DIGEST) damaged(`it has ${bytes.length} bytes, too few for a digest`);
  const end = bytes.length - DIGEST;
  if (bytesToHex(yield* sha256InPieces(bytes.subarray(0, end))) !== bytesToHex(bytes.subarray(end)))
    damaged('the checksum at the end does not fit the content');
  const tokens = new DataView(bytes.buffer, bytes.byteOffset).getUint16(FIXED - 2, true);
  if (tokens < 2 || tokens > MOST_TOKENS) damaged(`it has ${tokens} tokens; 2 to ${MOST_TOKENS} may be`);
  const networkAt = FIXED + tableBytes(tokens);
  if (networkAt > end) damaged(`its tables end at byte ${networkAt} of ${end}`);
  const reader = new NumberReader(bytes, FIXED, damaged);
  const centres = reader.shorts(tokens * COEFFICIENTS);
  const codes = new Uint8Array(reader.bytes(tokens * COEFFICIENTS).buffer);
  const wrong = codes.findIndex((code) => code === EXACT || code === UNKNOWN);
  if (wrong >= 0) damaged(`code ${wrong} of its tokens is ${codes[wrong]}; 1 to 254 may be`);
  const layer = reader.layer(OUTPUT_CHANNELS, tokens);
  // A copy, which nobody changes while it is evaluated.
  const network = bytes.slice(networkAt, end);
  const model = yield* readModelFileInPieces(network);
  if ((model.path ?? model.shows ?? model.coarse) !== undefined)
    damaged('its network is of two, or another one shows it');
  const { conditioning } = model.architecture;
  if (isToldSigma(conditioning) || conditioning.levels !== 1)
    damaged(`its network is told sigma, or of ${conditioning.levels} levels in place of 1`);
  return { tokens, centres, codes, layer, network, model };
}
