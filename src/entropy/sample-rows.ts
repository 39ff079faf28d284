/** The rows that a sample model looks at: samples, the errors of their predictions, and the lossy picture below them. */

/** A lossy picture that both sides know, with how sure it is. */
export interface Side {
  /** Samples in 1/256 of the units of 8 bits, 0..65280, interleaved. */
  mean: Uint16Array;
  /** By position (2×2 pixels) and colour, codes of variances: exp2((code − 40) / 4), rounded up. */
  variance: Uint8Array;
}

/** Codes of variances that there are. */
export const VARIANCES = 96;

/** Columns beside the picture that may be asked for, and rows that are kept. */
const MARGIN = 2;
const ROWS = 3;
const LOSSY_ROWS = 4;
/** Units of the lossy picture in one of 8 bits. */
const FRACTIONS = 256;

export class SampleRows {
  /** Squared units of 8 bits in squared units of a sample. */
  readonly units: number;
  private readonly stride: number;
  private readonly values: Float64Array[];
  private readonly errors: Float64Array[];
  private readonly lossy: Float64Array[];
  private readonly unit: number;
  private y = 0;
  /** Where row 0, −1 and −2 from here begin; the same of the lossy picture, 0, 1, 2 down and −1. */
  private readonly starts = new Int32Array(ROWS);
  private readonly lossyStarts = new Int32Array(LOSSY_ROWS);

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly channels: number,
    bits: number,
    private readonly side: Side | undefined,
  ) {
    this.stride = width + 2 * MARGIN;
    const range = 2 ** bits - 1;
    this.unit = range / (255 * FRACTIONS);
    this.units = (range / 255) * (range / 255);
    const rows = (count: number, fill: number): Float64Array[] =>
      Array.from({ length: channels }, () => new Float64Array(count * this.stride).fill(fill));
    this.values = rows(ROWS, 2 ** (bits - 1));
    this.errors = rows(ROWS, 0);
    this.lossy = side === undefined ? [] : rows(LOSSY_ROWS, 0);
  }

  /** Before the first sample of a row. */
  begin(y: number): void {
    const { starts, lossyStarts, stride, values, errors, channels } = this;
    this.y = y;
    for (let up = 0; up < ROWS; up++) starts[up] = ((y + ROWS - up) % ROWS) * stride + MARGIN;
    for (let c = 0; c < channels; c++) {
      const row = starts[0]! - MARGIN;
      // Left of the first sample is what is above it.
      values[c]!.fill(values[c]![starts[1]!]!, row, row + MARGIN);
      errors[c]!.fill(0, row, row + stride);
    }
    if (this.side === undefined) return;
    for (let down = -1; down < ROWS; down++)
      lossyStarts[(down + LOSSY_ROWS) % LOSSY_ROWS] = ((y + down + LOSSY_ROWS) % LOSSY_ROWS) * stride + MARGIN;
    if (y === 0) for (const down of [-1, 0, 1]) this.fetch(down);
    this.fetch(2);
  }

  /** Behind the last sample of a row. */
  end(): void {
    const { values, starts, width } = this;
    const end = starts[0]! + width;
    for (const row of values) row.fill(row[end - 1]!, end, end + MARGIN);
  }

  /** A row of the lossy picture, with its ends repeated. */
  private fetch(down: number): void {
    const { side, width, height, channels, unit, lossyStarts } = this;
    const y = Math.max(0, Math.min(height - 1, this.y + down));
    const start = lossyStarts[(down + LOSSY_ROWS) % LOSSY_ROWS]!;
    for (let c = 0; c < channels; c++) {
      const row = this.lossy[c]!;
      for (let x = 0, i = y * width * channels + c; x < width; x++, i += channels)
        row[start + x] = side!.mean[i]! * unit;
      row.fill(row[start]!, start - MARGIN, start);
      row.fill(row[start + width - 1]!, start + width, start + width + MARGIN);
    }
  }

  put(c: number, x: number, value: number, error: number): void {
    const i = this.starts[0]! + x;
    this.values[c]![i] = value;
    this.errors[c]![i] = error;
  }

  /** A sample. @param down 0, −1 or −2 */
  at(c: number, x: number, down: number): number {
    return this.values[c]![this.starts[-down]! + x]!;
  }

  /** The error of its prediction; 0 outside the picture. */
  error(c: number, x: number, down: number): number {
    return this.errors[c]![this.starts[-down]! + x]!;
  }

  /** @param down −1..2 */
  lossyAt(c: number, x: number, down: number): number {
    return this.lossy[c]![this.lossyStarts[(down + LOSSY_ROWS) % LOSSY_ROWS]! + x]!;
  }

  /** What is expected of a sample at first: what the lossy picture has there, or the mean of left and above. */
  base(c: number, x: number): number {
    return this.side === undefined ? (this.at(c, x - 1, 0) + this.at(c, x, -1)) / 2 : this.lossyAt(c, x, 0);
  }

  /** Code of the variance of a sample of the lossy picture. */
  variance(c: number, x: number, y: number): number {
    return this.side!.variance[((y >> 1) * ((this.width + 1) >> 1) + (x >> 1)) * this.channels + c]!;
  }
}
