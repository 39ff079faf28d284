/**
 * Denoising as papers measure it: white Gaussian noise on RGB that is neither rounded nor cut off at 0 and 255, which no
 * picture file holds. So the library is asked with planes in place of pictures; what it says is rounded to 8 bits.
 */
import { denoise } from '../src/diffusion/denoise.js';
import { blankObservation } from '../src/diffusion/observation.js';
import type { Views } from '../src/diffusion/schedule.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { codeOf, EXACT } from '../src/model/sigma.js';
import type { Picture } from '../src/picture.js';
import { rotateColours } from '../src/pixels/colour.js';
import { haar } from '../src/pixels/pyramid.js';
import { pictureFrom } from '../src/restore/states.js';
import { fillNormal, Random } from '../src/train/random.js';
import { finish } from '../src/turns.js';

/** An RGB picture of 8 bits behind noise of this sigma, always the same, and its removal. */
export async function denoisedAsPublished(
  evaluator: Evaluator,
  picture: Picture,
  sigma: number,
  views: Views,
): Promise<Picture> {
  const { width, height, data } = picture;
  // The rotation of colours and the Haar step are orthonormal: noise that is white on RGB is white in them.
  const clean = rotateColours(data as Uint8Array);
  const noise = new Float32Array(clean.length);
  fillNormal(noise, new Random(sigma, 0));
  const noisy = haar({ width, height, data: clean.map((value, i) => value + sigma * noise[i]!) });
  const observation = blankObservation({ width, height }, false);
  const { codes, z } = observation;
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] === EXACT) continue;
    codes[i] = codeOf(sigma);
    z[i] = noisy.data[i]!;
  }
  const condition = { level: 0, sigma: codeOf(sigma), mode: 'refine' } as const;
  const { mean } = await denoise(evaluator, observation, condition, { views });
  return finish(pictureFrom(mean, picture, picture));
}
