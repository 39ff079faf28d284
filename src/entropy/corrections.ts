/**
 * Corrections: single coefficients that the model was so sure of, and so wrong about, that signs cannot reach them. They are sent as a
 * sparse list of (index, whole steps): gaps between indices and sizes by their number of binary digits, adaptively coded,
 * the digits below the first likewise.
 */
import { DcompError } from '../errors.js';
import { finish, type Pieces } from '../turns.js';
import { AdaptiveDecoder, AdaptiveEncoder, AdaptiveModel, OBSERVATION } from './adaptive.js';

export interface Corrections {
  /** Ascending. */
  indices: Uint32Array;
  /** Not 0; ±1 .. ±(2^MAX_SIZE_DIGITS − 1). */
  steps: Int32Array;
}

const MAX_GAP_DIGITS = 30;
export const MAX_SIZE_DIGITS = 14;
const MEMORY = 512;
/** Corrections that are coded in a piece. */
const PIECE = 2 ** 13;

class Models {
  /** Digits of a gap by digits of the gap before; 0 digits ends the list. */
  private readonly gapDigits = new AdaptiveModel(
    MAX_GAP_DIGITS + 1,
    new Array<number>(MAX_GAP_DIGITS + 1).fill(OBSERVATION / 8),
    MEMORY,
  );
  private readonly sizeDigits = new AdaptiveModel(
    1,
    new Array<number>(MAX_SIZE_DIGITS + 1).fill(OBSERVATION / 8),
    MEMORY,
  );
  /** Binary digits: context 0 for plain ones, 1 + digits for the first below the leading one of a size. */
  private readonly digit = new AdaptiveModel(1 + MAX_SIZE_DIGITS, [4 * OBSERVATION, 4 * OBSERVATION], MEMORY);

  /** `code` passes a symbol through: the encoder's gives it back, the decoder's finds it. */
  gap(code: Coder, before: number, gap: number): number {
    const digits = code(this.gapDigits, before, digitsOf(gap));
    return digits === 0 ? 0 : this.rest(code, digits, gap, 0);
  }

  size(code: Coder, step: number): number {
    const size = Math.abs(step);
    const digits = code(this.sizeDigits, 0, digitsOf(size));
    if (digits === 0) return 0;
    const value = this.rest(code, digits, size, digits);
    return code(this.digit, 0, step < 0 ? 1 : 0) === 1 ? -value : value;
  }

  private rest(code: Coder, digits: number, value: number, context: number): number {
    let out = 1;
    for (let i = digits - 2; i >= 0; i--)
      out = out * 2 + code(this.digit, i === digits - 2 ? context : 0, (value >>> i) & 1);
    return out;
  }
}

type Coder = (model: AdaptiveModel, context: number, symbol: number) => number;

function digitsOf(value: number): number {
  return 32 - Math.clz32(value);
}

/** @throws DcompError E_USAGE if indices do not ascend or a step is out of range */
export function encodeCorrections(corrections: Corrections): Uint8Array {
  return finish(encodeCorrectionsInPieces(corrections));
}

/** As `encodeCorrections`. */
export function* encodeCorrectionsInPieces({ indices, steps }: Corrections): Pieces<Uint8Array> {
  const encoder = new AdaptiveEncoder();
  const code: Coder = (model, context, symbol) => {
    encoder.encode(model, context, symbol);
    return symbol;
  };
  const models = new Models();
  let last = -1;
  let digits = 0;
  for (let k = 0; k < indices.length; k++) {
    if (k % PIECE === PIECE - 1) yield;
    const gap = indices[k]! - last;
    const step = steps[k]!;
    if (gap < 1 || step === 0 || digitsOf(Math.abs(step)) > MAX_SIZE_DIGITS || digitsOf(gap) > MAX_GAP_DIGITS) {
      throw new DcompError(
        'E_USAGE',
        `correction ${k}: index ${indices[k]} after ${last}, ${step} steps cannot be coded`,
      );
    }
    models.gap(code, digits, gap);
    models.size(code, step);
    last = indices[k]!;
    digits = digitsOf(gap);
  }
  models.gap(code, digits, 0);
  return encoder.finish();
}

/**
 * Reads what `encodeCorrections` wrote.
 * @param n indices are below this
 * @returns the corrections, and the index behind their last byte
 * @throws DcompError E_TRUNCATED if the data ends, E_DAMAGED_SEGMENT if it isn't what an encoder wrote
 */
export function decodeCorrections(bytes: Uint8Array, offset: number, n: number): Corrections & { end: number } {
  return finish(decodeCorrectionsInPieces(bytes, offset, n));
}

/** As `decodeCorrections`. */
export function* decodeCorrectionsInPieces(
  bytes: Uint8Array,
  offset: number,
  n: number,
): Pieces<Corrections & { end: number }> {
  const decoder = new AdaptiveDecoder(bytes, offset);
  const code: Coder = (model, context) => decoder.decode(model, context);
  const models = new Models();
  const indices: number[] = [];
  const steps: number[] = [];
  for (let last = -1, digits = 0; ;) {
    const gap = models.gap(code, digits, 0);
    if (gap === 0) break;
    const step = models.size(code, 0);
    last += gap;
    digits = digitsOf(gap);
    if (last >= n || step === 0) throw new DcompError('E_DAMAGED_SEGMENT', 'a correction lies outside the picture');
    indices.push(last);
    steps.push(step);
    if (indices.length % PIECE === 0) yield;
  }
  return { indices: Uint32Array.from(indices), steps: Int32Array.from(steps), end: decoder.finish() };
}
