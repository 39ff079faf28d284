/** Decoding while a file arrives, over evaluators that are kept between calls. */
import type { DecodeResult } from './codec/decoder.js';
import { PROGRESSION_CHECKS, type ProgressiveOptions } from './codec/decoder-options.js';
import type { FileInfo } from './codec/inspect.js';
import { Progression } from './codec/progressive.js';
import { heard } from './heard.js';
import { MODEL_CHECKS, type KeptModels, type ModelOptions } from './kept-models.js';
import { withEngine } from './model/evaluator.js';
import { checkOptions, isBoolean, type Checks } from './options.js';
import type { Pause } from './turns.js';

/** Options of a `ProgressiveDecoder`. */
export interface ProgressiveDecodeOptions extends ProgressiveOptions, ModelOptions {}

/** Options of a `ProgressiveDecoder`'s picture. */
export interface PictureOptions {
  /** The picture of all bytes so far, also where little of it is new: for the end of a file that may be cut. Default: false. */
  latest?: boolean;
}

/** Decodes a file while it arrives. */
export interface ProgressiveDecoder {
  /** Bytes so far. */
  readonly byteLength: number;
  /**
   * Takes the next bytes of the file, as many as there are; costs nothing but a copy.
   * @throws DcompError E_USAGE, E_TOO_LARGE
   */
  push(bytes: Uint8Array): void;
  /**
   * What the bytes so far say about themselves, as `info`; undefined as long as the header is not there.
   * @throws DcompError E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TOO_LARGE
   */
  info(): FileInfo | undefined;
  /**
   * A new picture of the bytes so far, where one is due: undefined as long as the header is not there, and where too little has come
   * since the last one. However small the portions, all pictures together take about as much work again as `decode` of the file. That of
   * the whole file is the same as `decode` gives; `latest` asks for the same of as many bytes as there are (`maxBytes`), whatever it costs.
   * Steps that were whole at an earlier call are not decoded again; `evaluations` and `work` count all calls.
   * @throws DcompError as `decode`
   */
  picture(options?: PictureOptions): Promise<DecodeResult | undefined>;
}

const PROGRESSIVE_CHECKS: Checks<ProgressiveDecodeOptions> = { ...PROGRESSION_CHECKS, ...MODEL_CHECKS };
const PICTURE_CHECKS: Checks<PictureOptions> = { latest: isBoolean };

/** Decoders that share evaluators with all else that is computed with these models. */
export function progressiveDecoderOf(
  models: KeptModels,
): new (options?: ProgressiveDecodeOptions) => ProgressiveDecoder {
  return class Decoder implements ProgressiveDecoder {
    private readonly progression: Progression;
    private readonly options: ProgressiveDecodeOptions;
    private readonly pause: Pause;
    private last: Promise<unknown> = Promise.resolve();

    constructor(options?: ProgressiveDecodeOptions) {
      const call = heard(checkOptions(options, PROGRESSIVE_CHECKS, 'ProgressiveDecoder'));
      ({ options: this.options, pause: this.pause } = call);
      this.progression = new Progression({ ...call.options, pause: call.pause });
    }

    get byteLength(): number {
      return this.progression.byteLength;
    }

    push(bytes: Uint8Array): void {
      this.progression.push(bytes);
    }

    info(): FileInfo | undefined {
      return this.progression.info();
    }

    async picture(given?: PictureOptions): Promise<DecodeResult | undefined> {
      const { latest = false } = checkOptions<PictureOptions>(given, PICTURE_CHECKS, 'picture');
      const result = this.last.then(() => this.next(latest));
      this.last = result.catch(() => undefined);
      return result;
    }

    private async next(latest: boolean): Promise<DecodeResult | undefined> {
      await this.pause();
      if (!this.progression.begun) return undefined; // no model is needed to say that
      const id = await this.progression.modelId(latest);
      if (id === undefined) return this.progression.picture(undefined, latest);
      const evaluators = models.forFile(id, this.options, this.progression.pixels);
      const picture = await evaluators.use(this.progression.pixels, this.options.signal, (evaluator) =>
        this.progression.picture(evaluator, latest).then((picture) => picture && withEngine(picture, evaluator)),
      );
      await this.pause();
      return picture;
    }
  };
}
