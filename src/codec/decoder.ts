/** The decoder: reads as much of the stream as there is, and gives the posterior mean of the picture. */
import { BitReader } from '../entropy/bits.js';
import { decodeCorrectionsInPieces, type Corrections } from '../entropy/corrections.js';
import { decodeGains, readScale } from '../entropy/gains.js';
import { decodeRunInPieces, runBits, type Run, type Sections } from '../entropy/trellis.js';
import { DcompError } from '../errors.js';
import { isToldSigma, type Architecture } from '../model/architecture.js';
import type { Evaluator } from '../model/evaluator.js';
import { bytesOf, checkValues, isBoolean, isFunction, isNumber, isSignal, isWhole, type Checks } from '../options.js';
import { depthOf, DEFAULT_MAX_PIXELS, type Depth, type Metadata, type Picture, type Samples } from '../picture.js';
import { decodeAlphaInPieces } from '../container/alpha.js';
import { readContainerInPieces, type Container, type Extent, type Header } from '../container/container.js';
import { withinMemory } from '../memory.js';
import type { Progress } from './encoder-options.js';
import type { Channel } from './channel.js';
import { pixelsAtInPieces, readBandsInPieces } from './plain.js';
import { metadataOfInPieces } from '../container/metadata.js';
import { codedSize, groupsOf, stripsOf, type Group } from '../format.js';
import { pixelHashInPieces, storedHash } from '../container/pixel-hash.js';
import { needsOf, type StepNeeds } from './needs.js';
import { unfolded } from '../pixels/fold.js';
import { isGrey, hasAlpha, PictureRows } from '../pixels/picture-planes.js';
import {
  checkRectangle,
  rectangleOf,
  cutOut,
  gridOf,
  intersect,
  wholeOf,
  type Rectangle,
  type Size,
} from '../math/rectangle.js';
import type { Lags } from './region.js';
import { checkWork, lagsOfFile, workOf } from './work.js';
import { repairFileInPieces, repairText, type Repair } from '../container/repair.js';
import { codedSizes, pyramidSizes, stepsOf, type Step } from '../diffusion/schedule.js';
import { finish, inTurns, withoutTurns, type Pause, type Pieces } from '../turns.js';
import { Session } from './session.js';

/** What of a file is decoded, and how. */
export interface DecoderOptions {
  /** Decode only the first so many bytes. */
  maxBytes?: number;
  /** Repair what can be repaired (single wrong bytes), and decode what comes before the first damage that cannot. */
  allowDamaged?: boolean;
  /**
   * 1, or 1/2, 1/4, …: the picture in a smaller size, at the cost of the levels that it takes. Sides are rounded up. It is the
   * posterior mean at that size of what the file tells up to there, so softer than a large picture made small.
   */
  scale?: number;
  /**
   * Decode only this rectangle of the picture, in pixels of the size that `scale` makes it, before any turning that the metadata
   * asks for. They are those of the whole picture, bit for bit, at the cost of the groups of coefficients that they depend on; what
   * else the file holds may be damaged.
   */
  crop?: Rectangle;
  /** Refuse pictures of more pixels; default 2^25. */
  maxPixels?: number;
  /**
   * Refuse what takes more work, in megapixels through the network (`work` of `info`), before any of it is done. Default: four
   * times what an honest file of that size takes, and at most what one of 2^25 pixels does.
   */
  maxWork?: number;
  /** Told of each repair and damage when `allowDamaged` is set. */
  onDamage?: (message: string) => void;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** What each of the decoder's options can be. */
export const DECODER_CHECKS: Checks<DecoderOptions> = {
  maxBytes: isWhole(0, Infinity, ' of bytes'),
  allowDamaged: isBoolean,
  scale: isNumber('1, 1/2, 1/4, …', (value) => value > 0 && value <= 1),
  crop: rectangleOf,
  maxPixels: isNumber('a number of pixels, at least 0', (value) => value >= 0),
  maxWork: isNumber('a number of megapixels above 0', (value) => value > 0),
  onDamage: isFunction,
  onProgress: isFunction,
  signal: isSignal,
};

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
  { allowDamaged, crop, onDamage }: DecoderOptions,
): Pieces<void> {
  const stated = storedHash(bytes, container.parts);
  const { alpha, segments, truncated } = container;
  const damaged = alpha?.state === 'damaged' || segments.some(({ state }) => state === 'damaged');
  if (stated === undefined || truncated || damaged || view.level > 0 || crop !== undefined) return;
  const found = yield* pixelHashInPieces(picture, depthOf(picture));
  if (found.every((byte, i) => byte === stated[i])) return;
  const message = 'the decoded pixels are not those whose hash the file holds';
  if (allowDamaged !== true)
    throw new DcompError(
      'E_DAMAGED_PIXELS',
      `${message}; get the file again, or allow damage to see them all the same`,
    );
  onDamage?.(message);
}

