/** What files are believed to take before they are made. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { energiesOf, RateForecast } from '../src/codec/rate-estimate.js';
import { aheadAt } from '../src/codec/straight.js';
import { readContainer } from '../src/container/container.js';
import { codedSizes, FINEST_FIRST_CODE, straightCode, type Straight } from '../src/diffusion/schedule.js';
import { MAX_FIRST_CODE } from '../src/format.js';
import { encode, release } from '../src/node.js';
import { folded } from '../src/pixels/fold.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import { finish } from '../src/turns.js';

const picture = corpusPicture('scene', { width: 256, height: 192 });
const sizes = codedSizes(picture);
const levels = sizes.length - 1;
const energies = finish(energiesOf(finish(PictureCoefficients.of(folded(picture), levels)), sizes, {}));
const forecast = (): RateForecast => new RateForecast(energies);
const straightAt = (firstCode: number): Straight => ({ firstCode, ahead: aheadAt('eye', firstCode) });

describe('forecasts of bits', () => {
  after(() => release());

  it('fall with more noise', () => {
    const known = forecast();
    let before = Infinity;
    for (let code = FINEST_FIRST_CODE; code <= MAX_FIRST_CODE; code += 4) {
      const bits = known.bitsWithin(0, levels, straightAt(code));
      assert.ok(bits > 0 && bits < before, `code ${code}: ${bits} after ${before} bits`);
      before = bits;
    }
  });

  it('tell back what has been learnt, the more exactly the more bits it was', () => {
    const code = fc.integer({ min: FINEST_FIRST_CODE, max: MAX_FIRST_CODE });
    const bits = fc.array(fc.integer({ min: 200_000, max: 1e7 }), { minLength: levels, maxLength: levels });
    fc.assert(
      fc.property(code, bits, (firstCode, taken) => {
        const [known, straight] = [forecast(), straightAt(firstCode)];
        for (let level = levels - 1; level >= 0; level--)
          known.learn(level, straightCode(straight, level), taken[level]!);
        const told = known.bitsWithin(0, levels, straight);
        const sum = taken.reduce((a, b) => a + b);
        assert.ok(Math.abs(told / sum - 1) < 0.2, `${told} of ${sum} bits`);
      }),
    );
  });

  it('are near what files take', { timeout: 300_000 }, async () => {
    for (const quality of [30, 60, 85]) {
      const { bytes } = await encode(picture, { plain: false, model: 'small', effort: 1, target: { quality } });
      const { straight } = readContainer(bytes).header.schedule;
      const share = forecast().bitsWithin(0, levels, straight!) / (8 * bytes.length);
      assert.ok(share > 0.7 && share < 1.4, `quality ${quality}: ${share} of the file`);
    }
  });
});
