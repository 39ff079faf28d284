/** The decoder: reads as much of the stream as there is, and gives the posterior mean of the picture. */
import { BitReader } from '../entropy/bits.js';
import { DcompError } from '../errors.js';
import { isToldSigma } from '../model/architecture.js';
import { widestOf, type Evaluator } from '../model/evaluator.js';
import { depthOf, type Depth, type Metadata, type Picture, type Samples } from '../picture.js';
import { decodeAlphaInPieces } from '../container/alpha.js';
import type { Container, Header } from '../container/container.js';
import { withinMemory } from '../memory.js';
import { pixelsAtInPieces, readBandsInPieces } from './plain.js';
import { maxErrorOf } from '../container/exact-part.js';
import { metadataOfInPieces } from '../container/metadata.js';
import { codedSize, stripsOf } from '../format.js';
import { pixelHashInPieces, storedHash } from '../container/pixel-hash.js';
import type { StepNeeds } from './needs.js';
import { unfolded } from '../pixels/fold.js';
import { isGrey, hasAlpha, PictureRows, withAlpha } from '../pixels/picture-planes.js';
import { cutOut, wholeOf } from '../math/rectangle.js';
import type { Lags } from './region.js';
import { checkWork, lagsOfFile, workOf } from './work.js';
import { repairText } from '../container/repair.js';
import { pyramidSizes } from '../diffusion/schedule.js';
import { inTurns, withoutTurns, type Pause, type Pieces } from '../turns.js';
import type { DecoderOptions } from './decoder-options.js';
import type { Realism } from './shown.js';
import { bandsOf, ExactPicture } from './exact-picture.js';
import { readable } from './readable.js';
import { Receiver } from './receiver.js';
import { Session } from './session.js';
import { codedView, containerOf, viewOf, type Source, type View } from './source.js';
import { defined } from '../options.js';

/** What callers cannot say. */
export interface DecodingOptions extends DecoderOptions {
  /** Where turns are given; default: nowhere. */
  pause?: Pause;
}

/** A decoded picture with its figures. */
export interface DecodeResult extends Picture {
  depth: Depth;
  /** Network evaluations, also in multiples of one at full resolution. */
  evaluations: number;
  work: number;
  /** What the network was computed on: `WebAssembly` or `WebGPU` and the GPU's name; left out where no network was needed. */
  engine?: string;
  /** True where the file, or the part of it that was asked for, ends before its last segment does: a coarser picture. */
  truncated: boolean;
  /** Bytes behind the end of the file, which mean nothing. */
  trailing: number;
}

/**
 * The picture of a file. Where the whole file is decoded and holds a hash of its pixels, they are compared.
 * @param source what `containerOf` says of the file, where that is known already
 * @throws DcompError as `decodeUnchecked`; E_DAMAGED_PIXELS
 */
export async function decodePicture(
  file: Uint8Array,
  evaluator: Evaluator,
  options: DecodingOptions = {},
  source = containerOf(file, options),
): Promise<DecodeResult> {
  const picture = await decodeUnchecked(file, evaluator, options, source);
  await inTurns(comparePixels(picture, source, options), options.pause ?? withoutTurns(options.signal));
  return picture;
}

/**
 * Compares the pixels of a whole file with the hash that it holds; of a part of the picture or the file it says nothing.
 * @param source what the picture was decoded from
 * @throws DcompError E_DAMAGED_PIXELS, unless damage is allowed
 */
export function* comparePixels(
  picture: Picture,
  { bytes, container, view }: Source,
  { allowDamaged, crop, onDamage, realism, show: way }: DecoderOptions,
): Pieces<void> {
  const stated = storedHash(bytes, container.parts);
  const { alpha, segments, truncated } = container;
  const damaged = alpha?.state === 'damaged' || segments.some(({ state }) => state === 'damaged');
  const part = view.level > 0 || crop !== undefined || (realism !== undefined && realism > 0);
  if (stated === undefined || truncated || damaged || part || way !== undefined) return;
  const found = yield* pixelHashInPieces(picture, depthOf(picture));
  if (found.every((byte, i) => byte === stated[i])) return;
  const message = 'the decoded pixels are not those whose hash the file holds';
  if (allowDamaged !== true)
    throw new DcompError(
      'E_DAMAGED_PIXELS',
      `${message}; get the file again, or allow damage (allowDamaged, --allow-damaged) to see them all the same`,
    );
  onDamage?.(message);
}

