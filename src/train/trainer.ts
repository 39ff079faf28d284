/**
 * The training loop: Muon (src/train/muon.ts) for the weight matrices and Adam (Kingma & Ba 2015) for the rest, with clipped
 * gradients and a cosine learning rate, a running average of the weights, checkpoints, a CSV log in bits per pixel.
 */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { DcompError } from '../errors.js';
import type { Architecture } from '../model/architecture.js';
import { DEFAULT_INPUT_SCALE, parameterPlaces, type Statistics } from '../model/weights.js';
import { parameterCount, readCheckpoint, writeCheckpoint, type CheckpointState } from './checkpoint.js';
import { loadDataset, measurePrior } from './dataset.js';
import { isCoded, makeCodedBatch } from './coded-examples.js';
import { makeBatch, planAt, type Batch, type ExamplePlan } from './examples.js';
import { forward, forwardBackward } from './graph.js';
import { initialise } from './initialise.js';
import { batchInput, exampleLosses, lossGradient, lossInputs } from './loss.js';
import { matrixParts, muonDirections } from './muon.js';
import { RECIPE } from './recipe.js';
import type { ValidationResult } from './validation-schedule.js';
import { Validation } from './validation.js';
import { defined } from '../options.js';

export interface TrainOptions {
  /** Folder of PNG photographs. */
  data: string;
  /** Checkpoint file; resumed when it exists. */
  checkpoint: string;
  /** CSV file, one line a validation. */
  log: string;
  architecture: Architecture;
  /** Step at which the learning rate has come down to nothing and training ends. */
  steps: number;
  /** Step at which the present cosine of the learning rate began; a restart begins a new one. */
  startStep?: number;
  /** Peak learning rate. */
  rate: number;
  seed: number;
  /** Steps between validations. */
  validateEvery: number;
  /** Seconds between checkpoints. */
  saveEvery: number;
  mixed: boolean;
  plan?: ExamplePlan;
  signal?: AbortSignal;
  /** While the photographs are read. */
  onLoad?: (done: number, total: number) => void;
  onProgress?: (progress: TrainProgress) => void;
}

export interface TrainProgress {
  step: number;
  steps: number;
  /** Steps per second, recent. */
  speed: number;
  loss: number;
  validation?: ValidationResult;
}

const { beta1, beta2, epsilon, clip, warmUp, constant, floor, average: averageDecay } = RECIPE.optimiser;
/** balance: exponent by which an example's KL is divided by the running mean of its kind: 0 counts bits, 1 counts ratios. */
const { balance: BALANCE, square: SQUARE_SHARE, balanceRate: BALANCE_RATE, outlier: OUTLIER } = RECIPE.loss;

const LOG_HEADER =
  'step,seconds,rate,loss,total_bpp,coarse_bpp,enter_bpp,refine_bpp,straight16_bpp,straight8_bpp,psnr45,psnr16,psnr8\n';

/** Learning rate of a step: warm-up, constant for the recipe's share of the steps, then a cosine down to its floor. */
export function learningRate(step: number, start: number, end: number, peak: number): number {
  const warm = Math.min(1, (step - start + 1) / warmUp);
  const t = (step - start) / Math.max(1, end - start);
  const fall = t < constant ? 1 : 0.5 * (1 + Math.cos((Math.PI * (t - constant)) / (1 - constant))) + floor;
  return peak * warm * fall;
}

/** Trains until `steps` or the signal; the checkpoint file then holds the last state. */
export async function train(options: TrainOptions): Promise<void> {
  const dataset = await loadDataset(options.data, defined({ onProgress: options.onLoad }));
  const state = existsSync(options.checkpoint)
    ? await readCheckpoint(options.checkpoint)
    : freshState(options, {
        prior: measurePrior(dataset.training, options.architecture.conditioning.levels),
        inputScale: DEFAULT_INPUT_SCALE,
      });
  let validated = await openLog(options.log, state.step);
  const network = new TrainedNetwork(state);
  const validation = new Validation(dataset.validation, state);
  const startStep = options.startStep ?? 0;
  let lastSave = Date.now();
  let clock = Date.now();
  let recent = 0;
  let pace = 0;
  let counted = 0;
  const speed = (): number => (pace > 0 ? 1 / pace : 0);
  for (;;) {
    const finished = state.step >= options.steps;
    const done = finished || options.signal?.aborted === true;
    if (state.step > validated && (state.step % options.validateEvery === 0 || finished)) {
      validated = state.step;
      const result = network.validate(validation, options.mixed);
      await appendFile(
        options.log,
        logLine(state, learningRate(state.step, startStep, options.steps, options.rate), recent, result),
      );
      options.onProgress?.({
        step: state.step,
        steps: options.steps,
        speed: speed(),
        loss: recent,
        validation: result,
      });
    }
    if (done || Date.now() - lastSave > options.saveEvery * 1000) {
      network.store();
      await writeCheckpoint(options.checkpoint, state);
      lastSave = Date.now();
    }
    if (done) break;
    const plan = options.plan ?? planAt((state.step - startStep) / Math.max(1, options.steps - startStep));
    const examples = [dataset, state, plan, state.seed, state.step] as const;
    const batch = isCoded(state.seed, state.step, plan.coded)
      ? makeCodedBatch(...examples, (b) => network.predict(b, options.mixed))
      : makeBatch(...examples);
    const loss = network.step(batch, learningRate(state.step, startStep, options.steps, options.rate), options.mixed);
    const seconds = (Date.now() - clock) / 1000;
    clock = Date.now();
    state.seconds += seconds;
    // The first step, which plans its memory, says nothing of the rest.
    if (counted > 0) pace += Math.max(0.02, 1 / counted) * (seconds - pace);
    counted++;
    recent = recent === 0 ? loss : recent + 0.01 * (loss - recent);
    options.onProgress?.({ step: state.step, steps: options.steps, speed: speed(), loss: recent });
    await new Promise((resolve) => setImmediate(resolve)); // lets signals through
  }
  network.dispose();
}

