/** Calls yield and hear: the event loop turns, aborts are obeyed, small calls pass large ones, callbacks may throw. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModel, tinyModelFile } from '../corpus/tiny-model.js';
import { hash32 } from '../src/math/hash.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import * as dcomp from '../src/node.js';
import type { DecodeOptions, EncodeOptions, Picture } from '../src/node.js';
import { inTurns, throwIfAborted, type Pause } from '../src/turns.js';
import { abortAt, watched } from './helpers/loop.js';

const model = tinyModelFile();
const shared = { model, threads: 1 };
const encode = (of: Picture, options: EncodeOptions = {}) => dcomp.encode(of, { ...shared, effort: 1, ...options });
const decode = (bytes: Uint8Array, options: DecodeOptions = {}) => dcomp.decode(bytes, { ...shared, ...options });

/** 16 bits, alpha of noise, an odd side. */
function manifold(width: number, height: number): Picture {
  const { data } = corpusPicture('scene', { width, height });
  const samples = new Uint16Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) samples[4 * i + c] = data[3 * i + c]! * 257;
    samples[4 * i + 3] = hash32(5, i) >>> 16;
  }
  const exif = new Uint8Array(300_000).map((_, i) => hash32(1, i >> 3) >>> 24);
  return { width, height, channels: 4, depth: 16, data: samples, metadata: { exif, icc: exif.subarray(7) } };
}

/** Milliseconds of processor time; pieces take some 20. */
const GAP = 100;

describe('the event loop', () => {
  const picture = manifold(301, 260);
  let file: Uint8Array;
  before(async () => {
    file = (await encode(picture, { target: { quality: 60 } })).bytes;
  });
  after(() => dcomp.release());

  const mask = new Uint8Array(301 * 260).map((_, i) => (i % 301 < 150 ? 255 : 60));
  const tasks: Record<string, () => Promise<unknown>> = {
    'encode to a quality': () => encode(picture, { target: { quality: 60 } }),
    'encode with a deep search': () => encode(picture, { target: { quality: 40 }, effort: 8 }),
    'encode with a mask, a hash and fewer values of alpha': () =>
      encode(picture, { target: { quality: 30 }, importance: { mask }, pixelHash: true, alphaQuality: 30 }),
    'encode to decibels': () => encode(picture, { target: { psnr: 30 } }),
    'encode to sizes': () => dcomp.encodeToSizes(picture, [300_000, 310_000], { ...shared, effort: 1 }),
    decode: () => decode(file),
    'decode with four views': async () => decode((await encode(picture, { target: { quality: 20 }, views: 4 })).bytes),
    'decode a crop, with damage allowed': () =>
      decode(
        Uint8Array.from(file, (byte, i) => (i === 40_000 ? byte ^ 1 : byte)),
        {
          allowDamaged: true,
          crop: { x: 9, y: 9, width: 100, height: 100 },
        },
      ),
    'a quarter of the size': () => decode(file, { scale: 1 / 4 }),
  };
  for (const [name, task] of Object.entries(tasks)) {
    it(`turns while it is to ${name}`, { timeout: 600_000 }, async () => {
      await task(); // compiled code, of which the second time is
      const { turns, gap, secondGap } = await watched(task);
      console.log(`# ${name}: ${turns} turns, largest gaps ${gap.toFixed(0)} and ${secondGap.toFixed(0)} ms`);
      assert.ok(secondGap < GAP, `${secondGap} ms without a turn`);
    });
  }
});

/** Moments at which each task is aborted. */
const MOMENTS = Number(process.env['DCOMP_MOMENTS'] ?? 8);