/**
 * @throws DcompError as `containerOf`; E_OTHER_MODEL, E_DAMAGED_SEGMENT, E_TRUNCATED (alpha missing), E_USAGE, E_ABORTED
 */
export async function decodeUnchecked(
  file: Uint8Array,
  evaluator: Evaluator,
  options: DecodingOptions = {},
  source = containerOf(file, options),
): Promise<DecodeResult> {
  return withinMemory(source.container.header, () => decodeSource(source, evaluator, options));
}

async function decodeSource(source: Source, evaluator: Evaluator, options: DecodingOptions): Promise<DecodeResult> {
  const { bytes, container, view } = source;
  const { header } = container;
  if (header.form === 'plain') return decodePlainSource(source, options);
  const pause = options.pause ?? withoutTurns(options.signal);
  checkModelId(header, evaluator);
  const damage = damageOf(source, options);
  const lags = lagsOfFile(bytes, container);
  const said: string[] = [];
  const { architecture } = evaluator.model;
  const { needs, needed, units } = await inTurns(
    readable(source, architecture, options, (message) => void said.push(message)),
    pause,
  );
  const { level, pixels } = codedView(header, view);
  const part = needs === undefined ? undefined : { architecture, pixels, needs };
  const told = isToldSigma(architecture.conditioning);
  checkWork(workOf({ header, lags, told, units, level, part }), header, options.maxWork);
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
      const unit = session.next!;
      if (unit.step.level < level) break;
      await session.runUnit(channel);
      options.onProgress?.({
        fraction: Math.min(0.99, segment.payloadOffset / bytes.length),
        stage: `level ${unit.step.level}`,
      });
    }
    if (channel.ended || (session.next?.step.level ?? 0) < level) break;
  }
  return show(session, container, alpha, metadata, { ...options, pause }, view);
}

/** Told of damage; throws, or what comes before is shown. */
type OnDamage = (message: string) => void;

function damageOf({ repairs }: Source, { allowDamaged, onDamage }: DecoderOptions): OnDamage {
  for (const repair of repairs) onDamage?.(`repaired ${repairText(repair)}`);
  return (message) => {
    if (allowDamaged !== true)
      throw new DcompError(
        'E_DAMAGED_SEGMENT',
        `${message}; get the file again, or allow damage to decode what comes before`,
      );
    onDamage?.(message);
  };
}

/**
 * The picture of a plain file, which takes no network; the hash of its pixels is compared as by `decodePicture`.
 * @throws DcompError as `decodePicture`
 */
