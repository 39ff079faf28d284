/**
 * Coding of photographs sample by sample (docs/format.md, section 13, says what is computed; src/entropy/sample-kernel.ts
 * lays out the memory): prediction by least squares, distributions, contexts and the decisions of each error. Doubles in a
 * stated order of operations. Addresses in bytes.
 */
import { beginDistributions, hash, level, logistic, quarterOctaves } from './lib/distributions';
import { beginMixing, decide } from './lib/expert-mixing';
import { fade, learn, predict, solve } from './lib/least-squares';
import { above, aboveLeft, aboveRight, highest, left, leftmost } from './lib/neighbours';
import { beginNeighbours, row0, row1, row2 } from './lib/neighbours';

const CELL_COLUMNS: i32 = 8;
/** Bytes of a description of a prediction, and of its weights. */
const PREDICTION: usize = 192;
const WEIGHTS: usize = 256;
/** Columns beside the picture that may be asked for, rows of samples that are kept, and of the lossy picture. */
const MARGIN: i32 = 2;
const ROWS: i32 = 3;
const LOSSY_ROWS: i32 = 4;

const SETS: i32 = 64;
const SIZES: i32 = 48;
const BUCKET: i32 = 2;
const PLACE: i32 = 34;
const NEGATIVE_NODES: i32 = 64;
const PLACE_NODES: i32 = 128;

const SCALE: f64 = 0.5513;
const LAST_SCALE: f64 = 0.60643;
const NOTHING: f64 = 1e-9;

// Of the picture.
let width: i32 = 0;
let channels: i32 = 0;
let stride: usize = 0;
let range: f64 = 0;
let maxError: f64 = 0;
let bin: f64 = 0;
let square: f64 = 0;
let units: f64 = 0;
let lossyThere: bool = false;
let experts: i32 = 0;
// Addresses.
let values: usize = 0;
let errors: usize = 0;
let lossies: usize = 0;
let samples: usize = 0;
let codes: usize = 0;
let variances: usize = 0;
let predictions: usize = 0;
let weights: usize = 0;
let inputs: usize = 0;
let weighed: usize = 0;
let sums: usize = 0;
let cells: usize = 0;
let cellBytes: usize = 0;
let contexts: usize = 0;
let said: usize = 0;
let ends: usize = 0;
// Of a row: where this one of the lossy picture begins, those below and the one above.
let lossy0: usize = 0;
let lossy1: usize = 0;
let lossy2: usize = 0;
let lossyUp: usize = 0;
// Of a pixel: errors of its channels so far.
let found0: f64 = 0;
let found1: f64 = 0;
// Of a sample.
let rounded: f64 = 0;
let bottom: i32 = 0;
let top: i32 = 0;
let weight: f64 = 0;
let firstSet: i32 = 0;
let secondSet: i32 = 0;
let centre: f64 = 0;
let base: f64 = 0;
let inverse0: f64 = 0;
let inverse1: f64 = 0;
let inverse2: f64 = 0;

/** @param at where numbers and addresses of the picture stand, in the order below */
export function begin(at: usize): void {
  width = load<i32>(at);
  channels = load<i32>(at + 4);
  range = <f64>load<i32>(at + 8);
  const error = load<i32>(at + 12);
  lossyThere = load<i32>(at + 16) != 0;
  maxError = <f64>error;
  bin = <f64>(2 * error + 1);
  square = bin * bin;
  units = (range / 255) * (range / 255);
  experts = lossyThere ? 3 : 2;
  stride = 8 * <usize>(width + 2 * MARGIN);
  values = load<u32>(at + 24);
  errors = load<u32>(at + 28);
  lossies = load<u32>(at + 32);
  samples = load<u32>(at + 36);
  codes = load<u32>(at + 40);
  variances = load<u32>(at + 48);
  beginDistributions(load<u32>(at + 44), load<u32>(at + 52));
  predictions = load<u32>(at + 56);
  weights = load<u32>(at + 60);
  inputs = load<u32>(at + 64);
  weighed = load<u32>(at + 68);
  sums = load<u32>(at + 72);
  cells = load<u32>(at + 76);
  cellBytes = load<u32>(at + 80);
  ends = load<u32>(at + 84);
  contexts = load<u32>(at + 96);
  said = load<u32>(at + 100);
  beginMixing(experts, load<i32>(at + 20), channels * SIZES * SETS, at + 88);
}

