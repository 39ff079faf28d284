/**
 * From a checkpoint to the model file that ships: the averaged network is calibrated on training photographs, quantised,
 * and compared with itself in floats on the validation photographs, in bits per pixel and dB.
 */
import type { Coefficients } from '../pixels/pyramid.js';
import { DEFAULT_QUALITY_TABLE } from '../codec/quality.js';
import { DcompError } from '../errors.js';
import { isStraight, type QualityTable } from '../model/integer/integer-model.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { floatForward, type Request } from '../model/float-forward.js';
import { wienerGains } from '../model/inputs.js';
import { readModelFile, writeModelFile } from '../model/integer/model-file.js';
import { quantise } from '../model/integer/quantise.js';
import type { Condition } from '../model/inputs.js';
import { CODES_PER_OCTAVE, codeOf, TOP_CODE, UNKNOWN, sigmaOf } from '../model/sigma.js';
import { COLOURS } from '../pixels/colour.js';
import { createThreadedEvaluator } from '../model/wasm/threads-node.js';
import { priorOf, type FloatModel } from '../model/weights.js';
import { floatModelOf, type CheckpointState } from './checkpoint.js';
import type { Dataset, Photograph } from './dataset.js';
import { drawExample, observe, planAt } from './examples.js';
import { plainCondition } from './observations.js';
import { Random } from './random.js';
import { RECIPE } from './recipe.js';
import {
  VALIDATION_SCHEDULE,
  addedPrecision,
  validationCodes,
  validationPictures,
  validationRandom,
  validationResult,
  validationSide,
  type ValidationResult,
  type ValidationStep,
} from './validation-schedule.js';
import { defined } from '../options.js';

/** What quantisation may cost, in percent of the bits; and what of a network that only shows, in dB. */
const MAX_COST = 0.5;
const MAX_LOSS = 0.05;
/** Evaluations that the ranges of the activations are taken from. */
const CALIBRATION_COUNT = 40;
const CALIBRATION_SIDE = 64;
const CALIBRATION_LEVELS = 5;
/** No code of training is lower. */
const LOWEST = codeOf(2 ** RECIPE.sigma.lowest);

export interface ExportReport {
  /** Id of the model file. */
  model: string;
  /** Id of the model whose files it shows, and which alone codes. */
  path?: string;
  /** Whether it measures levels ≥ 1 alone: only its straight bits count, of these levels. */
  coarse?: boolean;
  /** Step and seconds of training that the checkpoint has behind it. */
  step: number;
  seconds: number;
  calibration: number;
  /** Validation crops and their side in pixels. */
  pictures: number;
  side: number;
  float: ValidationResult;
  integer: ValidationResult;
  /** Bits of the integer network more than those of the float network on the path of its files, in percent. */
  bitsPercent: number;
  /** PSNR of the integer network minus that of the float network, in dB. */
  decibels: { psnr45: number; psnr16: number; psnr8: number };
}

export interface ExportOptions {
  /** What qualities mean, for the model file; default: `DEFAULT_QUALITY_TABLE`. */
  quality?: QualityTable;
  /** Whether files of the model measure every level straight; default: where the network is not told sigma. */
  straight?: boolean;
  /** Id of the model whose files it shows: it is calibrated and measured at level 0, where all of that is known. */
  path?: string;
  /** Whether it measures levels ≥ 1 of another model's files alone: it is calibrated and measured there. */
  coarse?: boolean;
  /** How coarse weights are, see `quantise`. */
  coarseness?: number;
  threads?: number;
  /** Validation crops, and side in pixels: default 6 of 256 with native TensorFlow, else 2 of 128. */
  pictures?: number;
  side?: number;
  onProgress?: (fraction: number, stage: string) => void;
}