export async function decodePlain(source: Source, options: DecodingOptions = {}): Promise<DecodeResult> {
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
  const tell = (fraction: number): void =>
    options.onProgress?.({ fraction: Math.min(0.99, fraction), stage: 'samples' });
  const { picture, complete } = await inTurns(readBandsInPieces(bytes, container, rows, damage, tell), pause);
  const small = alpha === undefined ? undefined : await inTurns(smaller(alpha, header, level), pause);
  const size = pyramidSizes(header.width, header.height)[level]!;
  const part = small === undefined ? undefined : cutOut(small, wholeOf(size), pixels, 1);
  const shown = await inTurns(pixelsAtInPieces(picture, header.channels, part, level, pixels), pause);
  options.onProgress?.({ fraction: 1, stage: 'done' });
  return {
    ...shown,
    ...(metadata === undefined ? {} : { metadata }),
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
  if (header.modelId === evaluator.model.id) return;
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
  { onProgress, pause = withoutTurns() }: DecodingOptions,
  { level, pixels }: View = viewOf(header, {}),
): Promise<DecodeResult> {
  const small = alpha === undefined ? undefined : await inTurns(smaller(alpha, header, level), pause);
  const size = pyramidSizes(header.width, header.height)[level]!;
  const part = small === undefined ? undefined : cutOut(small, wholeOf(size), pixels, 1);
  const picture = await shownBy(session, header, part, { level, pixels }, pause);
  onProgress?.({ fraction: 1, stage: 'done' });
  return {
    ...picture,
    ...(metadata === undefined ? {} : { metadata }),
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
): Promise<Picture & { depth: Depth }> {
  const { channels, depth } = header;
  const { ends } = header;
  if (stripsOf(header) === 1) {
    const rows = new PictureRows(pixels, channels, alpha, depth, ends);
    await session.show(rows.take, level, pixels);
    return rows.picture;
  }
  const rows = new PictureRows(codedSize(header), isGrey(channels) ? 1 : 3, undefined, depth, ends);
  await session.show(rows.take);
  return inTurns(pixelsAtInPieces(unfolded(rows.picture, header), channels, alpha, level, pixels), pause);
}

/** What is shown: pixels of a level's picture. */
export interface View {
  level: number;
  pixels: Rectangle;
}

/** The view of what is coded that a view of the picture takes: all of it, where the picture is folded. */
function codedView(header: Header, view: View): View {
  return stripsOf(header) === 1 ? view : { level: 0, pixels: wholeOf(codedSize(header)) };
}

/** @throws DcompError E_USAGE */
export function viewOf(header: Header, { scale, crop }: DecoderOptions): View {
  const sizes = pyramidSizes(header.width, header.height);
  const level = levelOf(scale, sizes.length - 2);
  const size = sizes[level]!;
  if (crop === undefined) return { level, pixels: wholeOf(size) };
  checkRectangle('the crop', crop, size);
  const { x, y, width, height } = crop;
  return { level, pixels: { x, y, width, height } };
}

/** The level whose picture has that scale. @param coarsest the last that there is */
function levelOf(scale: number | undefined, coarsest: number): number {
  for (let level = 0; level <= coarsest; level++) if ((scale ?? 1) === 0.5 ** level) return level;
  const last = coarsest === 0 ? '1' : `1, 1/2, … down to 1/${2 ** coarsest}`;
  throw new DcompError('E_USAGE', `scale is ${scale}; for this picture it can be ${last}`);
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

/**
 * How much of a file can be read, and what of that is needed.
 * @returns needs for `Session`, undefined where all is needed; of the segments that can be read whether they are, and their units
 * @throws DcompError E_DAMAGED_SEGMENT, where `damage` throws
 */
export function* readable(
  { bytes, container, view }: Source,
  architecture: Architecture,
  { allowDamaged, crop: wanted }: DecoderOptions,
  damage: (message: string) => void,
): Pieces<{ needs: StepNeeds[] | undefined; needed: boolean[]; units: number }> {
  const { header, segments } = container;
  const { level: shown, pixels } = codedView(header, view);
  const crop = stripsOf(header) === 1 ? wanted : undefined;
  const sizes = codedSizes(header);
  const steps = stepsOf(header.schedule, sizes.length - 1);
  const units = unitsOf(
    sizes,
    steps.filter(({ level }) => level >= shown),
  );
  const trusted = passable(container);
  let count = 0;
  const firsts = segments.map((segment) => (count += segment.units) - segment.units);
  // Of a segment with several units none can be left out.
  const apart = segments.every(
    (segment, i) =>
      segment.units === 1 || units.slice(firsts[i], firsts[i]! + segment.units).every(({ alone }) => alone),
  );
  for (let end = segments.length; ;) {
    const held = Math.min(units.length, end === segments.length ? count : firsts[end]!);
    const needs =
      crop === undefined || !apart || held === 0 ? undefined : needsOf(architecture, sizes, steps, held, pixels, shown);
    const needed = segments.slice(0, end).map((segment, i) => {
      const unit = units[firsts[i]!];
      return (
        needs === undefined ||
        unit === undefined ||
        segment.units !== 1 ||
        intersect(unit.group, needs[unit.step]!.wanted)
      );
    });
    const reached = (i: number): boolean => shown === 0 || firsts[i]! < units.length;
    const lost = needed.findIndex((use, i) => segments[i]!.state === 'damaged' && reached(i) && (use || !trusted[i]));
    if (lost < 0) return { needs, needed, units: held };
    if (crop !== undefined && allowDamaged !== true) yield* refuseRepairable(bytes);
    damage(
      `segment ${lost + 1} of ${segments.length} (byte offset ${segments[lost]!.offset}) is damaged beyond repair: ${segments[lost]!.fault}`,
    );
    end = lost;
  }
}

/** The units of some steps, by step and group. */
function unitsOf(sizes: readonly Size[], steps: readonly Step[]): { step: number; group: Group; alone: boolean }[] {
  return steps.flatMap(({ index, level }) => {
    const { width, height } = gridOf(sizes[level]!);
    const groups = groupsOf(width, height);
    return groups.map((group) => ({ step: index, group, alone: groups.length === 1 }));
  });
}

/** Of each segment, whether its length can be trusted even if it is damaged: the next that is not is intact, or the file ends there. */
function passable({ segments, truncated }: Container): boolean[] {
  let behind = !truncated;
  const result: boolean[] = [];
  for (let i = segments.length - 1; i >= 0; i--) {
    result[i] = behind;
    if (segments[i]!.state !== 'damaged') behind = segments[i]!.state === 'complete';
  }
  return result;
}

/** The part of a file that is to be decoded, its structure, and what was repaired. */
export interface Source {
  bytes: Uint8Array;
  container: Container;
  /** What is asked for. */
  view: View;
  /** What was repaired, where damage is allowed. */
  repairs: Repair[];
}

/**
 * Repairs what can be, where damage is allowed.
 * @throws DcompError as `readContainer`; E_DAMAGED_SEGMENT where damage is not allowed and could be repaired; E_USAGE
 */
export function containerOf(file: Uint8Array, options: DecoderOptions): Source {
  return finish(containerOfInPieces(file, options));
}

/** As `containerOf`. */
export function* containerOfInPieces(file: Uint8Array, options: DecoderOptions): Pieces<Source> {
  const { maxBytes, maxPixels, allowDamaged, crop } = checkValues({ ...options }, DECODER_CHECKS);
  const given = bytesOf(file, 'the file');
  const mended = allowDamaged === true ? yield* repairFileInPieces(given) : { bytes: given, repairs: [] };
  const bytes = maxBytes === undefined ? mended.bytes : mended.bytes.subarray(0, maxBytes);
  const repairs = mended.repairs.filter(({ offset }) => offset < bytes.length);
  let container: Container;
  try {
    container = yield* readContainerInPieces(bytes, maxPixels ?? DEFAULT_MAX_PIXELS);
    if (allowDamaged !== true) yield* refuseRepairableParts(bytes, container, crop !== undefined);
  } catch (error) {
    // Of a header, all other errors may come from a wrong byte.
    if (error instanceof DcompError && error.code !== 'E_TOO_LARGE' && allowDamaged !== true)
      yield* refuseRepairable(bytes, error);
    throw error;
  }
  return { bytes, container, view: viewOf(container.header, options), repairs };
}

/**
 * As `refuseRepairable`, if anything is damaged.
 * @param crop which segments matter is not known yet; but where the file seems to end in one, its length may be wrong
 * @throws DcompError E_DAMAGED_SEGMENT
 */
function* refuseRepairableParts(
  bytes: Uint8Array,
  { parts, alpha, segments, truncated }: Container,
  crop: boolean,
): Pieces<void> {
  const isDamaged = ({ state }: Extent): boolean => state !== 'complete';
  const last = segments[segments.length - 1];
  if ([...parts, ...(alpha === undefined ? [] : [alpha]), ...(crop ? [] : segments)].some(isDamaged))
    yield* refuseRepairable(bytes);
  if (truncated) yield* refuseRepairable(bytes, undefined, crop ? last?.offset : 0);
}

/**
 * @param from byte offset before which damage does not matter
 * @throws DcompError E_DAMAGED_SEGMENT, or of the code found before, if the first damage of a file is a single wrong byte
 */
function* refuseRepairable(bytes: Uint8Array, error?: DcompError, from = 0): Pieces<void> {
  const { repairs } = yield* repairFileInPieces(bytes);
  const repair = repairs.find(({ offset }) => offset >= from);
  if (repair === undefined || (error !== undefined && repair.part !== 'header')) return;
  const what =
    error?.message ?? `${repair.part} (byte offset ${repair.partOffset}) is damaged: its checksum does not hold`;
  throw new DcompError(
    error?.code ?? 'E_DAMAGED_SEGMENT',
    `${what}; a single wrong byte (byte offset ${repair.offset}) can be repaired: allow damage to do so`,
    { cause: error },
  );
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
        `the file ends after ${bytes.length} bytes, inside the alpha channel; get the whole file, or allow damage to decode without`,
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

/** The decoder's channel. */
export class Receiver implements Channel {
  ended = false;

  constructor(
    private readonly reader: BitReader,
    readonly nu: number,
  ) {}

  run(run: Run, _metric: Float32Array, nu: number): Pieces<{ signs: Int8Array; covered: number }> {
    if (runBits(run.information) > this.reader.remaining) this.ended = true;
    return decodeRunInPieces(run, this.reader, nu);
  }

  *sections({ ends }: Sections): Pieces<{ bytes: Uint8Array; count: number }> {
    const count = Math.min(ends.length, this.reader.remaining);
    if (ends.length > count) this.ended = true;
    return { bytes: this.reader.readBits(count), count };
  }

  scale(before: number): number | undefined {
    const scale = readScale(this.reader, before);
    if (scale === undefined) this.ended = true;
    return scale;
  }

  gains(contexts: Uint8Array): Int8Array | undefined {
    const some = this.bit();
    if (some !== 1) return some === 0 ? new Int8Array(contexts.length) : undefined;
    try {
      const { gains, end } = decodeGains(this.rest(), 0, contexts.length, contexts);
      this.reader.skip(8 * end);
      return gains;
    } catch (error) {
      return this.endAt(error);
    }
  }

  *corrections(n: number): Pieces<Corrections | undefined> {
    if (this.bit() !== 1) return undefined;
    try {
      const { end, ...corrections } = yield* decodeCorrectionsInPieces(this.rest(), 0, n);
      this.reader.skip(8 * end);
      return corrections;
    } catch (error) {
      return this.endAt(error);
    }
  }

  private rest(): Uint8Array {
    return this.reader.peekBytes(this.reader.remaining);
  }

  /** undefined where a file was cut. */
  private bit(): number | undefined {
    if (this.reader.remaining === 0) this.ended = true;
    return this.ended ? undefined : this.reader.read();
  }

  /** Where side information does not decode, a file was cut inside it (the segment's checksum holds, or it is cut). */
  private endAt(error: unknown): undefined {
    if (!(error instanceof DcompError)) throw error;
    this.ended = true;
  }
}
