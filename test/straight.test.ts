/** Paths that measure every level at once: what the network was sure of and wrong about comes right, as nothing comes after. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { smallModelFile } from '../corpus/small-model.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { inspectFile } from '../src/codec/inspect.js';
import { straightAt } from '../src/codec/straight.js';
import { Session } from '../src/codec/session.js';
import { STRAIGHT_SCHEDULE, leavesLevelObserved } from '../src/diffusion/schedule.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { EXACT, sigmaOf } from '../src/model/sigma.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { loadModel } from '../src/models/read-node.js';
import { folded } from '../src/pixels/fold.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import { finish } from '../src/turns.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { CountingChannel } from './helpers/channels.js';

/** Errors that are left alone, in sigma: CORRECTION_THRESHOLD of src/codec/correct.ts. */
const THRESHOLD = 5;

it('no detail is left too far off, at whatever level', { timeout: 600_000 }, async () => {
  // A network with random weights is as often sure and wrong as any can be.
  const evaluator = await createEvaluator(readModelFile(smallModelFile()));
  const picture = corpusPicture('edges', { width: 150, height: 110 });
  for (const code of [100, 130, 160]) {
    const schedule = straightAt(STRAIGHT_SCHEDULE, { level: 0, code }, 'eye');
    const session = new Session(picture.width, picture.height, false, schedule, evaluator);
    const truth = finish(PictureCoefficients.of(folded(picture), session.sizes.length - 1));
    const channel = new CountingChannel(8);
    let corrections = 0;
    for (const step of session.steps) {
      const before = channel.correctionBits;
      await session.run(step, channel, truth.rowsOf(step.level));
      if (channel.correctionBits > before + 1) corrections++;
      if (!leavesLevelObserved(step)) continue;
      const { z, codes, height } = session['observation'];
      const x = finish(truth.rowsOf(step.level)(0, height));
      for (let i = 0; i < x.length; i++) {
        if (i % COEFFICIENTS < 3) continue; // LL, which the coarser level has told
        if (codes[i] === EXACT) continue; // beyond the picture
        const error = Math.abs(x[i]! - z[i]!) / sigmaOf(codes[i]!);
        assert.ok(error <= THRESHOLD + 0.01, `code ${code}, level ${step.level}, coefficient ${i}: ${error} sigma`);
      }
    }
    assert.ok(corrections > 2, 'the case is too easy');
  }
  await evaluator.close();
});

it('the fewer bytes, the coarser the finest level that a file has', { timeout: 300_000 }, async () => {
  const evaluator = await createEvaluator(readModelFile(await loadModel('small')));
  const picture = corpusPicture('scene', { width: 256, height: 192 });
  for (const tune of ['eye', 'psnr'] as const) {
    let [finest, best] = [Infinity, 0];
    for (const size of [200, 500, 1500, 5000]) {
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, tune, target: { size } });
      assert.ok(bytes.length <= size && bytes.length > 0.75 * size, `${bytes.length} of ${size} bytes`);
      const { level } = inspectFile(bytes).segments.at(-1)!;
      assert.ok(level <= finest, `${size} bytes: level ${level} after ${finest}`);
      const psnr = psnrRgb(picture, await decodePicture(bytes, evaluator));
      assert.ok(psnr > best, `${size} bytes: ${psnr} dB after ${best}`);
      [finest, best] = [level, psnr];
    }
    assert.equal(finest, 0);
  }
  await evaluator.close();
});

it('a size is met, and well, whatever a part of the picture is like', { timeout: 300_000 }, async () => {
  const evaluator = await createEvaluator(readModelFile(tinyModelFile({ sigma: false })));
  // Calm in the middle, which is not like the whole.
  const picture = corpusPicture('scene', { width: 900, height: 400 });
  for (let y = 0; y < 400; y++) picture.data.fill(128, 3 * (900 * y + 200), 3 * (900 * y + 700));
  const choices = { plain: false, effort: 1 };
  const wanted = await encodePicture(picture, evaluator, { ...choices, target: { quality: 73 } });
  const size = wanted.bytes.length;
  const { bytes } = await encodePicture(picture, evaluator, { ...choices, target: { size } });
  assert.ok(bytes.length <= size && bytes.length >= 0.95 * size, `${bytes.length} of ${size} bytes`);
  const [by, best] = [await decodePicture(bytes, evaluator), await decodePicture(wanted.bytes, evaluator)];
  const lost = psnrRgb(picture, best) - psnrRgb(picture, by);
  assert.ok(lost < 1.5, `${lost} dB`);
  await evaluator.close();
});
