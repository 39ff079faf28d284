/** What is decided before a picture is coded. */
import type { Schedule } from '../diffusion/schedule.js';
import type { Tune } from './encoder-options.js';
import type { SettledEnding } from './quality.js';
import type { Lags } from './region.js';

/** How the network is to code a picture. */
export interface Plan {
  schedule: Schedule;
  lags: Lags | undefined;
  /** Whether the network is told sigma. */
  told: boolean;
  /** What errors are spread over levels for; undefined where the schedule says how. */
  tune?: Tune | undefined;
  /** How a refined file ends that is settled; undefined where it is not. */
  endingAt?: SettledEnding | undefined;
}
