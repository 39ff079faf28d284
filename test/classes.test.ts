/** Classes of pictures: the file, what guides to them, and the same bytes everywhere. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { sealed, tinyClassFile } from '../corpus/tiny-classes.js';
import { tinyModel, tinyModelFile } from '../corpus/tiny-model.js';
import {
  denoisePicture,
  DcompError,
  release,
  resultOf,
  samplePicture,
  type SampleOptions,
} from '../src/diffusion-node.js';
import { COEFFICIENTS, conditioningLength } from '../src/model/architecture.js';
import { checkClassFile, readClassFile } from '../src/model/class-file.js';
import { referenceEvaluate } from '../src/model/integer/reference.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { loadClasses, loadModel } from '../src/models/read-node.js';
import { MODELS } from '../src/models/registry.js';
import { hash32 } from '../src/math/hash.js';
import { normalAt } from '../src/math/normal.js';
import type { Picture } from '../src/picture.js';
import { Classifier, type Noisy } from '../src/restore/classifier.js';
import { finish } from '../src/turns.js';
import { DECODING } from './helpers/tiny.js';

after(() => release());

const model = tinyModel();
const bytes = tinyClassFile(model);
const common = { ...DECODING, classes: bytes, steps: 2, width: 12 };
const draw = async (options: SampleOptions): Promise<Picture> => resultOf(samplePicture({ ...common, ...options }));
const scene: Picture = {
  width: 13,
  height: 10,
  channels: 3,
  data: Uint8Array.from({ length: 390 }, (_, i) => 100 + 50 * Math.sin(i / 40) + (hash32(3, i) % 40)),
};

/** Coefficients under noise of sigma 20. */
function noisyOf(width: number, height: number, level = 1): Noisy {
  const z = Float32Array.from({ length: width * height * COEFFICIENTS }, (_, i) => 40 * normalAt(8, i));
  return { z, width, height, sigma: 20, level };
}

describe('class files', () => {
  it('are read, and belong to their model', () => {
    const file = readClassFile(bytes);
    assert.equal(file.model, model.id);
    assert.deepEqual([file.classes, file.levels], [3, 5]);
    assert.deepEqual([...file.root(2).mean], [100, 20, -16]);
    assert.equal(file.shift(1, 2), file.shift(1, 2));
    assert.deepEqual(file.shift(9, 1), file.shift(4, 1));
    assert.notDeepEqual(file.shift(0, 1), file.shift(1, 1));
    checkClassFile(model, file);
    const other = readModelFile(tinyModelFile({ classes: 3 }));
    assert.throws(() => checkClassFile(other, file), { code: 'E_OTHER_MODEL' });
    assert.throws(
      () =>
        checkClassFile(
          { ...model, id: file.model, architecture: readModelFile(tinyModelFile()).architecture },
          readClassFile(
            tinyClassFile({
              ...model,
              architecture: { ...model.architecture, conditioning: { ...model.architecture.conditioning, levels: 3 } },
            }),
          ),
        ),
      { code: 'E_DAMAGED_MODEL', message: /3 levels/ },
    );
  });

  it('cut, changed or made up, give errors that say so', () => {
    const refused = (given: Uint8Array, code?: string): void => {
      assert.throws(
        () => readClassFile(given),
        (error) =>
          error instanceof DcompError &&
          (code === undefined
            ? /^E_(NOT_MODEL|VERSION|TRUNCATED|DAMAGED_MODEL)$/.test(error.code)
            : error.code === code),
      );
    };
    refused(new Uint8Array(0), 'E_NOT_MODEL');
    for (let length = 1; length < bytes.length; length += length < 64 ? 1 : 97)
      refused(bytes.slice(0, length), 'E_TRUNCATED');
    refused(Uint8Array.of(...bytes, 0), 'E_DAMAGED_MODEL');
    for (let at = 0; at < bytes.length; at += at < 64 ? 1 : 53) {
      const changed = bytes.slice();
      changed[at]! ^= 1 << (at % 8);
      refused(changed);
    }
    // A checksum that fits does not make sizes and numbers right.
    const body = bytes.slice(20, -32);
    for (let at = 0; at < 12; at++)
      for (const value of [0, 1, 0x7f, 0xff]) {
        if (body[at] === value) continue;
        const changed = body.slice();
        changed[at] = value;
        refused(sealed(changed, model.id), 'E_DAMAGED_MODEL');
      }
    for (const value of [NaN, Infinity, -1e30]) {
      const changed = body.slice();
      new DataView(changed.buffer).setFloat32(12, value, true);
      refused(sealed(changed, model.id), 'E_DAMAGED_MODEL');
    }
    for (let k = 0; k < 200; k++)
      refused(
        sealed(
          Uint8Array.from({ length: hash32(k, 1) % 3000 }, (_, i) => hash32(k, i)),
          model.id,
        ),
      );
  });

  it('of the package is there, small, and of its model', async () => {
    const file = (await loadClasses('small'))!;
    assert.ok(file.length < 260_000);
    assert.equal(await loadClasses('large'), undefined);
    const classes = readClassFile(file);
    assert.equal(classes.model, MODELS.small.id);
    assert.equal(classes.classes, 32);
    checkClassFile(readModelFile(await loadModel('small')), classes);
    assert.ok(existsSync(MODELS.small.classes!) && statSync(MODELS.small.classes!).size === file.length);
    await assert.rejects(loadClasses('middle' as 'small'), { code: 'E_USAGE', message: /small or medium or large/ });
  });
});

