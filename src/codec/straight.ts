/**
 * Which noise a file of a straight schedule is measured with, for a target that names none: drafts by the cheapest search
 * tell how far the estimate is off, and what is left of the target is refined at level 0, as on any path.
 */
import { AHEAD_UNIT, FINEST_FIRST_CODE, type Ahead, type Schedule } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE, MAX_FIRST_CODE } from '../format.js';
import { log2 } from '../math/exact.js';
import type { Evaluator } from '../model/evaluator.js';
import { codeOf, TOP_CODE } from '../model/sigma.js';
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
import { bitsAt, codeForBits, energiesOf } from './rate-estimate.js';

/** Effort of drafts, and how many more bits it takes than the default one. */
const DRAFT_EFFORT = 1;
const DRAFT_EXCESS = 1.06;
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

/** Codes a picture to a target by a straight schedule. */
export class StraightEncoder {
  constructor(
    private readonly plan: Plan,
    private readonly prepared: Prepared,
    private readonly evaluator: Evaluator,
    private readonly options: EncodingOptions,
  ) {}

  /** @param limit bytes that a quality or an error may not take @returns undefined where it would */
  async to(target: LossyTarget, stop: Stop, limit?: number): Promise<EncodeResult | undefined> {
    if ('quality' in target) return (await this.begin(stop)).to(target, limit);
    if ('psnr' in target) {
      const code = await this.codeForError(squaredErrorOf(target.psnr));
      return (await this.begin({ level: 0, code }, LAST_CODE)).to(target, limit);
    }
    return this.toSize(sizeOf(target, this.prepared.picture));
  }

  async toSize(size: number): Promise<EncodeResult> {
    let code = await this.codeForSize(size);
    for (let attempt = 1; ; attempt++, code = clamp(code + STEP_BACK)) {
      const encoding = await this.begin({ level: 0, code }, LAST_CODE);
      const result = (await encoding.toSizes([size]))[0]!;
      if (encoding.isEntered || attempt === MOST_ATTEMPTS || code === MAX_FIRST_CODE) return result;
    }
  }

  private async begin(stop: Stop, lastCode?: number, options = this.options): Promise<Encoding> {
    const schedule = straightAt(this.plan.schedule, stop, this.plan.tune);
    const plan = { ...this.plan, schedule: lastCode === undefined ? schedule : { ...schedule, lastCode } };
    return Encoding.of(plan, this.prepared, this.evaluator, options, lastCode === undefined ? stop : FINEST);
  }

  private async draft(code: number): Promise<Encoding> {
    const { onProgress: _, ...quiet } = this.options;
    const encoding = await this.begin({ level: 0, code }, undefined, { ...quiet, effort: DRAFT_EFFORT });
    await encoding.toStop(Infinity);
    return encoding;
  }

  private async codeForSize(size: number): Promise<number> {
    const pause = pauseOf(this.options);
    const encoding = await this.begin({ level: 0, code: TOP_CODE }, LAST_CODE);
    encoding.checkSize(size);
    const { sizes } = encoding;
    const coefficients = await inTurns(PictureCoefficients.of(folded(this.prepared.picture), sizes.length - 1), pause);
    const energies = await inTurns(energiesOf(coefficients, sizes), pause);
    const bits = 8 * (size - encoding.bytes);
    let code = codeForBits(energies, bits);
    for (let i = 0; i < MOST_DRAFTS; i++) {
      const draft = await this.draft(code);
      const taken = (8 * (draft.bytes - encoding.bytes)) / DRAFT_EXCESS;
      const before = code;
      code = codeForBits(energies, bits, taken / bitsAt(energies, code));
      if (Math.abs(code - before) <= NEAR) break;
    }
    return clamp(code + MARGIN);
  }

  /** @param goal mean squared error */
  private async codeForError(goal: number): Promise<number> {
    let code = clamp(codeOf(Math.sqrt(NOISE_OVER_ERROR * goal)));
    for (let i = 0; i < MOST_DRAFTS; i++) {
      const error = await (await this.draft(code)).error();
      const before = code;
      // A flat picture may come out exact.
      code = clamp(error === 0 ? MAX_FIRST_CODE : Math.floor(code + log2(goal / error) / ERROR_SLOPE));
      if (Math.abs(code - before) <= NEAR) break;
    }
    return clamp(code + MARGIN);
  }
}
