/** Every error code there is, each met as a user would meet it, with its message. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readInput } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { corpusPicture } from '../corpus/pictures.js';
import { readContainer, writeHeader } from '../src/container/container.js';
import { withPixelHash } from '../src/container/pixel-hash.js';
import { kernelMemory } from '../src/kernels/load.js';
import { DcompError, isMisuse, type DcompErrorCode } from '../src/errors.js';
import { decode, encode, info, release } from '../src/node.js';
import { readCheckpoint } from '../src/train/checkpoint.js';
import { loadDataset } from '../src/train/dataset.js';
import { WorkerClient } from '../src/worker/client.js';
import { nodeThread } from '../src/worker/thread-node.js';
import { smallModelFile } from '../corpus/small-model.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const model = smallModelFile();
const picture = corpusPicture('scene', { width: 24, height: 17 });

describe('error codes', () => {
  let folder = '';
  let file: Uint8Array;
  let hashed: Uint8Array;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dcomp-errors-'));
    const options = { model, threads: 1, plain: false, effort: 1 };
    ({ bytes: file } = await encode(picture, options));
    ({ bytes: hashed } = await encode(picture, { ...options, pixelHash: true }));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await release();
  });

  function changed(bytes: Uint8Array, ...places: number[]): Uint8Array {
    const copy = Uint8Array.from(bytes);
    for (const at of places) copy[at]! ^= 5;
    return copy;
  }

  function saved(name: string, bytes: Uint8Array | string): string {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  }

  /** `dcomp train` of an installation that lacks the optional packages; its message is thrown again. */
  function trainWithoutTensorFlow(): never {
    const place = join(folder, 'bare');
    mkdirSync(join(place, 'node_modules'), { recursive: true });
    for (const part of ['cli', 'formats', 'src'])
      cpSync(join(root, 'dist', part), join(place, 'dist', part), { recursive: true });
    cpSync(join(root, 'package.json'), join(place, 'package.json'));
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.') && name !== '@tensorflow')
        symlinkSync(join(root, 'node_modules', name), join(place, 'node_modules', name), 'junction');
    }
    const { stderr } = spawnSync(
      process.execPath,
      [join(place, 'dist', 'cli', 'main.js'), 'train', '--data', folder, '--checkpoint', join(place, 'a')],
      { encoding: 'utf8' },
    );
    const [, message] = /^dcomp: (training needs .*)\n$/.exec(stderr) ?? assert.fail(stderr);
    throw new DcompError('E_MISSING_DEPENDENCY', message!);
  }

  const options = { model, threads: 1 };
  const provoke: Record<DcompErrorCode, () => unknown> = {
    E_USAGE: () => encode(picture, { ...options, target: { quality: 101 } }),
    E_PICTURE: () => encode({ ...picture, width: 25 }, options),
    E_IO: () => readInput(join(folder, 'missing.dcz')),
    E_EXISTS: () => writeOutput(undefined, saved('there', 'x'), async () => file, { replace: false }),
    E_EMPTY: () => decode(new Uint8Array(0), options),
    E_NOT_PNG: () => readPng(file),
    E_DAMAGED_PNG: () => readPng(changed(writePng(picture), 60)),
    E_NOT_PICTURE: () => readPicture(Buffer.from('some text that is no picture at all')),
    E_DAMAGED_PICTURE: () => readPicture(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16)),
    E_TOO_LARGE: () => decode(file, { ...options, maxPixels: 100 }),
    E_NOT_DCZ: () => info(writePng(picture)),
    E_VERSION: () => decode(changed(file, 4), options),
    E_OTHER_MODEL: () => decode(writeHeader({ ...readContainer(file).header, modelId: '01234567' }), options),
    E_DAMAGED_HEADER: () => decode(changed(file, 10, 12), options),
    E_DAMAGED_SEGMENT: () => decode(changed(file, file.length - 1), options),
    E_ENVIRONMENT: () => kernelMemory(2 ** 50),
    E_DAMAGED_PIXELS: () => decode(withPixelHash(hashed, new Uint8Array(32)), options),
    E_TRUNCATED: () => decode(file.subarray(0, 12), options),
    E_NOT_MODEL: () => decode(file, { ...options, model: file }),
    E_DAMAGED_MODEL: () => decode(file, { ...options, model: changed(model, 5000) }),
    E_UNREACHABLE: () => encode(picture, { ...options, target: { size: 10 } }),
    E_MISSING_DEPENDENCY: trainWithoutTensorFlow,
    E_TRAINING_DATA: () => loadDataset(join(folder, 'missing')),
    E_DAMAGED_CHECKPOINT: () => readCheckpoint(saved('checkpoint', 'none')),
    E_WORKER: () => new WorkerClient(nodeThread(new URL('./no-worker.js', import.meta.url))).decode(file),
    E_ABORTED: () => encode(picture, { ...options, signal: AbortSignal.abort() }),
  };

  for (const [code, make] of Object.entries(provoke)) {
    it(`${code} says in one line what is wrong`, async (t) => {
      await assert.rejects(
        async () => make(),
        (error: unknown) => {
          assert.ok(error instanceof DcompError, String(error));
          t.diagnostic(`${error.code}: ${error.message}`);
          assert.equal(error.code, code, error.message);
          assert.match(error.message, /^[^\n]{15,300}$/);
          assert.equal(isMisuse(error.code), code === 'E_USAGE' || code === 'E_PICTURE');
          return true;
        },
      );
    });
  }

  it('a checkpoint whose header lacks something is damaged, not a crash', async () => {
    for (const header of ['{}', '[]', 'null', '{"architecture":{}}', '{"architecture":null}']) {
      await assert.rejects(
        readCheckpoint(saved('half', `dcomp-checkpoint-1\n${header}\n`)),
        { code: 'E_DAMAGED_CHECKPOINT' },
        header,
      );
    }
  });
});
