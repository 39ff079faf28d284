/**
 * Counter-based random source: the value at an index depends on the key and the index alone, never on what was drawn
 * before, so that sections can be coded in any order and on any number of threads.
 */

/** Avalanche of 32 bits (finaliser of the murmur3 family, constants of lowbias32 by C. Wellons). */
export function mix32(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
}

/** 32 random bits for an index under a key, both 32 bits. */
export function hash32(key: number, index: number): number {
  return mix32(Math.imul(index, 0x9e3779b1) ^ mix32(key));
}
