/**
 * Decoding while the file arrives. The walk along the schedule goes on where it stopped: a step is taken over once all of
 * its bits are there. The step in which the bytes end is decoded on a copy of the state, for the picture of the moment, and
 * anew when more of it has come.
 */
import { BitReader } from '../entropy/bits.js';
import { DEFAULT_MAX_PIXELS, type Metadata, type Samples } from '../picture.js';
import { maxErrorOf } from '../container/exact-part.js';
import { metadataOfInPieces } from '../container/metadata.js';
import { DcompError } from '../errors.js';
import type { Evaluator } from '../model/evaluator.js';
import { isToldSigma } from '../model/architecture.js';
import { bytesOf } from '../options.js';
import { ContainerReader, type Container, type Segment } from '../container/container.js';
import { inspected, type FileInfo } from './inspect.js';
import type { Size } from '../math/rectangle.js';
import { withinMemory } from '../memory.js';
import {
  checkModelId,
  bandProgress,
  comparePixels,
  decodePicture,
  decodePlain,
  readAlpha,
  sessionOf,
  show,
  showExact,
  type DecodeResult,
} from './decoder.js';
import type { ProgressiveOptions } from './decoder-options.js';
import { bandsOf, ExactPicture } from './exact-picture.js';
import { Receiver } from './receiver.js';
import { containerOfInPieces, viewOf, type Source } from './source.js';
import { inTurns, withoutTurns, type Pause } from '../turns.js';
import { GrowingBytes } from './growing-bytes.js';
import type { Session } from './session.js';
import { checkWork, lagsOfFile, unitsHeld, workOf } from './work.js';

/** A place between two steps. */
interface Place {
  segment: number;
  /** Units of the segment before it, and the bit of its payload. */
  before: number;
  bit: number;
}

/** Bytes of file that are kept at most: what no file of a picture needs is not taken. */
function mostBytes({ width, height }: Size): number {
  return 2 ** 26 + 16 * width * height;
}

export class Progression {
  private readonly arrived = new GrowingBytes();
  private readonly reader: ContainerReader;
  /** Bytes behind the end of the file, which are not kept. */
  private trailing = 0;
  /** State behind the last step that is whole, and where the next one lies. */
  private session: Session | undefined;
  private place: Place = { segment: 0, before: 0, bit: 0 };
  private alpha: Samples | undefined;
  private metadata: { value: Metadata | undefined } | undefined;
  /** Bytes that there were at the last picture, and half segments when one was last thought of. */
  private shownLength: number | undefined;
  private halves = -1;
  /** When all steps are done, where the file goes on behind them. */
  private exact: ExactPicture | undefined;
  private failure: DcompError | undefined;
  /** Steps that are done for good: their units, and their work in evaluations of the full size. */
  private units = 0;
  private done = 0;

  private readonly pause: Pause;

  /** @param options with where turns are given; default: nowhere */
  constructor(private readonly options: ProgressiveOptions & { pause?: Pause } = {}) {
    this.reader = new ContainerReader(options.maxPixels ?? DEFAULT_MAX_PIXELS);
    this.pause = options.pause ?? withoutTurns(options.signal);
  }

  /** All bytes so far, up to the end of the file; a view that stays valid until the next push. */
  get bytes(): Uint8Array {
    return this.arrived.bytes;
  }

  /** How many have been pushed. */
  get byteLength(): number {
    return this.arrived.length + this.trailing;
  }

  /** Appends a copy of the bytes, unless they are behind the end of the file. @throws DcompError E_USAGE, E_TOO_LARGE */
  push(portion: Uint8Array): void {
    const bytes = bytesOf(portion, 'the portion');
    // Where memory would have to grow, it is worth looking whether the file has ended.
    if (!this.arrived.fits(bytes.length) && this.trailing === 0) this.look();
    if (this.trailing > 0) this.trailing += bytes.length;
    else this.arrived.append(bytes);
  }

  /** Looks at the new bytes, whatever they are; what is wrong is said by who asks. */
  private look(): void {
    try {
      this.structure();
    } catch (error) {
      if (!(error instanceof DcompError) || error.code === 'E_TOO_LARGE') throw error;
    }
  }

