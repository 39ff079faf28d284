import { gridMultiple, type Architecture } from './architecture.js';
import { type Evaluator, type RowEvaluation } from './evaluator.js';
import { damaged } from './integer/check-model.js';
import type { IntegerModel } from './integer/integer-model.js';
import { contextRows } from './strips.js';
import { defined } from '../options.js';

/** Networks that take over a part of what the one that codes would compute. */
export interface Others {
  /** See `Evaluator`. */
  coarse?: Evaluator | undefined;
  shower?: Evaluator | undefined;
}

/** Evaluates a model of several networks, of which one codes. */
export class JoinedEvaluator implements Evaluator {
  /** The network that codes; what files name and the encoder is told is of the model that is named. */
  readonly model: IntegerModel;
  readonly widest: Architecture;
  readonly coarse: Evaluator | undefined;
  readonly shower: Evaluator | undefined;

  /**
   * @param path the network that codes
   * @param named the model of them all
   * @throws DcompError E_DAMAGED_MODEL where no part of a picture fits all networks
   */
  constructor(
    private readonly path: Evaluator,
    { coarse, shower }: Others,
    { id, quality, straight }: Pick<IntegerModel, 'id' | 'quality' | 'straight'>,
  ) {
    const { quality: _, straight: __, shows: ___, coarse: ____, ...network } = path.model;
    this.model = {
      ...{ ...network, id },
      ...(id === path.model.id ? {} : { path: path.model.id }),
      ...defined({ quality, straight }),
    };
    this.coarse = coarse;
    this.shower = shower;
    this.widest = this.others.map(({ model }) => model.architecture).reduce(widestOf, path.model.architecture);
  }

  get threads(): number {
    return this.path.threads;
  }

  get engine(): string | undefined {
    return this.path.engine;
  }

  private get others(): Evaluator[] {
    return [this.coarse, this.shower].filter((other) => other !== undefined);
  }

  evaluate(...given: Parameters<Evaluator['evaluate']>): Promise<Float32Array> {
    return this.path.evaluate(...given);
  }

  evaluateRows(...given: Parameters<Evaluator['evaluateRows']>): RowEvaluation {
    return this.path.evaluateRows(...given);
  }

  async close(): Promise<void> {
    await Promise.all([this.path, ...this.others].map((each) => each.close()));
  }
}

/** The one that sees farther; a part that it needs begins where the grids of the other do, too. */
function widestOf(a: Architecture, b: Architecture): Architecture {
  const [widest, other] = contextRows(b) > contextRows(a) ? [b, a] : [a, b];
  if (gridMultiple(widest) % gridMultiple(other) !== 0)
    damaged('the coarsest grid of a network is coarser than that of the one which sees farthest');
  return widest;
}
