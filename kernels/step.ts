/**
 * What a step does with every coefficient of a group (src/codec/group-step.ts): prediction, counting, coding order, the
 * signs of a run, the Kalman update. Doubles and integers as stated in docs/format.md, so that a result does not depend
 * on who computes it. Addresses in bytes.
 */

const COEFFICIENTS: usize = 12;
const OUTPUTS: usize = 24;
const COLOURS: usize = 3;
const BANDS: usize = 4;
/** Bit c: whether channel c is of brightness. */
const BRIGHTNESS: i32 = 0b001_001_001_001;
/** Row of a coefficient that the step does not concern. */
const NONE: i32 = -1;

/** Marks the codes that occur. */
export function markCodes(codes: usize, count: i32, present: usize): void {
  for (let i: usize = 0; i < <usize>count; i++) store<u8>(present + <usize>load<u8>(codes + i), 1);
}

// Constants of `predict`, set before it: fewer arguments for each call.
let rows: i32 = 0;
let first: f64 = 0;
let steps: f64 = 0;
let tables: usize = 0;
let classOf: usize = 0;
let classes: i32 = 0;

/**
 * @param rows_ rows of a class
 * @param least lowest index of the variance grid @param steps_ of the grid in an octave
 * @param tables_ f64 [3][256][12]: factor of z, of the correction, log2 variance in steps
 * @param classOf_ i32 [256][256]: class by code after the step and before it, −1 where there is none yet
 */
export function beginPrediction(rows_: i32, least: i32, steps_: i32, tables_: usize, classOf_: usize): void {
  rows = rows_;
  first = -<f64>least;
  steps = <f64>steps_;
  tables = tables_;
  classOf = classOf_;
  classes = 0;
}

/** Classes found so far. */
export function classCount(): i32 {
  return classes;
}

/**
 * Posterior mean and row of the coefficients of `count` positions of one row of the grid.
 * @param output 24 a position; 0 without the network's
 * @param to u8 [count][2]: code after the step, of brightness and of colours; what is not above it is not concerned
 * @param channels bits of those that may be concerned at the first position @param others at every second one
 * @returns how many coefficients are concerned
 */
export function predict(
  z: usize,
  codes: usize,
  output: usize,
  count: i32,
  to: usize,
  channels: i32,
  others: i32,
  mean: usize,
  row: usize,
): i32 {
  const correction = tables + 8 * 256 * COEFFICIENTS;
  const logVariance = correction + 8 * 256 * COEFFICIENTS;
  const highest = <f64>(rows - 1);
  let active = 0;
  const none = i32x4.splat(NONE);
  for (let x = 0; x < count; x++) {
    v128.store(row, none);
    v128.store(row, none, 16);
    v128.store(row, none, 32);
    const bright = <i32>load<u8>(to + 2 * <usize>x);
    const coloured = <i32>load<u8>(to + 2 * <usize>x, 1);
    for (let left = x & 1 ? others : channels; left !== 0; left &= left - 1) {
      const c = <usize>ctz(left);
      const code = <i32>load<u8>(codes + c);
      const after = (BRIGHTNESS >> <i32>c) & 1 ? bright : coloured;
      if (code <= after) continue;
      const place = classOf + 4 * <usize>(256 * after + code);
      let k = load<i32>(place);
      if (k < 0) store<i32>(place, (k = classes++));
      const g: usize = 8 * (<usize>code * COEFFICIENTS + c);
      let m = load<f64>(tables + g) * <f64>load<f32>(z + 4 * c);
      let v = load<f64>(logVariance + g);
      if (output != 0) {
        m += load<f64>(correction + g) * <f64>load<f32>(output + 4 * c);
        v += steps * <f64>load<f32>(output + 4 * c, 4 * COEFFICIENTS);
      }
      store<f32>(mean + 4 * c, <f32>m);
      // By comparing, which is faster than `min` and `max` with their care for zeros.
      const wanted = Math.floor(v + 0.5) + first;
      const i = wanted > highest ? highest : wanted > 0 ? wanted : 0;
      store<i32>(row + 4 * c, k * rows + <i32>i);
      active++;
    }
    z += 4 * COEFFICIENTS;
    codes += COEFFICIENTS;
    if (output != 0) output += 4 * OUTPUTS;
    mean += 4 * COEFFICIENTS;
    row += 4 * COEFFICIENTS;
  }
  return active;
}

