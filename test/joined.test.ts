/** A joined model codes as its networks of the path do, and shows as another does; its file is read like any model's. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { createCodec } from '../src/api.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { EncodingOptions } from '../src/codec/encoder-options.js';
import { readContainer } from '../src/container/container.js';
import { DEFAULT_SCHEDULE } from '../src/diffusion/schedule.js';
import { DcompError } from '../src/errors.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { JoinedEvaluator } from '../src/model/joined-evaluator.js';
import { readAnyModelInPieces, writeJoinedModelFile } from '../src/model/joined-file.js';
import { NETWORK_ROLES, type ByRole, type JoinedModel } from '../src/model/joined-model.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { loadModel } from '../src/models/read-node.js';
import { MODELS } from '../src/models/registry.js';
import { finish } from '../src/turns.js';
import { pictures } from './helpers/arbitrary.js';
import { rectangleOf } from './helpers/crops.js';
import { assertLimited } from './helpers/limited.js';
import { outcome } from './helpers/outcome.js';
import { secondDecode } from './helpers/second-decoder.js';

const straight = await createEvaluator(readModelFile(tinyModelFile({ sigma: false })));
const told = await createEvaluator(readModelFile(tinyModelFile()));

function joined(networks: ByRole<Evaluator>, id = '0a1b2c3d'): Evaluator {
  const ids = { coarse: networks.coarse.model.id, fine: networks.fine.model.id, shown: networks.shown.model.id };
  return new JoinedEvaluator({ id, networks: ids, straight: true }, networks);
}

const coding: EncodingOptions = { plain: false, effort: 1 };
const shownByAnother = joined({ coarse: straight, fine: straight, shown: told });
const ofThree = joined({ coarse: told, fine: straight, shown: told });

describe('a joined model', () => {
  it('of one network in all roles is that network', async () => {
    const same = joined({ coarse: straight, fine: straight, shown: straight }, straight.model.id);
    await assertLimited(
      fc.asyncProperty(pictures(40), fc.integer({ min: 5, max: 90 }), async (picture, quality) => {
        const target = { quality };
        const { bytes } = await encodePicture(picture, straight, { ...coding, target });
        assert.deepEqual((await encodePicture(picture, same, { ...coding, target })).bytes, bytes);
        assert.deepEqual((await decodePicture(bytes, same)).data, (await decodePicture(bytes, straight)).data);
      }),
      { numRuns: 8 },
    );
  });

  it('codes with its path, whatever shows: the bits are the same, the picture is not', async () => {
    const picture = corpusPicture('scene', { width: 90, height: 70 });
    const target = { quality: 50 };
    const { bytes } = await encodePicture(picture, shownByAnother, { ...coding, target });
    const { bytes: alone } = await encodePicture(picture, straight, { ...coding, target });
    const payloads = (file: Uint8Array): number[][] =>
      readContainer(file).segments.map(({ payloadOffset, payloadLength }) =>
        Array.from(file.subarray(payloadOffset, payloadOffset + payloadLength)),
      );
    assert.deepEqual(payloads(bytes), payloads(alone));
    assert.equal(readContainer(bytes).header.modelId, '0a1b2c3d');
    const shown = await decodePicture(bytes, shownByAnother);
    assert.notDeepEqual(shown.data, (await decodePicture(alone, straight)).data);
    const other = joined({ coarse: told, fine: straight, shown: straight });
    assert.notDeepEqual(payloads((await encodePicture(picture, other, { ...coding, target })).bytes), payloads(alone));
  });

  it('is decoded alike by a second decoder: whole, cut, with regions of interest, settled', async () => {
    const picture = corpusPicture('scene', { width: 75, height: 58 });
    const importance = { regions: [{ x: 8, y: 16, width: 20, height: 20, weight: 16 }] };
    const settled = { ...DEFAULT_SCHEDULE, settled: [8, 8, 16, 0] as const };
    for (const evaluator of [shownByAnother, ofThree])
      for (const options of [{}, { importance }, { schedule: settled }, { views: 2 as const }]) {
        const { bytes } = await encodePicture(picture, evaluator, { ...coding, ...options, target: { quality: 45 } });
        for (const length of [bytes.length, Math.floor(0.8 * bytes.length), Math.floor(0.3 * bytes.length)]) {
          const part = bytes.subarray(0, length);
          const { data } = await decodePicture(part, evaluator, { maxBytes: length });
          assert.deepEqual(
            await secondDecode(part, evaluator),
            Array.from(data),
            `${JSON.stringify(options)} ${length}`,
          );
        }
      }
  });

  it('is decoded in parts to the bits of the whole', async () => {
    const picture = corpusPicture('scene', { width: 830, height: 24 });
    const { bytes } = await encodePicture(picture, ofThree, { ...coding, target: { quality: 40 } });
    const whole = await decodePicture(bytes, ofThree);
    for (const crop of [
      { x: 0, y: 0, width: 9, height: 7 },
      { x: 401, y: 3, width: 30, height: 20 },
      { x: 829, y: 23, width: 1, height: 1 },
    ]) {
      const part = await decodePicture(bytes, ofThree, { crop });
      assert.deepEqual(Array.from(part.data), rectangleOf(whole, crop), JSON.stringify(crop));
      assert.ok(part.work < whole.work);
    }
  });

  it('needs no loss to be without it', async () => {
    const picture = corpusPicture('scene', { width: 40, height: 30 });
    const { bytes } = await encodePicture(picture, ofThree, { ...coding, target: 'lossless' });
    assert.deepEqual((await decodePicture(bytes, ofThree)).data, picture.data);
  });

  it('refuses networks that tell other levels apart', () => {
    const { model } = told;
    const conditioning = { ...model.architecture.conditioning, levels: 4 };
    const other = { ...told, model: { ...model, architecture: { ...model.architecture, conditioning } } };
    assert.throws(() => joined({ coarse: other, fine: straight, shown: told }), { code: 'E_DAMAGED_MODEL' });
  });
});

describe('the file of a joined model', () => {
  const networks = { coarse: MODELS.small.id, fine: MODELS.small.id, shown: MODELS.large.id };
  const file = writeJoinedModelFile({ networks, straight: true });
  const codec = createCodec({ loadModel, sha256: async () => undefined, createEvaluator });
  after(() => codec.release());

  it('survives writing and reading, with ids of any kind', async () => {
    const id = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((n) => n.toString(16).padStart(8, '0'));
    await assertLimited(
      fc.asyncProperty(fc.tuple(id, id, id), fc.option(fc.boolean()), async ([coarse, fine, shown], path) => {
        const model = { networks: { coarse, fine, shown }, ...(path === null ? {} : { straight: path }) };
        const { id: found, ...read } = finish(readAnyModelInPieces(writeJoinedModelFile(model))) as JoinedModel;
        assert.deepEqual(read, model);
        assert.match(found, /^[0-9a-f]{8}$/);
      }),
      { numRuns: 100 },
    );
  });

  it('names its networks, which are found in the package', async () => {
    const picture = corpusPicture('scene', { width: 30, height: 20 });
    const options = { ...coding, target: { quality: 50 }, model: file };
    const { bytes } = await codec.encode(picture, options);
    const shown = await codec.decode(bytes, { model: file });
    assert.equal(shown.width, 30);
    const error = (await outcome(() => codec.decode(bytes))) as unknown;
    assert.equal(error, 'E_OTHER_MODEL');
  });

  it('of other networks, or damaged, is refused', async () => {
    const picture = corpusPicture('scene', { width: 30, height: 20 });
    const strange = writeJoinedModelFile({ networks: { ...networks, coarse: '01234567' } });
    await assert.rejects(codec.encode(picture, { ...coding, model: strange }), (error) => {
      assert.ok(error instanceof DcompError && error.code === 'E_OTHER_MODEL');
      return /01234567/.test(error.message);
    });
    assert.throws(() => readModelFile(file), { code: 'E_USAGE' });
    for (let i = 0; i < file.length; i += 7) {
      const wrong = Uint8Array.from(file);
      wrong[i]! ^= 1;
      const code = await outcome(async () => finish(readAnyModelInPieces(wrong)));
      assert.ok(
        ['E_NOT_MODEL', 'E_VERSION', 'E_TRUNCATED', 'E_DAMAGED_MODEL'].includes(String(code)),
        `byte ${i}: ${String(code)}`,
      );
    }
    for (const role of NETWORK_ROLES)
      for (const id of ['', '1234567', 'G1234567', 5, null])
        assert.throws(() => writeJoinedModelFile({ networks: { ...networks, [role]: id } as never }), {
          code: 'E_DAMAGED_MODEL',
        });
  });
});
