/**
 * Validation: the ideal rate of coding held-out pictures along the codec's own schedule, with the model's KL for every
 * step and an ideal Gaussian channel, and the squared error of the posterior mean at three noise levels. The noise is
 * the same each time, so that small differences between checkpoints show.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Coefficients } from '../pixels/pyramid.js';
import type { Photograph } from './dataset.js';
import { emptyBatch, putExample, type Batch, type ModelShape } from './examples.js';
import { forward, type Parameters } from './graph.js';
import { batchInput, exampleLosses, lossInputs } from './loss.js';
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

export class Validation {
  private readonly levels: Coefficients[][];
  private readonly side: number;

  constructor(
    photographs: readonly Photograph[],
    private readonly model: ModelShape,
    count = 12,
  ) {
    this.side = validationSide(photographs, model.architecture);
    this.levels = validationPictures(photographs, count, this.side);
  }

  run(parameters: Parameters, mixed: boolean): ValidationResult {
    return validationResult(VALIDATION_SCHEDULE.map((step) => this.step(parameters, step, mixed)));
  }

  /** Mean KL (nats per coefficient) and squared error of one step over all pictures. */
  private step(parameters: Parameters, step: ValidationStep, mixed: boolean): [number, number] {
    const { level } = step.condition;
    const pictures = this.levels[level]!;
    const grid = this.side >> (level + 1);
    let kl = 0;
    let square = 0;
    const group = level === 0 ? 2 : pictures.length;
    for (let from = 0; from < pictures.length; from += group) {
      const part = pictures.slice(from, from + group);
      const batch = emptyBatch(level, part.length, grid, this.model);
      for (const [b, x] of part.entries()) {
        const codes = validationCodes(step, grid * grid, grid);
        putExample(batch, b, this.model, x, codes, step.condition, validationRandom(step, from + b));
        setInformation(batch, b, addedPrecision(step, codes, grid));
      }
      const [k, s] = tf.tidy(() => {
        const losses = exampleLosses(
          forward(this.model.architecture, parameters, ...batchInput(batch), mixed),
          lossInputs(batch),
        );
        return [tf.sum(losses.kl).dataSync()[0]!, tf.sum(losses.square).dataSync()[0]!] as const;
      });
      kl += k;
      square += s;
    }
    return [kl / pictures.length, square / pictures.length];
  }
}

/** Replaces the loss's standard step by exactly the step of the schedule. */
function setInformation(batch: Batch, b: number, added: Float64Array): void {
  const n = added.length;
  for (let i = 0; i < n; i++) {
    batch.information[b * n + i] = batch.squareWeight[b * n + i]! * added[i]!;
    batch.weight[b * n + i] = added[i]! > 0 ? 1 : 0;
  }
}