/**
 * @throws DcompError as `containerOf`; E_OTHER_MODEL, E_DAMAGED_SEGMENT, E_TRUNCATED (alpha missing), E_USAGE, E_ABORTED
 */
export async function decodeUnchecked(
  file: Uint8Array,
  evaluator: Evaluator,
  options: DecodingOptions,
  source = containerOf(file, options),
): Promise<DecodeResult> {
  return withinMemory(source.container.header, () => decodeSource(source, evaluator, options));
}

async function decodeSource(source: Source, evaluator: Evaluator, options: DecodingOptions): Promise<DecodeResult> {
  const { bytes, container, view } = source;
  const { header, truncated } = container;
  if (header.form === 'plain') return decodePlainSource(source, options);
  const maxError = maxErrorOf(bytes, container);
  if (maxError !== undefined && options.crop !== undefined && view.level === 0)
    return decodePart(source, evaluator, options);
  const pause = options.pause ?? withoutTurns(options.signal);
  checkModelId(header, evaluator);
  const damage = damageOf(source, options);
  const lags = lagsOfFile(bytes, container);
  const said: string[] = [];
  const architecture = widestOf(evaluator);
  const { needs, needed, units } = await inTurns(
    readable(source, architecture, options, (message) => void said.push(message)),
    pause,
  );
  const { level, pixels } = codedView(header, view);
  const part = needs === undefined ? undefined : { architecture, pixels, needs };
  const told = isToldSigma(evaluator.model.architecture.conditioning);
  const drawn = options.realism !== undefined && options.realism > 0;
  checkWork(workOf({ header, lags, told, units, truncated, level, part, drawn }), header, options.maxWork);
  const metadata = await inTurns(metadataOfInPieces(bytes, container.parts, damage), pause);
  const alpha = await inTurns(readAlpha(bytes, container, options, damage), pause);
  for (const message of said) damage(message);
  const session = sessionOf(container, evaluator, lags, pause, needs);
  for (const [i, segment] of container.segments.slice(0, needed.length).entries()) {
    if (needed[i] === false) {
      await session.skipUnit();
      continue;
    }
    const channel = new Receiver(new BitReader(bytes, segment.payloadOffset, 8 * segment.payloadLength), header.nu);
    for (let u = 0; u < segment.units && !channel.ended; u++) {
      const unit = session.next;
      if (unit === undefined || unit.step.level < level) break;
      await session.runUnit(channel);
      options.onProgress?.({
        fraction: Math.min(0.99, segment.payloadOffset / bytes.length),
        stage: `level ${unit.step.level}`,
      });
    }
    if (channel.ended || (session.next?.step.level ?? -1) < level) break;
  }
  if (maxError !== undefined && session.isComplete) {
    const exact = await ExactPicture.of(session, header, maxError);
    const tell = bandProgress(options);
    await inTurns(exact.takeInPieces(bytes, bandsOf(container), damage, tell), pause);
    return showExact(exact, session, container, alpha, metadata, options);
  }
  return show(session, container, alpha, metadata, { ...options, pause }, view);
}

/** A part of a picture whose samples are coded one after the other: all of it is decoded. */
async function decodePart(source: Source, evaluator: Evaluator, options: DecodingOptions): Promise<DecodeResult> {
  const { crop: _, ...rest } = options;
  const { view } = source;
  const whole = { ...source, view: viewOf(source.container.header, {}) };
  const picture = await decodeSource(whole, evaluator, rest);
  const { width, height } = view.pixels;
  const data = cutOut(picture.data, wholeOf(picture), view.pixels, picture.channels);
  return { ...picture, width, height, data };
}

