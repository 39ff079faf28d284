/**
 * Chooses where TensorFlow runs: the native library through `@tensorflow/tfjs-node` when it is set up
 * (`npm run setup:native`), else the pure JavaScript backend, which computes the same and is some hundred times slower.
 */
import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { DcompError } from '../errors.js';

export interface TrainingBackend {
  name: 'native' | 'javascript';
  /** Said to the user when the backend is the slow one. */
  notice?: string;
}

export async function startBackend(force?: 'native' | 'javascript'): Promise<TrainingBackend> {
  if (force !== 'javascript') {
    try {
      // tfjs-node 4.22 calls this function, which Node 23 has removed.
      const legacy = util as unknown as { isNullOrUndefined?: (x: unknown) => boolean };
      legacy.isNullOrUndefined ??= (x) => x === null || x === undefined;
      process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
      createRequire(import.meta.url)('@tensorflow/tfjs-node');
      await tf.setBackend('tensorflow');
      return { name: 'native' };
    } catch (cause) {
      if (force === 'native') {
        throw new DcompError(
          'E_MISSING_DEPENDENCY',
          'the native TensorFlow backend is not set up; run `npm run setup:native`',
          { cause },
        );
      }
    }
  }
  try {
    await import('@tensorflow/tfjs-backend-cpu');
  } catch (cause) {
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      'training needs TensorFlow: run `npm install @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0`',
      { cause },
    );
  }
  await tf.setBackend('cpu');
  return {
    name: 'javascript',
    notice:
      'training on the pure JavaScript backend, which is some hundred times slower; `npm run setup:native` sets up the native one',
  };
}