/** Before the first sample of a row; the caller has set `samples`, `codes` and the rows of the lossy picture. */
export function beginRow(y: i32): void {
  beginNeighbours(
    <usize>(y % ROWS) * stride + 8 * MARGIN,
    <usize>((y + ROWS - 1) % ROWS) * stride + 8 * MARGIN,
    <usize>((y + ROWS - 2) % ROWS) * stride + 8 * MARGIN,
  );
  lossy0 = <usize>(y % LOSSY_ROWS) * stride + 8 * MARGIN;
  lossy1 = <usize>((y + 1) % LOSSY_ROWS) * stride + 8 * MARGIN;
  lossy2 = <usize>((y + 2) % LOSSY_ROWS) * stride + 8 * MARGIN;
  lossyUp = <usize>((y + 3) % LOSSY_ROWS) * stride + 8 * MARGIN;
  for (let c = 0; c < channels; c++) {
    const row = values + <usize>(c * ROWS) * stride;
    // Left of the first sample is what is above it.
    const first = above(row);
    for (let i: usize = 0; i < 8 * MARGIN; i += 8) store<f64>(row + row0 - 8 * MARGIN + i, first);
    memory.fill(errors + <usize>(c * ROWS) * stride + row0 - 8 * MARGIN, 0, stride);
  }
  fade(cells, cellBytes);
}

/** Behind the last sample of a row. */
export function endRow(): void {
  for (let c = 0; c < channels; c++) {
    const end = values + <usize>(c * ROWS) * stride + row0 + 8 * <usize>width;
    for (let i: usize = 0; i < 8 * MARGIN; i += 8) store<f64>(end + i, load<f64>(end - 8));
  }
}

/** Codes the pixels of columns from..to − 1. */
export function codePixels(from: i32, to: i32): void {
  for (let x = from; x < to; x++) {
    const cell = x / CELL_COLUMNS;
    if (x % CELL_COLUMNS == 0)
      for (let k: usize = 0; k < <usize>channels; k++)
        solve(predictions + PREDICTION * k, cell, sums, weights + WEIGHTS * k);
    for (let k = 0; k < channels; k++) codeSample(x, cell, k);
  }
}

/** The k-th channel in the order green, red, blue. */
@inline
function channelOf(k: i32): i32 {
  return channels == 1 ? 0 : k == 0 ? 1 : k == 1 ? 0 : 2;
}

function codeSample(x: i32, cell: i32, k: i32): void {
  const c = channelOf(k);
  const prediction = predictions + PREDICTION * <usize>k;
  const column: usize = 8 * <usize>x;
  base = baseOf(c, column);
  const count = fill(k, c, column);
  const sum = base + predict(count, inputs, weights + WEIGHTS * <usize>k);
  const mean = sum > 0 ? (sum < range ? sum : range) : 0;
  centre = mean;
  rounded = floor<f64>(mean + 0.5);
  bottom = -(<i32>floor<f64>((rounded + maxError) / bin));
  top = <i32>floor<f64>((range - rounded + maxError) / bin);
  expect(x, k, c, column);
  const at = samples + 2 * <usize>(x * channels + c);
  const off = <i32>floor<f64>((<f64>load<u16>(at) - rounded + maxError) / bin);
  const value = rounded + <f64>codeError(off) * bin;
  const v = value < 0 ? 0 : value > range ? range : value;
  store<u16>(at, <u16>(<i32>v));
  const place = <usize>(c * ROWS) * stride + row0 + column;
  store<f64>(values + place, v);
  store<f64>(errors + place, v - mean);
  if (k == 0) found0 = v - mean;
  else if (k == 1) found1 = v - mean;
  store<f64>(inputs + 8 * <usize>count, v - base);
  store<f64>(inputs + 8 * <usize>(count + 1), 0);
  learn(prediction, cell, inputs, weighed, weight);
}