  /** The structure of the bytes so far, of which only the new ones are looked at. @throws DcompError as `readContainer` */
  structure(): Container | undefined {
    let container: Container;
    try {
      container = this.reader.read(this.bytes);
    } catch (error) {
      if (error instanceof DcompError && (error.code === 'E_EMPTY' || error.code === 'E_TRUNCATED')) return undefined;
      throw error;
    }
    if (!container.truncated && container.trailing > 0) {
      this.trailing += container.trailing;
      this.arrived.length -= container.trailing;
    }
    const most = mostBytes(container.header);
    if (this.arrived.length > most)
      throw new DcompError('E_TOO_LARGE', `the file has more than ${most} bytes, which no file of its size has`);
    return this.trailing > 0 ? { ...container, trailing: this.trailing } : container;
  }

  /** What the bytes so far say; undefined as long as the header is not there. @throws DcompError as `fileInfo` */
  info(): FileInfo | undefined {
    const container = this.structure();
    return container === undefined ? undefined : inspected(this.bytes, container, this.byteLength);
  }

  /** With a search for what can be repaired. @throws DcompError as `containerOf` */
  private async source(): Promise<Source | undefined> {
    try {
      return await inTurns(
        containerOfInPieces(this.bytes, { ...this.options, maxBytes: this.arrived.length }),
        this.pause,
      );
    } catch (error) {
      if (error instanceof DcompError && (error.code === 'E_EMPTY' || error.code === 'E_TRUNCATED')) return undefined;
      throw error;
    }
  }

  /** Of the picture, as far as the header is there and whole. */
  get pixels(): number {
    try {
      const header = this.readable()?.header;
      return header === undefined ? Infinity : header.width * header.height;
    } catch {
      return Infinity;
    }
  }

  /**
   * The model that the next picture takes: undefined where it takes none, as the file is of the plain form, or there is
   * nothing new to show, or only what is wrong with it.
   * @param latest as for `picture`
   */
  async modelId(latest: boolean): Promise<string | undefined> {
    if (!latest && this.failure !== undefined) return undefined;
    try {
      const known = this.readable()?.header;
      const header = known ?? (latest || this.isTwice() ? (await this.source())?.container.header : undefined);
      return header?.form === 'plain' ? undefined : header?.modelId;
    } catch {
      return undefined; // `picture` says so
    }
  }

  /** Whether a picture can be asked for: the header is there, whatever is wrong with it. */
  get begun(): boolean {
    try {
      return this.structure() !== undefined;
    } catch {
      return true;
    }
  }

  /**
   * A picture of the bytes so far. One call at a time.
   *
   * Unless the latest is asked for, or the file is whole, there is a new one only where a segment is half or wholly there, and where no
   * more work has gone into pictures than into steps that need not be done again. So the portions in which a file comes make no
   * difference to what it costs: in all at most about twice what `decode` of the file does, and two pictures.
   *
   * The latest is the same as `decodePicture` of so many bytes as `maxBytes`; so is that of a whole file.
   * A plain file is decoded anew each time, at twice the bytes, which again costs about twice the whole.
   * @param evaluator of the same model at every call; undefined where the file is `plain`
   * @returns undefined as long as the header is not there, and where no new picture is due
   * @throws DcompError as `decodePicture`
   */
  async picture(evaluator: Evaluator | undefined, latest = false): Promise<DecodeResult | undefined> {
    if (!latest && this.failure !== undefined) throw this.failure;
    if (!latest && this.shownLength === this.arrived.length) return undefined;
    try {
      return await this.newPicture(evaluator, latest);
    } catch (error) {
      // What is damaged stays so: to look for it again at every portion would take time that grows with its square.
      if (error instanceof DcompError && error.code.startsWith('E_DAMAGED')) this.failure = error;
      throw error;
    }
  }

