/** How long work takes on this machine, by a small measurement: some 0.2 s. */
import { availableParallelism } from 'node:os';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { loadModel, type ModelName } from '../src/models/read-node.js';
import { TOP_CODE } from '../src/model/sigma.js';

/** Side, in positions of 2×2 pixels, of the grid that is evaluated to measure. */
const SIDE = 32;
/** The first evaluation is of code that is not compiled well yet; of the others the best counts. */
const ROUNDS = 3;
/** What decoding takes besides its evaluations. */
const BESIDES = 1.1;

/** Seconds of a megapixel by models that were measured. */
const rates = new Map<ModelName, Promise<number | undefined>>();

/**
 * @param megapixels that go through the network @param model of the package
 * @returns seconds with all cores of the machine, undefined where the model cannot be run
 */
export async function estimatedSeconds(megapixels: number, model: ModelName): Promise<number | undefined> {
  if (!rates.has(model)) rates.set(model, measure(model));
  const seconds = await rates.get(model);
  return seconds === undefined ? undefined : (BESIDES * megapixels * seconds) / availableParallelism();
}

/** Seconds of one thread for a megapixel. */
async function measure(model: ModelName): Promise<number | undefined> {
  try {
    const evaluator = await createThreadedEvaluator(readModelFile(await loadModel(model)), { threads: 1 });
    const z = new Float32Array(SIDE * SIDE * COEFFICIENTS);
    const codes = new Uint8Array(z.length).fill(TOP_CODE);
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await evaluator.evaluate(z, codes, SIDE, SIDE, { level: 0, sigma: TOP_CODE, mode: 'refine' });
      best = Math.min(best, (performance.now() - start) / 1000);
    }
    await evaluator.close();
    return best / ((4 * SIDE * SIDE) / 1e6);
  } catch {
    return undefined;
  }
}
