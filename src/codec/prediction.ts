/** What both sides expect of a step's coefficients: posterior mean, and row = measurement class · VARIANCE_COUNT + variance index. */
import { log2 } from '../math/exact.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { wienerGains } from '../model/inputs.js';
import { VARIANCE_COUNT, VARIANCE_MIN, VARIANCE_STEPS, type Group } from '../format.js';
import { COLOURS } from '../pixels/colour.js';
import { measurement, varianceIndex, type Measurement } from '../diffusion/variance-table.js';
import type { Observation } from '../diffusion/observation.js';
import type { Step } from '../diffusion/schedule.js';
import { maskedCode, offsetAt, type Masking } from './masking.js';
import { lagAt, laggingCode, type Lags } from './region.js';
import { MAX_ROWS, type Workspace } from './workspace.js';

/** A measurement class and the sigma code that it leads to. */
export type ToldMeasurement = Measurement & { to: number };

/** What a prediction is made from. */
export interface Predicted {
  step: Step;
  observation: Observation;
  /** Within the observation. */
  group: Group;
  /** The network's output for the observation, 24 a position; absent for the root step, whose prior is the model's. */
  output: Float32Array | undefined;
  /** Standard deviation by channel of an unknown coefficient of this level. */
  prior: Float32Array;
  /** Blocks that lag behind the step. */
  lags?: Lags;
  /** Blocks that are measured more or less precisely than the step says. */
  masking?: Masking;
  /** By how many codes more than brightness the colours are measured. Default: 0. */
  chroma?: number | undefined;
}

export interface Prediction {
  /** In the order of their first coefficients. */
  classes: ToldMeasurement[];
  /** Coefficients that the step concerns; the others have row −1. */
  active: number;
}

/** Fills `mean` and `row` of the workspace. @param kernels whether those of WebAssembly may be asked */
export function predict(o: Predicted, w: Workspace, kernels: boolean): Prediction {
  return kernels ? predictByKernel(o, w) : predictHere(o, w);
}

/** Bits of the channels that a step may concern at positions whose column and row make an even sum, and at the others. */
function channelsOf({ kind, part, inStages }: Step): readonly [number, number] {
  const all = 2 ** COEFFICIENTS - 1;
  if (kind === 'root') return [2 ** COLOURS - 1, 2 ** COLOURS - 1];
  if (part !== 'first') return [all, all];
  let even = 0;
  for (let c = 0; c < COEFFICIENTS; c++) if (((inStages ? Math.floor(c / COLOURS) : c) & 1) === 0) even |= 1 << c;
  return [even, all - even];
}

/** Sigma codes that a step leads to at the positions of a row of the group, of brightness and of colours. */
function putCodesAfter(o: Predicted, y: number, to: Uint8Array): void {
  const { step, observation, group, lags, masking, chroma = 0 } = o;
  if (lags === undefined && masking === undefined && chroma === 0) {
    to.fill(step.to);
    return;
  }
  const row = observation.y + group.y + y;
  for (let x = 0, column = observation.x + group.x; x < to.length; x += 2, column++) {
    const offset = masking === undefined ? 0 : offsetAt(masking, column, row);
    const lag = lags === undefined ? 0 : lagAt(lags, step.level, column, row);
    to[x] = laggingCode(maskedCode(step.to, offset), lag);
    to[x + 1] = laggingCode(maskedCode(step.to, chroma), lag);
  }
}

function predictByKernel(o: Predicted, w: Workspace): Prediction {
  const { step, observation, group, output, prior } = o;
  const { kernel, at } = w;
  const [width, length] = [group.width, group.width * COEFFICIENTS];
  const channels = channelsOf(step);
  const tables = new PredictionTables(w, prior);
  const classOf = w.int32(at.classOf, CODE_PAIRS).fill(-1);
  kernel.beginPrediction(VARIANCE_COUNT, VARIANCE_MIN, VARIANCE_STEPS, at.tables, at.classOf);
  const [z, codes, outputs] = [
    w.float32(at.z, length),
    w.bytes(at.codes, length),
    w.float32(at.output, width * OUTPUT_CHANNELS),
  ];
  const to = w.bytes(at.to, 2 * width);
  let active = 0;
  for (let y = 0; y < group.height; y++) {
    putCodesAfter(o, y, to);
    const first = (group.y + y) * observation.width + group.x;
    const i = first * COEFFICIENTS;
    z.set(observation.z.subarray(i, i + length));
    codes.set(observation.codes.subarray(i, i + length));
    if (output !== undefined) outputs.set(output.subarray(first * OUTPUT_CHANNELS, (first + width) * OUTPUT_CHANNELS));
    kernel.markCodes(at.codes, length, at.present);
    tables.fill();
    const parity = (observation.x + group.x + observation.y + group.y + y) & 1;
    const p = 4 * y * length;
    const outputAt = output === undefined ? 0 : at.output;
    const [concerned, others] = [channels[parity]!, channels[1 - parity]!];
    active += kernel.predict(at.z, at.codes, outputAt, width, at.to, concerned, others, at.mean + p, at.row + p);
  }
  const classes: ToldMeasurement[] = [];
  for (let pair = 0; pair < CODE_PAIRS; pair++) {
    const k = classOf[pair]!;
    if (k >= 0) classes[k] = classOfPair(pair);
  }
  return { classes, active };
}

