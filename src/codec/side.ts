/** What both sides know of a picture when the last step is done, as numbers that a sample model can use. */
import { BANDS, COEFFICIENTS } from '../model/architecture.js';
import { COLOURS, fractionsOf, toSample, type Ends } from '../pixels/colour.js';
import type { Plane } from '../pixels/pyramid.js';
import { newSamples, rangeOf, type Depth, type Samples } from '../picture.js';
import { VARIANCE, VARIANCES } from '../entropy/sample-kernel.js';
import type { Side } from '../entropy/sample-model.js';
import { gridOf, type Size } from '../math/rectangle.js';

/** Takes the posterior of level 0 row by row. */
export class SideRows {
  readonly side: Side;
  private readonly colours: number;
  private readonly columns: number;

  constructor(
    private readonly size: Size,
    grey: boolean,
  ) {
    this.colours = grey ? 1 : COLOURS;
    const grid = gridOf(size);
    this.columns = grid.width;
    this.side = {
      mean: new Uint16Array(size.width * size.height * this.colours),
      variance: new Uint8Array(grid.width * grid.height * this.colours),
    };
  }

  /** Rows of pixels from row y on. */
  readonly takeMean = (rows: Plane, y: number): void => {
    fractionsOf(rows.data, this.side.mean, y * this.size.width * this.colours, this.colours === 1);
  };

  /** Variances of coefficients of whole rows of positions from row y on. */
  readonly takeVariances = (variances: Float32Array, y: number): void => {
    const { colours, side } = this;
    let o = y * this.columns * colours;
    const mean = [0, 0, 0];
    for (let i = 0; i < variances.length; i += COEFFICIENTS, o += colours) {
      for (let c = 0; c < COLOURS; c++) {
        let sum = 0;
        for (let s = 0; s < BANDS; s++) sum += variances[i + c + s * COLOURS]!;
        mean[c] = sum / BANDS;
      }
      const [l, p, q] = mean as [number, number, number];
      if (colours === 1) {
        side.variance[o] = codeOfVariance(l / 3);
        continue;
      }
      side.variance[o] = side.variance[o + 1] = codeOfVariance(l / 3 + p / 2 + q / 6);
      side.variance[o + 2] = codeOfVariance(l / 3 + (2 * q) / 3);
    }
  };
}

/** The first code whose variance is no less; the last for all beyond. */
function codeOfVariance(variance: number): number {
  let low = 0;
  let high = VARIANCES - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (VARIANCE[middle]! >= variance) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The samples of the lossy picture. */
export function samplesOfSide({ mean }: Side, depth: Depth, ends: Ends | undefined): Samples {
  const samples = newSamples(mean.length, depth);
  const range = rangeOf(depth);
  for (let i = 0; i < samples.length; i++) samples[i] = toSample(mean[i]! / 256, range, ends);
  return samples;
}
