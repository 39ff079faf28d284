/**
 * Which noise a file of a straight schedule is measured with, for a target that names none: drafts by the cheapest search
 * tell how far the estimate is off, and what is left of the target is refined at level 0, as on any path.
 */
import { AHEAD_UNIT, codedSizes, FINEST_FIRST_CODE, type Ahead, type Schedule } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE, MAX_FIRST_CODE } from '../format.js';
import { log2 } from '../math/exact.js';
import type { Evaluator } from '../model/evaluator.js';
import { codeOf, TOP_CODE } from '../model/sigma.js';
import { cutOut, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import { folded } from '../pixels/fold.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { inTurns } from '../turns.js';
import {
  sizeOf,
  pauseOf,
  type EncodeResult,
  type EncodingOptions,
  type LossyTarget,
  type Tune,
} from './encoder-options.js';
import { Encoding, type Plan } from './encoding.js';
import { squaredErrorOf } from './psnr.js';
import type { Prepared } from './prepared.js';
import { FINEST, type Stop } from './quality.js';
import { bitsAt, codeForBits, energiesOf, type Energies } from './rate-estimate.js';

/** Effort of drafts, and how many more bits it takes than the default one. */
const DRAFT_EFFORT = 1;
const DRAFT_EXCESS = 1.06;
/** Of pictures with more pixels than a square of this side, drafts to a size are of a part. */
const DRAFT_SIDE = 512;
const NOTHING = new Uint8Array(0);
/** A draft tells the way to codes that are so far from its own. */
const NEAR = 12;
const MOST_DRAFTS = 3;
/** So many codes above what the drafts say begins the file: what is missing is refined, what is too much would be cut. */
const MARGIN = 1;
/** A file that ends before all details are measured begins with so many codes more. */
const STEP_BACK = 3;
const MOST_ATTEMPTS = 3;
/** How log2 of the squared error falls by code, and how many times the squared error the noise has: in the middle of what is used. */
const ERROR_SLOPE = 1.43 / 16;
const NOISE_OVER_ERROR = 2;

/**
 * By how much levels 1, 2, 3 and the coarser ones are ahead, by the code that level 0 is measured with; between two of
 * them, in proportion. For the eye: SSIMULACRA 2 gains some 10 points at equal bytes, for 0.2 to 0.7 dB of PSNR. For PSNR:
 * the error of what is measured with much noise is below that noise, so to spread errors evenly takes less noise where there
 * is more to know; and what few coefficients tell of many is told cheaply.
 */
const AHEAD: Readonly<Record<Tune, readonly (readonly [code: number, ahead: Ahead])[]>> = {
  eye: [
    [112, [8, 16, 24, 28]],
    [154, [16, 24, 30, 30]],
    [172, [20, 26, 30, 30]],
    [188, [24, 26, 30, 30]],
  ],
  psnr: [
    [112, [0, 4, 8, 8]],
    [140, [4, 8, 8, 8]],
    [188, [16, 16, 16, 16]],
  ],
};

/** @param firstCode that level 0 is measured with */
export function aheadAt(tune: Tune, firstCode: number): Ahead {
  const table = AHEAD[tune];
  const i = table.findIndex(([code]) => code >= firstCode);
  const [to, above] = table[i < 0 ? table.length - 1 : i]!;
  const [from, below] = table[i < 0 ? table.length - 1 : Math.max(0, i - 1)]!;
  const share = to === from ? 1 : (firstCode - from) / (to - from);
  return above.map((codes, k) => {
    const wanted = below[k]! + share * (codes - below[k]!);
    return AHEAD_UNIT * Math.floor(wanted / AHEAD_UNIT + 0.5);
  }) as unknown as Ahead;
}

/** The schedule that measures level 0 with a code, and ends there or, of lower qualities, at a coarser level. */
export function straightAt(schedule: Schedule, { level, code }: Stop, tune?: Tune): Schedule {
  const firstCode = clamp(code + CODES_LEVEL_SPAN * level);
  const lastCode = level === 0 ? Math.min(code, firstCode) : firstCode;
  const ahead = tune === undefined ? schedule.straight!.ahead : aheadAt(tune, firstCode);
  return { ...schedule, lastCode, straight: { firstCode, ahead } };
}

function clamp(code: number): number {
  return Math.max(FINEST_FIRST_CODE, Math.min(MAX_FIRST_CODE, code));
}

/** Parts of a picture that a draft may be of, from even columns and rows on: at its edges and in the middle of them. */
function partsOf({ width, height }: Size): Rectangle[] {
  const w = Math.min(width, Math.max(DRAFT_SIDE, Math.floor(DRAFT_SIDE ** 2 / height)));
  const h = Math.min(height, Math.max(DRAFT_SIDE, Math.floor(DRAFT_SIDE ** 2 / width)));
  const places = (room: number): Set<number> => new Set([0, (room >> 2) << 1, (room >> 1) << 1]);
  return [...places(height - h)].flatMap((y) => [...places(width - w)].map((x) => ({ x, y, width: w, height: h })));
}

/** A picture, or a part of it. */
interface Source {
  prepared: Prepared;
  /** Known from the first walk on: all have the same. */
  coefficients?: PictureCoefficients;
}

/** Codes a picture to a target by a straight schedule. */
export class StraightEncoder {
  private readonly whole: Source;

  constructor(
    private readonly plan: Plan,
    prepared: Prepared,
    private readonly evaluator: Evaluator,
    private readonly options: EncodingOptions,
  ) {
    this.whole = { prepared };
  }

  /** @param limit bytes that a quality or an error may not take @returns undefined where it would */
  async to(target: LossyTarget, stop: Stop, limit?: number): Promise<EncodeResult | undefined> {
    if ('quality' in target) return (await this.begin(stop)).to(target, limit);
    if ('psnr' in target) {
      const code = await this.codeForError(squaredErrorOf(target.psnr));
      return (await this.begin({ level: 0, code }, LAST_CODE)).to(target, limit);
    }
    return this.toSize(sizeOf(target, this.whole.prepared.picture));
  }

  async toSize(size: number): Promise<EncodeResult> {
    let code = await this.codeForSize(size);
    for (let attempt = 1; ; attempt++, code = clamp(code + STEP_BACK)) {
      const encoding = await this.begin({ level: 0, code }, LAST_CODE);
      const result = (await encoding.toSizes([size]))[0]!;
      if (encoding.isEntered || attempt === MOST_ATTEMPTS || code === MAX_FIRST_CODE) return result;
    }
  }

  private async begin(stop: Stop, lastCode?: number, options = this.options, source = this.whole): Promise<Encoding> {
    const schedule = straightAt(this.plan.schedule, stop, this.plan.tune);
    const plan = { ...this.plan, schedule: lastCode === undefined ? schedule : { ...schedule, lastCode } };
    const end = lastCode === undefined ? stop : FINEST;
    const encoding = await Encoding.of(plan, source.prepared, this.evaluator, options, end, source.coefficients);
    source.coefficients = encoding.coefficients;
    return encoding;
  }

  /** What the cheapest search makes of a picture or a part of it, and the bits that it takes beside header, alpha and parts. */
  private async draft(code: number, source = this.whole): Promise<{ encoding: Encoding; bits: number }> {
    const { onProgress: _, ...quiet } = this.options;
    const encoding = await this.begin({ level: 0, code }, undefined, { ...quiet, effort: DRAFT_EFFORT }, source);
    const before = encoding.bytes;
    await encoding.toStop(Infinity);
    return { encoding, bits: 8 * (encoding.bytes - before) };
  }

  /** What drafts to a size are of: the whole of a small picture, else the part that is most like it. */
  private async sample(energies: Energies, code: number): Promise<{ source: Source; energies: Energies }> {
    const { prepared } = this.whole;
    const { picture } = prepared;
    const { channels, width, height } = picture;
    const parts = partsOf(picture);
    if (this.plan.lags !== undefined || parts.length === 1) return { source: this.whole, energies };
    const pause = pauseOf(this.options);
    const wanted = bitsAt(energies, code) / (width * height);
    let [best, least] = [{ source: this.whole, energies }, Infinity];
    for (const place of parts) {
      const data = cutOut(picture.data, wholeOf(picture), place, channels);
      const cut = { ...picture, width: place.width, height: place.height, data };
      const sizes = codedSizes(cut);
      const coefficients = await inTurns(PictureCoefficients.of(folded(cut), sizes.length - 1), pause);
      const own = await inTurns(energiesOf(coefficients, sizes), pause);
      const unlike = Math.abs(log2(bitsAt(own, code) / (place.width * place.height) / wanted));
      if (!(unlike < least)) continue;
      least = unlike;
      const part = { ...prepared, picture: cut, alphaSection: NOTHING, parts: [] };
      best = { source: { prepared: part, coefficients }, energies: own };
    }
    return best;
  }

  private async codeForSize(size: number): Promise<number> {
    const encoding = await this.begin({ level: 0, code: TOP_CODE }, LAST_CODE);
    encoding.checkSize(size);
    const energies = await inTurns(energiesOf(encoding.coefficients, encoding.sizes), pauseOf(this.options));
    const bits = 8 * (size - encoding.bytes);
    let code = codeForBits(energies, bits);
    const sample = await this.sample(energies, code);
    for (let i = 0; i < MOST_DRAFTS; i++) {
      const taken = (await this.draft(code, sample.source)).bits / DRAFT_EXCESS;
      const before = code;
      code = codeForBits(energies, bits, taken / bitsAt(sample.energies, code));
      if (Math.abs(code - before) <= NEAR) break;
    }
    return clamp(code + MARGIN);
  }

  /** @param goal mean squared error */
  private async codeForError(goal: number): Promise<number> {
    let code = clamp(codeOf(Math.sqrt(NOISE_OVER_ERROR * goal)));
    for (let i = 0; i < MOST_DRAFTS; i++) {
      const error = await (await this.draft(code)).encoding.error();
      const before = code;
      // A flat picture may come out exact.
      code = clamp(error === 0 ? MAX_FIRST_CODE : Math.floor(code + log2(goal / error) / ERROR_SLOPE));
      if (Math.abs(code - before) <= NEAR) break;
    }
    return clamp(code + MARGIN);
  }
}