/**
 * Puts words that are interleaved, colour after colour, behind each other by colour.
 * @param count of each colour @param words to and from @param copy room for all of them
 */
export function toPlanes(words: usize, count: i32, copy: usize): void {
  const bytes = 4 * <usize>count;
  memory.copy(copy, words, COLOURS * bytes);
  for (let end = words + bytes; words < end; words += 4, copy += 4 * COLOURS) {
    store<i32>(words, load<i32>(copy));
    store<i32>(words + bytes, load<i32>(copy, 4));
    store<i32>(words + 2 * bytes, load<i32>(copy, 8));
  }
}

/** And back. */
export function fromPlanes(words: usize, count: i32, copy: usize): void {
  const bytes = 4 * <usize>count;
  memory.copy(copy, words, COLOURS * bytes);
  for (let end = copy + bytes; copy < end; copy += 4, words += 4 * COLOURS) {
    store<i32>(words, load<i32>(copy));
    store<i32>(words, load<i32>(copy + bytes), 4);
    store<i32>(words, load<i32>(copy + 2 * bytes), 8);
  }
}

// Constants of `foresee…`, set before them: by coefficient of all planes, and tables.
let planeRow: usize = 0;
let planeMean: usize = 0;
let planeResidual: usize = 0;
let planeMoved: usize = 0;
let toldShares: usize = 0;
let toldVariances: usize = 0;
let deviations: usize = 0;
let lessBy: usize = 0;

/** Correlations are counted in so many units of 1; shares of a variance have so many values. */
const UNITS: f64 = 64;
const SHARES: i32 = 33;

/**
 * @param row, mean, residual, moved of all planes; no residual: 0 @param shares u8 and variances i16, of what has been told
 * @param rows_ of a class @param deviations_ f64 by index of the variance @param less i32 by |correlation| · SHARES + share
 */
export function beginForeseeing(
  row: usize,
  mean: usize,
  residual: usize,
  moved: usize,
  shares: usize,
  variances: usize,
  deviations_: usize,
  less: usize,
  rows_: i32,
): void {
  planeRow = row;
  planeMean = mean;
  planeResidual = residual;
  planeMoved = moved;
  toldShares = shares;
  toldVariances = variances;
  deviations = deviations_;
  lessBy = less;
  rows = rows_;
}

/** What is expected of the coefficient that is looked at: its mean, its variance, and that of before. */
let expectedMean: f64 = 0;
let expectedVariance: i32 = 0;
let ownVariance: i32 = 0;

@inline
function beginExpected(p: usize): void {
  expectedMean = <f64>load<f32>(planeMean + 4 * p);
  expectedVariance = ownVariance = load<i32>(planeRow + 4 * p) % rows;
}

@inline
function expectBy(source: usize, units: i32): void {
  const share = <i32>load<u8>(toldShares + source);
  if (share === 0) return;
  const told = <usize>load<i16>(toldVariances + 2 * source);
  const ratio = load<f64>(deviations + 8 * <usize>ownVariance) / load<f64>(deviations + 8 * told);
  expectedMean += (<f64>units / UNITS) * ratio * <f64>load<f32>(planeMoved + 4 * source);
  const v = expectedVariance - load<i32>(lessBy + 4 * <usize>((units < 0 ? -units : units) * SHARES + share));
  expectedVariance = v < 0 ? 0 : v;
}

@inline
function putExpected(p: usize): void {
  const mean = planeMean + 4 * p;
  if (planeResidual !== 0) {
    const residual = planeResidual + 4 * p;
    store<f32>(residual, <f32>(<f64>load<f32>(residual) + <f64>load<f32>(mean) - expectedMean));
  }
  store<f32>(mean, <f32>expectedMean);
  const row = planeRow + 4 * p;
  store<i32>(row, load<i32>(row) - ownVariance + expectedVariance);
}

/**
 * Keeps of what has been told which share of its variance was taken away, and which variance that was.
 * @param row of a plane @param first its place among all planes @param byRow u8, the share by row
 */
