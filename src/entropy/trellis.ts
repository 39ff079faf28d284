import { DcompError } from '../errors.js';
import { mix32 } from '../math/hash.js';
import { finish, type Pieces } from '../turns.js';
import type { BitReader } from './bits.js';

/**
 * Trellis reverse-channel coding, of what has too little to tell for points (tcq.ts): sends a sample of a noisy observation y of
 * coefficients x, of which both sides have the same prior, at about the cost of the information I = ½·log2(1 + v·delta) that y carries (reverse-channel coding:
 * Theis & Yosri, "Algorithms for the communication of samples", 2022; the trellis replaces their exhaustive search, as
 * trellis-coded quantisation does in source coding: Marcellin & Fischer 1990).
 *
 * A *run* of coefficients is cut into sections of 1 bit of information. Each section sends one bit; the last nu bits
 * sent are the state of a shift register, which is 0 to begin with. State and bit choose one of 512 pseudo-random sign vectors for the
 * coefficients of the section, and the sample is y = mu + sign · √(v + 1/delta). The encoder searches the bits whose
 * signs fit best (trellis-encoder.ts); the decoder only looks them up, so nu costs it nothing.
 *
 * Sign of coefficient j in the section left from state s = q + u·2^(nu−1) (u = the bit about to drop out) with bit b:
 *   (−1)^(parity(label(q) & g_j) + r_j + u + b)
 * - u + b makes the two sign vectors leaving a state opposite, and likewise the two entering one: at nu 8 the overhead
 *   is 10.6 % with it, 15.7 % without.
 * - label is linear over GF(2) in q with q's low 3 bits standing in the label's: 8 consecutive states then read one
 *   aligned block of 8 metrics, permuted by an exclusive or, which is all that WebAssembly's SIMD can do for a gather.
 * - g_j (8 bits) and r_j (1 bit) are a hash of key and j. As a sign depends on the label by a parity, the metrics
 *   Σ metric_j · sign_j of all 256 labels are the Walsh-Hadamard transform of a histogram of ±metric_j over g_j.
 * The signs of two labels are independent in pairs only, but that costs nothing that could be measured: on ideal data the
 * overhead is the same as with fully independent signs.
 */

/** Unit of `Run.information`: this much is one bit. */
export const INFORMATION_UNIT = 1 << 20;

/** Smallest and largest number of state bits. */
export const MIN_NU = 8;
export const MAX_NU = 18;

/**
 * Bits that a trellis of 2^nu states needs for each bit of information delivered, on Gaussian data with 1/16 bit a
 * coefficient. Sections hold as much less: what a step claims is then what it delivers, and errors do not add up from step
 * to step (without it the variance of z − x grows to twice what is claimed on the way to small sigmas).
 */
const COST_BY_NU: readonly number[] = [1.106, 1.088, 1.075, 1.066, 1.058, 1.051, 1.047, 1.043, 1.039, 1.035, 1.0335];

/**
 * A run's beginning, where few paths are told apart as yet, loses up to so many bits, half of them in the first so many: of 3, 10,
 * 40 and 150 bits 1.6, 6.9, 34 and 139 are delivered at nu 14.
 */
const START_BITS = 4.2;

/**
 * Bits to spend for each bit of information.
 * @param nu 8..18
 * @param bits of information that the run is to deliver
 */
export function runCost(nu: number, bits: number): number {
  return COST_BY_NU[nu - MIN_NU]! + START_BITS / (bits + START_BITS);
}

/** What both sides know of the coefficients to be sent. */
export interface Run {
  /** Information per coefficient in coding order, in 2^-20 bit: the very same integers on both sides. */
  information: Uint32Array;
  /** 32 bits that choose the sign vectors; another key for every run. */
  key: number;
}

/** A run that is cut into sections. */
export interface Sections {
  /** Coefficients of the run. */
  length: number;
  /** As `sectionEnds` gives them. */
  ends: Uint32Array;
  /** As that of `Run`. */
  key: number;
}

/**
 * Images of bits 3, 4, … of q under the label map. Random columns (of which the low 3 bits permute within a block of
 * labels) are all about as good; these are the best of 36 draws by the mean overhead at nu 8, 10, 12 and 14.
 */
const LABEL_COLUMNS: readonly number[] = [
  0x0e, 0x33, 0x6d, 0x24, 0x8b, 0xde, 0xb7, 0x1b, 0xd0, 0xb2, 0xc9, 0x4d, 0x65, 0x98,
];

