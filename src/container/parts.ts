/**
 * Parts: what belongs to a picture beside its samples, each with a type of its own. What a payload holds is said in
 * docs/format.md, section 1.
 */

/** Types of the parts that this release knows. */
export const PARTS = {
  icc: 1,
  orientation: 2,
  density: 3,
  exif: 4,
  xmp: 5,
  text: 6,
  pixelHash: 7,
  cicp: 8,
  gamma: 9,
  chromaticities: 10,
  iptc: 11,
  modified: 12,
  regions: 128,
  exact: 129,
} as const;

export type PartName = keyof typeof PARTS;

export interface Part {
  /** 1..255; at most one of each in a file. */
  type: number;
  payload: Uint8Array;
}

/** A decoder may ignore a part of a smaller type that it does not know; not knowing one of these it cannot decode the file. */
export const MUST_BE_KNOWN = 128;

/** Longest payload of a part; what is longer is damaged. */
export const MAX_PART_BYTES = 2 ** 24;

/** Most parts: one of each type. */
export const MAX_PARTS = 255;

const NAMES = new Map<number, PartName>(Object.entries(PARTS).map(([name, type]) => [type, name as PartName]));

export function isKnownPart(type: number): boolean {
  return NAMES.has(type);
}

/** The name of a part's type, `unknown` for one that this release does not know. */
export function partName(type: number): PartName | 'unknown' {
  return NAMES.get(type) ?? 'unknown';
}
