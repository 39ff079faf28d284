/** Where the pieces of a file lie, as a reader finds them. */
import type { Header } from './header.js';

/** Where a payload lies in the file. */
export interface Extent {
  /** Byte offset of the payload, and how many of its bytes are there. */
  payloadOffset: number;
  payloadLength: number;
  /** complete: checksum holds; cut: the file ends in it; damaged: something is wrong. */
  state: 'complete' | 'cut' | 'damaged';
  /** What is wrong where it is damaged. */
  fault?: string;
}

export interface PartExtent extends Extent {
  /** Byte offset in the file of the part's type. */
  offset: number;
  type: number;
}

export interface Segment extends Extent {
  /** Byte offset in the file of the segment's length field. */
  offset: number;
  /** Units in it (a step of a group each), the last one perhaps cut. */
  units: number;
  /** Ideal bits over real bits, in 1/128. */
  idealRatio: number;
}

export interface Container {
  header: Header;
  /** In the order of the file, unknown ones too. */
  parts: PartExtent[];
  alpha: Extent | undefined;
  /** At most as many as the picture has units, and one that is damaged. */
  segments: Segment[];
  /** True where the file ends before its last segment does. */
  truncated: boolean;
  /** Bytes behind the last segment, or zeros where it should follow; they mean nothing. */
  trailing: number;
}
