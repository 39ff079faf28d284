/** What samples mean where no ICC profile says it: code points of H.273, or gamma and chromaticities. */
import type { Chromaticities, Cicp, Metadata } from '../src/picture.js';
import { defined } from '../src/options.js';

/** Code points: primaries of BT.709, of BT.2020, of Display P3; transfer of sRGB, PQ and HLG. */
export const BT709 = 1;
export const SRGB_TRANSFER = 13;
export const PQ = 16;
export const HLG = 18;
const UNSPECIFIED = 2;

/** Of HDR: the screen it was made on, and its brightest light, which nothing depends on. */
export const LIGHT_NOT_KEPT = 'what it says of the light of its screen and of its brightest parts is not kept';

/** gAMA of sRGB, 1/2.2, and its cHRM. */
const SRGB_GAMMA = 45455;
export const SRGB_CHROMATICITIES: Chromaticities = {
  white: [31270, 32900],
  red: [64000, 33000],
  green: [30000, 60000],
  blue: [15000, 6000],
};

/** Adobe RGB (1998), as files say it in EXIF alone. */
export const ADOBE_RGB: Pick<Metadata, 'gamma' | 'chromaticities'> = {
  gamma: 45471, // 256/563
  chromaticities: { white: [31270, 32900], red: [64000, 33000], green: [21000, 71000], blue: [15000, 6000] },
};

/** How far numbers may be from those of sRGB to mean it: writers round them. */
const NEAR_GAMMA = 100;
const NEAR = 50;

const flat = ({ white, red, green, blue }: Chromaticities): number[] => [...white, ...red, ...green, ...blue];

export function isSrgb({ primaries, transfer }: Cicp): boolean {
  return primaries === BT709 && transfer === SRGB_TRANSFER;
}

/** Code points with what is unspecified as in sRGB; undefined where that is all they say. */
export function meaningOf({ primaries, transfer }: Cicp): Cicp | undefined {
  const cicp = {
    primaries: primaries === UNSPECIFIED ? BT709 : primaries,
    transfer: transfer === UNSPECIFIED ? SRGB_TRANSFER : transfer,
  };
  return isSrgb(cicp) ? undefined : cicp;
}

/** Gamma and chromaticities as they are; nothing where both are those of sRGB, or the one is and the other is not there. */
export function gammaMeaning(
  gamma: number | undefined,
  chromaticities: Chromaticities | undefined,
): Pick<Metadata, 'gamma' | 'chromaticities'> {
  const usual = flat(SRGB_CHROMATICITIES);
  const near =
    (gamma === undefined || Math.abs(gamma - SRGB_GAMMA) <= NEAR_GAMMA) &&
    (chromaticities === undefined || flat(chromaticities).every((n, i) => Math.abs(n - usual[i]) <= NEAR));
  if (near) return {};
  return {
    ...defined({ gamma, chromaticities }),
  };
}

/** Names of code points, for people. */
const PRIMARIES: Record<number, string> = { 1: 'BT.709', 9: 'BT.2020', 11: 'DCI P3', 12: 'Display P3' };
const TRANSFERS: Record<number, string> = { 1: 'BT.709', 8: 'linear', 13: 'sRGB', 16: 'PQ', 18: 'HLG' };

/** What the metadata say of colour, in words; undefined if nothing. */
export function colourName({ icc, cicp, gamma, chromaticities }: Metadata): string | undefined {
  if (cicp !== undefined) {
    const { primaries, transfer } = cicp;
    return `colour space (${PRIMARIES[primaries] ?? `primaries ${primaries}`}, ${TRANSFERS[transfer] ?? `transfer ${transfer}`})`;
  }
  if (icc !== undefined) return 'colour profile';
  if (gamma === undefined && chromaticities === undefined) return undefined;
  return gamma === undefined ? 'chromaticities' : `gamma (${(gamma / 100000).toFixed(3)})`;
}
