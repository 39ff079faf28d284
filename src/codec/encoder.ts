/** The encoder: a picture and a target to a file, in the form that serves it best. */
import { pixelHashInPieces, withPixelHash } from '../container/pixel-hash.js';
import {
  coarseViewsOf,
  DEFAULT_SCHEDULE,
  MAX_LAST_LEVEL,
  STRAIGHT_SCHEDULE,
  type Schedule,
} from '../diffusion/schedule.js';
import { unitCount } from '../diffusion/units.js';
import { LAST_CODE } from '../format.js';
import { withinMemory } from '../memory.js';
import { isToldSigma } from '../model/architecture.js';
import { isStraight } from '../model/integer/integer-model.js';
import type { Evaluator } from '../model/evaluator.js';
import { depthOf, type Picture } from '../picture.js';
import { inTurns, type Pause } from '../turns.js';
import { decodeUnchecked } from './decoder.js';
import {
  checkEncoding,
  checkTarget,
  DEFAULT_QUALITY,
  maxErrorOfTarget,
  pauseOf,
  sizeOf,
  type EncodeResult,
  type EncodingOptions,
  type ExactTarget,
  type LossyTarget,
  type Target,
  type Tune,
} from './encoder-options.js';
import { Encoding, OWN } from './encoding.js';
import { ExactEncoder, exactStop } from './exact-encoder.js';
import { PlainEncoder, smallest } from './plain-encoder.js';
import type { Plan } from './coding-plan.js';
import { preparedOf, type Prepared } from './prepared.js';
import { EYE_STEPS, FINEST, settledEnding, type Stop } from './quality.js';
import { stopFor } from './quality-stop.js';
import { EYE_SPREAD } from './masking.js';
import { lagsOfInPieces } from './region.js';
import { straightAt, StraightEncoder } from './straight.js';
import { checkWork, workOf } from './work.js';

/** @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED */
export async function encodePicture(
  source: Picture,
  evaluator: Evaluator,
  options: EncodingOptions = {},
): Promise<EncodeResult> {
  const picture = checkEncoding(source, options);
  const target = options.target ?? { quality: DEFAULT_QUALITY };
  if (isExact(target)) return encodeExact(picture, options, (take) => take(evaluator));
  return withinMemory(picture, async () => {
    const prepared = await inTurns(preparedOf(picture, options), pauseOf(options));
    const stop = await stopOf(target, prepared.picture, evaluator, options);
    const plan = await planOf(picture, evaluator, options, stop, target);
    const lossy = async (limit?: number): Promise<EncodeResult | undefined> => {
      checkPlan(plan, picture, options);
      return plan.schedule.straight === undefined
        ? (await Encoding.of(plan, prepared, evaluator, options, stop)).to(target, limit)
        : new StraightEncoder(plan, prepared, evaluator, options).to(target, stop, limit);
    };
    return withHash(await inBetterForm(target, new PlainEncoder(prepared, options), lossy), evaluator, options);
  });
}

/** With a size the plain form where it fits, else the smaller one. */
async function inBetterForm(
  target: LossyTarget,
  plain: PlainEncoder,
  lossy: (limit?: number) => Promise<EncodeResult | undefined>,
): Promise<EncodeResult> {
  if ('psnr' in target || 'quality' in target) return smallest(lossy, plain);
  return (await plain.within(sizeOf(target, plain.picture))) ?? (await lossy())!;
}

/** Whether a target bounds the error of each sample. */
function isExact(target: Target): target is ExactTarget {
  return maxErrorOfTarget(target) !== undefined;
}

/** Lends an evaluator. */
export type WithEvaluator = (take: (evaluator: Evaluator) => Promise<EncodeResult>) => Promise<EncodeResult>;

/**
 * To a target that bounds the error of each sample.
 * @param withEvaluator called where the picture takes the network
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_ABORTED; what `withEvaluator` throws
 */
export async function encodeExact(
  source: Picture,
  options: EncodingOptions,
  withEvaluator: WithEvaluator,
): Promise<EncodeResult> {
  const picture = checkEncoding(source, options);
  const { importance: _, ...rest } = options;
  const exact = { ...rest, exact: true, alphaQuality: 100, pixelHash: true };
  const maxError = maxErrorOfTarget(options.target) ?? 0;
  return withinMemory(picture, async () => {
    const prepared = await inTurns(preparedOf(picture, exact), pauseOf(options));
    const encoder = await ExactEncoder.of(prepared, exact, maxError);
    if (!encoder.takesNetwork) return encoder.plain();
    return withEvaluator(async (evaluator) => {
      const plan = await planOf(picture, evaluator, exact, exactStop(evaluator));
      checkPlan(plan, picture, exact);
      return encoder.coded(plan, evaluator);
    });
  });
}

/**
 * Files of several sizes from one walk along the schedule: each is what `encodePicture` makes for that size.
 * @param sizes bytes, in any order
 * @throws DcompError as `encodePicture`
 */
