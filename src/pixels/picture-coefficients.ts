/** The coefficients of a picture, for the encoder: rows of any level on demand, so that no float copy of the picture is held. */
import type { Picture } from '../picture.js';
import { COLOURS } from './colour.js';
import { colourRows } from './picture-planes.js';
import { haar, halve, type CoefficientRows, type Plane } from './pyramid.js';

/** Rows of pixels that are halved at a time; even, as rows are halved in pairs. */
const STRIP = 64;

export class PictureCoefficients {
  /** u₁, u₂, …: a third of the samples of u₀, which is the picture itself. */
  private readonly coarser: Plane[] = [];
  private kept: { level: number; first: number; end: number; rows: Float32Array } | undefined;

  /** @param levels at least 1 */
  constructor(
    private readonly picture: Picture,
    levels: number,
  ) {
    if (levels === 1) return;
    const { width, height } = picture;
    const size = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
    let u: Plane = { ...size, data: new Float32Array(size.width * size.height * COLOURS) };
    for (let y = 0; y < height; y += STRIP) {
      u.data.set(halve(colourRows(picture, y, Math.min(height, y + STRIP))).data, (y >> 1) * size.width * COLOURS);
    }
    this.coarser.push(u);
    while (this.coarser.length < levels - 1) this.coarser.push((u = halve(u)));
  }

  /** Rows of a level. The last ones are kept, as small pictures are asked for them at every step. */
  rowsOf(level: number): CoefficientRows {
    return (first, end) => {
      const { kept } = this;
      if (kept !== undefined && kept.level === level && kept.first === first && kept.end === end) return kept.rows;
      this.kept = undefined;
      const { data: rows } = haar(this.pixelRows(level, 2 * first, 2 * end));
      this.kept = { level, first, end, rows };
      return rows;
    };
  }

  /** Rows of u_level, as far as it has them. */
  private pixelRows(level: number, first: number, end: number): Plane {
    if (level === 0) return colourRows(this.picture, first, Math.min(end, this.picture.height));
    const { width, height, data } = this.coarser[level - 1]!;
    const rows = Math.min(end, height) - first;
    return { width, height: rows, data: data.subarray(first * width * COLOURS, (first + rows) * width * COLOURS) };
  }
}