function logLine(state: CheckpointState, rate: number, loss: number, v: ValidationResult): string {
  const f = (x: number, digits: number): string => x.toFixed(digits);
  const bits = [v.total, v.coarse, v.enter, v.refine, v.straight16, v.straight8].map((x) => f(x, 5));
  return (
    [
      state.step,
      f(state.seconds, 0),
      rate.toExponential(2),
      f(loss, 4),
      ...bits,
      f(v.psnr45, 3),
      f(v.psnr16, 3),
      f(v.psnr8, 3),
    ].join(',') + '\n'
  );
}

/**
 * Begins the log or goes on with it: lines of a run that went on past the checkpoint are written again by this one.
 * @returns the last step in it
 * @throws DcompError E_IO
 */
async function openLog(file: string, step: number): Promise<number> {
  try {
    if (!existsSync(file)) {
      await writeFile(file, LOG_HEADER);
      return 0;
    }
    const lines = (await readFile(file, 'utf8')).split('\n').filter((l) => l !== '');
    const kept = lines.filter((l, i) => i === 0 || Number(l.split(',')[0]) <= step);
    await writeFile(file, kept.join('\n') + '\n');
    return kept.length > 1 ? Number(kept[kept.length - 1]!.split(',')[0]) : 0;
  } catch (cause) {
    throw new DcompError('E_IO', `cannot write the log '${file}'`, { cause });
  }
}

function freshState(options: TrainOptions, statistics: Statistics): CheckpointState {
  const n = parameterCount(options.architecture);
  const parameters = initialise(options.architecture, options.seed);
  return {
    architecture: options.architecture,
    statistics,
    step: 0,
    moments: 0,
    seed: options.seed,
    seconds: 0,
    balance: {},
    parameters,
    average: parameters.slice(),
    firstMoment: new Float32Array(n),
    secondMoment: new Float32Array(n),
  };
}

/** By example: the kind whose mean balances it. */
function kindsOf({ conditions }: Batch): string[] {
  return conditions.map((c) => `${c.level}/${c.mode}/${Math.round(c.sigma / 8)}`);
}

/** The parameters on the backend, with the optimiser's state; everything flat, so that an update is a handful of operations. */
export class TrainedNetwork {
  private parameters: tf.Tensor1D;
  private average: tf.Tensor1D;
  private first: tf.Tensor1D;
  private second: tf.Tensor1D;
  private readonly matrices: ReturnType<typeof matrixParts>;

  constructor(private readonly state: CheckpointState) {
    this.matrices = matrixParts(state.architecture);
    this.parameters = tf.tensor1d(state.parameters);
    this.average = tf.tensor1d(state.average);
    this.first = tf.tensor1d(state.firstMoment);
    this.second = tf.tensor1d(state.secondMoment);
  }

  /** The arrays of a flat one, by name, in their order. */
  private split(flat: tf.Tensor1D): Map<string, tf.Tensor> {
    const map = new Map<string, tf.Tensor>();
    for (const { name, shape, offset, length } of parameterPlaces(this.state.architecture))
      map.set(name, tf.reshape(tf.slice1d(flat, offset, length), shape));
    return map;
  }

  validate(validation: Validation, mixed: boolean): ValidationResult {
    const parameters = this.split(this.average);
    const result = validation.run(parameters, mixed);
    tf.dispose([...parameters.values()]);
    return result;
  }

  /** The averaged network's output for a batch. */
  predict(batch: Batch, mixed: boolean): Float32Array {
    return tf.tidy(() =>
      forward(this.state.architecture, this.split(this.average), ...batchInput(batch), mixed).dataSync<'float32'>(),
    );
  }

