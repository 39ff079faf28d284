/** Metrics of a picture beside its original. */
import type { Picture } from 'dcomp';
import { psnrRgb } from '../dist/eval/metrics/psnr.js';
import { ssimulacra2 } from '../dist/src/metrics/ssimulacra2.js';
import type { Scores } from './calls.js';

/** Above, SSIMULACRA 2 takes longer than anybody waits. */
const MOST_PIXELS = 2.2e6;

/** Does what depends on the original alone once. All pictures are RGB. */
export function scorer(original: Picture): (picture: Picture) => Scores {
  let prepared: ((picture: Picture) => number | undefined) | undefined;
  const large = original.width * original.height > MOST_PIXELS;
  return (picture) => ({
    psnr: psnrRgb(original, picture),
    ssimulacra2: large ? undefined : (prepared ??= ssimulacra2(original))(picture),
  });
}