export function noteTold(row: usize, count: i32, first: usize, byRow: usize): void {
  for (const end = first + <usize>count; first < end; first++, row += 4) {
    const r = load<i32>(row);
    if (r < 0) continue;
    store<u8>(toldShares + first, load<u8>(byRow + <usize>r));
    store<i16>(toldVariances + 2 * first, <i16>(r % rows));
  }
}

/**
 * What is expected of a colour at a row of positions, by those before it.
 * @param p the first coefficient @param count positions @param odd whether the first is the second of its square
 * @param units i8 [squares][3] by pair @param pair the first one of the colour @param pairs how many it has
 * @param apart coefficients of a plane
 */
export function foreseeColour(
  p: usize,
  count: i32,
  odd: i32,
  units: usize,
  pair: usize,
  pairs: i32,
  apart: usize,
): void {
  for (let x = odd; x < odd + count; x++) {
    const at = units + 3 * <usize>(x >> 1) + pair;
    for (const end = p + BANDS; p < end; p++) {
      if (load<i32>(planeRow + 4 * p) < 0) continue;
      const first = p - <usize>pairs * apart;
      if (load<u8>(toldShares + first) === 0 && (pairs === 1 || load<u8>(toldShares + p - apart) === 0)) continue;
      beginExpected(p);
      expectBy(first, <i32>load<i8>(at));
      if (pairs === 2) expectBy(p - apart, <i32>load<i8>(at, 1));
      putExpected(p);
    }
  }
}

/**
 * What is expected of the second half of brightness at a row of positions, by the first: left, right, above, below.
 * @param p the first coefficient @param count positions @param above, below whether there is a row
 * @param beside i8 [2][BANDS]: correlation with what is beside it, and with what is above or below
 */
export function foreseeHalf(p: usize, count: i32, above: bool, below: bool, beside: usize): void {
  const length = BANDS * <usize>count;
  for (let x = 0; x < count; x++) {
    for (let band: usize = 0; band < BANDS; band++, p++) {
      if (load<i32>(planeRow + 4 * p) < 0) continue;
      const across = <i32>load<i8>(beside + band);
      const along = <i32>load<i8>(beside + band, 4);
      beginExpected(p);
      if (x > 0) expectBy(p - BANDS, across);
      if (x + 1 < count) expectBy(p + BANDS, across);
      if (above) expectBy(p - length, along);
      if (below) expectBy(p + length, along);
      putExpected(p);
    }
  }
}

/** Replaces every row by what a table of int32 says of it. */
export function mapRows(row: usize, count: i32, table: usize): void {
  const end = row + 4 * <usize>count;
  for (let at = row; at < end; at += 4) {
    const r = load<i32>(at);
    if (r >= 0) store<i32>(at, load<i32>(table + 4 * <usize>r));
  }
}

/** Adds to u32 counts how often each row occurs. */
export function countRows(row: usize, count: i32, histogram: usize): void {
  const end = row + 4 * <usize>count;
  for (let at = row; at < end; at += 4) {
    const r = load<i32>(at);
    if (r < 0) continue;
    const place = histogram + 4 * <usize>r;
    store<u32>(place, load<u32>(place) + 1);
  }
}

/** Coefficients of a row of the group. @returns x − mean, as f32 */
export function residuals(x: usize, mean: usize, count: i32, residual: usize): void {
  const end: usize = 4 * <usize>count;
  // Rows are whole positions of 12.
  for (let i: usize = 0; i < end; i += 16) v128.store(residual + i, f32x4.sub(v128.load(x + i), v128.load(mean + i)));
}

const HALF_INV_LN2: f64 = 0.7213475204444817;

/**
 * Bits that an ideal Gaussian channel takes for some coefficients.
 * @param table f64 [rows][4] by row: information, delta, 1 + rho @param bits of those before
 */
export function idealBits(row: usize, residual: usize, count: i32, table: usize, bits: f64): f64 {
  for (let i: usize = 0; i < <usize>count; i++) {
    const r = load<i32>(row + 4 * i);
    if (r < 0) continue;
    const t = table + 32 * <usize>r;
    const e = <f64>load<f32>(residual + 4 * i);
    bits += load<f64>(t) + HALF_INV_LN2 * ((load<f64>(t, 8) * e * e + 1) / load<f64>(t, 16) - 1);
  }
  return bits;
}

