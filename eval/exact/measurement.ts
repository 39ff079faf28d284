/** What is measured of a file that is exact, or nearly, and what the measurement depends on. */

/** A codec's smallest file within the error that is allowed. */
export interface ExactPoint {
  /** The codec's setting; of dcomp the error that was asked for. */
  setting: number;
  bytes: number;
  /** Bits of the whole file over the samples of the picture. */
  bitsPerSample: number;
  /** Of all samples, as it really is. */
  largestError: number;
  /** Of processor. */
  encodeSeconds: number;
  decodeSeconds: number;
}

/** A picture to be coded by a codec. */
export interface ExactJob {
  kind: 'exact';
  path: string;
  hash: string;
  codec: string;
  /** Versions and settings, a part of the cache's key. */
  about: string;
  /** 0 for lossless. */
  maxError: number;
  /** Of dcomp: how it is run; without a model in the plain form. */
  own: { effort?: number; model: string | undefined } | undefined;
  cache: string;
}

/** Asks whether a codec can be loaded, and for its versions and settings. */
export interface ExactLoadJob {
  kind: 'load-exact';
  codec: string;
}
