/**
 * Encoding to the samples themselves, or to within an error of each: photographs by all steps of the network down to a
 * moderate noise, and bands of samples behind them, so that a file shows something from its first bytes on; what is no
 * photograph in the plain form.
 */
import { concat } from '../container/container.js';
import { exactPart } from '../container/exact-part.js';
import { pixelHashInPieces, withPixelHash } from '../container/pixel-hash.js';
import { isPhotographInPieces, predictedBandsInPieces, type Colours } from '../container/plain-samples.js';
import { unitCount } from '../diffusion/units.js';
import { DcompError } from '../errors.js';
import { stripsOf } from '../format.js';
import { isStraight } from '../model/integer/integer-model.js';
import type { Evaluator } from '../model/evaluator.js';
import { depthOf, type Picture, type Samples } from '../picture.js';
import { withAlpha } from '../pixels/picture-planes.js';
import { inTurns, type Pieces } from '../turns.js';
import { pauseOf, type EncodeResult, type EncodingOptions, type Progress } from './encoder-options.js';
import { Encoding } from './encoding.js';
import type { Plan } from './coding-plan.js';
import { bandSegments, coloursOf, plainStart } from './plain.js';
import { PlainEncoder, TINY_PIXELS } from './plain-encoder.js';
import type { Prepared } from './prepared.js';
import type { Stop } from './quality.js';

/**
 * Where the steps end, by whether the model measures levels straight: sigma 16 of the small model, below which its steps cost
 * more than they save, and sigma 8 of the large one (docs/decisions.md).
 */
const STRAIGHT_STOP: Stop = { level: 0, code: 144 };
const REFINED_STOP: Stop = { level: 0, code: 128 };
/** Segments of bands state an ideal rate that is the real one. */
const IDEAL = 128;

/** Where the steps of a file end whose samples follow. */
export function exactStop({ model }: Evaluator): Stop {
  return isStraight(model) ? STRAIGHT_STOP : REFINED_STOP;
}

/** Codes a picture to within an error of each sample. */
export class ExactEncoder {
  private readonly colours: Colours;

  private constructor(
    private readonly prepared: Prepared,
    private readonly options: EncodingOptions,
    private readonly maxError: number,
    original: Colours,
    /** Whether prediction serves it best. */
    readonly isPhotograph: boolean,
  ) {
    this.colours = { ...original, samples: original.samples.slice() };
  }

  /**
   * @param prepared of which colours and alpha are kept as they are
   * @param maxError of a sample; 0 is lossless
   */
  static async of(prepared: Prepared, options: EncodingOptions, maxError: number): Promise<ExactEncoder> {
    const pause = pauseOf(options);
    const colours = await inTurns(coloursOf(prepared.picture, undefined), pause);
    const isPhotograph = await inTurns(isPhotographInPieces(colours, maxError), pause);
    return new ExactEncoder(prepared, options, maxError, colours, isPhotograph);
  }

  /** Whether the network is to be used, as far as that is known without it. */
  get takesNetwork(): boolean {
    const { picture } = this.prepared;
    const { plain } = this.options;
    // What is folded has no place for what is known of each sample.
    const can = stripsOf(picture) === 1;
    if (plain === false && !can)
      throw new DcompError(
        'E_USAGE',
        'a picture as thin as this is coded without loss in the plain form alone; leave plain out',
      );
    return (
      can && plain !== true && (plain === false || (this.isPhotograph && picture.width * picture.height > TINY_PIXELS))
    );
  }

  /** In the plain form. @throws DcompError E_TOO_LARGE, E_ABORTED */
  async plain(): Promise<EncodeResult> {
    const { prepared, options, maxError } = this;
    const encoder = new PlainEncoder(prepared, options);
    if (!this.isPhotograph) return this.finished(await encoder.all(), undefined);
    encoder.checkWork();
    const pause = pauseOf(options);
    const parts = maxError === 0 ? prepared.parts : [...prepared.parts, exactPart(maxError)];
    const start = plainStart(prepared.picture, prepared.alphaSection, parts);
    const bytes = concat([start, ...(await inTurns(this.bands(0, 0), pause))]);
    if (maxError === 0 && bytes.length >= start.length + this.storedBytes)
      return this.finished(await encoder.all(), undefined);
    options.onProgress?.({ fraction: 1, stage: 'done' });
    return this.finished(encoder.resultOf(bytes), this.colours.samples);
  }