/** Adds the squares of residuals to f64 sums by row. */
export function addSquares(row: usize, residual: usize, count: i32, sums: usize): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const r = load<i32>(row + 4 * i);
    if (r < 0) continue;
    const e = <f64>load<f32>(residual + 4 * i);
    const place = sums + 8 * <usize>r;
    store<f64>(place, load<f64>(place) + e * e);
  }
}

/**
 * Information of blocks of positions.
 * @param length coefficients of a row of the group @param side of a block, in positions
 * @param information f64 by row @param sums f64 by block
 */
export function blockInformation(row: usize, length: i32, height: i32, side: i32, information: usize, sums: usize): void {
  const wide = side * <i32>COEFFICIENTS;
  const columns = (length + wide - 1) / wide;
  for (let y = 0; y < height; y++) {
    let place = sums + 8 * <usize>(y / side * columns);
    for (let x = 0; x < length; x += wide, place += 8) {
      let sum = load<f64>(place);
      const end = row + 4 * <usize>min(length, x + wide);
      for (let at = row + 4 * <usize>x; at < end; at += 4) {
        const r = load<i32>(at);
        if (r >= 0) sum += load<f64>(information + 8 * <usize>r);
      }
      store<f64>(place, sum);
    }
    row += 4 * <usize>length;
  }
}

/**
 * As `mapRows`, of the blocks with a certain gain.
 * @param gains i8 by block
 */
export function mapBlocks(row: usize, length: i32, height: i32, side: i32, gains: usize, gain: i32, table: usize): void {
  const wide = side * <i32>COEFFICIENTS;
  const columns = (length + wide - 1) / wide;
  for (let y = 0; y < height; y++) {
    let place = gains + <usize>(y / side * columns);
    for (let x = 0; x < length; x += wide, place++) {
      if (<i32>load<i8>(place) == gain) mapRows(row + 4 * <usize>x, min(wide, length - x), table);
    }
    row += 4 * <usize>length;
  }
}

/**
 * Adds what each block costs with each of six gains.
 * @param places u32 by row: address in `entries` of the least gain, each further one `stride` bytes behind
 * @param delta f64 by row @param costs f64 [blocks][6]
 * Entries are f64 [2]: information, 1 + rho.
 */
export function gainCosts(row: usize, residual: usize, length: i32, height: i32, side: i32, places: usize, stride: i32, delta: usize, costs: usize): void {
  const wide = side * <i32>COEFFICIENTS;
  const columns = (length + wide - 1) / wide;
  const step = <usize>stride;
  for (let y = 0; y < height; y++) {
    let place = costs + 48 * <usize>(y / side * columns);
    for (let x = 0; x < length; x += wide, place += 48) {
      let a = v128.load(place);
      let b = v128.load(place, 16);
      let c = v128.load(place, 32);
      const end: usize = 4 * <usize>min(length, x + wide);
      for (let at: usize = 4 * <usize>x; at < end; at += 4) {
        const r = load<i32>(row + at);
        if (r < 0) continue;
        const e = <f64>load<f32>(residual + at);
        const square = f64x2.splat(HALF_INV_LN2 * (load<f64>(delta + 8 * <usize>r) * e * e + 1));
        const t = <usize>load<u32>(places + 4 * <usize>r);
        a = f64x2.add(a, costOfTwo(t, step, square));
        b = f64x2.add(b, costOfTwo(t + 2 * step, step, square));
        c = f64x2.add(c, costOfTwo(t + 4 * step, step, square));
      }
      v128.store(place, a);
      v128.store(place, b, 16);
      v128.store(place, c, 32);
    }
    row += 4 * <usize>length;
    residual += 4 * <usize>length;
  }
}

// @ts-ignore: decorator
@inline
function costOfTwo(at: usize, stride: usize, square: v128): v128 {
  const one = v128.load(at);
  const other = v128.load(at + stride);
  const information = v128.shuffle<f64>(one, other, 0, 2);
  return f64x2.add(information, f64x2.div(square, v128.shuffle<f64>(one, other, 1, 3)));
}