/** What is expected of a sample at first: what the lossy picture has there, or the mean of left and above. */
function baseOf(c: i32, column: usize): f64 {
  if (lossyThere) return load<f64>(lossies + <usize>(c * LOSSY_ROWS) * stride + lossy0 + column);
  const row = values + <usize>(c * ROWS) * stride + column;
  return (left(row) + above(row)) / 2;
}

/** What the prediction is made of, all relative to `base`. @returns how many inputs */
function fill(k: i32, c: i32, column: usize): i32 {
  let i = inputs;
  const here = values + <usize>(c * ROWS) * stride + column;
  const b = here + row1;
  const d = here + row2;
  store<f64>(i, left(here) - base);
  store<f64>(i, above(here) - base, 8);
  store<f64>(i, aboveLeft(here) - base, 16);
  store<f64>(i, aboveRight(here) - base, 24);
  store<f64>(i, leftmost(here) - base, 32);
  store<f64>(i, highest(here) - base, 40);
  store<f64>(i, load<f64>(b, 16) - base, 48);
  store<f64>(i, load<f64>(b - 16) - base, 56);
  store<f64>(i, load<f64>(d, 8) - base, 64);
  store<f64>(i, load<f64>(d - 8) - base, 72);
  i += 80;
  if (lossyThere) i = fillLossy(i, lossies + <usize>(c * LOSSY_ROWS) * stride + column);
  for (let before = 0; before < k; before++) {
    const other = channelOf(before);
    const row = values + <usize>(other * ROWS) * stride + column;
    const value = load<f64>(row + row0);
    store<f64>(i, value - baseOf(other, column));
    store<f64>(i, left(row) - value, 8);
    store<f64>(i, above(row) - value, 16);
    store<f64>(i, aboveLeft(row) - value, 24);
    store<f64>(i, aboveRight(row) - value, 32);
    i += 40;
  }
  return <i32>((i - inputs) >> 3);
}

/** The lossy picture around a sample. @returns where the next input stands */
function fillLossy(i: usize, at: usize): usize {
  const a = at + lossy0;
  const b = at + lossy1;
  const up = at + lossyUp;
  store<f64>(i, load<f64>(a, 8) - base);
  store<f64>(i, load<f64>(b) - base, 8);
  store<f64>(i, load<f64>(a - 8) - base, 16);
  store<f64>(i, load<f64>(up) - base, 24);
  store<f64>(i, load<f64>(b, 8) - base, 32);
  store<f64>(i, load<f64>(b - 8) - base, 40);
  store<f64>(i, load<f64>(up, 8) - base, 48);
  store<f64>(i, load<f64>(up - 8) - base, 56);
  store<f64>(i, load<f64>(a, 16) - base, 64);
  store<f64>(i, load<f64>(at + lossy2) - base, 72);
  return i + 80;
}