  /** By the network. @param plan that ends where `exactStop` says */
  async coded(plan: Plan, evaluator: Evaluator): Promise<EncodeResult> {
    const { prepared, maxError } = this;
    const { picture } = prepared;
    const pause = pauseOf(this.options);
    const options = { ...this.options, onProgress: (now: Progress) => this.tell(now.fraction / 2, now.stage) };
    const parts = [...prepared.parts, exactPart(maxError)];
    const encoding = await Encoding.of(plan, { ...prepared, parts }, evaluator, options, exactStop(evaluator));
    const { start, session, idealBits, realBits } = await encoding.walked();
    const side = await session.side();
    session.forget();
    const segments = await inTurns(this.bands(unitCount(plan.schedule, picture), IDEAL, side), pause);
    const bytes = concat([start, ...segments]);
    // Stored it has no steps, and no more than a plain file's header.
    const header = plainStart(picture, prepared.alphaSection, prepared.parts).length;
    if (maxError === 0 && this.options.plain !== false && bytes.length >= header + this.storedBytes)
      return this.finished(await new PlainEncoder(prepared, this.options).all(), undefined);
    const bits = 8 * (bytes.length - start.length);
    this.tell(1, 'done');
    const { width, height } = picture;
    const result: EncodeResult = {
      bytes,
      form: 'diffusion',
      width,
      height,
      bitsPerPixel: (8 * bytes.length) / (width * height),
      idealBits: idealBits + bits,
      realBits: realBits + bits,
      ...session.statistics,
    };
    return this.finished(result, this.colours.samples);
  }

  /** Bytes of the samples as they are. */
  private get storedBytes(): number {
    return (this.colours.samples.length * this.colours.depth) / 8;
  }

  private *bands(
    before: number,
    idealRatio: number,
    side?: Parameters<typeof predictedBandsInPieces>[2],
  ): Pieces<Uint8Array[]> {
    const { colours, maxError } = this;
    const tell = (fraction: number): void =>
      this.tell((before > 0 ? 0.5 : 0) + fraction * (before > 0 ? 0.5 : 1), 'samples');
    const bands = yield* predictedBandsInPieces(colours, maxError, side, tell);
    return yield* bandSegments(bands, before, idealRatio);
  }

  private tell(fraction: number, stage: string): void {
    this.options.onProgress?.({ fraction: stage === 'done' && fraction === 1 ? 1 : Math.min(0.99, fraction), stage });
  }

  /**
   * Checks what a decoder has, and stores its hash.
   * @param samples colours of the decoder; undefined: those of the picture
   */
  private async finished(result: EncodeResult, samples: Samples | undefined): Promise<EncodeResult> {
    const pause = pauseOf(this.options);
    const hash = await inTurns(this.hash(samples), pause);
    const bytes = withPixelHash(result.bytes, hash);
    const { width, height } = result;
    return { ...result, bytes, bitsPerPixel: (8 * bytes.length) / (width * height) };
  }

  private *hash(samples: Samples | undefined): Pieces<Uint8Array> {
    const { picture, alpha } = this.prepared;
    const depth = depthOf(picture);
    if (samples === undefined) return yield* pixelHashInPieces(picture, depth);
    const { width, height, colours } = this.colours;
    const decoded = withAlpha({ width, height, channels: colours, depth, data: samples }, picture.channels, alpha);
    yield* checkError(picture, decoded, this.maxError);
    return yield* pixelHashInPieces(decoded, depth);
  }
}

/** Samples that are compared in a piece. */
const PIECE = 2 ** 20;

/** What is promised is looked at before it is given away. */
function* checkError(picture: Picture, decoded: Picture, maxError: number): Pieces<void> {
  for (let i = 0; i < picture.data.length; i++) {
    if (i % PIECE === 0) yield;
    if (Math.abs(picture.data[i]! - decoded.data[i]!) > maxError)
      throw new DcompError(
        'E_UNREACHABLE',
        `sample ${i} would be off by more than ${maxError}: picture.data was changed while it was coded, or this is an error of dcomp's own`,
      );
  }
}