describe('an abort', () => {
  const picture = manifold(150, 110);
  let file: Uint8Array;
  before(async () => {
    file = (await encode(picture)).bytes;
  });
  after(() => dcomp.release());

  it('is obeyed at any moment of an encoding', { timeout: 600_000 }, () =>
    abortAt(MOMENTS, (signal) => encode(picture, { signal, effort: 5 })).then(() => undefined),
  );
  it('is obeyed at any moment of a decoding', { timeout: 600_000 }, () =>
    abortAt(MOMENTS, (signal) => decode(file, { signal })).then(() => undefined),
  );

  it('is obeyed in the queue, and at once where it has come before', async () => {
    const of = manifold(1100, 1000); // before the calls: to make it takes 600 ms, which are not theirs
    const stop = new AbortController();
    const large = encode(of, { signal: stop.signal });
    const abort = new AbortController();
    const queued = encode(of, { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await assert.rejects(queued, { code: 'E_ABORTED' });
    await assert.rejects(decode(file, { signal: AbortSignal.abort() }), { code: 'E_ABORTED' });
    stop.abort();
    await assert.rejects(large, { code: 'E_ABORTED' });
  });

  it('leaves nothing behind: with threads too, what comes next is what it would have been', async () => {
    const small = corpusPicture('scene', { width: 100, height: 90 });
    const expected = (await encode(small)).bytes;
    for (let k = 0; k < 6; k++) {
      const abort = new AbortController();
      const stopped = encode(manifold(300, 300), { threads: 3, signal: abort.signal });
      setTimeout(() => abort.abort(), 25 * k);
      await assert.rejects(stopped, { code: 'E_ABORTED' });
      assert.deepEqual((await encode(small, { threads: 3 })).bytes, expected, `abort ${k}`);
    }
  });
});

describe('an evaluation', () => {
  it('that is given up in the middle does not disturb the next one, whatever its helpers are at', async () => {
    const evaluator = await createThreadedEvaluator(tinyModel(), { threads: 3 });
    const [width, height] = [300, 200];
    const z = Float32Array.from({ length: width * height * 12 }, (_, i) => (hash32(3, i) % 200) - 100);
    const codes = new Uint8Array(z.length).fill(150);
    const condition = { level: 0, sigma: 150, mode: 'refine' } as const;
    const expected = Array.from(await evaluator.evaluate(z, codes, width, height, condition));
    for (let k = 0; k < 20; k++) {
      let left = k;
      const pause: Pause = () => {
        if (left-- === 0) throw new Error('given up');
        return undefined;
      };
      await evaluator
        .evaluate(
          z.map((v) => -v),
          codes,
          width,
          height,
          condition,
          pause,
        )
        .catch(() => undefined);
      if (k % 5 === 0)
        assert.deepEqual(Array.from(await evaluator.evaluate(z, codes, width, height, condition)), expected);
    }
    await evaluator.close();
  });

  it('refuses another one while it is under way', async () => {
    const evaluator = await createThreadedEvaluator(tinyModel(), { threads: 1 });
    const z = new Float32Array(200 * 200 * 12);
    const codes = new Uint8Array(z.length).fill(255);
    const condition = { level: 0, sigma: 150, mode: 'enter' } as const;
    const turn: Pause = () => new Promise((resolve) => setImmediate(resolve));
    const first = evaluator.evaluate(z, codes, 200, 200, condition, turn);
    await assert.rejects(evaluator.evaluate(z, codes, 200, 200, condition), { code: 'E_USAGE' });
    await first;
    await evaluator.close();
  });

  it('gives back what it holds when it ends early', async () => {
    let held = 0;
    const work = function* (): Generator<void, number, void> {
      held++;
      try {
        for (;;) yield;
      } finally {
        held--;
      }
    };
    const signal = AbortSignal.timeout(5);
    const pause: Pause = () => {
      throwIfAborted(signal);
      return new Promise((resolve) => setImmediate(resolve));
    };
    await assert.rejects(inTurns(work(), pause), { code: 'E_ABORTED' });
    assert.equal(held, 0);
  });
});

describe('calls side by side', () => {
  after(() => dcomp.release());

  it('a small one is done before a large one that began earlier', { timeout: 300_000 }, async () => {
    const small = corpusPicture('scene', { width: 40, height: 30 });
    const pictures = [manifold(600, 500), manifold(200, 200)] as const;
    const done: string[] = [];
    const large = encode(pictures[0]).then(() => done.push('large'));
    const middle = encode(pictures[1]).then(() => done.push('middle'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { bytes } = await encode(small);
    await decode(bytes);
    done.push('small');
    await Promise.all([large, middle]);
    assert.deepEqual(done, ['small', 'middle', 'large']);
  });

  it('give what each gives alone, of every size and both ways', { timeout: 300_000 }, async () => {
    const pictures = [
      [20, 30],
      [130, 90],
      [300, 40],
      [64, 64],
      [200, 210],
      [9, 9],
    ].map(([width, height], i) => corpusPicture(i % 2 ? 'scene' : 'rgba-balls', { width: width!, height: height! }, i));
    const alone = [];
    for (const of of pictures) alone.push((await encode(of)).bytes);
    const together = await Promise.all(pictures.map((of) => encode(of)));
    assert.deepEqual(
      together.map(({ bytes }) => bytes),
      alone,
    );
    const shown = [];
    for (const bytes of alone) shown.push((await decode(bytes)).data);
    assert.deepEqual(
      (await Promise.all(alone.map((bytes) => decode(bytes)))).map(({ data }) => data),
      shown,
    );
  });

  it('of two models, and released in the middle, all end', { timeout: 300_000 }, async () => {
    const of = corpusPicture('scene', { width: 90, height: 80 });
    const other = tinyModelFile();
    const calls = [model, other, tinyModelFile(), model, other].map((each) => encode(of, { model: each }));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const released = dcomp.release();
    const files = await Promise.all(calls);
    await released;
    for (const { bytes } of files) assert.deepEqual(bytes, files[0]!.bytes);
  });
});

describe('callbacks that throw', () => {
  after(() => dcomp.release());
  const picture = corpusPicture('scene', { width: 60, height: 50 });

  it('their error reaches the caller, at whichever call, also of asynchronous ones; the next call works', async () => {
    const { bytes } = await encode(picture);
    const expected = (await decode(bytes)).data;
    for (const after of [0, 1, 5, 12]) {
      for (const asynchronous of [false, true]) {
        const own = new Error(`own ${after}`);
        let n = 0;
        const onProgress = asynchronous
          ? async (): Promise<void> => {
              if (n++ === after) throw own;
            }
          : (): void => {
              if (n++ === after) throw own;
            };
        await assert.rejects(encode(picture, { onProgress }), own);
        n = 0;
        await assert.rejects(decode(bytes, { onProgress }), own);
        n = 0;
        const decoder = new dcomp.ProgressiveDecoder({ ...shared, onProgress });
        decoder.push(bytes);
        await assert.rejects(decoder.picture(), own);
        assert.deepEqual((await decoder.picture())?.data ?? expected, expected);
        assert.deepEqual((await encode(picture)).bytes, bytes);
      }
    }
  });

  it('samples that are transferred away meanwhile are an error that says so', async () => {
    const data = picture.data.slice();
    const encoding = encode({ ...picture, data });
    structuredClone(data.buffer, { transfer: [data.buffer] });
    await assert.rejects(encoding, /transferred|not a Uint8Array with 0/);
  });
});
