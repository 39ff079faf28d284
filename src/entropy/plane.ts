import { DcompError } from '../errors.js';
import { finish, type Pieces } from '../turns.js';
import { AdaptiveDecoder, AdaptiveEncoder, AdaptiveModel, OBSERVATION } from './adaptive.js';

/**
 * Lossless coding of one plane of 8-bit samples (alpha). Prediction by the median edge detector (LOCO-I: Weinberger,
 * Seroussi & Sapiro 2000) or, where they did better, three smoother predictors; residuals modulo 256 in classes of their
 * length, adaptive in a context that knows which of the neighbours are equal (that makes masks cheap) and how much they
 * differ or were mispredicted (that makes soft edges and noise cheap).
 *
 * First byte: 0 = coded samples follow; 1 = all samples have the value of the second byte.
 */
const CODED = 0;
const CONSTANT = 1;

/** Residual classes: 0; 1; 2–3; 4–7; … 128–255, after folding. */
const CLASSES = 9;
/** 7 equalities of neighbours × 5 levels of activity or error for masks, as many for flat and smooth places, 12 levels for others. */
const LEVELS = 5;
const ROUGH_LEVELS = 12;
const CONTEXTS = 2 * 128 * LEVELS + ROUGH_LEVELS;
const MEMORY = 1024;
const INITIAL_CLASSES = new Array<number>(CLASSES).fill(2);
const INITIAL_BITS = [OBSERVATION / 2, OBSERVATION / 2];

const clampByte = (v: number): number => (v < 0 ? 0 : v > 255 ? 255 : v);

function level(sum: number): number {
  return sum < 2 ? 0 : sum < 8 ? 1 : sum < 24 ? 2 : sum < 64 ? 3 : 4;
}

/** What both directions need: models, and per sample the prediction and its context. */
class PlaneModel {
  readonly classes = new AdaptiveModel(CONTEXTS, INITIAL_CLASSES, MEMORY);
  /** A binary model for every node of the trees of bits below a class: node = the number's bits so far, 1..255. */
  readonly bits = new AdaptiveModel(256, INITIAL_BITS, MEMORY);
  prediction = 0;
  context = 0;
  /** Is the residual's sign to be turned? */
  turned = false;
  /** Predictions: edge detector, plane, smooth, mean. The one with the smallest errors at W, NW, N and NE is taken. */
  private readonly candidates = [0, 0, 0, 0];
  /** Their absolute errors in the row above, from x on; entry i belongs to column i − 1. */
  private readonly errors: Uint8Array[];
  /** Their absolute errors at the sample to the left. */
  private readonly leftErrors = [0, 0, 0, 0];

  constructor(
    private readonly data: Uint8Array,
    private readonly width: number,
  ) {
    this.errors = this.candidates.map(() => new Uint8Array(width + 2));
  }

  /** Prediction and context of sample (x, y) from the samples before it; outside, the nearest known one counts. */
  look(x: number, y: number): void {
    const { data, width, candidates } = this;
    const at = y * width + x;
    const above = at - width;
    const n = y > 0 ? data[above]! : x > 0 ? data[at - 1]! : 0;
    const w = x > 0 ? data[at - 1]! : n;
    const nw = x > 0 && y > 0 ? data[above - 1]! : n;
    const ne = y > 0 && x + 1 < width ? data[above + 1]! : n;
    const ww = x > 1 ? data[at - 2]! : w;
    const nn = y > 1 ? data[above - width]! : n;
    const nne = y > 1 && x + 1 < width ? data[above - width + 1]! : ne;
    const nee = y > 0 && x + 2 < width ? data[above + 2]! : ne;

    const low = Math.min(w, n, nw, ne);
    const high = Math.max(w, n, nw, ne);
    const gradient = w + n - nw;
    candidates[0] = Math.max(Math.min(w, n), Math.min(Math.max(w, n), gradient));
    candidates[1] = clampByte(gradient);
    candidates[2] = clampByte((2 * (w + n) + ne - nw + 2) >> 2);
    candidates[3] = (w + nw + n + ne + 2) >> 2;
    let best = 0;
    let error = Infinity;
    for (let i = 0; i < candidates.length; i++) {
      const row = this.errors[i]!;
      const sum = 2 * this.leftErrors[i]! + row[x]! + 2 * row[x + 1]! + row[x + 2]!;
      if (sum < error) {
        error = sum;
        best = i;
      }
    }
    // Two clearly different values and none between: a mask. There only the edge detector predicts nothing in between.
    const between = (v: number): boolean => v !== low && v !== high;
    const mask = high - low >= 8 && !between(w) && !between(n) && !between(nw) && !between(ne);
    this.prediction = candidates[mask ? 0 : best]!;
    this.turned = mask ? this.prediction === high : high === 255;

    const equal =
      (w === n ? 1 : 0) |
      (n === nw ? 2 : 0) |
      (n === ne ? 4 : 0) |
      (w === ww ? 8 : 0) |
      (n === nn ? 16 : 0) |
      (ne === nne ? 32 : 0) |
      (ne === nee ? 64 : 0);
    const activity = Math.abs(w - nw) + Math.abs(nw - n) + Math.abs(n - ne);
    if (mask) this.context = equal * LEVELS + level(activity);
    else if ((equal & (equal - 1)) !== 0) this.context = (128 + equal) * LEVELS + level(error);
    else this.context = 256 * LEVELS + Math.min(ROUGH_LEVELS - 1, Math.floor(Math.sqrt(error + activity) / 1.5));
  }