  private async newPicture(evaluator: Evaluator | undefined, latest: boolean): Promise<DecodeResult | undefined> {
    const container = this.readable();
    if (container?.header.form === 'plain') {
      if (!latest && container.truncated && !this.isTwice()) return undefined;
    } else if (container !== undefined) {
      if (evaluator === undefined) throw noNetwork();
      checkModelId(container.header, evaluator);
      // Where something is damaged, more may come even if nothing is known to be missing.
      if (!latest && !this.reader.ended && !(await this.isDue(container, evaluator))) return undefined;
    } else if (!latest && !this.isTwice()) return undefined;
    const sound = container !== undefined && !isDamaged(container);
    const source = sound && !(latest && container.truncated) ? this.sourceOf(container) : await this.source();
    if (source === undefined) return undefined;
    const picture = await withinMemory(source.container.header, () => this.make(evaluator, source));
    this.shownLength = source.bytes.length; // more may have come meanwhile
    return { ...picture, trailing: this.trailing };
  }

  /** The structure, undefined where the header is not there, or damaged where that may be repaired. */
  private readable(): Container | undefined {
    try {
      return this.structure();
    } catch (error) {
      if (error instanceof DcompError && error.code !== 'E_TOO_LARGE') return undefined;
      throw error;
    }
  }

  private sourceOf(container: Container): Source {
    return { bytes: this.bytes, container, view: viewOf(container.header, {}), repairs: [] };
  }

  /** What is decoded around damage is decoded anew each time: at twice the bytes. */
  private isTwice(): boolean {
    return this.shownLength === undefined || this.arrived.length >= 2 * this.shownLength;
  }

  /** Whether a new picture is worth what it costs. Decodes the steps that are wholly there. */
  private async isDue(container: Container, evaluator: Evaluator): Promise<boolean> {
    if (isDamaged(container)) return this.isTwice();
    const { segments } = container;
    const last = segments[segments.length - 1];
    const half = last?.state === 'cut' && 2 * last.payloadLength >= this.reader.lengthOfNext ? 1 : 0;
    const complete = last?.state === 'cut' ? segments.length - 1 : segments.length;
    if (2 * complete + half === this.halves) return false;
    this.halves = 2 * complete + half;
    if (this.exact !== undefined) return half === 0;
    const there = { ...container, segments: segments.slice(0, complete) };
    if (complete > 0) await withinMemory(container.header, () => this.advance(this.bytes, there, evaluator, true));
    const spent = (this.session?.statistics.work ?? 0) - this.done;
    return this.shownLength === undefined || spent <= this.done;
  }

  private async make(evaluator: Evaluator | undefined, source: Source): Promise<DecodeResult> {
    const { bytes, container } = source;
    const options = { ...this.options, pause: this.pause, maxBytes: bytes.length };
    if (container.header.form === 'plain') return decodePlain(source, options);
    if (evaluator === undefined) throw noNetwork();
    const intact = await this.intact(source);
    if (intact !== undefined) {
      const session = await this.advance(bytes, container, evaluator);
      const maxError = session.isComplete ? maxErrorOf(bytes, container) : undefined;
      if (maxError !== undefined) return this.exactPicture(session, source, intact.metadata, maxError);
      const picture = await show(session, container, this.alpha, intact.metadata, {
        ...this.options,
        pause: this.pause,
      });
      await inTurns(comparePixels(picture, source, this.options), this.pause);
      return picture;
    }
    // What is wrong with a file, and what can be shown of it all the same, is the decoder's to say.
    return decodePicture(bytes, evaluator, options, source);
  }

  /** The picture behind all steps, with the bands that there are. */
  private async exactPicture(
    session: Session,
    source: Source,
    metadata: Metadata | undefined,
    maxError: number,
  ): Promise<DecodeResult> {
    const { bytes, container } = source;
    const exact = this.exact ?? (await ExactPicture.of(session, container.header, maxError));
    if (session === this.session) this.exact = exact;
    const damage = (message: string): void => {
      throw new DcompError('E_DAMAGED_SEGMENT', `${message}; get the file again`);
    };
    const bands = exact.takeInPieces(bytes, bandsOf(container), damage, bandProgress(this.options));
    await inTurns(bands, this.pause);
    const picture = showExact(exact, session, container, this.alpha, metadata, this.options);
    await inTurns(comparePixels(picture, source, this.options), this.pause);
    return picture;
  }

