/**
 * Coding of photographs sample by sample, without loss or with a bounded error. Each sample is predicted by least squares
 * from those around it and, where there is one, from a lossy picture that both sides have (sums for cells of some columns
 * fade from row to row, as in Meyer & Tischer's TMW and GLICBAWLS, with cells in place of single pixels). The prediction,
 * the recent errors and the variance that the lossy picture comes with make distributions, and these are mixed with
 * contexts in each of the binary decisions that tell the error (docs/format.md, section 13). The arithmetic is
 * kernels/samples.ts.
 */
import type { Samples } from '../picture.js';
import type { Pieces } from '../turns.js';
import type { BinaryCoder } from './mixing.js';
import { createSampleKernel, LOSSY_ROWS, MARGIN, type SampleKernel } from './sample-kernel.js';

/** A lossy picture that both sides know, with how sure it is. */
export interface Side {
  /** Samples in 1/256 of the units of 8 bits, 0..65280, interleaved. */
  mean: Uint16Array;
  /** By position (2×2 pixels) and colour, codes of variances: exp2((code − 40) / 4), rounded up. */
  variance: Uint8Array;
}

/** Units of the lossy picture in one of 8 bits. */
const FRACTIONS = 256;
/** Pixels that are coded in a piece: less than a millisecond. */
const PIECE = 64;

export class SampleModel {
  private readonly kernel: SampleKernel;
  private coder: BinaryCoder | undefined;
  /** Units of a sample in those of the lossy picture. */
  private readonly unit: number;

  /**
   * @param samples interleaved; overwritten by what a reader has
   * @param channels 1 or 3
   * @param bits of a sample, 1..16
   * @param maxError that a sample may have: 0 is lossless
   * @param side a lossy picture that both sides know
   * @throws DcompError E_ENVIRONMENT
   */
  constructor(
    private readonly samples: Samples,
    private readonly width: number,
    private readonly height: number,
    private readonly channels: number,
    bits: number,
    maxError: number,
    private readonly side?: Side,
  ) {
    const code = (ones: number, bit: number): number => this.coder!.code(ones, bit);
    this.kernel = createSampleKernel({ width, height, channels, bits, maxError, lossy: side !== undefined }, code);
    this.unit = (2 ** bits - 1) / (255 * FRACTIONS);
  }

  /** Codes the pixels of a row; rows in their order. */
  *codeRowInPieces(coder: BinaryCoder, y: number): Pieces<void> {
    const { width, channels, kernel, samples } = this;
    this.coder = coder;
    const first = y * width * channels;
    kernel.samples.set(samples.subarray(first, first + width * channels));
    if (this.side !== undefined) this.bringSide(this.side, y);
    kernel.beginRow(y);
    for (let x = 0; x < width;) {
      const end = Math.min(width, x + PIECE - ((y * width + x) % PIECE));
      try {
        kernel.codePixels(x, end);
      } finally {
        // Also what came before data that cannot be read.
        samples.set(kernel.samples.subarray(x * channels, end * channels), first + x * channels);
      }
      x = end;
      if ((y * width + x) % PIECE === 0) yield;
    }
    kernel.endRow();
  }

  /** What a row needs of the lossy picture. */
  private bringSide({ variance }: Side, y: number): void {
    const { codes } = this.kernel;
    codes.set(variance.subarray((y >> 1) * codes.length, ((y >> 1) + 1) * codes.length));
    if (y === 0) for (const row of [-1, 0, 1]) this.bringRow(row);
    this.bringRow(y + 2);
  }

  /** A row of the lossy picture, with its ends repeated; beyond the first and the last it is those. */
  private bringRow(row: number): void {
    const { width, height, channels, unit, kernel } = this;
    const { mean } = this.side!;
    const y = Math.max(0, Math.min(height - 1, row));
    const stride = width + 2 * MARGIN;
    for (let c = 0; c < channels; c++) {
      const start = (c * LOSSY_ROWS + ((row + LOSSY_ROWS) % LOSSY_ROWS)) * stride;
      const place = kernel.lossy.subarray(start, start + stride);
      for (let x = 0, i = y * width * channels + c; x < width; x++, i += channels) place[MARGIN + x] = mean[i]! * unit;
      place.fill(place[MARGIN]!, 0, MARGIN);
      place.fill(place[MARGIN + width - 1]!, MARGIN + width);
    }
  }
}
