/**
 * A joined model: what it computes is divided among models of one network each, which it names. Its file is a model file
 * (integer/model-file.ts) whose header has `networks` in place of an architecture, and no arrays or weights.
 */
import type { IntegerModel, QualityTable } from './integer/integer-model.js';
import { damaged } from './integer/check-model.js';

/** Who computes what. */
export const NETWORK_ROLES = ['coarse', 'fine', 'shown'] as const;
/** `coarse`: levels ≥ 1. `fine`: level 0, as it is coded. `shown`: level 0, where the picture is shown. */
export type NetworkRole = (typeof NETWORK_ROLES)[number];

/** By role, ids of models of one network, or these themselves. */
export type ByRole<T> = Readonly<Record<NetworkRole, T>>;

export interface JoinedModel {
  /** As of any model. */
  id: string;
  networks: ByRole<string>;
  quality?: QualityTable;
  straight?: boolean;
}

/**
 * What is known of a joined model without its networks: that of its level 0, with the spread of coarser levels as their
 * own network knows it.
 * @throws DcompError E_DAMAGED_MODEL where the networks tell other levels apart
 */
export function joinedNetwork(
  { id, quality, straight }: JoinedModel,
  { coarse, fine }: ByRole<IntegerModel>,
): IntegerModel {
  if (coarse.architecture.conditioning.levels !== fine.architecture.conditioning.levels)
    damaged('its networks tell different numbers of levels apart');
  const prior = coarse.statistics.prior.slice();
  const ofLevel0 = prior.length / coarse.architecture.conditioning.levels;
  prior.set(fine.statistics.prior.subarray(0, ofLevel0));
  const { quality: _, straight: __, ...network } = fine;
  return {
    ...{ ...network, id, statistics: { ...fine.statistics, prior } },
    ...(quality === undefined ? {} : { quality }),
    ...(straight === undefined ? {} : { straight }),
  };
}