/** The shuffled order of n coefficients, u32: see `shuffledOrder` in src/format.ts. One number more is written. */
export function shuffle(n: u32, to: usize): void {
  const bits: u32 = 32 - clz(n - 1);
  const mask: u32 = <u32>((<u64>1 << bits) - 1);
  const shift: u32 = bits >> 1;
  let k = to;
  for (let j: u32 = 0; j <= mask; j++) {
    let x = j ^ (j >> shift);
    x = (x * 0x7feb352d) & mask;
    x ^= x >> shift;
    x = (x * 0x846ca68b) & mask;
    x ^= x >> shift;
    store<u32>(k, x);
    k += x < n ? 4 : 0;
  }
}

/** Rows of 16 bits, those below 65535: the shuffle touches memory at random, and less of it misses the cache. @param compact u16 [count] */
export function compactRows(row: usize, count: i32, compact: usize): void {
  for (let p: usize = 0; p < <usize>count; p++) store<u16>(compact + 2 * p, <u16>load<i32>(row + 4 * p));
}

/**
 * Coding order: by rank, within it as the shuffle goes. What the step does not concern is put behind all others: there is
 * no branch that cannot be foreseen.
 * @param compact rows, as `compactRows` leaves them @param shuffle a piece of it @param count its length
 * @param ranks [65536] by row, the last for what is not concerned: u32 rank, f32 amplitude
 * @param next u32 by rank: place of the next coefficient of that rank
 * @param amplitudes f32 by place in the order
 */
export function sortRows(compact: usize, shuffle: usize, count: i32, ranks: usize, next: usize, order: usize, sorted: usize, amplitudes: usize): void {
  for (let j: usize = 0; j < <usize>count; j++) {
    const p = load<u32>(shuffle + 4 * j);
    const r = <u32>load<u16>(compact + 2 * <usize>p);
    const entry = ranks + 8 * <usize>r;
    const place = next + 4 * <usize>load<u32>(entry);
    const k = load<u32>(place);
    store<u32>(place, k + 1);
    store<u32>(order + 4 * <usize>k, p);
    store<u32>(sorted + 4 * <usize>k, r);
    store<f32>(amplitudes + 4 * <usize>k, load<f32>(entry, 4));
  }
}

/** Numbers (f32) by position into the coding order. */
export function gather(order: usize, count: i32, from: usize, to: usize): void {
  for (let k: usize = 0; k < <usize>count; k++) {
    store<f32>(to + 4 * k, load<f32>(from + 4 * <usize>load<u32>(order + 4 * k)));
  }
}

/** What the search maximises (see `TrellisEncoder.encode`). @param gain f32 by row */
export function metrics(sorted: usize, count: i32, gain: usize, amplitude: usize, residual: usize, offset: usize, metric: usize): void {
  for (let k: usize = 0, end: usize = 4 * <usize>count; k < end; k += 4) {
    const ratio = <f64>load<f32>(gain + 4 * <usize>load<u32>(sorted + k)) / <f64>load<f32>(amplitude + k);
    store<f32>(metric + k, <f32>(ratio * (<f64>load<f32>(residual + k) - <f64>load<f32>(offset + k))));
  }
}

/**
 * Sections of a run (see `sectionEnds` in src/entropy/trellis.ts).
 * @param units u32 by row: information of a pass @param ends u32 by section: the index behind its last coefficient
 * @param unit information of a bit
 * @returns how many
 */
export function sections(sorted: usize, count: i32, units: usize, ends: usize, unit: u32): i32 {
  let open: u32 = 0;
  let closed = 0;
  let found: usize = 0;
  for (let k = 0; k < count; k++) {
    open += load<u32>(units + 4 * <usize>load<u32>(sorted + 4 * <usize>k));
    if (open < unit) continue;
    open -= unit;
    store<u32>(ends + 4 * found++, k + 1);
    closed = k + 1;
  }
  if (closed < count) {
    if (open >= unit >> 1) store<u32>(ends + 4 * found++, count);
    else if (found > 0) store<u32>(ends + 4 * (found - 1), count);
  }
  return <i32>found;
}

// @ts-ignore: decorator
@inline
function mixed(h: v128): v128 {
  h = v128.xor(h, i32x4.shr_u(h, 16));
  h = i32x4.mul(h, i32x4.splat(0x7feb352d));
  h = v128.xor(h, i32x4.shr_u(h, 15));
  h = i32x4.mul(h, i32x4.splat(0x846ca68b));
  return v128.xor(h, i32x4.shr_u(h, 16));
}

