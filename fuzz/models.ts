/** Small models of both kinds: one that is told sigma, as the large model is, and one that is not, as the small one. */
import { tinyEvaluator, tinyModelFile } from '../corpus/tiny-model.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createEvaluator } from '../src/model/wasm/engine.js';

/** Of a network that is told sigma. */
export const toldEvaluator = tinyEvaluator();
/** Of one that is not. */
export const untoldEvaluator = await createEvaluator(readModelFile(tinyModelFile({ sigma: false })));

/** The one whose id begins with those digits; of none, either. */
export function evaluatorFor(id: string): Evaluator {
  const both = [toldEvaluator, untoldEvaluator] as const;
  return both.find(({ model }) => model.id.startsWith(id)) ?? both[parseInt(id, 16) & 1]!;
}