  /** What has come beside the segments; undefined where anything is damaged. Decodes the alpha channel when it is whole. */
  private async intact({ bytes, container, repairs }: Source): Promise<{ metadata: Metadata | undefined } | undefined> {
    // What the session has taken over was read before the repair.
    if (repairs.length > 0 || isDamaged(container)) return undefined;
    let damaged = false;
    const damage = (): void => void (damaged = true);
    try {
      const { alpha, segments, parts } = container;
      let metadata = this.metadata;
      if (metadata === undefined) {
        metadata = { value: await inTurns(metadataOfInPieces(bytes, parts, damage), this.pause) };
        // Behind the parts, there can be no more of them.
        if (alpha !== undefined || segments.length > 0) this.metadata = metadata;
      }
      this.alpha ??= await inTurns(
        readAlpha(bytes, container, { ...this.options, maxBytes: bytes.length }, damage),
        this.pause,
      );
      return damaged ? undefined : { metadata: metadata.value };
    } catch (error) {
      if (error instanceof DcompError && error.code !== 'E_ABORTED') return undefined;
      throw error;
    }
  }

  /**
   * Decodes what has come.
   * @param whole only steps of which all units are there
   * @returns the state to be shown
   */
  private async advance(
    bytes: Uint8Array,
    container: Container,
    evaluator: Evaluator,
    whole = false,
  ): Promise<Session> {
    const { header, segments, truncated } = container;
    const lags = lagsOfFile(bytes, container);
    const held = unitsHeld(container);
    const told = isToldSigma(evaluator.model.architecture.conditioning);
    checkWork(workOf({ header, lags, told, units: held, truncated }), header, this.options.maxWork);
    // Once bands have begun, all steps are done.
    if (this.exact !== undefined) return this.session!;
    let session = this.session?.fork(evaluator) ?? sessionOf(container, evaluator, lags, this.pause);
    for (;;) {
      if (whole && held - this.units < (session.next?.groups ?? Infinity)) return session;
      if (session.next === undefined) return (this.session = session);
      const work = session.statistics.work;
      const after = session.fork();
      const place = { ...this.place };
      const groups = after.next?.groups ?? 0;
      const state = await this.runStep(after, place, bytes, segments, header.nu);
      if (state === 'none') return session;
      if (state === 'cut') return after;
      this.session = session = after;
      this.place = place;
      this.units += groups;
      this.done += session.statistics.work - work;
    }
  }

  /** Runs what there is of a step. @returns whether that was nothing, a part or all of it */
  private async runStep(
    session: Session,
    place: Place,
    bytes: Uint8Array,
    segments: readonly Segment[],
    nu: number,
  ): Promise<'none' | 'cut' | 'whole'> {
    do {
      for (; place.before === segments[place.segment]?.units; place.segment++) place.before = place.bit = 0;
      const segment = segments[place.segment];
      if (segment === undefined) return session.underWay ? 'cut' : 'none';
      const reader = new BitReader(bytes, segment.payloadOffset, 8 * segment.payloadLength);
      reader.skip(place.bit);
      const channel = new Receiver(reader, nu);
      const stage = `level ${session.next!.step.level}`;
      await session.runUnit(channel);
      this.options.onProgress?.({ fraction: Math.min(0.99, segment.payloadOffset / bytes.length), stage });
      if (channel.ended) return 'cut';
      place.before++;
      place.bit = 8 * segment.payloadLength - reader.remaining;
    } while (session.underWay);
    return 'whole';
  }
}

function noNetwork(): DcompError {
  return new DcompError('E_USAGE', 'a file of this form is decoded by a network: hand over its evaluator');
}

function isDamaged({ parts, alpha, segments }: Container): boolean {
  return alpha?.state === 'damaged' || [...parts, ...segments].some(({ state }) => state === 'damaged');
}