describe('a class', () => {
  const file = readClassFile(bytes);
  const grid = { width: 5, height: 7 };
  const count = grid.width * grid.height * COEFFICIENTS;
  const z = Float32Array.from({ length: count }, (_, i) => 60 * normalAt(2, i));
  const codes = new Uint8Array(count).fill(150);

  it('is the same numbers in every engine, and none is the plain model', async () => {
    const evaluator = await createEvaluator(model);
    for (const shift of [undefined, file.shift(1, 0), file.shift(1, 2), undefined, file.shift(1, 2)]) {
      const condition = { level: 1, sigma: 150, mode: 'refine' as const, ...(shift === undefined ? {} : { shift }) };
      const found = await evaluator.evaluate(z, codes, grid.width, grid.height, condition);
      assert.deepEqual(found.slice(), referenceEvaluate(model, z, codes, grid.width, grid.height, condition));
    }
    const wrong = { level: 1, sigma: 150, mode: 'refine' as const, shift: new Float64Array(3) };
    await assert.rejects(async () => evaluator.evaluate(z, codes, grid.width, grid.height, wrong), { code: 'E_USAGE' });
    await evaluator.close();
  });

  it('at scale 1 is the model with its numbers in it, at scale 0 the model without, exactly', async () => {
    const alike = tinyClassFile(model, { alike: true });
    const shift = readClassFile(alike).shift(0, 1);
    const b2 = Float32Array.from(model.conditioning.b2, (value) => Math.round(value * 256) / 256);
    const plain = writeModelFile({ ...model, conditioning: { ...model.conditioning, b2 } });
    const told = writeModelFile({
      ...model,
      conditioning: { ...model.conditioning, b2: b2.map((v, k) => v + shift[k]!) },
    });
    const classes = tinyClassFile(readModelFile(plain), { alike: true });
    assert.equal(shift.length, conditioningLength(model.architecture));
    const made = async (options: object): Promise<Picture> =>
      resultOf(denoisePicture(scene, { threads: 1, sigma: 20, ...options }));
    const expected = await made({ model: told });
    const without = await made({ model: plain });
    assert.notDeepEqual(expected.data, without.data);
    const guided = (guidanceScale: number): Promise<Picture> =>
      made({ model: plain, classes, class: 1, guidanceScale });
    assert.deepEqual((await guided(1)).data, expected.data);
    assert.deepEqual((await guided(0)).data, without.data);
    assert.notDeepEqual((await guided(3)).data, expected.data);
  });

  it('guides a drawing, from its first pixels on', async () => {
    const plain = await draw({});
    assert.deepEqual((await draw({ class: 2, guidanceScale: 0 })).data, plain.data);
    const mean = ({ data }: Picture): number => Array.from(data).reduce((sum, value) => sum + value, 0) / data.length;
    const [dark, bright] = [await draw({ class: 0 }), await draw({ class: 2 })];
    assert.ok(mean(dark) < mean(bright));
    assert.deepEqual((await draw({ class: 2 })).data, bright.data);
    assert.notDeepEqual((await draw({ class: 2, guidanceScale: 2 })).data, bright.data);
  });

  it('that is none is refused', async () => {
    for (const [options, code, message] of [
      [{ class: 3 }, 'E_USAGE', /knows the classes 0 to 2/],
      [{ class: 0.5 }, 'E_USAGE', /class is 0.5/],
      [{ classifier: true }, 'E_USAGE', /needs a class/],
      [{ classifier: 'yes' as never, class: 1 }, 'E_USAGE', /true, false or a function/],
      [{ classes: 'file.dcc' as never, class: 1 }, 'E_USAGE', /classes is "file.dcc"/],
      [{ classes: bytes.slice(0, 100), class: 1 }, 'E_TRUNCATED', /class file/],
      [{ model: tinyModelFile({ classes: 4 }), class: 1 }, 'E_OTHER_MODEL', /belongs to the model/],
      [{ model: 'large', classes: undefined as never, class: 1 }, 'E_USAGE', /knows no classes/],
      [
        { model: tinyModelFile({ classes: 4 }), classes: undefined as never, class: 1, classifier: true },
        'E_USAGE',
        /no classifier/,
      ],
    ] as const)
      await assert.rejects(draw(options as SampleOptions), { code, message });
  });
});

