/**
 * A model with another one's path codes as that one does, and shows with its own network; one may also hold a network that
 * measures levels ≥ 1.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { createCodec } from '../src/api.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { EncodingOptions } from '../src/codec/encoder-options.js';
import { workOfFile } from '../src/codec/work.js';
import { readContainer } from '../src/container/container.js';
import { DEFAULT_SCHEDULE } from '../src/diffusion/schedule.js';
import { uNet } from '../src/model/architecture.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { JoinedEvaluator } from '../src/model/joined-evaluator.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { loadModel } from '../src/models/read-node.js';
import { MODELS } from '../src/models/registry.js';
import { randomModel } from '../corpus/random-model.js';
import { pictures } from './helpers/arbitrary.js';
import { createCli } from './helpers/cli.js';
import { rectangleOf } from './helpers/crops.js';
import { assertLimited } from './helpers/limited.js';
import { outcome } from './helpers/outcome.js';
import { secondDecode } from './helpers/second-decoder.js';

const path = await createEvaluator(readModelFile(tinyModelFile({ sigma: false })));
const showing = { straight: true, path: path.model.id };
const shower = await createEvaluator({ ...readModelFile(tinyModelFile()), ...showing });
const paired = new JoinedEvaluator(path, { shower }, shower.model);
/** Here the network that shows sees less far than that of the path. */
const seesLess = await createEvaluator({ ...randomModel(uNet([4, 6], 5, 5), 1), ...showing });
const narrow = new JoinedEvaluator(path, { shower: seesLess }, seesLess.model);
/** Here a third one measures levels ≥ 1. */
const coarse = await createEvaluator(readModelFile(tinyModelFile({ sigma: false }, undefined, 7)));
const withCoarse = new JoinedEvaluator(path, { shower, coarse }, shower.model);
const coarseAlone = new JoinedEvaluator(path, { coarse }, { id: '00c0a45e' });

const coding: EncodingOptions = { plain: false, effort: 1 };

function payloads(file: Uint8Array): number[][] {
  return readContainer(file).segments.map(({ payloadOffset, payloadLength }) =>
    Array.from(file.subarray(payloadOffset, payloadOffset + payloadLength)),
  );
}

