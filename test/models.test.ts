/** Files find their model by its id; nothing is read before it is needed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { createCodec } from '../src/api.js';
import { modelNameOf, DEFAULT_MODEL, DcompError, info, MODELS, type ModelName, type Picture } from '../src/node.js';
import { loadModel } from '../src/models/read-node.js';
import { DEFAULT_QUALITY_TABLE, stopOfQuality } from '../src/codec/quality.js';
import type { QualityTable } from '../src/model/integer/integer-model.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { readContainer, writeHeader } from '../src/container/container.js';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';

const NAMES = Object.keys(MODELS) as ModelName[];
const picture: Picture = corpusPicture('scene', { width: 20, height: 12 });
const options = { plain: false, effort: 1, target: { quality: 20 } } as const;

describe('models of the package', () => {
  const loaded: string[] = [];
  const codec = createCodec({
    loadModel: async (name) => {
      loaded.push(name);
      return loadModel(name);
    },
    sha256: async () => undefined,
    createEvaluator,
  });
  after(() => codec.release());

  it('the ids are those of the files', () => {
    for (const name of NAMES) {
      assert.equal(MODELS[name].id, readModelFile(readFileSync(MODELS[name].url)).id, `${name}: npm run build`);
      assert.equal(modelNameOf(MODELS[name].id), name);
    }
    assert.equal(new Set(NAMES.map((name) => MODELS[name].id)).size, NAMES.length);
    assert.ok(NAMES.includes(DEFAULT_MODEL));
    assert.equal(modelNameOf('01234567'), undefined);
  });

  it('they are small enough to be fetched', () => {
    const most = { small: 0.8e6, medium: 5.5e6, large: 4.8e6 };
    for (const name of NAMES) {
      const { length } = readFileSync(MODELS[name].url);
      assert.ok(length <= most[name], `${name}: ${length} bytes`);
    }
  });

  it('each is read when it is first computed with, once, and files find theirs', async () => {
    assert.deepEqual(loaded, []);
    const files = new Map<ModelName, Uint8Array>();
    for (const [i, model] of NAMES.entries()) {
      const { bytes } = await codec.encode(picture, { ...options, model });
      assert.equal(info(bytes).modelId, MODELS[model].id);
      files.set(model, bytes);
      assert.deepEqual([...new Set(loaded)], NAMES.slice(0, i + 1));
    }
    const own = tinyModelFile();
    const { bytes: foreign } = await codec.encode(picture, { ...options, model: own });
    const alone = new Map<ModelName, Uint8Array>();
    for (const model of NAMES) alone.set(model, Uint8Array.from((await codec.decode(files.get(model)!)).data));
    // Side by side, in any order, whatever else is given.
    const results = await Promise.all(
      [...NAMES, ...[...NAMES].reverse()].flatMap((model) => [
        codec.decode(files.get(model)!),
        codec.decode(files.get(model)!, { model: own }),
        codec.decode(files.get(model)!, { model: NAMES[0]! }),
      ]),
    );
    const wanted = [...NAMES, ...[...NAMES].reverse()].flatMap((model) => Array(3).fill(model) as ModelName[]);
    results.forEach((result, i) => assert.deepEqual(Uint8Array.from(result.data), alone.get(wanted[i]!)));
    const stream = new codec.ProgressiveDecoder();
    stream.push(files.get('small')!);
    assert.deepEqual(Uint8Array.from((await stream.picture())!.data), alone.get('small'));
    assert.equal((await codec.decode(foreign, { model: own })).width, picture.width);
    const { path } = readModelFile(await loadModel('medium'));
    const twice = NAMES.filter((name) => MODELS[name].id === path);
    assert.deepEqual([...loaded].sort(), [...NAMES, ...twice].sort(), 'read once each, and for the path of another');
    const byDefault = await codec.encode(picture, options);
    assert.equal(info(byDefault.bytes).modelId, MODELS[DEFAULT_MODEL].id);
  });

  it('a file of a model that is not at hand says what to do, and nothing is read for it', async () => {
    await codec.release();
    loaded.length = 0;
    const { bytes } = await codec.encode(picture, { ...options, model: tinyModelFile() });
    const header = writeHeader({ ...readContainer(bytes).header, modelId: '01234567' });
    const stream = new codec.ProgressiveDecoder();
    stream.push(header);
    for (const [call, given] of [
      [() => codec.decode(header), undefined],
      [() => codec.decode(header, { model: tinyModelFile() }), readModelFile(tinyModelFile()).id],
      [() => codec.decode(header, { model: 'small' }), undefined],
      [() => stream.picture({ latest: true }), undefined],
    ] as const)
      await assert.rejects(call(), (error: unknown) => {
        assert.ok(error instanceof DcompError && error.code === 'E_OTHER_MODEL', String(error));
        for (const part of ['01234567', ...NAMES, ...NAMES.map((name) => MODELS[name].id), given ?? 'give the file'])
          assert.ok(error.message.includes(part), error.message);
        return true;
      });
    assert.deepEqual(loaded, []);
  });

  it('what is no model is refused by name', async () => {
    for (const model of ['middle', 'dcomp-1.dcm', 7, null])
      await assert.rejects(
        codec.encode(picture, { ...options, model: model as 'small' }),
        (error: unknown) =>
          error instanceof DcompError && error.code === 'E_USAGE' && error.message.includes('model is'),
      );
  });
});

describe('what qualities mean', () => {
  const table: QualityTable = [
    [20, 160],
    [100, 80],
  ];

  it('is said by the model: its codes at the entries, between them in between, and coarser levels below', () => {
    assert.deepEqual(
      [20, 60, 100].map((quality) => stopOfQuality(quality, table)),
      [
        { level: 0, code: 160 },
        { level: 0, code: 120 },
        { level: 0, code: 80 },
      ],
    );
    assert.ok([1, 10, 19].every((quality) => stopOfQuality(quality, table).level > 0));
  });

  it('survives the model file, and is the default table where the file has none', () => {
    const model = readModelFile(tinyModelFile());
    assert.equal(model.quality, undefined);
    assert.deepEqual(stopOfQuality(50), stopOfQuality(50, DEFAULT_QUALITY_TABLE));
    const bytes = writeModelFile({ ...model, quality: table });
    assert.deepEqual(readModelFile(bytes).quality, table);
    assert.notEqual(readModelFile(bytes).id, model.id);
  });
});