describe('the classifier', () => {
  const classifier = new Classifier(readClassFile(bytes), model.statistics.inputScale);

  it('gives probabilities, and the slope of their logarithm', () => {
    for (const [width, height] of [
      [1, 1],
      [2, 3],
      [5, 4],
    ] as const) {
      const noisy = noisyOf(width, height);
      const found = finish(classifier.logProbabilities(noisy));
      assert.ok(Math.abs(found.reduce((sum, value) => sum + 2 ** value, 0) - 1) < 1e-12);
      const slope = finish(classifier.gradient(noisy, 1));
      assert.equal(slope.length, noisy.z.length);
      const direction = Float32Array.from(slope, (_, i) => normalAt(4, i));
      const along = (t: number): number => {
        const z = noisy.z.map((value, i) => value + t * direction[i]!);
        return finish(classifier.logProbabilities({ ...noisy, z }))[1]! * Math.LN2;
      };
      const measured = (along(0.25) - along(-0.25)) / 0.5;
      const said = slope.reduce((sum, value, i) => sum + value * direction[i]!, 0);
      assert.ok(Math.abs(measured - said) < 0.02 * Math.abs(said) + 1e-4, `${measured} ${said}`);
    }
  });

  it('leads a drawing to its class, the more the larger the scale; at scale 0 not at all', async () => {
    const plain = await draw({});
    assert.deepEqual((await draw({ class: 2, classifier: true, guidanceScale: 0 })).data, plain.data);
    const one = await draw({ class: 2, classifier: true });
    assert.deepEqual((await draw({ class: 2, classifier: true })).data, one.data);
    const much = await draw({ class: 2, classifier: true, guidanceScale: 100 });
    assert.notDeepEqual(much.data, plain.data);
    assert.deepEqual((await draw({ class: 2, classifier: false })).data, (await draw({ class: 2 })).data);
  });
});

it('the pictures of classes are the same on every machine', async () => {
  const made = async (options: SampleOptions): Promise<string> => {
    const { data } = await resultOf(samplePicture({ width: 32, steps: 3, seed: 1, threads: 1, ...options }));
    return createHash('sha256').update(data).digest('hex').slice(0, 16);
  };
  assert.deepEqual(
    {
      told: await made({ class: 22 }),
      guided: await made({ class: 16, guidanceScale: 2.5 }),
      classifier: await made({ class: 22, classifier: true, guidanceScale: 2 }),
    },
    { told: 'b97d6beb32b24670', guided: 'eb12d92d96da11fb', classifier: '7369d6cd0a391090' },
  );
});
