/**
 * Decoding while the file arrives. The walk along the schedule goes on where it stopped: a step is taken over once all of
 * its bits are there. The step in which the bytes end is decoded on a copy of the state, for the picture of the moment, and
 * anew when more of it has come.
 */
import { BitReader } from '../entropy/bits.js';
import { decodePlane } from '../entropy/plane.js';
import { DcompError } from '../errors.js';
import type { Evaluator } from '../model/evaluator.js';
import { MAX_PIXELS } from '../picture.js';
import { readContainer, type Container } from './container.js';
import { checkModelId, decodePicture, Receiver, resultOf, sessionOf, type DecodeResult, type DecoderOptions } from './decoder.js';
import type { Session } from './session.js';

export type ProgressiveOptions = Pick<DecoderOptions, 'allowDamaged' | 'maxPixels' | 'onDamage' | 'onProgress' | 'signal'>;

export class Progression {
  private buffer = new Uint8Array(4096);
  private length = 0;
  /** State behind the last step that is whole; undefined until there is a header. */
  private session: Session | undefined;
  /** Where the next step begins: its segment, how many units of that were before it, and the bit of its payload. */
  private next = { segment: 0, before: 0, bit: 0 };
  private alpha: Uint8Array | undefined;

  constructor(private readonly options: ProgressiveOptions = {}) {}

  /** All bytes so far; a view that stays valid until the next push. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** Appends a copy of the bytes. @throws DcompError E_USAGE, E_TOO_LARGE */
  push(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw new DcompError('E_USAGE', 'push takes a Uint8Array');
    const length = this.length + bytes.length;
    if (length > this.buffer.length) {
      let grown: Uint8Array<ArrayBuffer>;
      try {
        grown = new Uint8Array(Math.max(length, 2 * this.buffer.length));
      } catch (cause) {
        throw new DcompError('E_TOO_LARGE', `there is no memory for ${length} bytes of file; stop after fewer`, { cause });
      }
      grown.set(this.bytes);
      this.buffer = grown;
    }
    this.buffer.set(bytes, this.length);
    this.length = length;
  }

  /** What is there; undefined as long as the header is not. @throws DcompError as `readContainer` */
  container(): Container | undefined {
    try {
      return readContainer(this.bytes, this.options.maxPixels ?? MAX_PIXELS);
    } catch (error) {
      if (error instanceof DcompError && (error.code === 'E_EMPTY' || error.code === 'E_TRUNCATED')) return undefined;
      throw error;
    }
  }

  /**
   * The picture of all bytes so far, the same as `decodePicture` with that many as `maxBytes`. One call at a time.
   * @param evaluator of the same model at every call
   * @returns undefined as long as the header is not there
   * @throws DcompError as `decodePicture`
   */
  async picture(evaluator: Evaluator): Promise<DecodeResult | undefined> {
    const { bytes } = this;
    const container = this.container();
    if (container === undefined) return undefined;
    checkModelId(container.header, evaluator);
    const shown = await this.advance(bytes, container, evaluator);
    // What is wrong with a file, and what can be shown of it all the same, is the decoder's to say.
    if (shown === undefined) return decodePicture(bytes, evaluator, { ...this.options, maxBytes: bytes.length });
    const colour = await shown.reconstruct();
    this.options.onProgress?.({ fraction: 1, stage: 'done' });
    return resultOf(container, colour, this.alpha, shown);
  }

  /** Decodes what has come. @returns the state to be shown; undefined where the file is not as an encoder writes it. */
  private async advance(bytes: Uint8Array, container: Container, evaluator: Evaluator): Promise<Session | undefined> {
    const { header, segments } = container;
    if (!this.takeAlpha(bytes, container) || segments.some(({ state }) => state === 'damaged')) return undefined;
    const { options, next } = this;
    let session = this.session?.fork(evaluator) ?? sessionOf(bytes, container, evaluator, options.signal);
    for (;;) {
      const after = session.fork();
      const at = { ...next };
      let begun = false;
      do {
        while (segments[at.segment] !== undefined && at.before === segments[at.segment]!.units) Object.assign(at, { segment: at.segment + 1, before: 0, bit: 0 });
        const segment = segments[at.segment];
        if (segment === undefined) return begun ? after : session;
        const unit = after.next;
        if (unit === undefined) return undefined;
        const reader = new BitReader(bytes, segment.payloadOffset, 8 * segment.payloadLength);
        reader.skip(at.bit);
        const channel = new Receiver(reader, header.nu);
        await after.runUnit(channel);
        begun = true;
        options.onProgress?.({ fraction: Math.min(0.99, segment.payloadOffset / bytes.length), stage: `level ${unit.step.level}` });
        if (channel.ended) return after;
        Object.assign(at, { before: at.before + 1, bit: 8 * segment.payloadLength - reader.remaining });
      } while (after.underWay);
      this.session = session = after;
      Object.assign(next, at);
    }
  }

  /** Decodes the alpha channel once, when it is whole. @returns false where it is damaged */
  private takeAlpha(bytes: Uint8Array, { header, alpha }: Container): boolean {
    if (alpha === undefined || alpha.state === 'cut' || this.alpha !== undefined) return true;
    if (alpha.state === 'damaged') return false;
    try {
      this.alpha = decodePlane(bytes.subarray(alpha.payloadOffset, alpha.payloadOffset + alpha.payloadLength), header.width, header.height);
      return true;
    } catch (error) {
      if (error instanceof DcompError) return false;
      throw error;
    }
  }
}
