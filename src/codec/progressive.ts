/**
 * Decoding while the file arrives. The walk along the schedule goes on where it stopped: a step is taken over once all of
 * its bits are there. The step in which the bytes end is decoded on a copy of the state, for the picture of the moment, and
 * anew when more of it has come.
 */
import { BitReader } from '../entropy/bits.js';
import type { Metadata, Samples } from '../picture.js';
import { metadataOf } from '../container/metadata.js';
import { DcompError } from '../errors.js';
import type { Evaluator } from '../model/evaluator.js';
import { bytesOf, type Checks } from '../options.js';
import type { Container } from '../container/container.js';
import {
  checkModelId,
  containerOf,
  decodePicture,
  DECODER_CHECKS,
  readAlpha,
  Receiver,
  sessionOf,
  show,
  type DecodeResult,
  type DecoderOptions,
  type Source,
} from './decoder.js';
import type { Session } from './session.js';
import { checkWork, lagsOfFile, unitsHeld, workOf } from './work.js';

export type ProgressiveOptions = Pick<
  DecoderOptions,
  'allowDamaged' | 'maxPixels' | 'maxWork' | 'onDamage' | 'onProgress' | 'signal'
>;

const { allowDamaged, maxPixels, maxWork, onDamage, onProgress, signal } = DECODER_CHECKS;
/** What each of them can be. */
export const PROGRESSION_CHECKS: Checks<ProgressiveOptions> = {
  allowDamaged,
  maxPixels,
  maxWork,
  onDamage,
  onProgress,
  signal,
};

/** A place between two steps. */
interface Place {
  segment: number;
  /** Units of the segment before it, and the bit of its payload. */
  before: number;
  bit: number;
}

export class Progression {
  private buffer = new Uint8Array(4096);
  private length = 0;
  /** State behind the last step that is whole, and where the next one lies. */
  private session: Session | undefined;
  private place: Place = { segment: 0, before: 0, bit: 0 };
  private alpha: Samples | undefined;

  constructor(private readonly options: ProgressiveOptions = {}) {}

  /** All bytes so far; a view that stays valid until the next push. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** Appends a copy of the bytes. @throws DcompError E_USAGE, E_TOO_LARGE */
  push(portion: Uint8Array): void {
    const bytes = bytesOf(portion, 'the portion');
    const length = this.length + bytes.length;
    if (length > this.buffer.length) {
      let grown: Uint8Array<ArrayBuffer>;
      try {
        grown = new Uint8Array(Math.max(length, 2 * this.buffer.length));
      } catch (cause) {
        throw new DcompError('E_TOO_LARGE', `there is no memory for ${length} bytes of file; stop after fewer`, {
          cause,
        });
      }
      grown.set(this.bytes);
      this.buffer = grown;
    }
    this.buffer.set(bytes, this.length);
    this.length = length;
  }

  /** The structure of the bytes so far; undefined as long as the header is not there. @throws DcompError as `containerOf` */
  source(): Source | undefined {
    try {
      return containerOf(this.bytes, { ...this.options, maxBytes: this.length });
    } catch (error) {
      if (error instanceof DcompError && (error.code === 'E_EMPTY' || error.code === 'E_TRUNCATED')) return undefined;
      throw error;
    }
  }

  /**
   * The picture of all bytes so far, the same as `decodePicture` with that many as `maxBytes`. One call at a time.
   * @param evaluator of the same model at every call
   * @param source where `source` has been asked already; the picture is of those bytes
   * @returns undefined as long as the header is not there
   * @throws DcompError as `decodePicture`
   */
  async picture(evaluator: Evaluator, source = this.source()): Promise<DecodeResult | undefined> {
    if (source === undefined) return undefined;
    const { bytes, container } = source;
    const intact = this.intact(source);
    if (intact !== undefined) {
      const { metadata } = intact;
      checkModelId(container.header, evaluator);
      const session = await this.advance(bytes, container, evaluator);
      if (session !== undefined) return show(session, container, this.alpha, metadata, this.options);
    }
    // What is wrong with a file, and what can be shown of it all the same, is the decoder's to say.
    return decodePicture(bytes, evaluator, { ...this.options, maxBytes: bytes.length }, source);
  }

  /** What has come beside the segments; undefined where anything is damaged. Decodes the alpha channel when it is whole. */
  private intact({ bytes, container, repairs }: Source): { metadata: Metadata | undefined } | undefined {
    // What the session has taken over was read before the repair.
    if (repairs.length > 0) return undefined;
    let damaged = false;
    try {
      const metadata = metadataOf(bytes, container.parts, () => (damaged = true));
      this.alpha ??= readAlpha(bytes, container, { ...this.options, maxBytes: bytes.length }, () => (damaged = true));
      return damaged || [...container.parts, ...container.segments].some(({ state }) => state === 'damaged')
        ? undefined
        : { metadata };
    } catch (error) {
      if (error instanceof DcompError) return undefined;
      throw error;
    }
  }

  /** Decodes what has come. @returns the state to be shown; undefined where there are more units than the picture has */
  private async advance(bytes: Uint8Array, container: Container, evaluator: Evaluator): Promise<Session | undefined> {
    const { header, segments } = container;
    const { options } = this;
    const lags = lagsOfFile(bytes, container);
    checkWork(workOf({ header, lags, units: unitsHeld(container) }), header, options.maxWork);
    let session = this.session?.fork(evaluator) ?? sessionOf(container, evaluator, lags, options.signal);
    for (;;) {
      const after = session.fork();
      let { segment: index, before, bit } = this.place;
      do {
        for (; segments[index] !== undefined && before === segments[index]!.units; index++) before = bit = 0;
        const segment = segments[index];
        if (segment === undefined) return after.underWay ? after : session;
        const unit = after.next;
        if (unit === undefined) return undefined;
        const reader = new BitReader(bytes, segment.payloadOffset, 8 * segment.payloadLength);
        reader.skip(bit);
        const channel = new Receiver(reader, header.nu);
        await after.runUnit(channel);
        options.onProgress?.({
          fraction: Math.min(0.99, segment.payloadOffset / bytes.length),
          stage: `level ${unit.step.level}`,
        });
        if (channel.ended) return after;
        before++;
        bit = 8 * segment.payloadLength - reader.remaining;
      } while (after.underWay);
      this.session = session = after;
      this.place = { segment: index, before, bit };
    }
  }
}
