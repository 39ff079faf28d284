/** When the plain form is taken: where it is no larger than the lossy one, and never at a cost that a photograph would feel. */
import { NO_CODING } from '../container/container.js';
import { DcompError } from '../errors.js';
import { depthOf, type Picture } from '../picture.js';
import { inTurns } from '../turns.js';
import { pauseOf, type EncodeResult, type EncodingOptions } from './encoder-options.js';
import { plainFileInPieces } from './plain.js';
import type { Prepared } from './prepared.js';
import { checkWork, workOf } from './work.js';

/** Pictures of no more pixels are coded plainly unless a size is given: their samples take little more than a header. */
export const TINY_PIXELS = 64;

/** What the plain form may take before the lossy one is known: 2 bits a pixel, which tells drawings from photographs soon. */
const PLAIN_BYTES_PER_PIXEL = 1 / 4;

/** Codes a picture plainly, as often as it is asked to within some bytes. */
export class PlainEncoder {
  constructor(
    private readonly prepared: Prepared,
    private readonly options: EncodingOptions,
  ) {}

  /** What is coded. */
  get picture(): Picture {
    return this.prepared.picture;
  }

  /** @throws DcompError E_TOO_LARGE, E_ABORTED */
  async all(): Promise<EncodeResult> {
    this.checkWork();
    return (await this.result(Infinity))!;
  }

  /** @param limit bytes @returns undefined where the plain form would take more, or is not allowed */
  async within(limit: number): Promise<EncodeResult | undefined> {
    return this.allowed ? this.result(limit) : undefined;
  }

  /** Whether the plain form is wanted, and takes no more work than it may. */
  get allowed(): boolean {
    if (this.options.plain === false) return false;
    try {
      this.checkWork();
      return true;
    } catch (error) {
      if (error instanceof DcompError && error.code === 'E_TOO_LARGE') return false;
      throw error;
    }
  }

  /** @throws DcompError E_TOO_LARGE */
  checkWork(): void {
    const { picture } = this.prepared;
    const header = { form: 'plain', ...picture, depth: depthOf(picture), ...NO_CODING } as const;
    checkWork(workOf({ header, units: picture.height }), header, this.options.maxWork);
  }

  private async result(limit: number): Promise<EncodeResult | undefined> {
    const { options } = this;
    const { picture, alpha, alphaSection, parts } = this.prepared;
    const coding = plainFileInPieces(picture, alpha, alphaSection, parts, options.exact === true, limit);
    const bytes = await inTurns(coding, pauseOf(options));
    if (bytes === undefined) return undefined;
    options.onProgress?.({ fraction: 1, stage: 'done' });
    return this.resultOf(bytes);
  }

  /** A file of the picture with its figures. */
  resultOf(bytes: Uint8Array): EncodeResult {
    const { width, height } = this.picture;
    const bits = 8 * bytes.length;
    const figures = { idealBits: bits, realBits: bits, evaluations: 0, work: 0 };
    return { bytes, form: 'plain', width, height, bitsPerPixel: bits / (width * height), ...figures };
  }
}

/**
 * The plain form, unless the lossy one is smaller; at equal size it is better in every way.
 * @param lossy undefined where it takes the bytes that it is given
 * @throws DcompError as `lossy`, unless there is a plain form instead
 */
export async function smallest(
  lossy: (limit?: number) => Promise<EncodeResult | undefined>,
  plain: PlainEncoder,
): Promise<EncodeResult> {
  const { width, height } = plain.picture;
  const tiny = width * height <= TINY_PIXELS;
  const tried = tiny ? Infinity : width * height * PLAIN_BYTES_PER_PIXEL;
  const small = await plain.within(tried);
  if (tiny && small !== undefined) return small;
  const coded = await lossy(small?.bytes.length).catch((error: unknown) => {
    // What the network cannot reach, or not with the work that is allowed, the plain form may.
    const code = error instanceof DcompError ? error.code : undefined;
    if (code === 'E_UNREACHABLE' && plain.allowed) return undefined;
    if (code === 'E_TOO_LARGE' && small !== undefined) return undefined;
    throw error;
  });
  if (small !== undefined) return coded ?? small;
  const most = coded?.bytes.length ?? Infinity;
  return ((most > tried ? await plain.within(most) : undefined) ?? coded)!;
}
