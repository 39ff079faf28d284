/** Pictures that begin with tokens: the same everywhere, of any size, and what has no part in them is refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { tinyClassFile } from '../corpus/tiny-classes.js';
import { tinyDiscreteFile, tinyTables } from '../corpus/tiny-discrete.js';
import { tinyModel, tinyModelFile } from '../corpus/tiny-model.js';
import { release, resultOf, samplePicture, type RestoreState, type SampleOptions } from '../src/diffusion-node.js';
import { MASKED } from '../src/diffusion/absorbing.js';
import { nearestToken, observedTokens, tokenDenoiser } from '../src/diffusion/token-network.js';
import { hash32 } from '../src/math/hash.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { readDiscreteFile } from '../src/model/discrete-file.js';
import { rowsOfWhole, type Evaluator } from '../src/model/evaluator.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { referenceEvaluate } from '../src/model/integer/reference.js';
import { UNKNOWN } from '../src/model/sigma.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import type { Picture } from '../src/picture.js';
import { discreteStates } from '../src/restore/discrete-states.js';
import { withoutTurns } from '../src/turns.js';
import { DECODING } from './helpers/tiny.js';

after(() => release());

const bytes = tinyDiscreteFile();
const file = readDiscreteFile(bytes);
const common = { ...DECODING, discrete: bytes, steps: 2, width: 40, height: 28 };
const draw = async (options: SampleOptions = {}): Promise<Picture> =>
  resultOf(samplePicture({ ...common, ...options }));
const digestOf = ({ data }: Picture): string => createHash('sha256').update(data).digest('hex').slice(0, 16);

/** The reference for all engines, with its own sums. */
function referenceOf(model: IntegerModel): Evaluator {
  const evaluate: Evaluator['evaluate'] = async (z, codes, width, height, condition) =>
    referenceEvaluate(model, z, codes, width, height, condition);
  return { model, threads: 1, evaluate, evaluateRows: rowsOfWhole(evaluate), close: async () => undefined };
}

describe('a network of tokens', () => {
  const tokens = Uint16Array.from({ length: 15 }, (_, i) => (hash32(1, i) % 2 === 0 ? MASKED : i % file.tokens));

  it('sees centres and what they leave out, and nothing of what is masked', async () => {
    const { z, codes } = await observedTokens(file, tokens, withoutTurns());
    tokens.forEach((token, place) => {
      for (let c = 0; c < COEFFICIENTS; c++) {
        const i = place * COEFFICIENTS + c;
        const known = token !== MASKED;
        assert.equal(z[i], known ? Math.fround(file.centres[token * COEFFICIENTS + c]!) : 0);
        assert.equal(codes[i], known ? file.codes[token * COEFFICIENTS + c] : UNKNOWN);
      }
    });
    const own = tinyTables();
    for (let token = 0; token < own.tokens; token++)
      assert.equal(nearestToken(own, Float32Array.from(own.centres), token * COEFFICIENTS), token);
  });

  it('gives the same logits by every engine, others for another class', async () => {
    const evaluator = await createEvaluator(file.model);
    const logits = async (by: Evaluator, wanted?: number): Promise<Float64Array[]> => {
      const found = await tokenDenoiser(by, file, { width: 5, height: 3 }, wanted)(tokens, withoutTurns());
      return [...tokens].map((_, place) => found(place).slice());
    };
    const seen = new Set<string>();
    for (const wanted of [undefined, 0, 2]) {
      const found = await logits(evaluator, wanted);
      assert.deepEqual(found, await logits(referenceOf(file.model), wanted));
      seen.add(String(found[3]));
    }
    assert.equal(seen.size, 3);
    await evaluator.close();
  });
});