/** Told of the fraction of the rows of bands that is there. */
export function bandProgress({ onProgress }: DecodingOptions): (fraction: number) => void {
  return (fraction) => onProgress?.({ fraction: Math.min(0.99, fraction), stage: 'samples' });
}

/** What there is of a picture whose last bands make it exact, with what else the file holds. */
export function showExact(
  exact: ExactPicture,
  session: Session,
  { header, truncated, trailing }: Container,
  alpha: Samples | undefined,
  metadata: Metadata | undefined,
  { onProgress }: DecodingOptions,
): DecodeResult {
  onProgress?.({ fraction: 1, stage: 'done' });
  return {
    ...withAlpha(exact.colours, header.channels, alpha),
    ...defined({ metadata }),
    ...session.statistics,
    truncated: truncated || !exact.complete,
    trailing,
  };
}

/** Told of damage; throws, or what comes before is shown. */
type OnDamage = (message: string) => void;

function damageOf({ repairs }: Source, { allowDamaged, onDamage }: DecoderOptions): OnDamage {
  for (const repair of repairs) onDamage?.(`repaired ${repairText(repair)}`);
  return (message) => {
    if (allowDamaged !== true)
      throw new DcompError(
        'E_DAMAGED_SEGMENT',
        `${message}; get the file again, or allow damage (allowDamaged, --allow-damaged) to decode what comes before`,
      );
    onDamage?.(message);
  };
}

/**
 * The picture of a plain file, which takes no network; the hash of its pixels is compared as by `decodePicture`.
 * @throws DcompError as `decodePicture`
 */
export async function decodePlain(source: Source, options: DecodingOptions): Promise<DecodeResult> {
  const picture = await withinMemory(source.container.header, () => decodePlainSource(source, options));
  await inTurns(comparePixels(picture, source, options), options.pause ?? withoutTurns(options.signal));
  return picture;
}

async function decodePlainSource(source: Source, options: DecodingOptions): Promise<DecodeResult> {
  const { bytes, container, view } = source;
  const { header, truncated, trailing } = container;
  const { level, pixels } = view;
  checkWork(workOf({ header, units: container.segments.length }), header, options.maxWork);
  const pause = options.pause ?? withoutTurns(options.signal);
  const damage = damageOf(source, options);
  const metadata = await inTurns(metadataOfInPieces(bytes, container.parts, damage), pause);
  const alpha = await inTurns(readAlpha(bytes, container, options, damage), pause);
  const rows = Math.min(header.height, (pixels.y + pixels.height) * 2 ** level);
  const tell = bandProgress(options);
  const { picture, complete } = await inTurns(readBandsInPieces(bytes, container, rows, damage, tell), pause);
  const part = await inTurns(alphaWithin(alpha, header, view), pause);
  const shown = await inTurns(pixelsAtInPieces(picture, header.channels, part, level, pixels), pause);
  options.onProgress?.({ fraction: 1, stage: 'done' });
  return {
    ...shown,
    ...defined({ metadata }),
    evaluations: 0,
    work: 0,
    truncated: truncated || !complete,
    trailing,
  };
}

/** The session of a file, before its first step. */
export function sessionOf(
  container: Container,
  evaluator: Evaluator,
  lags: Lags | undefined,
  pause: Pause,
  needs?: readonly StepNeeds[],
): Session {
  const { header } = container;
  return new Session(
    header.width,
    header.height,
    isGrey(header.channels),
    header.schedule,
    evaluator,
    pause,
    lags,
    needs,
  );
}

/** @throws DcompError E_OTHER_MODEL */
export function checkModelId(header: Header, evaluator: Evaluator): void {
  const { model, shower, coarse } = evaluator;
  const shows = shower !== undefined && coarse === undefined && header.modelId === model.path;
  if (header.modelId === model.id || shows) return;
  throw new DcompError(
    'E_OTHER_MODEL',
    `the file was made with model ${header.modelId}, at hand is ${evaluator.model.id}; give the model that it was made with`,
  );
}