  /** Tells the true value of the sample last looked at. */
  learn(x: number, value: number): void {
    for (let i = 0; i < this.candidates.length; i++) {
      const row = this.errors[i]!;
      row[x] = this.leftErrors[i]!; // the row above is no longer needed there
      this.leftErrors[i] = Math.abs(value - this.candidates[i]!);
      if (x === this.width - 1) {
        row[x + 1] = this.leftErrors[i]!;
        this.leftErrors[i] = 0;
      }
    }
  }
}

/**
 * Residual to 0..255, small ones first. Modulo 256, and with the sign turned where the upper value of a mask is predicted:
 * so the change to the other value is the same symbol in both directions.
 */
function fold(value: number, prediction: number, turn: boolean): number {
  const difference = turn ? prediction - value : value - prediction;
  const turned = (difference << 24) >> 24;
  return turned >= 0 ? 2 * turned : -2 * turned - 1;
}

function unfold(folded: number, prediction: number, turn: boolean): number {
  const turned = folded & 1 ? -((folded + 1) >> 1) : folded >> 1;
  return (prediction + (turn ? -turned : turned)) & 255;
}

/**
 * @param data width · height samples
 * @throws DcompError E_USAGE if the length doesn't fit
 */
export function encodePlane(data: Uint8Array, width: number, height: number): Uint8Array {
  return finish(encodePlaneInPieces(data, width, height));
}

/** As `encodePlane`. */
export function* encodePlaneInPieces(data: Uint8Array, width: number, height: number): Pieces<Uint8Array> {
  if (data.length !== width * height || data.length === 0) {
    throw new DcompError('E_USAGE', `a plane of ${width} × ${height} cannot have ${data.length} samples`);
  }
  if (yield* isConstant(data)) return Uint8Array.of(CONSTANT, data[0]!);
  const model = new PlaneModel(data, width);
  const encoder = new AdaptiveEncoder();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      model.look(x, y);
      const folded = fold(data[y * width + x]!, model.prediction, model.turned);
      const size = 32 - Math.clz32(folded);
      encoder.encode(model.classes, model.context, size);
      for (let shift = size - 2; shift >= 0; shift--) {
        encoder.encode(model.bits, folded >> (shift + 1), (folded >> shift) & 1);
      }
      model.learn(x, data[y * width + x]!);
    }
    yield* encoder.flushFull();
    yield;
  }
  const coded = yield* encoder.finishInPieces();
  const bytes = new Uint8Array(1 + coded.length);
  bytes[0] = CODED;
  bytes.set(coded, 1);
  return bytes;
}

/**
 * Gives back the plane of `encodePlane`, from all of `bytes`. Allocates width · height bytes and about 60 kB and 4 bytes per column more.
 * @throws DcompError E_TRUNCATED if the data ends early, E_DAMAGED_SEGMENT if it isn't what the encoder wrote
 */
export function decodePlane(bytes: Uint8Array, width: number, height: number): Uint8Array {
  return finish(decodePlaneInPieces(bytes, width, height));
}

/** As `decodePlane`. */
export function* decodePlaneInPieces(bytes: Uint8Array, width: number, height: number): Pieces<Uint8Array> {
  if (bytes.length < 2) throw new DcompError('E_TRUNCATED', `a coded plane has at least 2 bytes, not ${bytes.length}`);
  const data = new Uint8Array(width * height);
  if (bytes[0] === CONSTANT) {
    expectEnd(2, bytes.length);
    return data.fill(bytes[1]!);
  }
  if (bytes[0] !== CODED)
    throw new DcompError('E_DAMAGED_SEGMENT', `a coded plane begins with 0 or 1, not with ${bytes[0]}`);
  const model = new PlaneModel(data, width);
  const decoder = new AdaptiveDecoder(bytes, 1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      model.look(x, y);
      const size = decoder.decode(model.classes, model.context);
      let folded = size === 0 ? 0 : 1;
      for (let i = 1; i < size; i++) folded = 2 * folded + decoder.decode(model.bits, folded);
      data[y * width + x] = unfold(folded, model.prediction, model.turned);
      model.learn(x, data[y * width + x]!);
    }
    yield;
  }
  expectEnd(decoder.finish(), bytes.length);
  return data;
}

/** Samples that are looked at in a piece. */
const PIECE = 2 ** 20;

function* isConstant(data: Uint8Array): Pieces<boolean> {
  const first = data[0]!;
  for (let from = 0; from < data.length; from += PIECE) {
    if (data.subarray(from, from + PIECE).some((value) => value !== first)) return false;
    yield;
  }
  return true;
}

function expectEnd(end: number, length: number): void {
  if (end !== length)
    throw new DcompError('E_DAMAGED_SEGMENT', `a coded plane ends after ${end} bytes, but there are ${length}`);
}
