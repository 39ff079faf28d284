/** What the evaluation asks of a codec. */
import type { Picture } from '../../src/picture.js';

export interface Codec {
  /** Versions and settings, for the report and as a part of the cache's key. */
  about: string;
  /** What its settings are called: quality, distance. */
  parameter: string;
  /** By rising rate, about a factor of 1.4 apart: enough for PCHIP, and few, as each is a whole encoding. */
  settings: readonly number[];
  /** @param picture RGB. @returns the whole file */
  encode(picture: Picture, setting: number): Promise<Uint8Array>;
  /** @returns the picture as RGB, 8 bits */
  decode(file: Uint8Array): Promise<Picture>;
  /** Peak memory in bytes of the process that the last call started; undefined where codecs run in this process. */
  peakMemory?(): number | undefined;
}

/** An entry of the table of codecs. */
export interface CodecEntry {
  name: string;
  label: string;
  /** @throws DcompError E_MISSING_DEPENDENCY with what to install */
  load(): Promise<Codec>;
}
