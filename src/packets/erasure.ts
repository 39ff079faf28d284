/**
 * Reed-Solomon erasure code over 256 elements, systematic: of k pieces of data it makes any number of shares, up to 256, of which any k
 * give the data back (I. S. Reed, G. Solomon, "Polynomial Codes over Certain Finite Fields", 1960).
 *
 * Byte by byte, the data are the values of a polynomial of degree below k at the points 0 .. k − 1, and share i is its value at the
 * point i. So the first k shares are the data, share i does not depend on how many there are, and what is missing is interpolated (Lagrange)
 * from any k that are there. They are the same bytes as those of the Vandermonde codes made systematic of Backblaze, klauspost/reedsolomon
 * and reed-solomon-erasure.
 */
import { addMultiple, divide, multiply } from './field.js';

/** Shares that there can be: the points of the field. */
export const MAX_SHARES = 256;

/** A share and its number, 0 .. MAX_SHARES − 1. */
export interface Share {
  index: number;
  bytes: Uint8Array;
}

/**
 * The share of some number.
 * @param shares as many as there are pieces of data, of different numbers, all of one length
 */
export function shareAt(index: number, shares: readonly Share[]): Uint8Array {
  const known = shares.find((share) => share.index === index);
  if (known !== undefined) return known.bytes;
  const sum = new Uint8Array(shares[0]!.bytes.length);
  for (const share of shares) addMultiple(sum, share.bytes, weightOf(share, index, shares));
  return sum;
}

/** Value at a point of the polynomial that is 1 at the share's own point and 0 at those of the others. */
function weightOf(share: Share, index: number, shares: readonly Share[]): number {
  let above = 1;
  let below = 1;
  for (const other of shares) {
    if (other === share) continue;
    above = multiply(above, index ^ other.index);
    below = multiply(below, share.index ^ other.index);
  }
  return divide(above, below);
}