/** Sets distributions, weights and contexts of a sample. */
function expect(x: i32, k: i32, c: i32, column: usize): void {
  const row = errors + <usize>(c * ROWS) * stride + column;
  const w = left(row);
  const n = above(row);
  const nw = aboveLeft(row);
  const ne = aboveRight(row);
  const ww = leftmost(row);
  const nn = highest(row);
  const f: f64 = k > 0 ? found0 : 0;
  const g: f64 = k > 1 ? found1 : 0;
  const near = (2 * w * w + 2 * n * n + nw * nw + ne * ne + 0.5 * ww * ww + 0.5 * nn * nn) / 7 + 0.15 * square;
  const here = k == 0 ? near : k == 1 ? f * f : (f * f + g * g) / 2;
  const code: usize = lossyThere ? <usize>load<u8>(codes + <usize>((x >> 1) * channels + c)) : 0;
  const lossy = lossyThere ? load<f64>(variances + 8 * code) * units + 0.08 * square : near;
  const variance = lossyThere ? 0.5 * near + 0.3 * lossy + 0.2 * here : 0.7 * near + 0.3 * here;
  const last = k == 0 ? (w * w + n * n) / 2 : 0.5 * here + 0.5 * near;
  weight = 1 / (variance + 0.5 * square);
  inverse0 = 1 / (sqrt<f64>(variance + 0.05 * square) * SCALE);
  inverse1 = 1 / (sqrt<f64>(last + 0.1 * square) * LAST_SCALE);
  if (lossyThere) inverse2 = 1 / (sqrt<f64>(lossy) * SCALE);
  const expected = min(SIZES - 1, quarterOctaves(1 + (2 * sqrt<f64>(variance)) / bin));
  const seen = lossyThere ? 2 * sqrt<f64>(lossy) : abs<f64>(w) + abs<f64>(n) + abs<f64>(f);
  const other = min(SIZES - 1, quarterOctaves(1 + seen / bin));
  firstSet = (k * SIZES + expected) * SETS;
  secondSet = (k * SIZES + other) * SETS;
  const rough = min(31, quarterOctaves(1 + near / square) >> 1);
  setErrorContexts(expected, other, rough, w / bin, n / bin, nw / bin, ne / bin, f / bin, g / bin);
  setSampleContexts(c, column, expected, rough, level(f / bin));
  for (let i = 0; i < 13; i++) {
    const at = contexts + 4 * <usize>i;
    store<i32>(at, hash(load<i32>(at), k * 16 + i));
  }
}

/** Contexts of errors, over bins. */
function setErrorContexts(expected: i32, other: i32, rough: i32, w: f64, n: f64, nw: f64, ne: f64, f: f64, g: f64): void {
  const part = <i32>floor<f64>((centre - rounded + 0.5) * 8);
  const levelF = level(f);
  store<i32>(contexts, expected * 16 + part);
  store<i32>(contexts, (level(w) * 32 + level(n)) * 32 + (rough >> 1), 4);
  store<i32>(contexts, (levelF * 32 + level(g)) * 32 + rough, 8);
  store<i32>(contexts, (level(lossyThere ? (2 * (base - centre)) / bin : ne) * SIZES + other) * 32 + levelF, 32);
  store<i32>(contexts, (other * SIZES + expected) * 16 + part, 40);
  store<i32>(contexts, (level(w + n) * 32 + level(ne + nw)) * 32 + level(f + g), 44);
  store<i32>(contexts, hash(hash(level(2 * f), level(2 * g)), part * SIZES + other), 48);
}

/** How far off in bins, as a level. */
function offLevel(v: f64): i32 {
  return level((v - rounded) / bin);
}

/** Contexts of samples around. @param levelF that of the error of the pixel's first channel */
function setSampleContexts(c: i32, column: usize, expected: i32, rough: i32, levelF: i32): void {
  const row = values + <usize>(c * ROWS) * stride + column;
  const w = left(row);
  const n = above(row);
  const nw = aboveLeft(row);
  const ne = aboveRight(row);
  const ww = leftmost(row);
  const nn = highest(row);
  const part = <i32>floor<f64>((centre - rounded + 0.5) * 8);
  let larger = (w > centre ? 32 : 0) + (n > centre ? 16 : 0) + (nw > centre ? 8 : 0);
  larger += (ne > centre ? 4 : 0) + (ww > centre ? 2 : 0) + (nn > centre ? 1 : 0);
  store<i32>(contexts, (offLevel(w) * 32 + offLevel(n)) * 16 + part, 12);
  store<i32>(contexts, <i32>rounded, 16);
  store<i32>(contexts, hash(hash(1, <i32>w), <i32>n), 20);
  store<i32>(contexts, (offLevel(w + n - nw) * 32 + offLevel(2 * w - ww)) * 32 + levelF, 24);
  store<i32>(contexts, (offLevel(ne) * 32 + offLevel(2 * n - nn)) * 32 + rough, 28);
  store<i32>(contexts, larger * SIZES + expected, 36);
}