/** In the upper bit of each lane, whether the sign of coefficients j (as multiples of the constant) is negative. */
// @ts-ignore: decorator
@inline
function negatives(products: v128, key: v128, label: v128): v128 {
  const h = mixed(v128.xor(products, key));
  // Bits 24 to 31 against the label, whose bit 23 is set: their parity is that of the sign.
  let parity = v128.and(h, label);
  parity = v128.xor(parity, i32x4.shl(parity, 8));
  parity = v128.xor(parity, i32x4.shl(parity, 4));
  parity = v128.xor(parity, i32x4.shl(parity, 2));
  return v128.xor(parity, i32x4.shl(parity, 1));
}

/**
 * Moves the coefficients of a run by their signs.
 * @param bits one by section, packed @param count of sections @param labels u8 by state
 * @param key mixed @param shrink f32 by row; 0 where no pass follows
 * @returns coefficients that were moved
 */
export function moveByRun(bits: usize, count: i32, ends: usize, labels: usize, nu: i32, key: i32, sorted: usize, offset: usize, amplitude: usize, shrink: usize): i32 {
  const mask = (1 << (nu - 1)) - 1;
  const keys = i32x4.splat(key);
  const sign = i32x4.splat(0x80000000);
  let state = 0;
  let j: usize = 0;
  for (let k = 0; k < count; k++) {
    const bit = (<i32>load<u8>(bits + <usize>(k >> 3)) >> (7 - (k & 7))) & 1;
    const label = i32x4.splat((<i32>load<u8>(labels + <usize>(state & mask)) << 24) | 0x800000);
    const flip = i32x4.splat(((state >>> (nu - 1)) ^ bit) << 31);
    const end = <usize>load<u32>(ends + 4 * <usize>k);
    for (; j < end; j += 4) {
      const product = <i32>j * 0x9e3779b1;
      const products = i32x4.add(i32x4.splat(product), i32x4(0, 0x9e3779b1, 0x3c6ef362, 0xdaa66d13));
      const turned = v128.and(v128.xor(negatives(products, keys, label), flip), sign);
      const a = v128.load(amplitude + 4 * j);
      const moved = f32x4.add(v128.load(offset + 4 * j), v128.xor(a, turned));
      if (j + 4 <= end) {
        v128.store(offset + 4 * j, moved);
        continue;
      }
      // Lanes behind the section's end belong to the next one.
      const left = end - j;
      v128.store32_lane(offset + 4 * j, moved, 0);
      if (left > 1) v128.store32_lane(offset + 4 * j + 4, moved, 1);
      if (left > 2) v128.store32_lane(offset + 4 * j + 8, moved, 2);
      j = end;
      break;
    }
    state = ((state & mask) << 1) | bit;
  }
  if (shrink != 0) {
    for (let i: usize = 0; i < j; i++) {
      const place = amplitude + 4 * i;
      store<f32>(place, load<f32>(place) * load<f32>(shrink + 4 * <usize>load<u32>(sorted + 4 * i)));
    }
  }
  return <i32>j;
}

/** From the coding order back to places in the group. */
export function scatter(order: usize, offset: usize, count: i32, moved: usize): void {
  for (let k: usize = 0; k < <usize>count; k++) {
    store<f32>(moved + 4 * <usize>load<u32>(order + 4 * k), load<f32>(offset + 4 * k));
  }
}

/**
 * The Kalman rule, for every `stride`th coefficient of a row.
 * @param gains f64 [rows][4] by row: factor of z, of the mean, of the move, and the code afterwards
 */
export function update(
  z: usize,
  codes: usize,
  stride: usize,
  count: i32,
  row: usize,
  mean: usize,
  moved: usize,
  gains: usize,
): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const r = load<i32>(row + 4 * i);
    if (r < 0) continue;
    const g = gains + 32 * <usize>r;
    const at = z + 4 * stride * i;
    const before = load<f64>(g) * <f64>load<f32>(at);
    const foreseen = load<f64>(g, 8) * <f64>load<f32>(mean + 4 * i);
    store<f32>(at, <f32>(before + foreseen + load<f64>(g, 16) * <f64>load<f32>(moved + 4 * i)));
    store<u8>(codes + stride * i, <u8>load<f64>(g, 24));
  }
}
