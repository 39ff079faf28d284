/** Bytes that come in portions, in one array. */
import { DcompError } from '../errors.js';

/** Takes copies of portions; its memory at least doubles where they do not fit, so all of them together cost O(length). */
export class GrowingBytes {
  private buffer = new Uint8Array(4096);

  /** How many bytes there are; fewer may be set, and the last ones are gone. */
  length = 0;

  /** A view that stays valid until bytes are appended. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** Whether so many more bytes need no more memory. */
  fits(more: number): boolean {
    return this.length + more <= this.buffer.length;
  }

  /** @throws DcompError E_TOO_LARGE where there is no memory for them */
  append(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (!this.fits(bytes.length)) this.grow(length);
    this.buffer.set(bytes, this.length);
    this.length = length;
  }

  private grow(length: number): void {
    let grown: Uint8Array<ArrayBuffer>;
    try {
      grown = new Uint8Array(Math.max(length, 2 * this.buffer.length));
    } catch (cause) {
      throw new DcompError('E_TOO_LARGE', `there is no memory for ${length} bytes of file; stop after fewer`, {
        cause,
      });
    }
    grown.set(this.bytes);
    this.buffer = grown;
  }
}
