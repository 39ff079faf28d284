/**
 * Validation: the ideal rate of coding held-out pictures along the codec's own schedule, with the model's KL for every
 * step and an ideal Gaussian channel, and the squared error of the posterior mean at three noise levels. The noise is
 * the same each time, so that small differences between checkpoints show.
 */
import * as tf from '@tensorflow/tfjs-core';
import { haar, halve, type Coefficients } from '../codec/pyramid.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { CODES_PER_OCTAVE, TOP_CODE, UNKNOWN, sigmaOf } from '../model/sigma.js';
import { cut, type Photograph } from './dataset.js';
import { emptyBatch, putExample, type Batch, type ModelShape } from './examples.js';
import { forward, type Parameters } from './graph.js';
import { exampleLosses, lossInputs } from './loss.js';
import { Random } from './random.js';

export interface ValidationResult {
  /** Bits per pixel of levels ≥ 1, of entering level 0, of refining it to sigma 8. */
  coarse: number;
  enter: number;
  refine: number;
  /** Sum of the three. */
  total: number;
  /** PSNR in dB of the posterior mean at level 0, all subbands observed with this sigma; 45 is after entering. */
  psnr45: number;
  psnr16: number;
  psnr8: number;
}

const CROP = 256;
const LEVELS = 5;

interface Step {
  condition: Condition;
  /** Sigma code after the step. */
  next: number;
}

/** Steps of one level: enter, then refine one octave (eighths) or, at level 0, to sigma 8 (quarters). */
function stepsOf(level: number): Step[] {
  const steps: Step[] = [{ condition: { level, sigma: TOP_CODE, mode: 'enter' }, next: TOP_CODE }];
  const width = level === 0 ? 4 : 2;
  const octaves = level === 0 ? 2.5 : 1;
  for (let sigma = TOP_CODE; sigma > TOP_CODE - octaves * CODES_PER_OCTAVE; sigma -= width) {
    steps.push({ condition: { level, sigma, mode: 'refine' }, next: sigma - width });
  }
  return steps;
}

export class Validation {
  private readonly levels: Coefficients[][] = [];

  /** Takes the middle 256×256 of up to `count` photographs. */
  constructor(photographs: readonly Photograph[], private readonly model: ModelShape, count = 12) {
    const large = photographs.filter((p) => Math.min(p.width, p.height) >= CROP);
    for (const p of (large.length > 0 ? large : photographs).slice(0, count)) {
      let u = cut(p, 0, Math.max(0, (p.width - CROP) >> 1), Math.max(0, (p.height - CROP) >> 1), CROP, CROP);
      for (let k = 0; k < LEVELS; k++) {
        (this.levels[k] ??= []).push(haar(u));
        u = halve(u);
      }
    }
  }

  run(parameters: Parameters, mixed: boolean): ValidationResult {
    const bits = { coarse: 0, enter: 0, refine: 0 };
    const mse = new Map<number, number>();
    for (let k = LEVELS - 1; k >= 0; k--) {
      for (const step of stepsOf(k)) {
        const [kl, square] = this.step(parameters, k, step, mixed);
        // kl is nats per coefficient of the level; a level holds 3 coefficients per pixel of its picture.
        const bpp = (kl * 3) / Math.LN2 / 4 ** k;
        if (k > 0) bits.coarse += bpp;
        else if (step.condition.mode === 'enter') bits.enter += bpp;
        else bits.refine += bpp;
        if (k === 0 && step.condition.mode === 'refine') mse.set(step.condition.sigma, square);
      }
    }
    const at8: Step = { condition: { level: 0, sigma: TOP_CODE - 40, mode: 'refine' }, next: TOP_CODE - 44 };
    const psnr = (error: number): number => 10 * Math.log10((255 * 255) / error);
    return {
      ...bits,
      total: bits.coarse + bits.enter + bits.refine,
      psnr45: psnr(mse.get(TOP_CODE)!),
      psnr16: psnr(mse.get(TOP_CODE - 24)!),
      psnr8: psnr(this.step(parameters, 0, at8, mixed)[1]),
    };
  }

  /** Mean KL (nats per coefficient) and squared error of one step over all pictures. */
  private step(parameters: Parameters, level: number, step: Step, mixed: boolean): [number, number] {
    const pictures = this.levels[level]!;
    const grid = CROP >> (level + 1);
    let kl = 0;
    let square = 0;
    const group = level === 0 ? 2 : pictures.length;
    for (let from = 0; from < pictures.length; from += group) {
      const part = pictures.slice(from, from + group);
      const batch = emptyBatch(level, part.length, grid, this.model);
      for (const [b, x] of part.entries()) {
        const codes = new Uint8Array(grid * grid * COEFFICIENTS).fill(step.condition.sigma);
        if (step.condition.mode === 'enter') for (let i = 0; i < codes.length; i++) if (i % COEFFICIENTS >= 3) codes[i] = UNKNOWN;
        putExample(batch, b, this.model, x, codes, step.condition, new Random(level * 256 + step.condition.sigma, from + b));
        setInformation(batch, b, codes, step);
      }
      const [k, s] = tf.tidy(() => {
        const input = tf.tensor4d(batch.input, [batch.size, grid, grid, 2 * COEFFICIENTS]);
        const features = tf.tensor2d(batch.features, [batch.size, batch.features.length / batch.size]);
        const losses = exampleLosses(forward(this.model.architecture, parameters, input, features, mixed), lossInputs(batch));
        return [tf.sum(losses.kl).dataSync()[0]!, tf.sum(losses.square).dataSync()[0]!] as const;
      });
      kl += k;
      square += s;
    }
    return [kl / pictures.length, square / pictures.length];
  }
}

/** Replaces the loss's standard step by exactly the step of the schedule. */
function setInformation(batch: Batch, b: number, codes: Uint8Array, step: Step): void {
  const target = 1 / sigmaOf(step.next) ** 2;
  const n = codes.length;
  for (let i = 0; i < n; i++) {
    const s = sigmaOf(codes[i]!);
    const delta = codes[i] === UNKNOWN ? target : Math.max(0, target - 1 / (s * s));
    batch.information[b * n + i] = batch.squareWeight[b * n + i]! * delta;
    batch.weight[b * n + i] = delta > 0 ? 1 : 0;
  }
}
