/** Packed bits, most significant bit of a byte first. */

/** Appends bits; grows as needed. */
export class BitWriter {
  private bytes = new Uint8Array(64);
  private count = 0;

  /** Bits written so far. */
  get length(): number {
    return this.count;
  }

  /** Appends the first `count` bits of a packed array. */
  append(packed: Uint8Array, count: number): void {
    this.reserve(count);
    const shift = this.count & 7;
    const first = this.count >>> 3;
    for (let i = 0; i < (count + 7) >>> 3; i++) {
      const left = count - 8 * i;
      const value = left < 8 ? packed[i]! & (0xff00 >> left) : packed[i]!;
      this.bytes[first + i]! |= value >> shift;
      if (shift !== 0) this.bytes[first + i + 1] = value << (8 - shift);
    }
    this.count += count;
  }

  /** Appends one bit. @param bit 0 or 1 */
  push(bit: number): void {
    this.reserve(1);
    this.bytes[this.count >>> 3]! |= bit << (7 - (this.count & 7));
    this.count++;
  }

  /** A copy of everything so far; the last byte is filled with zeros. */
  finish(): Uint8Array {
    return this.bytes.slice(0, (this.count + 7) >>> 3);
  }

  private reserve(bits: number): void {
    const need = ((this.count + bits + 7) >>> 3) + 1;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, 2 * this.bytes.length));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

/**
 * Reads bits. Every prefix of a file decodes, so the end of the data is nothing exceptional: who must know asks
 * `remaining`; bits behind the end read as 0.
 */
export class BitReader {
  private at: number;
  private readonly end: number;

  /**
   * @param bytes packed bits
   * @param offset byte at which to begin
   * @param bits how many bits there are, at most to the end of `bytes`
   */
  constructor(
    private readonly bytes: Uint8Array,
    offset = 0,
    bits = Infinity,
  ) {
    this.at = 8 * offset;
    this.end = Math.min(8 * bytes.length, this.at + bits);
  }

  /** Bits not yet read. */
  get remaining(): number {
    return Math.max(0, this.end - this.at);
  }

  /** Next bit, 0 behind the end. */
  read(): number {
    if (this.at >= this.end) return 0;
    const bit = (this.bytes[this.at >>> 3]! >> (7 - (this.at & 7))) & 1;
    this.at++;
    return bit;
  }

  /** The next `count` bits, packed; the last byte is filled with whatever follows. @param count at most `remaining` */
  readBits(count: number): Uint8Array {
    const out = new Uint8Array((count + 7) >>> 3);
    const shift = this.at & 7;
    const first = this.at >>> 3;
    for (let i = 0; i < out.length; i++)
      out[i] = (this.bytes[first + i]! << shift) | ((this.bytes[first + i + 1] ?? 0) >> (8 - shift));
    this.at += count;
    return out;
  }

  /** The next bytes, as many as there are whole, without reading them. */
  peekBytes(most: number): Uint8Array {
    const out = new Uint8Array(Math.min(most, this.remaining >>> 3));
    const shift = this.at & 7;
    const first = this.at >>> 3;
    for (let i = 0; i < out.length; i++) {
      const high = this.bytes[first + i]! << shift;
      out[i] = shift === 0 ? high : high | (this.bytes[first + i + 1]! >> (8 - shift));
    }
    return out;
  }

  /** Another one that goes on from here by itself. */
  copy(): BitReader {
    const copy = new BitReader(this.bytes, 0, this.end);
    copy.at = this.at;
    return copy;
  }

  /** Leaves out some bits. */
  skip(bits: number): void {
    this.at = Math.min(this.end, this.at + bits);
  }
}