/** The report as a few lines for people. */
export function reportText(report: ExportReport): string {
  const { float, integer, decibels } = report;
  const codes = report.path === undefined;
  const shows = report.coarse !== true;
  const row = (name: string, a: number, b: number, unit: string): string =>
    `  ${name.padEnd(16)}${a.toFixed(4).padStart(9)}${b.toFixed(4).padStart(9)}  ${unit}`;
  return [
    `model ${report.model} of step ${report.step}; quantisation costs ${codes ? `${report.bitsPercent.toFixed(3)} % of the bits` : 'so many dB'}`,
    `  on ${report.pictures} crops of ${report.side} pixels    float  integer`,
    ...(codes && shows ? [row('refined', float.total, integer.total, 'bits per pixel to sigma 8')] : []),
    ...(codes ? [row('straight', float.straight8, integer.straight8, 'bits per pixel to sigma 8')] : []),
    ...(shows
      ? [
          row('sigma 45', float.psnr45, integer.psnr45, `dB, ${decibels.psnr45.toFixed(4)}`),
          row('sigma 16', float.psnr16, integer.psnr16, `dB, ${decibels.psnr16.toFixed(4)}`),
          row('sigma 8', float.psnr8, integer.psnr8, `dB, ${decibels.psnr8.toFixed(4)}`),
        ]
      : []),
  ].join('\n');
}

/** Evaluates a network on one observation: the output as of `Evaluator.evaluate`. */
export type Network = (request: Request) => Promise<Float32Array>;

/**
 * @returns the model file and what quantisation costs
 * @throws DcompError E_UNREACHABLE when that is more than MAX_COST percent
 */
export async function exportModel(
  state: CheckpointState,
  dataset: Dataset,
  options: ExportOptions = {},
): Promise<{ bytes: Uint8Array; report: ExportReport }> {
  const model = floatModelOf(state);
  options.onProgress?.(0, 'calibration');
  const { path, coarse } = options;
  const bytes = quantised(model, dataset, options);
  const integerModel = readModelFile(bytes);
  const native = await nativeNetwork(model);
  const side = options.side ?? (native === undefined ? 128 : validationSide(dataset.validation, model.architecture));
  const pictures = validationPictures(dataset.validation, options.pictures ?? (native === undefined ? 2 : 6), side);
  const evaluator = await createThreadedEvaluator(integerModel, defined({ threads: options.threads }));
  const networks: Network[] = [
    native ?? ((request) => Promise.resolve(floatForward(model, request))),
    ({ z, codes, width, height, condition }) => evaluator.evaluate(z, codes, width, height, condition),
  ];
  const isMeasured = ({ psnr, half, condition }: ValidationStep): boolean => {
    if (coarse === true) return half !== undefined && condition.level > 0;
    return path === undefined || psnr !== undefined;
  };
  const [float, integer] = (await compare(model, networks, pictures, isMeasured, options.onProgress)) as [
    ValidationResult,
    ValidationResult,
  ];
  await evaluator.close();
  const bits = coarse === true || isStraight(integerModel) ? 'straight8' : 'total';
  const bitsPercent = path === undefined ? 100 * (integer[bits] / float[bits] - 1) : 0;
  const decibels = {
    psnr45: integer.psnr45 - float.psnr45,
    psnr16: integer.psnr16 - float.psnr16,
    psnr8: integer.psnr8 - float.psnr8,
  };
  const { step, seconds } = state;
  const report = {
    model: integerModel.id,
    ...defined({ path, coarse }),
    step,
    seconds,
    calibration: CALIBRATION_COUNT,
    pictures: pictures[0]!.length,
    side,
    float,
    integer,
    bitsPercent,
    decibels,
  };
  checkCost(report);
  return { bytes, report };
}

/** The model file. */
function quantised(
  model: FloatModel,
  { training }: Dataset,
  { quality = DEFAULT_QUALITY_TABLE, straight, path, coarse, coarseness }: ExportOptions,
): Uint8Array {
  const usual = path === undefined ? calibrationRequests : shownRequests;
  const requests = (coarse === true ? coarseRequests : usual)(training, CALIBRATION_COUNT);
  return writeModelFile({
    ...{ ...quantise(model, requests, coarseness), quality },
    ...defined({ straight, path }),
  });
}

