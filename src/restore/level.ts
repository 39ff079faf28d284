/** One level of the pyramid as a denoiser: what samplers move about are its coefficients, under noise of one sigma. */
import { classified, guided, inParts, type Denoised, type Denoiser } from '../diffusion/denoiser.js';
import { denoise } from '../diffusion/denoise.js';
import { blankObservationInPieces } from '../diffusion/observation.js';
import type { Views } from '../diffusion/schedule.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { Evaluator } from '../model/evaluator.js';
import type { Condition, Mode } from '../model/inputs.js';
import { codeOf, EXACT } from '../model/sigma.js';
import { priorOf } from '../model/weights.js';
import type { Size } from '../math/rectangle.js';
import { inTurns, type Pause } from '../turns.js';
import { Classifier } from './classifier.js';
import type { RestoreOptions, Told } from './restore-options.js';

/** What a level is asked with. */
export interface LevelOptions extends Pick<RestoreOptions, 'class' | 'guidanceScale' | 'classifier'>, Told {
  grey: boolean;
  views: Views;
}

/** Coefficients of which LL is known, and details perhaps. */
export class Level {
  /** Size of the grid. */
  readonly width: number;
  readonly height: number;
  private readonly hasExact: boolean;

  /** @param blank UNKNOWN, and EXACT where there is nothing to know: chroma of grey, differences across the edge of an odd side */
  private constructor(
    private readonly evaluator: Evaluator,
    readonly size: Size,
    readonly level: number,
    private readonly options: LevelOptions,
    { width, height }: Size,
    readonly blank: Uint8Array,
  ) {
    this.width = width;
    this.height = height;
    this.hasExact = blank.includes(EXACT);
  }

  /** @param size of the level's picture */
  static async of(
    evaluator: Evaluator,
    size: Size,
    level: number,
    options: LevelOptions,
    pause: Pause,
  ): Promise<Level> {
    const grid = await inTurns(blankObservationInPieces(size, options.grey), pause);
    return new Level(evaluator, size, level, options, grid, grid.codes);
  }

  /** Standard deviation by channel of a coefficient of which nothing is known. */
  get prior(): Float32Array {
    const { architecture, statistics } = this.evaluator.model;
    return priorOf(architecture, statistics, this.level);
  }

  /** 0 where there is nothing to know; in place. */
  async clear(z: Float32Array, pause: Pause): Promise<Float32Array> {
    if (this.hasExact)
      await inParts(z.length, pause, (from, to) => {
        for (let i = from; i < to; i++) if (this.blank[i] === EXACT) z[i] = 0;
      });
    return z;
  }

  /** A code for every coefficient that there is something to know of. */
  async codes(code: number, pause: Pause): Promise<Uint8Array> {
    const codes = new Uint8Array(this.blank.length).fill(code);
    if (this.hasExact)
      await inParts(codes.length, pause, (from, to) => {
        for (let i = from; i < to; i++) if (this.blank[i] === EXACT) codes[i] = EXACT;
      });
    return codes;
  }

  /** The denoiser of coefficients that are all under noise of one sigma; guided as the options say. */
  readonly refine: Denoiser = (z, sigma, pause) =>
    this.denoiser('refine', (code) => this.codes(code, pause))(z, sigma, pause);

  /**
   * What is foreseen where some coefficients have been measured with noise of one sigma and the others not at all.
   * @param known whether a coefficient, by its place, has been measured
   */
  enter(z: Float32Array, sigma: number, known: (i: number) => boolean, pause: Pause): Promise<Denoised> {
    const codes = async (code: number): Promise<Uint8Array> => {
      const some = this.blank.slice();
      await inParts(some.length, pause, (from, to) => {
        for (let i = from; i < to; i++) if (some[i] !== EXACT && known(i)) some[i] = code;
      });
      return some;
    };
    return this.denoiser('enter', codes)(z, sigma, pause);
  }

  private denoiser(mode: Mode, codesOf: (code: number) => Promise<Uint8Array>): Denoiser {
    const { class: wanted, guidanceScale = 1, classifier = false } = this.options;
    const plain = this.ask(mode, codesOf, undefined);
    if (classifier === true) {
      if (guidanceScale === 0) return plain;
      return (z, sigma, pause) =>
        classified(plain, (at) => this.gradient(at, sigma, pause), guidanceScale)(z, sigma, pause);
    }
    const denoiser = wanted === undefined ? plain : guided(this.ask(mode, codesOf, wanted), plain, guidanceScale);
    return classifier === false || guidanceScale === 0
      ? denoiser
      : classified(denoiser, (z, sigma) => classifier(z, sigma, this.level), guidanceScale);
  }

  /** Of the wanted class's log-probability by z. */
  private gradient(z: Float32Array, sigma: number, pause: Pause): Promise<Float32Array> {
    const { width, height, level } = this;
    const { class: wanted, told } = this.options;
    const classifier = new Classifier(told!, this.evaluator.model.statistics.inputScale);
    return inTurns(classifier.gradient({ z, width, height, sigma, level }, wanted!), pause);
  }

  /** What a network is told of a class: by its class file, or in the way that it was trained with. */
  private classCondition(wanted: number | undefined): Pick<Condition, 'class' | 'shift'> {
    if (wanted === undefined) return {};
    const { told } = this.options;
    return told === undefined ? { class: wanted } : { shift: told.shift(this.level, wanted) };
  }

  private ask(mode: Mode, codesOf: (code: number) => Promise<Uint8Array>, wanted: number | undefined): Denoiser {
    return async (z, sigma, pause) => {
      const code = codeOf(sigma);
      const { width, height, size, level } = this;
      const seen = this.hasExact ? await this.clear(z.slice(), pause) : z;
      const observation = { x: 0, y: 0, width, height, size, z: seen, codes: await codesOf(code) };
      const condition = { level, sigma: code, mode, ...this.classCondition(wanted) };
      return denoise(this.evaluator, observation, condition, { views: this.options.views, pause });
    };
  }
}

/** Whether a coefficient belongs to LL. @param i its place */
export function isLowest(i: number): boolean {
  return i % COEFFICIENTS < 3;
}