describe('a picture that begins with tokens', () => {
  it('is the same by any number of threads and by the reference engine', { timeout: 300_000 }, async () => {
    const own = digestOf(await draw());
    assert.equal(own, '91e3ebbd1a574942');
    assert.equal(digestOf(await draw({ threads: 2 } as SampleOptions)), own);
    const discrete = { evaluator: referenceOf(file.model), file };
    const { width, height, steps } = common;
    const states = discreteStates(referenceOf(tinyModel()), discrete, { width, height, steps }, withoutTurns());
    assert.equal(digestOf(await resultOf(states)), own);
  });

  it('by the package is the same on every machine', { timeout: 300_000 }, async () => {
    const made = async (options: SampleOptions): Promise<string> =>
      digestOf(
        await resultOf(samplePicture({ discrete: true, model: 'small', threads: 1, steps: 3, width: 48, ...options })),
      );
    assert.deepEqual(
      { plain: await made({ seed: 1 }), told: await made({ class: 22, guidanceScale: 2 }) },
      { plain: '1ea8a3c071f7f2f1', told: '2d799bab0c7b80b0' },
    );
  });

  it('has any size, and no colour where none is wanted', async () => {
    for (const [width, height] of [
      [8, 8],
      [9, 31],
      [100, 8],
    ] as const) {
      const picture = await draw({ width, height });
      assert.deepEqual([picture.width, picture.height, picture.channels], [width, height, 3]);
    }
    assert.equal((await draw({ channels: 1 })).channels, 1);
  });

  it('follows seed, temperature, sampler, class and guidance', async () => {
    const classes = { model: tinyModelFile({ classes: 3 }), class: 1 };
    const all: SampleOptions[] = [{}, { seed: 1 }, { temperature: 0 }, { sampler: 'heun' }, { steps: 3 }, classes];
    all.push({ ...classes, class: 2 }, { ...classes, guidanceScale: 3 }, { ...classes, guidanceScale: 0 });
    const digests = await Promise.all(all.map(async (options) => digestOf(await draw(options))));
    assert.equal(new Set(digests).size, all.length);
    assert.equal(digestOf(await draw({ seed: 1 })), digests[1]);
    const none = digestOf(await draw({ model: classes.model } as SampleOptions));
    assert.equal(digests.at(-1), none, 'at scale 0 a class is none');
  });

  it('comes about in tokens first, then level by level', async () => {
    const seen: RestoreState[] = [];
    for await (const state of samplePicture(common)) seen.push(state);
    seen.forEach(({ fraction }, i) => assert.ok(fraction >= (seen[i - 1]?.fraction ?? 0) && fraction <= 1));
    assert.equal(seen.at(-1)!.fraction, 1);
    assert.deepEqual([...new Set(seen.map(({ level }) => level))], [3, 2, 1, 0]);
    const [first, last] = [await seen[0]!.picture(), await seen.at(-1)!.picture()];
    assert.deepEqual([first.width, first.height, last.width, last.height], [5, 4, 40, 28]);
    assert.ok(
      first.data.every((sample) => sample === first.data[0]),
      'before anything is drawn it is grey',
    );
  });

  it('is refused with what has no part in it', async () => {
    for (const [options, code, message] of [
      [{ sampler: 'mean' }, 'E_USAGE', /best guess/],
      [{ classifier: true, class: 1, model: tinyModelFile({ classes: 3 }) }, 'E_USAGE', /knows nothing of tokens/],
      [{ class: 1, classes: tinyClassFile(tinyModel()) }, 'E_USAGE', /package's classes alone/],
      [{ class: 1 }, 'E_USAGE', /knows no classes/],
      [{ class: 3, model: tinyModelFile({ classes: 9 }) }, 'E_USAGE', /knows the classes 0 to 2/],
      [{ discrete: 'yes' }, 'E_USAGE', /discrete is "yes"/],
      [{ discrete: tinyModelFile() }, 'E_NOT_MODEL', /discrete model \(\.dcd\)/],
      [{ discrete: bytes.slice(0, 99) }, 'E_TRUNCATED', /discrete model/],
      [{ maxPixels: 100 }, 'E_TOO_LARGE', /limit of 100/],
    ] as const)
      await assert.rejects(draw(options as unknown as SampleOptions), { code, message });
    const controller = new AbortController();
    const states = samplePicture({ ...common, signal: controller.signal });
    await states.next();
    controller.abort();
    await assert.rejects(
      async () => {
        for await (const _ of states) continue;
      },
      { code: 'E_ABORTED' },
    );
    assert.deepEqual(digestOf(await draw({ discrete: false })), digestOf(await draw({ discrete: undefined as never })));
  });
});
