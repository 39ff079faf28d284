import { gridMultiple, type Architecture } from './architecture.js';
import type { Evaluator, RowEvaluation } from './evaluator.js';
import { damaged } from './integer/check-model.js';
import type { IntegerModel } from './integer/integer-model.js';
import { contextRows } from './strips.js';
import { defined } from '../options.js';

/** Evaluates a model of two networks, of which one computes the steps and the other only shows the picture. */
export class PairedEvaluator implements Evaluator {
  /** The network of the path; what files name and the encoder is told is of the model that is named. */
  readonly model: IntegerModel;
  readonly widest: Architecture;

  /**
   * @param path evaluates the steps @param shower evaluates level 0 where it is shown
   * @param named the model of the two
   * @throws DcompError E_DAMAGED_MODEL where no part of a picture fits both networks
   */
  constructor(
    private readonly path: Evaluator,
    readonly shower: Evaluator,
    { id, quality, straight } = shower.model,
  ) {
    const { quality: _, straight: __, shows: ___, ...network } = path.model;
    this.model = {
      ...{ ...network, id },
      ...(id === path.model.id ? {} : { path: path.model.id }),
      ...defined({ quality, straight }),
    };
    this.widest = widestOf(path.model.architecture, shower.model.architecture);
  }

  get threads(): number {
    return this.path.threads;
  }

  get engine(): string | undefined {
    return this.path.engine;
  }

  evaluate(...given: Parameters<Evaluator['evaluate']>): Promise<Float32Array> {
    return this.path.evaluate(...given);
  }

  evaluateRows(...given: Parameters<Evaluator['evaluateRows']>): RowEvaluation {
    return this.path.evaluateRows(...given);
  }

  async close(): Promise<void> {
    await Promise.all([this.path.close(), this.shower.close()]);
  }
}

/** The one that sees farther; a part that it needs begins where the grids of the other do, too. */
function widestOf(a: Architecture, b: Architecture): Architecture {
  const [widest, other] = contextRows(b) > contextRows(a) ? [b, a] : [a, b];
  if (gridMultiple(widest) % gridMultiple(other) !== 0)
    damaged('the coarsest grid of a network is coarser than that of the one which sees farther');
  return widest;
}