/** Pairs of sigma codes: after the step · 256 + before it. */
const CODE_PAIRS = 256 * 256;

function classOfPair(pair: number): ToldMeasurement {
  const to = pair >> 8;
  return { ...measurement(pair & 255, to), to };
}

/** The kernels' tables by code and channel. Only codes that occur are filled in. */
class PredictionTables {
  private readonly filled = new Uint8Array(256);
  private readonly present: Uint8Array;
  private readonly tables: Float64Array;

  constructor(
    w: Workspace,
    private readonly prior: Float32Array,
  ) {
    this.present = w.bytes(w.at.present, 256);
    this.present.fill(0);
    this.tables = w.float64(w.at.tables, 3 * 256 * COEFFICIENTS);
  }

  fill(): void {
    for (let code = 1; code < 256; code++) {
      if (this.present[code] === this.filled[code]) continue;
      this.filled[code] = 1;
      for (let c = 0; c < COEFFICIENTS; c++) {
        const { mean, correction } = wienerGains(code, this.prior[c]!);
        for (const [k, value] of [mean, correction, VARIANCE_STEPS * 2 * log2(correction)].entries())
          this.tables[(256 * k + code) * COEFFICIENTS + c] = value;
      }
    }
  }
}

/** Whether the kernels can tell the rows of so many classes apart. */
export function fitsKernels(classes: readonly Measurement[]): boolean {
  return classes.length * VARIANCE_COUNT <= MAX_ROWS;
}

/** The same without kernels. */
function predictHere(o: Predicted, w: Workspace): Prediction {
  const { step, observation, group, output, prior } = o;
  const { mean, row } = w;
  const { codes, z } = observation;
  const { mean: meanGain, correction, logVariance } = predictionGains(codes, prior, group, observation.width);
  const classOf = new Int16Array(CODE_PAIRS).fill(-1);
  const codesAfter = new Uint8Array(2 * group.width);
  const classes: ToldMeasurement[] = [];
  const channels = channelsOf(step);
  let active = 0;
  let p = 0;
  for (let y = 0; y < group.height; y++) {
    putCodesAfter(o, y, codesAfter);
    let i = ((group.y + y) * observation.width + group.x) * COEFFICIENTS;
    let q = i * 2;
    for (let x = 0; x < group.width; x++, q += OUTPUT_CHANNELS - COEFFICIENTS) {
      const concerned = channels[(observation.x + group.x + x + observation.y + group.y + y) & 1]!;
      for (let c = 0; c < COEFFICIENTS; c++, i++, p++, q++) {
        const code = codes[i]!;
        const to = codesAfter[2 * x + (c % COLOURS === 0 ? 0 : 1)]!;
        if (code <= to || ((concerned >> c) & 1) === 0) {
          row[p] = -1;
          continue;
        }
        const g = code * COEFFICIENTS + c;
        const pair = 256 * to + code;
        let k = classOf[pair]!;
        if (k < 0) {
          k = classOf[pair] = classes.length;
          classes.push(classOfPair(pair));
        }
        if (output === undefined) {
          mean[p] = meanGain[g]! * z[i]!;
          row[p] = k * VARIANCE_COUNT + varianceIndex(logVariance[g]!);
        } else {
          mean[p] = meanGain[g]! * z[i]! + correction[g]! * output[q]!;
          row[p] = k * VARIANCE_COUNT + varianceIndex(logVariance[g]! + VARIANCE_STEPS * output[q + COEFFICIENTS]!);
        }
        active++;
      }
    }
  }
  return { classes, active };
}

/** By (code, channel): how z and the network's output make mean and log variance. Only codes that occur are filled. */
interface PredictionGains {
  mean: Float64Array;
  correction: Float64Array;
  /** In steps of the variance grid. */
  logVariance: Float64Array;
}

function predictionGains(codes: Uint8Array, prior: Float32Array, group: Group, gridWidth: number): PredictionGains {
  const present = new Uint8Array(256);
  for (let y = 0; y < group.height; y++) {
    const from = ((group.y + y) * gridWidth + group.x) * COEFFICIENTS;
    const to = from + group.width * COEFFICIENTS;
    for (let i = from; i < to; i++) present[codes[i]!] = 1;
  }
  const size = 256 * COEFFICIENTS;
  const gains: PredictionGains = {
    mean: new Float64Array(size),
    correction: new Float64Array(size),
    logVariance: new Float64Array(size),
  };
  for (let code = 1; code < 256; code++) {
    if (present[code] === 0) continue;
    for (let c = 0; c < COEFFICIENTS; c++) {
      const g = wienerGains(code, prior[c]!);
      gains.mean[code * COEFFICIENTS + c] = g.mean;
      gains.correction[code * COEFFICIENTS + c] = g.correction;
      gains.logVariance[code * COEFFICIENTS + c] = VARIANCE_STEPS * 2 * log2(g.correction);
    }
  }
  return gains;
}
