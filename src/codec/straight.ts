/**
 * Files of a straight schedule: with which noise they are measured, for a target that names none. To a size the walk itself
 * tells, to an error drafts by the cheapest search do; what is left of the target is refined at level 0, as on any path.
 */
import {
  FINEST_FIRST_CODE,
  MAX_AHEAD,
  straightCode,
  type Ahead,
  type Schedule,
  type Straight,
} from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE, MAX_FIRST_CODE } from '../format.js';
import { log2 } from '../math/exact.js';
import type { Evaluator } from '../model/evaluator.js';
import { codeOf, TOP_CODE } from '../model/sigma.js';
import type { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { inTurns } from '../turns.js';
import {
  sizeOf,
  pauseOf,
  type EncodeResult,
  type EncodingOptions,
  type LossyTarget,
  type Tune,
} from './encoder-options.js';
import { Encoding } from './encoding.js';
import type { Plan } from './coding-plan.js';
import { squaredErrorOf } from './psnr.js';
import type { Prepared } from './prepared.js';
import { FINEST, type Stop } from './quality.js';
import { energiesOf, RateForecast, type Energies } from './rate-estimate.js';
import { meanLag, type Lags } from './region.js';
import { SizeSearch, type Straights } from './size-search.js';

/** Effort of drafts. */
const DRAFT_EFFORT = 1;
/** A draft tells the way to codes that are so far from its own. */
const NEAR = 12;
const MOST_DRAFTS = 3;
/** So many codes above what the drafts say begins the file: what is missing is refined. */
const MARGIN = 1;
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
    [112, [8, 20, 32, 32]],
    [154, [16, 28, 38, 34]],
    [172, [20, 30, 38, 34]],
    [188, [24, 30, 38, 34]],
  ],
  psnr: [
    [112, [0, 4, 8, 8]],
    [140, [4, 8, 8, 8]],
    [188, [16, 16, 16, 16]],
  ],
};

/**
 * Files to a size leave out levels that would be measured with a higher sigma code: that half of the time of decoding is
 * better spent, and its bytes.
 */
const FAINTEST: Readonly<Record<Tune, number>> = { eye: 188, psnr: 198 };

/**
 * From this code on, which is about quality 75, the details of level 0 are measured at once, in two stages: two parts would save
 * less than 1 % of a file, for a quarter of the time.
 */
const AT_ONCE_FROM = 144;

/** @param firstCode that level 0 is measured with */
export function aheadAt(tune: Tune, firstCode: number): Ahead {
  const table = AHEAD[tune];
  const i = table.findIndex(([code]) => code >= firstCode);
  const [to, above] = table[i < 0 ? table.length - 1 : i]!;
  const [from, below] = table[i < 0 ? table.length - 1 : Math.max(0, i - 1)]!;
  const share = to === from ? 1 : (firstCode - from) / (to - from);
  return above.map((codes, k) => {
    const wanted = below[k]! + share * (codes - below[k]!);
    return Math.floor(wanted + 0.5);
  }) as unknown as Ahead;
}

/**
 * The schedule that measures level 0 with a code, and ends there or, of lower qualities, at a coarser level.
 * @param lags of blocks: at once is measured what so much noise is in on the mean
 */
export function straightAt(schedule: Schedule, { level, code }: Stop, tune?: Tune, lags?: Lags): Schedule {
  const firstCode = clamp(code + CODES_LEVEL_SPAN * level);
  const lastCode = level === 0 ? Math.min(code, firstCode) : firstCode;
  if (tune === undefined) return { ...schedule, lastCode, straight: { ...schedule.straight!, firstCode } };
  const atOnce = firstCode + (lags === undefined ? 0 : meanLag(lags)) >= AT_ONCE_FROM ? { atOnce: true } : {};
  return { ...schedule, lastCode, straight: { firstCode, ahead: aheadAt(tune, firstCode), ...atOnce } };
}

function clamp(code: number): number {
  return Math.max(FINEST_FIRST_CODE, Math.min(MAX_FIRST_CODE, code));
}

/**
 * What measures finer levels as one does and those from `reached` on as another did.
 * @returns undefined where no header can state it
 */
function goneOnWith(
  wanted: Straight,
  measured: Straight,
  { reached, levels }: { reached: number; levels: number },
): Straight | undefined {
  const ahead = [...wanted.ahead] as [number, number, number, number];
  for (let level = levels - 1; level >= reached; level--)
    ahead[Math.min(level, ahead.length) - 1] =
      wanted.firstCode - CODES_LEVEL_SPAN * level - straightCode(measured, level);
  const straight = { ...wanted, ahead };
  for (let level = reached; level < levels; level++)
    if (straightCode(straight, level) !== straightCode(measured, level)) return undefined;
  return ahead.every((codes) => codes >= 0 && codes <= MAX_AHEAD) ? straight : undefined;
}

/** Progress that never goes back, though a walk may begin anew. */
function onward({ onProgress }: EncodingOptions): Pick<EncodingOptions, 'onProgress'> {
  if (onProgress === undefined) return {};
  let most = 0;
  return {
    onProgress: (progress) => {
      most = Math.max(most, progress.fraction);
      onProgress({ ...progress, fraction: most });
    },
  };
}

/** Codes a picture to a target by a straight schedule. */
export class StraightEncoder {
  /** Both known from the first walk on: all have the same. */
  private coefficients?: PictureCoefficients;
  private energies?: readonly Energies[];

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
    const start = await this.begin({ level: 0, code: TOP_CODE }, LAST_CODE);
    start.checkSize(size);
    const at = (code: number): Straight => this.scheduleAt({ level: 0, code }).straight!;
    this.energies ??= await inTurns(
      energiesOf(start.coefficients, start.sizes, this.plan.schedule, this.plan.lags),
      pauseOf(this.options),
    );
    const levels = start.sizes.length - 1;
    const straights: Straights = {
      faintest: FAINTEST[this.plan.tune ?? 'psnr'],
      at,
      from: (code, measured, reached) => goneOnWith(at(code), measured, { reached, levels }),
    };
    const search = new SizeSearch(new RateForecast(this.energies), straights, size, start);
    const options = { ...this.options, ...onward(this.options) };
    for (;;) {
      const { code, end } = search;
      const stop = { level: end, code: code - CODES_LEVEL_SPAN * end };
      const encoding = await this.begin(stop, end === 0 ? LAST_CODE : undefined, options);
      if (await search.walk(encoding)) return end === 0 ? (await encoding.toSizes([size]))[0]! : encoding.cutTo(size);
    }
  }

  private scheduleAt(stop: Stop): Schedule {
    const { schedule, tune, lags } = this.plan;
    return straightAt(schedule, stop, tune, lags);
  }

  private async begin(stop: Stop, lastCode?: number, options = this.options): Promise<Encoding> {
    const schedule = this.scheduleAt(stop);
    const plan = { ...this.plan, schedule: lastCode === undefined ? schedule : { ...schedule, lastCode } };
    const end = lastCode === undefined ? stop : FINEST;
    const encoding = await Encoding.of(plan, this.prepared, this.evaluator, options, end, this.coefficients);
    this.coefficients = encoding.coefficients;
    return encoding;
  }

  /** What the cheapest search makes of the picture. */
  private async draft(code: number): Promise<Encoding> {
    const { onProgress: _, ...quiet } = this.options;
    const encoding = await this.begin({ level: 0, code }, undefined, { ...quiet, effort: DRAFT_EFFORT });
    await encoding.toStop(Infinity);
    return encoding;
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