/** The pixels that a session has come to, with what else the file holds. @param alpha of the whole picture */
export async function show(
  session: Session,
  { header, truncated, trailing }: Container,
  alpha: Samples | undefined,
  metadata: Metadata | undefined,
  { onProgress, pause = withoutTurns(), realism, seed = 0, show: way }: DecodingOptions,
  view: View = viewOf(header, {}),
): Promise<DecodeResult> {
  const part = await inTurns(alphaWithin(alpha, header, view), pause);
  const drawn = realism === undefined || realism === 0 ? undefined : { realism, seed };
  const schedule = way === undefined ? header.schedule : { ...header.schedule, forEye: way === 'eye' };
  const picture = await shownBy(session, { ...header, schedule }, part, view, pause, drawn);
  onProgress?.({ fraction: 1, stage: 'done' });
  return {
    ...picture,
    ...defined({ metadata }),
    ...session.statistics,
    truncated,
    trailing,
  };
}

/** @param alpha of the pixels */
async function shownBy(
  session: Session,
  header: Header,
  alpha: Samples | undefined,
  { level, pixels }: View,
  pause: Pause,
  drawn?: Realism,
): Promise<Picture & { depth: Depth }> {
  const { channels, depth, ends, schedule } = header;
  if (stripsOf(header) === 1) {
    const rows = new PictureRows(pixels, channels, alpha, depth, ends);
    await session.show(rows.take, level, pixels, undefined, drawn, schedule);
    return rows.picture;
  }
  const rows = new PictureRows(codedSize(header), isGrey(channels) ? 1 : 3, undefined, depth, ends);
  await session.show(rows.take, 0, undefined, undefined, drawn, schedule);
  return inTurns(pixelsAtInPieces(unfolded(rows.picture, header), channels, alpha, level, pixels), pause);
}

/** Alpha of what is shown. @param alpha of the whole picture */
function* alphaWithin(
  alpha: Samples | undefined,
  header: Header,
  { level, pixels }: View,
): Pieces<Samples | undefined> {
  if (alpha === undefined) return undefined;
  const size = pyramidSizes(header.width, header.height)[level]!;
  return cutOut(yield* smaller(alpha, header, level), wholeOf(size), pixels, 1);
}

/** Alpha at half the size, so many times: means of 2×2, an odd last row or column repeated, as in the pyramid. */
function* smaller(
  alpha: Samples,
  { width, height }: { width: number; height: number },
  times: number,
): Pieces<Samples> {
  if (times === 0) return alpha;
  const half = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
  const out =
    alpha instanceof Uint16Array ? new Uint16Array(half.width * half.height) : new Uint8Array(half.width * half.height);
  for (let y = 0, o = 0; y < half.height; y++) {
    yield;
    const top = 2 * y * width;
    const bottom = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < half.width; x++, o++) {
      const right = Math.min(2 * x + 1, width - 1);
      out[o] = (alpha[top + 2 * x]! + alpha[top + right]! + alpha[bottom + 2 * x]! + alpha[bottom + right]! + 2) >> 2;
    }
  }
  return yield* smaller(out, half, times - 1);
}

export function* readAlpha(
  bytes: Uint8Array,
  container: Container,
  options: DecoderOptions,
  damage: (message: string) => void,
): Pieces<Samples | undefined> {
  const { header, alpha } = container;
  if (!hasAlpha(header.channels)) return undefined;
  const tolerant = options.allowDamaged === true || options.maxBytes !== undefined;
  if (alpha === undefined || alpha.state === 'cut') {
    if (!tolerant)
      throw new DcompError(
        'E_TRUNCATED',
        `the file ends after ${bytes.length} bytes, inside the alpha channel; get the whole file, or allow damage (allowDamaged, --allow-damaged) to decode without`,
      );
    return undefined;
  }
  if (alpha.state === 'damaged') {
    damage('the alpha channel is damaged beyond repair: its checksum does not hold');
    return undefined;
  }
  try {
    return yield* decodeAlphaInPieces(
      bytes.subarray(alpha.payloadOffset, alpha.payloadOffset + alpha.payloadLength),
      header.width,
      header.height,
      header.depth,
    );
  } catch (error) {
    if (!(error instanceof DcompError)) throw error;
    damage(error.message);
    return undefined;
  }
}