/** What an expert gives all below a bin. */
@inline
function below(e: i32, edge: i32): f64 {
  const middle = e == 2 ? base : centre;
  const inverse = e == 0 ? inverse0 : e == 1 ? inverse1 : inverse2;
  return logistic((rounded + (<f64>edge - 0.5) * bin - middle) * inverse);
}

/** Sets what an expert says of a part of something. */
@inline
function say(e: i32, part: f64, whole: f64): void {
  store<f64>(said + 8 * <usize>e, whole > NOTHING ? part / whole : 0.5);
}

/** An error, in bins. */
function codeError(steps: i32): i32 {
  if (bottom == top) return 0;
  for (let e = 0; e < experts; e++) {
    const first = below(e, bottom);
    const last = below(e, top + 1);
    // What lies at the ends, for those that ask again.
    store<f64>(ends + 16 * <usize>e, first);
    store<f64>(ends + 16 * <usize>e, last, 8);
    const all = last - first;
    say(e, all - (below(e, 1) - below(e, 0)), all);
  }
  if (decide(0, firstSet, secondSet, steps == 0 ? 0 : 1) == 0) return 0;
  let negative = bottom < 0;
  if (bottom < 0 && top > 0) {
    for (let e = 0; e < experts; e++) {
      const lower = below(e, 0) - load<f64>(ends + 16 * <usize>e);
      say(e, lower, lower + (load<f64>(ends + 16 * <usize>e, 8) - below(e, 1)));
    }
    negative = decide(1, firstSet + 1, secondSet + 1, steps < 0 ? 1 : 0) == 1;
  }
  const size = codeSize(negative, abs(steps));
  return negative ? -size : size;
}

/** What an expert gives errors of that sign of more than t bins. */
function beyond(e: i32, negative: bool, t: i32): f64 {
  return negative
    ? below(e, -t) - load<f64>(ends + 16 * <usize>e)
    : load<f64>(ends + 16 * <usize>e, 8) - below(e, t + 1);
}

/** How many bins, at least one: first in which bucket, of 1, 1, 1, 2, 2, 4, 4, …, then where in it by halves. */
function codeSize(negative: bool, size: i32): i32 {
  const most = negative ? -bottom : top;
  let before = 0;
  let j = 0;
  let bucket = 1;
  while (before + bucket < most) {
    for (let e = 0; e < experts; e++) say(e, beyond(e, negative, before + bucket), beyond(e, negative, before));
    const node = BUCKET + j + (negative ? NEGATIVE_NODES : 0);
    const more = size > before + bucket ? 1 : 0;
    if (decide(node, firstSet + BUCKET + j, secondSet + BUCKET + j, more) == 0) break;
    before += bucket;
    j++;
    bucket = 1 << ((j - 1) >> 1);
  }
  let low = before + 1;
  let high = min(before + bucket, most);
  const set = PLACE + min(j, 29);
  for (let path = 1; low < high; ) {
    const middle = (low + high) >> 1;
    for (let e = 0; e < experts; e++) {
      const end = beyond(e, negative, high);
      say(e, beyond(e, negative, middle) - end, beyond(e, negative, low - 1) - end);
    }
    const node = PLACE_NODES + 64 * j + min(path, 63);
    const upper = decide(node, firstSet + set, secondSet + set, size > middle ? 1 : 0);
    path = 2 * path + upper;
    if (upper == 1) low = middle + 1;
    else high = middle;
  }
  return low;
}