/** label(q), 0..255, for q 0..2^17 − 1. */
export function labelOf(q: number): number {
  let label = q & 7;
  for (let rest = q >>> 3, i = 0; rest !== 0; rest >>>= 1, i++) {
    if (rest & 1) label ^= LABEL_COLUMNS[i]!;
  }
  return label;
}

const labelTables = new Map<number, Uint8Array>();

/** label(q) for every q of a trellis with 2^nu states. @throws DcompError E_USAGE if nu isn't 8..18 */
export function labelTable(nu: number): Uint8Array {
  if (!Number.isInteger(nu) || nu < MIN_NU || nu > MAX_NU) {
    throw new DcompError('E_USAGE', `the trellis has ${nu} state bits; it can have ${MIN_NU} to ${MAX_NU}`);
  }
  let table = labelTables.get(nu);
  if (table === undefined) {
    table = Uint8Array.from({ length: 1 << (nu - 1) }, (_, q) => labelOf(q));
    labelTables.set(nu, table);
  }
  return table;
}

/**
 * Cuts a run into sections: one closes as soon as the information so far reaches the next whole bit. What remains at the
 * end joins the last section if it is less than ½ bit, else it is a section of its own; a run of less than ½ bit has none.
 * @returns for each section the index behind its last coefficient
 */
export function sectionEnds(information: Uint32Array): Uint32Array {
  const n = information.length;
  let ends = new Uint32Array(64);
  let count = 0;
  let open = 0;
  for (let j = 0; j < n; j++) {
    open += information[j]!;
    if (open < INFORMATION_UNIT) continue;
    open -= INFORMATION_UNIT;
    if (count === ends.length) ends = grow(ends);
    ends[count++] = j + 1;
  }
  const closed = count === 0 ? 0 : ends[count - 1]!;
  if (closed < n) {
    if (open >= INFORMATION_UNIT / 2) {
      if (count === ends.length) ends = grow(ends);
      ends[count++] = n;
    } else if (count > 0) {
      ends[count - 1] = n;
    }
  }
  return ends.slice(0, count);
}

function grow(ends: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(2 * ends.length);
  grown.set(ends);
  return grown;
}

/** Bits that a run costs, also the number of its sections. */
export function runBits(information: Uint32Array): number {
  return sectionEnds(information).length;
}

export interface DecodedRun {
  /** ±1 for each coefficient covered, 0 for the others. */
  signs: Int8Array;
  /** Coefficients whose section was there: the first so many of the run. */
  covered: number;
}

/** 1 for indices of an odd number of ones. */
const PARITY = new Uint8Array(256);
for (let i = 1; i < 256; i++) PARITY[i] = PARITY[i >> 1]! ^ (i & 1);

/**
 * Reads a run. If the data ends inside it, the sections whose bit is there are decoded.
 * @param nu log2 of the number of states, 8..18, as in the encoder
 * @throws DcompError E_USAGE if nu isn't 8..18
 */
export function decodeRun(run: Run, reader: BitReader, nu: number): DecodedRun {
  return finish(decodeRunInPieces(run, reader, nu));
}

/** Coefficients that are looked up in a piece. */
const PIECE = 2 ** 17;

/** As `decodeRun`. */
export function* decodeRunInPieces(run: Run, reader: BitReader, nu: number): Pieces<DecodedRun> {
  const labels = labelTable(nu);
  const ends = sectionEnds(run.information);
  const sections = Math.min(ends.length, reader.remaining);
  const signs = new Int8Array(run.information.length);
  const mixedKey = mix32(run.key);
  const mask = labels.length - 1;
  let state = 0;
  let j = 0;
  let piece = PIECE;
  for (let k = 0; k < sections; k++) {
    if (j >= piece) {
      piece = j + PIECE;
      yield;
    }
    const bit = reader.read();
    const label = labels[state & mask]!;
    const flip = (state >>> (nu - 1)) ^ bit;
    for (const end = ends[k]!; j < end; j++) {
      const h = mix32(Math.imul(j, 0x9e3779b1) ^ mixedKey); // hash32(run.key, j)
      signs[j] = 1 - 2 * (PARITY[label & (h >>> 24)]! ^ ((h >>> 23) & 1) ^ flip);
    }
    state = ((state & mask) << 1) | bit;
  }
  return { signs, covered: j };
}