export async function encodePictureToSizes(
  source: Picture,
  evaluator: Evaluator,
  sizes: readonly number[],
  options: Omit<EncodingOptions, 'target'> = {},
): Promise<EncodeResult[]> {
  const picture = checkEncoding(source, options);
  for (const size of sizes) checkTarget({ size }, 'target');
  return withinMemory(picture, async () => {
    const plan = await planOf(picture, evaluator, options, FINEST, { size: 0 });
    const prepared = await inTurns(preparedOf(picture, options), pauseOf(options));
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    const plain = await new PlainEncoder(prepared, options).within(largest);
    const small = sizes.filter((size) => plain === undefined || size < plain.bytes.length);
    if (small.length > 0) checkPlan(plan, picture, options);
    const coded = small.length === 0 ? [] : await codedToSizes(small, plan, prepared, evaluator, options);
    const results = [];
    for (const size of sizes)
      results.push(await withHash(small.includes(size) ? coded[small.indexOf(size)]! : plain!, evaluator, options));
    return results;
  });
}

async function codedToSizes(
  sizes: readonly number[],
  plan: Plan,
  prepared: Prepared,
  evaluator: Evaluator,
  options: EncodingOptions,
): Promise<EncodeResult[]> {
  if (plan.schedule.straight === undefined)
    return (await Encoding.of(plan, prepared, evaluator, options, FINEST)).toSizes(sizes);
  const encoder = new StraightEncoder(plan, prepared, evaluator, options);
  const results = [];
  for (const size of sizes) results.push(await encoder.toSize(size));
  return results;
}

/** Where the file of a target that does not tell by itself ends. @param picture as it is coded */
async function stopOf(
  target: LossyTarget,
  picture: Picture,
  evaluator: Evaluator,
  options: EncodingOptions,
): Promise<Stop> {
  if (!('quality' in target)) return FINEST;
  const { schedule = scheduleOf(evaluator) } = options;
  return inTurns(
    stopFor(target.quality, picture, evaluator.model.quality, schedule, tuneFor(options)),
    pauseOf(options),
  );
}

/** @param target left out where what is shown is not the end */
async function planOf(
  source: Picture,
  evaluator: Evaluator,
  options: EncodingOptions,
  stop: Stop,
  target?: LossyTarget,
): Promise<Plan> {
  const told = isToldSigma(evaluator.model.architecture.conditioning);
  const { importance, schedule: base = scheduleOf(evaluator), views } = options;
  const tune = tuneFor(options);
  const lags =
    importance === undefined ? undefined : await inTurns(lagsOfInPieces(importance, source), pauseOf(options));
  // What is not shown is not looked at, so nothing is masked.
  const isSeen = tune === 'eye' && target !== undefined;
  const asked = {
    ...(views === undefined ? {} : { views, coarseViews: coarseViewsOf(views) }),
    ...(evaluator.shower !== undefined && tune === 'eye' ? { forEye: true } : {}),
  };
  const plan = { lags, told, tune };
  if (base.straight !== undefined)
    return { ...plan, schedule: straightAt({ ...base, ...asked, ...(isSeen ? EYE_SPREAD : {}) }, stop, tune, lags) };
  const endingAt = isSeen && !('psnr' in target) ? settledEnding(views) : undefined;
  // Where a file ends is known now of a quality, and in the end of a size.
  const end =
    endingAt !== undefined && 'quality' in target! && stop.level <= MAX_LAST_LEVEL
      ? endingAt(stop)
      : { lastCode: stop.level === 0 ? stop.code : LAST_CODE };
  return { ...plan, schedule: { ...base, ...(endingAt === undefined ? {} : EYE_STEPS), ...asked, ...end }, endingAt };
}

/** That of the model. */
function scheduleOf({ model }: Evaluator): Schedule {
  return isStraight(model) ? STRAIGHT_SCHEDULE : DEFAULT_SCHEDULE;
}

/** What a picture is for, unless that is said: who names a PSNR wants that. Undefined where the schedule says how errors are spread. */
function tuneFor({ schedule, target, tune }: EncodingOptions): Tune | undefined {
  if (schedule !== undefined) return undefined;
  return tune ?? (typeof target === 'object' && 'psnr' in target ? 'psnr' : 'eye');
}

/** Refuses what takes too much work, before any of it is done. @throws DcompError E_TOO_LARGE */
function checkPlan({ schedule, lags, told }: Plan, picture: Picture, { maxWork }: EncodingOptions): void {
  const { width, height, channels } = picture;
  const header = { width, height, channels, depth: depthOf(picture), schedule };
  checkWork(workOf({ header, lags, told, units: unitCount(schedule, picture) }), header, maxWork);
}

async function decodedHash(bytes: Uint8Array, evaluator: Evaluator, pause: Pause): Promise<Uint8Array> {
  return inTurns(pixelHashInPieces(await decodeUnchecked(bytes, evaluator, { ...OWN, pause })), pause);
}

async function withHash(result: EncodeResult, evaluator: Evaluator, options: EncodingOptions): Promise<EncodeResult> {
  if (options.pixelHash !== true) return result;
  const hash = await decodedHash(result.bytes, evaluator, pauseOf(options));
  return { ...result, bytes: withPixelHash(result.bytes, hash) };
}
