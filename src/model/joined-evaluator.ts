import { gridMultiple, type Architecture } from './architecture.js';
import type { Evaluator, RowEvaluation } from './evaluator.js';
import { damaged } from './integer/check-model.js';
import type { IntegerModel } from './integer/integer-model.js';
import { joinedNetwork, NETWORK_ROLES, type ByRole, type JoinedModel } from './joined-model.js';
import { contextRows } from './strips.js';

/** Evaluates a joined model: by level, with the evaluator of the network that computes it. */
export class JoinedEvaluator implements Evaluator {
  readonly model: IntegerModel;
  readonly widest: Architecture;
  private readonly all: readonly Evaluator[];

  /** @param networks one evaluator may have several roles @throws DcompError E_DAMAGED_MODEL where the networks do not fit together */
  constructor(
    joined: JoinedModel,
    private readonly networks: ByRole<Evaluator>,
  ) {
    const { coarse, fine, shown } = networks;
    this.model = joinedNetwork(joined, { coarse: coarse.model, fine: fine.model, shown: shown.model });
    this.all = [...new Set(NETWORK_ROLES.map((role) => networks[role]))];
    this.widest = farthestOf(this.all.map(({ model }) => model.architecture));
  }

  get shower(): Evaluator {
    return this.networks.shown;
  }

  get threads(): number {
    return this.networks.fine.threads;
  }

  get engine(): string | undefined {
    return this.networks.fine.engine;
  }

  evaluate(...[z, codes, width, height, condition, pause]: Parameters<Evaluator['evaluate']>): Promise<Float32Array> {
    return this.of(condition.level).evaluate(z, codes, width, height, condition, pause);
  }

  evaluateRows(...[z, codes, width, height, condition, rows]: Parameters<Evaluator['evaluateRows']>): RowEvaluation {
    return this.of(condition.level).evaluateRows(z, codes, width, height, condition, rows);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((evaluator) => evaluator.close()));
  }

  private of(level: number): Evaluator {
    return level === 0 ? this.networks.fine : this.networks.coarse;
  }
}

/** The one that sees farthest; a part that it needs begins where the grids of all others do. */
function farthestOf(architectures: readonly Architecture[]): Architecture {
  const widest = architectures.reduce((a, b) => (contextRows(b) > contextRows(a) ? b : a));
  if (architectures.some((each) => gridMultiple(widest) % gridMultiple(each) !== 0))
    damaged('the coarsest grid of a network is coarser than that of the one which sees farthest');
  return widest;
}
