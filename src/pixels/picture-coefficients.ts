/** The coefficients of a picture, for the encoder: rows of any level on demand, so that no float copy of the picture is held. */
import type { Picture } from '../picture.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { COLOURS } from './colour.js';
import { colourRows } from './picture-planes.js';
import { rowsOfPiece, type Pieces } from '../turns.js';
import { haar, haarInPieces, halve, halveInPieces, type CoefficientRows, type Plane } from './pyramid.js';

export class PictureCoefficients {
  /** u₁, u₂, …: a third of the samples of u₀, which is the picture itself. */
  private readonly coarser: Plane[] = [];
  private kept: { level: number; first: number; end: number; rows: Float32Array } | undefined;

  private constructor(private readonly picture: Picture) {}

  /** @param levels at least 1 */
  static *of(picture: Picture, levels: number): Pieces<PictureCoefficients> {
    const coefficients = new PictureCoefficients(picture);
    if (levels > 1) yield* coefficients.halveTo(levels);
    return coefficients;
  }

  private *halveTo(levels: number): Pieces<void> {
    const { picture } = this;
    const { width, height } = picture;
    // Even, as rows are halved in pairs.
    const strip = 2 * rowsOfPiece(2 * width);
    const size = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
    let u: Plane = { ...size, data: new Float32Array(size.width * size.height * COLOURS) };
    for (let y = 0; y < height; y += strip) {
      u.data.set(halve(colourRows(picture, y, Math.min(height, y + strip))).data, (y >> 1) * size.width * COLOURS);
      yield;
    }
    this.coarser.push(u);
    while (this.coarser.length < levels - 1) this.coarser.push((u = yield* halveInPieces(u)));
  }

  /** Rows of a level. The last ones are kept, as small pictures are asked for them at every step. */
  rowsOf(level: number): CoefficientRows {
    return (first, end) => this.rows(level, first, end);
  }

  private *rows(level: number, first: number, end: number): Pieces<Float32Array> {
    const { kept, picture } = this;
    if (kept !== undefined && kept.level === level && kept.first === first && kept.end === end) return kept.rows;
    this.kept = undefined;
    if (level > 0) {
      const { data: rows } = yield* haarInPieces(this.pixelRows(level, 2 * first, 2 * end));
      this.kept = { level, first, end, rows };
      return rows;
    }
    const length = ((picture.width + 1) >> 1) * COEFFICIENTS;
    const rows = new Float32Array((end - first) * length);
    const strip = rowsOfPiece(2 * picture.width);
    for (let y = first; y < end; y += strip) {
      const part = haar(this.pixelRows(level, 2 * y, 2 * Math.min(end, y + strip)));
      rows.set(part.data, (y - first) * length);
      yield;
    }
    this.kept = { level, first, end, rows };
    return rows;
  }

  /** u_level, level at least 1. */
  plane(level: number): Plane {
    return this.coarser[level - 1]!;
  }

  /** Rows of u_level, as far as it has them. */
  private pixelRows(level: number, first: number, end: number): Plane {
    if (level === 0) return colourRows(this.picture, first, Math.min(end, this.picture.height));
    const { width, height, data } = this.coarser[level - 1]!;
    const rows = Math.min(end, height) - first;
    return { width, height: rows, data: data.subarray(first * width * COLOURS, (first + rows) * width * COLOURS) };
  }
}
