/** Evaluators of any model that count their arithmetic: of a model that has another one's path, two networks do it. */
import { openEvaluator } from '../src/kept-models.js';
import { flopsPerPixel } from '../src/model/architecture.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { loadModel, sha256 } from '../src/models/read-node.js';
import { isModelName } from '../src/models/registry.js';

/** An evaluator, and its floating-point operations until now. */
export interface Counted {
  evaluator: Evaluator;
  flops(): number;
  close(): Promise<void>;
}

/** @param name of a model of the package, or a path @param threads default: all cores */
export async function countedEvaluator(name: string, threads?: number): Promise<Counted> {
  let flops = 0;
  const counted = (evaluator: Evaluator): Evaluator => {
    const count = (width: number, height: number): void => {
      flops += 4 * width * height * flopsPerPixel(evaluator.model.architecture);
    };
    return {
      model: evaluator.model,
      threads: evaluator.threads,
      evaluate: (z, codes, width, height, condition, pause) => {
        count(width, height);
        return evaluator.evaluate(z, codes, width, height, condition, pause);
      },
      evaluateRows: (z, codes, width, height, condition, rows) => {
        count(width, height);
        return evaluator.evaluateRows(z, codes, width, height, condition, rows);
      },
      close: () => evaluator.close(),
    };
  };
  const model = isModelName(name) ? name : await loadModel(name);
  const evaluator = await openEvaluator(model, { loadModel, sha256 }, async (network) =>
    counted(await createThreadedEvaluator(network, threads === undefined ? {} : { threads })),
  );
  return { evaluator, flops: () => flops, close: () => evaluator.close() };
}
