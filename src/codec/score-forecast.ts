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

/** k. */
const NOISE = 3;
/** Score of a file by that of what is shown: fitted to files of 44 photographs at five codes each, of `small`. */
const AT_0 = -44.6;
const SLOPE = 1.437;
/**
 * Tiles of so many pixels a side are looked at, so many at most in a row and in a column, at least as far apart as they are
 * wide: many small ones, though seams hide some of what is wrong beside them, which the line allows for. Tiles of 16 or 64
 * pixels foresee a score near 30 within 4.4 or 5.3 points (standard deviation), these within 3.9.
 */
const TILE = 8;
const TILES = 32;
/** Of fewer the metric says little. */
const LEAST_TILES = 4;

/** Sigma code that details of a level and colour are known with in the end. */
export type CodeOf = (level: number, colour: number) => number;

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
    if (tileCount(Math.min(coded.width, coded.height)) < LEAST_TILES) return undefined;
    const sample = sampleOf(coded);
    const metric = yield* Ssimulacra2.of(sample);
    const sizes = codedSizes(sample);
    const coefficients = yield* PictureCoefficients.of(sample, sizes.length - 1);
    return new ScoreForecast(sample, metric!, sizes, coefficients);
  }

  /** @returns about the score of the file */
  *score(codeOf: CodeOf): Pieces<number> {
    let shown: Plane | undefined;
    for (let level = this.sizes.length - 2; level >= 0; level--) {
      const { width, height } = gridOf(this.sizes[level]!);
      const data = (yield* this.coefficients.rowsOf(level)(0, height)).slice();
      const sigmas = Array.from({ length: COLOURS }, (_, colour) => sigmaOf(codeOf(level, colour)));
      yield* smooth(data, width, sigmas);
      if (shown !== undefined) putMeans(data, shown);
      const size = this.sizes[level]!;
      shown = yield* inverseHaarInPieces({ width, height, data }, size.width, size.height);
    }
    const data = restoreColours(shown!.data);
    return AT_0 + SLOPE * (yield* this.metric.score({ ...this.sample, data }));
  }
}

/** Details under noise, as they would be shown. @param sigmas by colour */
function* smooth(data: Float32Array, width: number, sigmas: readonly number[]): Pieces<void> {
  const noises = sigmas.map((sigma) => NOISE * sigma * sigma);
  const piece = rowsOfPiece(width) * width * COEFFICIENTS;
  for (let i = 0; i < data.length; i += COEFFICIENTS) {
    if (i % piece === 0) yield;
    for (let c = COLOURS; c < COEFFICIENTS; c++) {
      const energy = data[i + c]! * data[i + c]!;
      data[i + c]! *= energy / (energy + noises[c % COLOURS]!);
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
  return Math.min(TILES, Math.floor(side / (2 * TILE)));
}

/** Places along a side of a picture that are looked at. */
function tilesOf(side: number): Uint16Array {
  const count = tileCount(side);
  const between = (side - TILE * count) / count;
  return Uint16Array.from({ length: TILE * count }, (_, i) => i + Math.floor((Math.floor(i / TILE) + 0.5) * between));
}
