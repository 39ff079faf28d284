/** How long work takes on this machine, by a small measurement: some 0.2 s. */
import { availableParallelism } from 'node:os';
import { openEvaluator } from '../src/kept-models.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { loadModel, sha256, type ModelName } from '../src/models/read-node.js';
import { TOP_CODE } from '../src/model/sigma.js';
import type { Work } from '../src/codec/work.js';

/** Side, in positions of 2×2 pixels, of the grid that is evaluated to measure. */
const SIDE = 32;
/** The first evaluation is of code that is not compiled well yet; of the others the best counts. */
const ROUNDS = 3;
/** What decoding takes besides its evaluations. */
const BESIDES = 1.1;

/** Seconds of one thread for a megapixel: of the path, where it measures levels ≥ 1, and where the picture is shown. */
interface Rates {
  path: number;
  coarse: number;
  shown: number;
}

const measured = new Map<ModelName, Promise<Rates | undefined>>();

/**
 * @param work what goes through the network; `shown`: megapixels of it where the picture is shown @param model of the package
 * @returns seconds with all cores of the machine, undefined where the model cannot be run
 */
export async function estimatedSeconds(
  { megapixels, coarse, shown }: Pick<Work, 'megapixels' | 'coarse'> & { shown: number },
  model: ModelName,
): Promise<number | undefined> {
  if (!measured.has(model)) measured.set(model, measure(model));
  const rates = await measured.get(model);
  if (rates === undefined) return undefined;
  const last = Math.min(shown, megapixels - coarse);
  const seconds = (megapixels - coarse - last) * rates.path + coarse * rates.coarse + last * rates.shown;
  return (BESIDES * seconds) / availableParallelism();
}

async function measure(model: ModelName): Promise<Rates | undefined> {
  try {
    const evaluator = await openEvaluator(model, { loadModel, sha256 }, (network) =>
      createThreadedEvaluator(network, { threads: 1 }),
    );
    const path = await secondsOf(evaluator);
    const { coarse, shower } = evaluator;
    const rates = {
      path,
      coarse: coarse === undefined ? path : await secondsOf(coarse),
      shown: shower === undefined ? path : await secondsOf(shower),
    };
    await evaluator.close();
    return rates;
  } catch {
    return undefined;
  }
}

/** Of one megapixel. */
async function secondsOf(evaluator: Evaluator): Promise<number> {
  const z = new Float32Array(SIDE * SIDE * COEFFICIENTS);
  const codes = new Uint8Array(z.length).fill(TOP_CODE);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await evaluator.evaluate(z, codes, SIDE, SIDE, { level: 0, sigma: TOP_CODE, mode: 'refine' });
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best / ((4 * SIDE * SIDE) / 1e6);
}