  /** One step of training. @returns the mean balanced loss. */
  step(batch: Batch, rate: number, mixed: boolean): number {
    const { state } = this;
    const { kls, squares, loss, gradient } = this.gradient(batch, mixed);
    const norm = tf.tidy(() => tf.sqrt(tf.sum(tf.square(gradient))).dataSync()[0]!);
    const finite = Number.isFinite(norm);
    tf.tidy(() => {
      if (finite) this.update(tf.mul(gradient, Math.min(1, clip / Math.max(norm, 1e-12))) as tf.Tensor1D, rate);
    });
    gradient.dispose();
    for (const [i, kind] of kindsOf(batch).entries()) {
      const mean = (state.balance[kind] ??= [kls[i]!, squares[i]!]);
      mean[0] += BALANCE_RATE * (kls[i]! - mean[0]);
      mean[1] += BALANCE_RATE * (squares[i]! - mean[1]);
    }
    state.step++;
    state.moments++;
    return finite ? loss : NaN;
  }

  /** KL and squared error by example, the mean balanced loss, and its gradient by all parameters, which the caller disposes of. */
  gradient(batch: Batch, mixed: boolean): { kls: number[]; squares: number[]; loss: number; gradient: tf.Tensor1D } {
    const { state } = this;
    const known = kindsOf(batch).map((kind) => state.balance[kind]);
    let kls: number[] = [];
    let squares: number[] = [];
    let loss = 0;
    const gradient = tf.tidy(() => {
      const parameters = this.split(this.parameters);
      const [input, features] = batchInput(batch);
      const inputs = lossInputs(batch);
      const gradients = forwardBackward(state.architecture, parameters, input, features, mixed, (output) => {
        const losses = exampleLosses(output, inputs);
        kls = Array.from(losses.kl.dataSync());
        squares = Array.from(losses.square.dataSync());
        // The first example of a kind is balanced by itself, as is in part one far above its kind's mean.
        const mean = (of: number | undefined, own: number): number => Math.max(of ?? own, own / OUTLIER);
        const klWeight = known.map((k, i) => Math.max(1e-3, mean(k?.[0], kls[i]!)) ** -BALANCE);
        const squareWeight = known.map((k, i) => SQUARE_SHARE / Math.max(1e-6, mean(k?.[1], squares[i]!)));
        loss = kls.reduce((sum, _, i) => sum + kls[i]! * klWeight[i]! + squares[i]! * squareWeight[i]!, 0) / batch.size;
        return lossGradient(output, inputs, klWeight, squareWeight);
      });
      return tf.concat1d([...parameters.keys()].map((name) => tf.reshape(gradients.get(name)!, [-1]) as tf.Tensor1D));
    });
    return { kls, squares, loss, gradient };
  }

  private update(gradient: tf.Tensor1D, rate: number): void {
    const t = this.state.moments + 1;
    const first = tf.add(tf.mul(this.first, beta1), tf.mul(gradient, 1 - beta1)) as tf.Tensor1D;
    const second = tf.add(tf.mul(this.second, beta2), tf.mul(tf.square(gradient), 1 - beta2)) as tf.Tensor1D;
    const scale = rate * (Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t));
    const adam = tf.mul(tf.div(first, tf.add(tf.sqrt(second), epsilon)), scale) as tf.Tensor1D;
    const parameters = tf.sub(
      this.parameters,
      this.withMatrices(adam, tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1)) as tf.Tensor1D, rate),
    ) as tf.Tensor1D;
    const done = this.state.step + 1;
    const decay = Math.min(averageDecay, (1 + done) / (10 + done));
    const average = tf.add(tf.mul(this.average, decay), tf.mul(parameters, 1 - decay)) as tf.Tensor1D;
    tf.dispose([this.first, this.second, this.parameters, this.average]);
    this.first = tf.keep(first);
    this.second = tf.keep(second);
    this.parameters = tf.keep(parameters);
    this.average = tf.keep(average);
  }

  /** Adam's update with those of the matrices replaced by Muon's. */
  private withMatrices(adam: tf.Tensor1D, momentum: tf.Tensor1D, rate: number): tf.Tensor1D {
    const directions = muonDirections(momentum, this.matrices);
    const pieces: tf.Tensor1D[] = [];
    let offset = 0;
    for (const [i, part] of this.matrices.entries()) {
      if (part.offset > offset) pieces.push(tf.slice1d(adam, offset, part.offset - offset));
      pieces.push(tf.mul(directions[i]!, rate) as tf.Tensor1D);
      offset = part.offset + part.length;
    }
    pieces.push(tf.slice1d(adam, offset, adam.size - offset));
    return tf.concat1d(pieces);
  }

  /** Copies everything back into the state. */
  store(): void {
    this.state.parameters = this.parameters.dataSync<'float32'>().slice();
    this.state.average = this.average.dataSync<'float32'>().slice();
    this.state.firstMoment = this.first.dataSync<'float32'>().slice();
    this.state.secondMoment = this.second.dataSync<'float32'>().slice();
  }

  dispose(): void {
    tf.dispose([this.parameters, this.average, this.first, this.second]);
  }
}