/** @throws DcompError E_UNREACHABLE where quantisation costs more than it may */
function checkCost({ path, bitsPercent, decibels }: ExportReport): void {
  const worst = Math.min(...Object.values(decibels));
  const [cost, most] = path === undefined ? [bitsPercent, `${MAX_COST} % of the bits`] : [-worst, `${MAX_LOSS} dB`];
  if (cost <= (path === undefined ? MAX_COST : MAX_LOSS)) return;
  throw new DcompError(
    'E_UNREACHABLE',
    `quantisation costs ${cost.toFixed(2)}, more than ${most}; train on, so that the running average of the weights settles`,
  );
}

/**
 * Evaluations like those in use: every level, entering and refining, sigma from its top down to 0.5 at level 0 and over
 * two octaves above, and any mixture that training draws, with cut steps, edges, holes and chroma known exactly.
 */
export function calibrationRequests(photographs: readonly Photograph[], count: number): Request[] {
  const random = new Random(0x63616c69, 0);
  return Array.from({ length: count }, (_, i) => {
    const level = i % CALIBRATION_LEVELS;
    const round = Math.floor(i / CALIBRATION_LEVELS);
    const octaves = level === 0 ? 6.5 : 2;
    const share = (CALIBRATION_LEVELS * round) / count;
    const sigma = TOP_CODE - Math.round(share * octaves * CODES_PER_OCTAVE);
    // A third as drawn for training, a fifth entering.
    const chosen =
      round % 3 === 0
        ? planAt(1).kinds
        : plainCondition(
            round % 4 === 1 ? { level, sigma: TOP_CODE, mode: 'enter' } : { level, sigma, mode: 'refine' },
          );
    const { x, codes, condition } = drawExample(photographs, level, CALIBRATION_SIDE, random, chosen);
    const grid = CALIBRATION_SIDE / 2;
    return { z: observe(x, codes, grid, random, condition), codes, width: grid, height: grid, condition };
  });
}

/**
 * Evaluations like those that show the files of another model: level 0, LL finer than the details, of which those that are
 * small against their noise are unknown.
 */
function shownRequests(photographs: readonly Photograph[], count: number): Request[] {
  const random = new Random(0x73686f77, 0);
  const { inParts, atOnce } = RECIPE.shown;
  const [lowest, highest] = [inParts.sigma[0]!, atOnce.sigma[1]!];
  return Array.from({ length: count }, (_, i) => {
    const sigma = codeOf(2 ** (lowest + ((i + 0.5) / count) * (highest - lowest)));
    const condition: Condition = { level: 0, sigma, mode: 'refine' };
    const drawn = plainCondition(condition);
    const { x } = drawExample(photographs, 0, CALIBRATION_SIDE, random, drawn);
    const ahead = random.below(Math.round(RECIPE.shown.ahead * CODES_PER_OCTAVE));
    const least = (i % 4) * 0.75 * sigmaOf(condition.sigma);
    const grid = CALIBRATION_SIDE / 2;
    const codes = codesOnGrid(x, grid, (value, c) =>
      c < COLOURS ? condition.sigma - ahead : Math.abs(value) >= least ? condition.sigma : UNKNOWN,
    );
    return { z: observe(x, codes, grid, random, drawn), codes, width: grid, height: grid, condition };
  });
}

/** Evaluations like those that measure levels ≥ 1 of straight paths: LL finer than the details, of which none or a half is known. */
export function coarseRequests(photographs: readonly Photograph[], count: number): Request[] {
  const random = new Random(0x636f6172, 0);
  const { sigma: ranges, ahead } = RECIPE.coarse;
  return Array.from({ length: count }, (_, i) => {
    const level = 1 + (i % (CALIBRATION_LEVELS - 1));
    const [lowest, highest] = ranges[level] as [number, number];
    const sigma = codeOf(2 ** (lowest + ((i + 0.5) / count) * (highest - lowest)));
    const drawn = plainCondition({ level, sigma, mode: 'refine' });
    const { x } = drawExample(photographs, level, CALIBRATION_SIDE, random, drawn);
    const grid = CALIBRATION_SIDE / 2;
    const finer = Math.max(LOWEST, sigma - random.below(Math.round(ahead.octaves * CODES_PER_OCTAVE)));
    const codes = codesOnGrid(x, grid, (_, c, place) => {
      if (c < COLOURS) return finer;
      return i % 8 >= 4 && (place + Math.floor(c / COLOURS)) % 2 === 0 ? sigma : UNKNOWN;
    });
    const condition: Condition = { level, sigma, mode: 'enter' };
    return { z: observe(x, codes, grid, random, drawn), codes, width: grid, height: grid, condition };
  });
}