describe('a model with the path of another', () => {
  it('which is its own network, is that model', async () => {
    const same = new JoinedEvaluator(path, { shower: path, coarse: path }, path.model);
    await assertLimited(
      fc.asyncProperty(pictures(40), fc.integer({ min: 5, max: 90 }), async (picture, quality) => {
        const target = { quality };
        const { bytes } = await encodePicture(picture, path, { ...coding, target });
        const { bytes: paired } = await encodePicture(picture, same, { ...coding, target });
        assert.deepEqual(payloads(paired), payloads(bytes));
        assert.deepEqual((await decodePicture(paired, same)).data, (await decodePicture(bytes, path)).data);
      }),
      { numRuns: 8 },
    );
  });

  it('codes the same bits, and shows another picture', async () => {
    const picture = corpusPicture('scene', { width: 90, height: 70 });
    const options = { ...coding, target: { quality: 50 } };
    const { bytes } = await encodePicture(picture, paired, options);
    const { bytes: alone } = await encodePicture(picture, path, options);
    assert.deepEqual(payloads(bytes), payloads(alone));
    assert.notDeepEqual((await decodePicture(bytes, paired)).data, (await decodePicture(alone, path)).data);
    assert.equal(readContainer(bytes).header.modelId, shower.model.id);
    assert.equal(await outcome(() => decodePicture(bytes, path)), 'E_OTHER_MODEL');
    const half = await decodePicture(bytes, paired, { scale: 1 / 2 });
    assert.equal(half.width, 45);
  });

  it('is decoded alike by a second decoder: whole, cut, with regions of interest, settled, of several views', async () => {
    const picture = corpusPicture('scene', { width: 75, height: 58 });
    const importance = { regions: [{ x: 8, y: 16, width: 20, height: 20, weight: 16 }] };
    const settled = { ...DEFAULT_SCHEDULE, settled: [8, 8, 16, 0] as const };
    for (const evaluator of [paired, narrow, withCoarse, coarseAlone])
      for (const options of [
        {},
        { target: { bitsPerPixel: 0.4 } },
        { tune: 'psnr' as const },
        { importance },
        { schedule: settled },
        { views: 2 as const },
      ]) {
        const { bytes } = await encodePicture(picture, evaluator, { ...coding, target: { quality: 45 }, ...options });
        for (const length of [bytes.length, Math.floor(0.8 * bytes.length), Math.floor(0.3 * bytes.length)]) {
          const part = bytes.subarray(0, length);
          const { data } = await decodePicture(part, evaluator, { maxBytes: length });
          const said = `${JSON.stringify(options)} ${length}`;
          assert.deepEqual(await secondDecode(part, evaluator), Array.from(data), said);
        }
      }
  });

  it('shows it for the eye or the mean, as the file says unless one is asked for', async () => {
    const picture = corpusPicture('scene', { width: 60, height: 50 });
    for (const tune of ['eye', 'psnr'] as const) {
      const options = { ...coding, tune, pixelHash: true, target: { quality: 50 } };
      const { bytes } = await encodePicture(picture, paired, options);
      assert.equal(readContainer(bytes).header.schedule.forEye ?? false, tune === 'eye');
      const { data } = await decodePicture(bytes, paired);
      const eye = await decodePicture(bytes, paired, { show: 'eye' });
      const mean = await decodePicture(bytes, paired, { show: 'mean' });
      assert.deepEqual(data, tune === 'eye' ? eye.data : mean.data);
      assert.notDeepEqual(eye.data, mean.data);
    }
    const options = { ...coding, target: { quality: 50 } };
    const { bytes } = await encodePicture(picture, path, options);
    const shown = await decodePicture((await encodePicture(picture, paired, options)).bytes, paired);
    assert.deepEqual((await decodePicture(bytes, paired, { show: 'eye' })).data, shown.data);
    assert.deepEqual(
      (await decodePicture(bytes, path, { show: 'eye' })).data,
      (await decodePicture(bytes, path, { show: 'mean' })).data,
    );
  });

  it('measures level 0 as the path does, coarser ones by the third, and what that has coded no other decodes', async () => {
    const picture = corpusPicture('scene', { width: 90, height: 70 });
    const options = { ...coding, target: { quality: 60 } };
    const evaluations = { path: new Set<number>(), coarse: new Set<number>() };
    let megapixels = 0;
    const padded = (length: number): number => 8 * Math.ceil(length / 8);
    const counting = (evaluator: Evaluator, name: keyof typeof evaluations): Evaluator => ({
      model: evaluator.model,
      threads: 1,
      evaluate: (...given) => evaluator.evaluate(...given),
      evaluateRows: (...given) => {
        evaluations[name].add(given[4].level);
        if (name === 'coarse') megapixels += (4 * padded(given[2]) * padded(given[3])) / 1e6;
        return evaluator.evaluateRows(...given);
      },
      close: async () => {},
    });
    const joined = new JoinedEvaluator(
      counting(path, 'path'),
      { shower, coarse: counting(coarse, 'coarse') },
      shower.model,
    );
    const { bytes } = await encodePicture(picture, joined, options);
    assert.deepEqual([...evaluations.path], [0]);
    assert.deepEqual(evaluations.coarse, new Set([4, 3, 2, 1].slice(-evaluations.coarse.size)));
    assert.ok(evaluations.coarse.size > 1);
    const { data } = await decodePicture(bytes, withCoarse);
    megapixels = 0;
    assert.deepEqual(data, (await decodePicture(bytes, joined)).data);
    const work = workOfFile(bytes, readContainer(bytes))!;
    assert.ok(Math.abs(work.coarse - megapixels) < 1e-9, `${work.coarse}, ${megapixels}`);
    assert.ok(work.coarse < work.megapixels);
    assert.notDeepEqual(data, (await decodePicture(bytes, paired)).data);
    const { bytes: alone } = await encodePicture(picture, path, options);
    assert.notDeepEqual(payloads(bytes), payloads(alone));
    // The model shows files of its path, but not with the third network.
    assert.equal((await decodePicture(alone, paired)).width, 90);
    assert.equal(await outcome(() => decodePicture(alone, withCoarse)), 'E_OTHER_MODEL');
  });

  it('is decoded in parts to the bits of the whole', async () => {
    const picture = corpusPicture('scene', { width: 830, height: 24 });
    for (const evaluator of [paired, narrow, withCoarse, coarseAlone]) {
      const { bytes } = await encodePicture(picture, evaluator, { ...coding, target: { quality: 40 } });
      const whole = await decodePicture(bytes, evaluator);
      for (const crop of [
        { x: 0, y: 0, width: 9, height: 7 },
        { x: 401, y: 3, width: 30, height: 20 },
        { x: 829, y: 23, width: 1, height: 1 },
      ]) {
        const part = await decodePicture(bytes, evaluator, { crop });
        assert.deepEqual(Array.from(part.data), rectangleOf(whole, crop), JSON.stringify(crop));
        assert.ok(part.work < whole.work);
      }
    }
  });

  it('without loss is without it', async () => {
    const picture = corpusPicture('scene', { width: 40, height: 30 });
    const { bytes } = await encodePicture(picture, paired, { ...coding, target: 'lossless' });
    assert.deepEqual((await decodePicture(bytes, paired)).data, picture.data);
    // What the samples are predicted from is the mean, in a file for the eye, too.
    assert.equal(readContainer(bytes).header.schedule.forEye, true);
    for (const length of [bytes.length, readContainer(bytes).segments.at(-1)!.offset, 60]) {
      const part = bytes.subarray(0, length);
      assert.deepEqual(await secondDecode(part, paired), Array.from((await decodePicture(part, paired)).data));
    }
  });

  it('finds the other in the package; of one that is not there it says so', async () => {
    const codec = createCodec({ loadModel, sha256: async () => undefined, createEvaluator });
    after(() => codec.release());
    const picture = corpusPicture('scene', { width: 30, height: 20 });
    const tiny = readModelFile(tinyModelFile());
    const { quality } = readModelFile(await loadModel('small'));
    const file = writeModelFile({ ...tiny, quality: quality!, straight: true, path: MODELS.small.id });
    assert.equal(readModelFile(file).path, MODELS.small.id);
    const options = { ...coding, target: { quality: 50 } };
    const { bytes } = await codec.encode(picture, { ...options, model: file });
    assert.equal((await codec.decode(bytes, { model: file })).width, 30);
    assert.equal(await outcome(() => codec.decode(bytes)), 'E_OTHER_MODEL');
    assert.deepEqual(payloads(bytes), payloads((await codec.encode(picture, { ...options, model: 'small' })).bytes));
    const small = await codec.encode(picture, { ...options, pixelHash: true, model: 'small' });
    const own = await codec.decode(small.bytes);
    for (const show of ['eye', 'mean'] as const) {
      assert.notDeepEqual((await codec.decode(small.bytes, { show })).data, own.data);
    }
    const exact = await codec.encode(picture, { ...options, target: 'lossless', model: 'small' });
    assert.deepEqual((await codec.decode(exact.bytes, { show: 'eye' })).data, picture.data);
    const strange = writeModelFile({ ...tiny, path: '01234567' });
    await assert.rejects(codec.encode(picture, { ...options, model: strange }), {
      code: 'E_OTHER_MODEL',
      message: /01234567/,
    });
    for (const id of ['', '1234567', 'G1234567', 5, null])
      assert.throws(() => writeModelFile({ ...tiny, path: id as string }), { code: 'E_DAMAGED_MODEL' });
  });

  it('`train pair` puts two files into one, which needs no other: its files and those of a file with the path look the same', async () => {
    const cli = createCli();
    after(() => cli.remove());
    const table: [number, number][] = [[5, 190], [100, 64]]; // prettier-ignore
    const codes = tinyModelFile({ sigma: false });
    const shows = writeModelFile({ ...readModelFile(tinyModelFile()), ...showing, quality: table });
    writeFileSync(cli.file('codes.dcm'), codes);
    writeFileSync(cli.file('shows.dcm'), shows);
    const pair = ['train', 'pair', '--model', 'codes.dcm', '--shows', 'shows.dcm'];
    cli.works(...pair, '-o', 'both.dcm');
    const file = readFileSync(cli.file('both.dcm'));
    const { id, quality, shows: inner, ...network } = readModelFile(file);
    assert.deepEqual(quality, table);
    assert.deepEqual({ ...network, id: '' }, { ...readModelFile(codes), id: '' });
    assert.deepEqual(inner!.layers, readModelFile(shows).layers);
    const codec = createCodec({ loadModel, sha256: async () => undefined, createEvaluator });
    after(() => codec.release());
    const picture = corpusPicture('scene', { width: 70, height: 50 });
    const options = { ...coding, target: { quality: 50 } };
    const { bytes } = await codec.encode(picture, { ...options, model: file });
    assert.equal(readContainer(bytes).header.modelId, id);
    const { bytes: other } = await encodePicture(picture, paired, { ...coding, target: { bitsPerPixel: 1 } });
    const { bytes: own } = await codec.encode(picture, { ...coding, target: { bitsPerPixel: 1 }, model: file });
    assert.deepEqual(payloads(own), payloads(other));
    for (const show of ['eye', 'mean'] as const)
      assert.deepEqual(
        (await codec.decode(own, { model: file, show })).data,
        (await decodePicture(other, paired, { show })).data,
      );
    // Again from the pair itself, with another table.
    cli.works(
      'train',
      'pair',
      '--model',
      'both.dcm',
      '--shows',
      'shows.dcm',
      '--quality',
      '9:180,100:70',
      '-o',
      'c.dcm',
    );
    assert.deepEqual(readModelFile(readFileSync(cli.file('c.dcm'))).quality, [[9, 180], [100, 70]]); // prettier-ignore
    cli.fails(1, /both\.dcm/, ...pair, '-o', 'both.dcm');
    cli.fails(
      1,
      /cannot read none\.dcm/,
      'train',
      'pair',
      '--model',
      'none.dcm',
      '--shows',
      'shows.dcm',
      '-o',
      'x.dcm',
    );
    cli.fails(2, /--shows is missing/, 'train', 'pair', '--model', 'codes.dcm', '-o', 'x.dcm');
    // And a network for coarse levels, into both sorts of files.
    for (const into of ['both.dcm', 'shows.dcm']) {
      cli.works('train', 'pair', '--model', into, '--coarse', 'codes.dcm', '-o', `coarse-${into}`);
      const before = readModelFile(readFileSync(cli.file(into)));
      const { coarse: inside, ...rest } = readModelFile(readFileSync(cli.file(`coarse-${into}`)));
      assert.deepEqual({ ...rest, id: '' }, { ...before, id: '' });
      assert.deepEqual(inside!.layers, readModelFile(codes).layers);
    }
    cli.fails(2, /--quality is/, ...pair, '--quality', 'high', '-o', 'x.dcm');
  });
});
