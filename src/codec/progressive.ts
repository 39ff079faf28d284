/**
 * Decoding while the file arrives. The walk along the schedule goes on where it stopped: a step is taken over once all of
 * its bits are there. The step in which the bytes end is decoded on a copy of the state, for the picture of the moment, and
 * anew when more of it has come.
 */
import { BitReader } from '../entropy/bits.js';
import type { Samples } from '../picture.js';
import { decodeAlpha } from './alpha.js';
import { metadataOf } from './metadata.js';
import { DcompError } from '../errors.js';
import type { Evaluator } from '../model/evaluator.js';
import { MAX_PIXELS } from '../picture.js';
import { readContainer, type Container } from './container.js';
import { checkModelId, decodePicture, Receiver, resultOf, type DecodeResult, type DecoderOptions } from './decoder.js';
import { isGrey } from './picture-planes.js';
import { Session } from './session.js';

export type ProgressiveOptions = Pick<DecoderOptions, 'allowDamaged' | 'maxPixels' | 'onDamage' | 'onProgress' | 'signal'>;

export class Progression {
  private buffer = new Uint8Array(4096);
  private length = 0;
  /** State behind the last step that is whole; undefined until there is a header. */
  private session: Session | undefined;
  /** Where the next step lies: its index, its segment, how many steps of that were before it, and the bit of its payload. */
  private next = { step: 0, segment: 0, before: 0, bit: 0 };
  private alpha: Samples | undefined;

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
    let intact = true;
    const metadata = metadataOf(bytes, container.parts, () => (intact = false));
    const shown = intact ? await this.advance(bytes, container, evaluator) : undefined;
    // What is wrong with a file, and what can be shown of it all the same, is the decoder's to say.
    if (shown === undefined) return decodePicture(bytes, evaluator, { ...this.options, maxBytes: bytes.length });
    const colour = await shown.reconstruct();
    this.options.onProgress?.({ fraction: 1, stage: 'done' });
    return resultOf(container, colour, this.alpha, shown, metadata);
  }

  /** Decodes what has come. @returns the state to be shown; undefined where the file is not as an encoder writes it. */
  private async advance(bytes: Uint8Array, container: Container, evaluator: Evaluator): Promise<Session | undefined> {
    const { header, segments } = container;
    if (!this.takeAlpha(bytes, container) || segments.some(({ state }) => state === 'damaged')) return undefined;
    const { options, next } = this;
    let session = this.session?.fork(evaluator) ?? new Session(header.width, header.height, isGrey(header.channels), header.schedule, evaluator, options.signal);
    for (let segment = segments[next.segment]; segment !== undefined; segment = segments[next.segment]) {
      if (next.before === segment.steps) {
        Object.assign(next, { segment: next.segment + 1, before: 0, bit: 0 });
        continue;
      }
      const step = session.steps[next.step];
      if (step === undefined) return undefined;
      const reader = new BitReader(bytes, segment.payloadOffset, 8 * segment.payloadLength);
      reader.skip(next.bit);
      const channel = new Receiver(reader, header.nu);
      const after = session.fork();
      await after.run(step, channel);
      options.onProgress?.({ fraction: Math.min(0.99, segment.payloadOffset / bytes.length), stage: `level ${step.level}` });
      if (channel.ended) return after;
      this.session = session = after;
      Object.assign(next, { step: next.step + 1, before: next.before + 1, bit: 8 * segment.payloadLength - reader.remaining });
    }
    return session;
  }

  /** Decodes the alpha channel once, when it is whole. @returns false where it is damaged */
  private takeAlpha(bytes: Uint8Array, { header, alpha }: Container): boolean {
    if (alpha === undefined || alpha.state === 'cut' || this.alpha !== undefined) return true;
    if (alpha.state === 'damaged') return false;
    try {
      this.alpha = decodeAlpha(bytes.subarray(alpha.payloadOffset, alpha.payloadOffset + alpha.payloadLength), header.width, header.height, header.depth);
      return true;
    } catch (error) {
      if (error instanceof DcompError) return false;
      throw error;
    }
  }
}