/**
 * Codes of a crop on its grid; what is outside of the photograph is unknown.
 * @param codeAt of a coefficient, its channel, and the sum of its column and row
 */
function codesOnGrid(
  { data, width, height }: Coefficients,
  grid: number,
  codeAt: (value: number, channel: number, place: number) => number,
): Uint8Array {
  const codes = new Uint8Array(grid * grid * COEFFICIENTS).fill(UNKNOWN);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < COEFFICIENTS; c++)
        codes[(y * grid + x) * COEFFICIENTS + c] = codeAt(data[(y * width + x) * COEFFICIENTS + c]!, c, x + y);
  return codes;
}

/** Follows the validation schedule with several networks, which all see the same noise; what is left out counts for nothing. */
async function compare(
  model: FloatModel,
  networks: readonly Network[],
  pictures: Coefficients[][],
  isMeasured: (step: ValidationStep) => boolean,
  onProgress?: ExportOptions['onProgress'],
): Promise<ValidationResult[]> {
  const measured = networks.map(() => [] as [number, number][]);
  for (const [i, step] of VALIDATION_SCHEDULE.entries()) {
    onProgress?.(
      0.3 + (0.7 * i) / VALIDATION_SCHEDULE.length,
      `level ${step.condition.level}, sigma ${sigmaOf(step.condition.sigma).toFixed(0)}`,
    );
    const sums = networks.map((): [number, number] => [0, 0]);
    const { level } = step.condition;
    for (const [b, x] of isMeasured(step) ? pictures[level]!.entries() : []) {
      const codes = validationCodes(step, x.width * x.height, x.width);
      const z = observe(x, codes, x.width, validationRandom(step, b));
      for (const [n, network] of networks.entries()) {
        const output = await network({ z, codes, width: x.width, height: x.height, condition: step.condition });
        const [kl, square] = losses(model, x, z, codes, output, step);
        sums[n]![0] += kl / pictures[level]!.length;
        sums[n]![1] += square / pictures[level]!.length;
      }
    }
    for (const [n, sum] of sums.entries()) measured[n]!.push(sum);
  }
  return measured.map(validationResult);
}

/** KL of a step in nats (see loss.ts) and squared error of the posterior mean, both per coefficient. */
export function losses(
  model: FloatModel,
  x: Coefficients,
  z: Float32Array,
  codes: Uint8Array,
  output: Float32Array,
  step: ValidationStep,
): [number, number] {
  const prior = priorOf(model.architecture, model.statistics, step.condition.level);
  const added = addedPrecision(step, codes, x.width);
  let kl = 0;
  let square = 0;
  for (let i = 0; i < codes.length; i++) {
    const c = i % COEFFICIENTS;
    const { mean, correction } = wienerGains(codes[i]!, prior[c]!);
    const o = ((i - c) / COEFFICIENTS) * OUTPUT_CHANNELS + c;
    const error2 = (x.data[i]! - mean * z[i]! - correction * output[o]!) ** 2;
    const delta = added[i]!;
    const expected = 1 + delta * correction * correction * 2 ** output[o + COEFFICIENTS]!;
    kl += 0.5 * (Math.log(expected) + (1 + delta * error2) / expected - 1);
    square += error2;
  }
  return [kl / codes.length, square / codes.length];
}

/** The float network on native TensorFlow, undefined where that is not set up. */
async function nativeNetwork(model: FloatModel): Promise<Network | undefined> {
  try {
    const { startBackend } = await import('./backend.js');
    await startBackend('native');
  } catch {
    return undefined;
  }
  const { graphNetwork } = await import('./graph-network.js');
  return graphNetwork(model);
}
