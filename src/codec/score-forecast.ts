/**
 * What a file will score in SSIMULACRA 2, from the picture alone: before anything is coded, and for a few per cent
 * of the time. What the network makes of a coefficient x under noise σ is, for this, about what a Wiener filter makes of
 * it that knows its energy: x³ / (x² + k σ²). That is shown as the decoder would show it, and looked at by the metric. No
 * decoder sees it.
 */
import { codedSizes } from '../diffusion/schedule.js';
import { gridOf, type Size } from '../math/rectangle.js';
import { Ssimulacra2 } from '../metrics/ssimulacra2.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { sigmaOf } from '../model/sigma.js';
import { depthOf, rangeOf, type Picture } from '../picture.js';
import { COLOURS, restoreColours } from '../pixels/colour.js';
import { folded } from '../pixels/fold.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { inverseHaarInPieces, type Plane } from '../pixels/pyramid.js';
import { rowsOfPiece, type Pieces } from '../turns.js';
import { maskingInPieces, offsetAt, type Masking } from './masking.js';

/** k. */
const NOISE = 2;
/** Score of a file by that of what is shown: fitted to files of `small`, of photographs at several codes each. */
const AT_0 = -33;
const SLOPE = 1.28;
/**
 * Tiles of so many pixels a side are looked at, so many at most in a row and in a column, as far apart as they are wide
 * or more: many small ones, though seams hide some of what is wrong beside them, which the line allows for. Tiles of 12 or 16
 * pixels foresee a score near 40 within 3.5 or 3.6 points (standard deviation), these within 3.3. At level 0 blocks of
 * masking are tiles, so that it is as strong as in the picture.
 */
const TILE = 8;
const TILES = 32;
/** Of smaller pictures as many all the same, where they have room side by side: of fewer the metric sees a scale less. */
const CLOSE_TILES = 15;
/** Of smaller pictures the metric says little. */
const LEAST_SIDE = 64;

/** What is known in the end. */
export interface Known {
  /** Sigma code of details of a level and colour. @param offset of masking, in codes */
  codeOf(level: number, colour: number, offset: number): number;
  /** Strength of masking, 0..MAX_MASKING. */
  masking: number;
}

export class ScoreForecast {
  private constructor(
    private readonly sample: Picture,
    private readonly metric: Ssimulacra2,
    private readonly sizes: readonly Size[],
    private readonly coefficients: PictureCoefficients,
  ) {}

  /** @returns undefined for a picture that is too small to tell */
  static *of(picture: Picture): Pieces<ScoreForecast | undefined> {
    const coded = folded(picture);
    if (Math.min(coded.width, coded.height) < LEAST_SIDE) return undefined;
    const sample = sampleOf(coded);
    const metric = yield* Ssimulacra2.of(sample);
    const sizes = codedSizes(sample);
    const coefficients = yield* PictureCoefficients.of(sample, sizes.length - 1);
    return new ScoreForecast(sample, metric!, sizes, coefficients);
  }

  /** @returns about the score of the file */
  *score(known: Known): Pieces<number> {
    let shown: Plane | undefined;
    for (let level = this.sizes.length - 2; level >= 0; level--) {
      const { width, height } = gridOf(this.sizes[level]!);
      const masking = yield* this.maskingOf(level, known.masking);
      const data = (yield* this.coefficients.rowsOf(level)(0, height)).slice();
      yield* smooth({ width, height, data }, (colour, offset) => known.codeOf(level, colour, offset), masking);
      if (shown !== undefined) putMeans(data, shown);
      const size = this.sizes[level]!;
      shown = yield* inverseHaarInPieces({ width, height, data }, size.width, size.height);
    }
    const data = restoreColours(shown!.data);
    return AT_0 + SLOPE * (yield* this.metric.score({ ...this.sample, data }));
  }

  private *maskingOf(level: number, strength: number): Pieces<Masking | undefined> {
    const coarser = level + 1;
    if (strength === 0 || coarser + 1 >= this.sizes.length) return undefined;
    const { width, height } = gridOf(this.sizes[coarser]!);
    const z = yield* this.coefficients.rowsOf(coarser)(0, height);
    return yield* maskingInPieces({ x: 0, y: 0, width, height, z }, level, this.sizes[level]!, strength);
  }
}

/** Details under noise, as they would be shown. @param codeOf by colour and offset of masking */
function* smooth(
  { width, height, data }: Plane,
  codeOf: (colour: number, offset: number) => number,
  masking: Masking | undefined,
): Pieces<void> {
  // By offset and colour, as they come up.
  const noises = new Map<number, number[]>();
  const noisesOf = (offset: number): number[] => {
    let found = noises.get(offset);
    if (found === undefined) {
      const sigmas = Array.from({ length: COLOURS }, (_, colour) => sigmaOf(codeOf(colour, offset)));
      found = sigmas.map((sigma) => NOISE * sigma * sigma);
      noises.set(offset, found);
    }
    return found;
  };
  const piece = rowsOfPiece(width);
  for (let y = 0, i = 0; y < height; y++) {
    if (y % piece === 0) yield;
    for (let x = 0; x < width; x++, i += COEFFICIENTS) {
      const noise = noisesOf(masking === undefined ? 0 : offsetAt(masking, x, y));
      for (let c = COLOURS; c < COEFFICIENTS; c++) {
        const energy = data[i + c]! * data[i + c]!;
        data[i + c]! *= energy / (energy + noise[c % COLOURS]!);
      }
    }
  }
}

/** LL of a level is the coarser level, as it is shown. */
function putMeans(data: Float32Array, { data: means }: Plane): void {
  for (let i = 0, m = 0; i < data.length; i += COEFFICIENTS, m += COLOURS)
    for (let c = 0; c < COLOURS; c++) data[i + c] = 2 * means[m + c]!;
}

/** Tiles of a picture, evenly spread, side by side, as RGB of 8 bits. */
function sampleOf(picture: Picture): Picture {
  const across = tilesOf(picture.width);
  const down = tilesOf(picture.height);
  const [width, height] = [across.length, down.length];
  const { channels, data } = picture;
  const factor = 255 / rangeOf(depthOf(picture));
  const isGrey = channels < COLOURS;
  const samples = new Uint8Array(width * height * COLOURS);
  for (let y = 0, o = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = (down[y]! * picture.width + across[x]!) * channels;
      for (let c = 0; c < COLOURS; c++) samples[o++] = data[from + (isGrey ? 0 : c)]! * factor + 0.5;
    }
  return { width, height, channels: 3, data: samples };
}

function tileCount(side: number): number {
  const close = Math.min(CLOSE_TILES, Math.floor(side / TILE));
  return Math.max(close, Math.min(TILES, Math.floor(side / (2 * TILE))));
}

/** Places along a side of a picture that are looked at. */
function tilesOf(side: number): Uint16Array {
  const count = tileCount(side);
  const between = (side - TILE * count) / count;
  return Uint16Array.from({ length: TILE * count }, (_, i) => i + Math.floor((Math.floor(i / TILE) + 0.5) * between));
}
