/** Hostile values for what computes elsewhere and for pictures of other formats: each is a `DcompError`, or it works. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as formats from '../formats/index.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { createWorker, DcompError, encode, release, type DcompWorker, type Picture } from '../src/node.js';
import type { ByteSource } from '../src/worker/portions.js';
import { HOSTILE } from './helpers/hostile.js';

const model = tinyModelFile();
const options = { model, threads: 1 };
const picture: Picture = { width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(90) };

/** What is taken is the names in `right`. */
async function tryAll(about: string, right: readonly string[], call: (value: never) => unknown): Promise<void> {
  for (const [name, value] of Object.entries(HOSTILE)) {
    try {
      await call(value as never);
      assert.ok(right.includes(name), `${about}, ${name}: taken without a word`);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert.ok(error instanceof DcompError, `${about}, ${name}: ${String((error as Error).stack)}`);
      assert.doesNotMatch(error.message, /\n|\[object|undefined is/, `${about}, ${name}`);
      assert.ok(!right.includes(name), `${about}, ${name}: ${error.message}`);
    }
  }
}

const objects = ['empty object', 'object without prototype', 'Proxy'];
const portions = (...all: unknown[]): ByteSource =>
  (async function* () {
    yield* all;
  })() as ByteSource;

describe('a worker', () => {
  let worker: DcompWorker;
  let file: Uint8Array;
  before(async () => {
    worker = createWorker(options);
    file = (await encode(picture, { ...options, effort: 1, plain: false })).bytes;
  });
  after(async () => {
    await worker.close();
    await release();
  });

  const all = async (source: ByteSource, given?: object): Promise<void> => {
    for await (const _ of worker.decodeStream(source, given)) continue;
  };

  it('takes what is right and refuses the rest by name, and goes on', { timeout: 300_000 }, async () => {
    await tryAll('encode', [], (value) => worker.encode(value, { effort: 1 }));
    await tryAll('encode, options', objects, (value) => worker.encode(picture, value));
    await tryAll('sizes', ['empty list', 'list of a number'], (value) =>
      worker.encodeToSizes(picture, value, { effort: 1 }),
    );
    await tryAll('decode', [], (value) => worker.decode(value));
    await tryAll('decode, options', objects, (value) => worker.decode(file, value));
    await tryAll('signal', [], (signal) => worker.decode(file, { signal }));
    await tryAll('model', [], (value) => worker.decode(file, { model: value }));
    await assert.rejects(worker.decode(file, { model: 'small' }), { code: 'E_OTHER_MODEL' }); // a name is taken for one
    await tryAll('threads', [], (threads) => worker.decode(file, { threads }));
    await tryAll('decodeStream', [], all);
    await tryAll('decodeStream, portion', ['empty Uint8Array', 'Uint8Array out of bounds'], (value) =>
      all(portions(value)),
    );
    await tryAll('decodeStream, options', objects, (value) => all(portions(file), value));
    await tryAll('createWorker', objects, async (value) => createWorker(value).close());
    assert.deepEqual((await worker.decode(file)).width, 4);
  });

  it('decodes files in any buffer', async () => {
    const { data } = await worker.decode(file);
    for (const same of [file.slice().buffer, new DataView(file.slice().buffer), new Uint8ClampedArray(file)])
      assert.deepEqual((await worker.decode(same as unknown as Uint8Array)).data, data);
  });

  it('a callback that is none is refused; what one throws, now or later, is the error of its call alone', async () => {
    await tryAll('onProgress', ['function'], (onProgress) => worker.decode(file, { onProgress })).catch((error) =>
      assert.match(String(error), /the caller’s own error/),
    );
    const own = new Error('own');
    for (const onProgress of [
      () => {
        throw own;
      },
      () => Promise.reject(own) as unknown as undefined,
    ]) {
      const [first, second] = await Promise.allSettled([worker.decode(file, { onProgress }), worker.decode(file)]);
      assert.equal(second.status, 'fulfilled');
      // One that rejects may do so when the call is done already.
      if (first.status === 'rejected') assert.equal(first.reason, own);
    }
  });

  it('is closed, also twice, and in the middle of a stream', async () => {
    const other = createWorker(options);
    const stream = other.decodeStream(portions(file.subarray(0, 60), file.subarray(60)));
    const next = stream.next();
    await Promise.all([other.close(), other.close()]);
    await assert.rejects(next, DcompError);
    await assert.rejects(other.decode(file), { code: 'E_USAGE' });
  });
});

describe('dcomp/formats', () => {
  it('takes what is right and refuses the rest by name', async () => {
    const { bytes } = await formats.writePicture(picture, 'png');
    await tryAll('readPicture', [], (value) => formats.readPicture(value));
    await tryAll('metadata', [], (value) => formats.readPicture(bytes, value));
    await tryAll('maxPixels', ['Infinity', '2^53', '1e300'], (value) => formats.readPicture(bytes, 'all', value));
    await tryAll('allowDamaged', ['true', 'false'], (value) => formats.readPicture(bytes, 'all', undefined, value));
    await tryAll('signal', [], (value) => formats.readPicture(bytes, 'all', undefined, false, value));
    await tryAll('writePicture', [], (value) => formats.writePicture(value, 'png'));
    await tryAll('format', [], (value) => formats.writePicture(picture, value));
    await tryAll('metadata', [], (value) => formats.writePicture(picture, 'png', value));
    await tryAll('quality', ['1.5'], (value) => formats.writePicture(picture, 'png', 'all', value));
    const views = ['ArrayBuffer', 'SharedArrayBuffer', 'DataView', 'Uint8Array', 'Uint8ClampedArray'];
    await tryAll('formatOfBytes', [...views, 'empty Uint8Array', 'Uint8Array out of bounds'], formats.formatOfBytes);
    const texts = ['empty string', 'string of digits', 'long string', 'string with an end of line'];
    await tryAll('formatOfName', texts, formats.formatOfName);
  });
});
