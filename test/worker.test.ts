/** A codec on a thread of its own: what it gives, what it leaves alone, and how it ends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { corpusPicture } from '../corpus/pictures.js';
import { smallModelFile } from '../corpus/small-model.js';
import { createWorker, decode, encode, release, type DecodeResult, type EncodeResult } from '../src/node.js';
import { WorkerClient } from '../src/worker/client.js';
import { parcelOf } from '../src/worker/messages.js';
import { nodeThread } from '../src/worker/thread-node.js';

const model = smallModelFile();
const decoding = { model, threads: 1 };
const options = { ...decoding, effort: 1 };
const picture = corpusPicture('scene', { width: 64, height: 48 });
const large = corpusPicture('scene', { width: 500, height: 400 });

describe('worker', () => {
  const worker = createWorker({ model, threads: 1 });
  after(async () => {
    await worker.close();
    await release();
  });

  it('gives the same bytes and pixels as the calls themselves, and leaves the data that it is given', async () => {
    const metadata = { xmp: new TextEncoder().encode('<x/>'.repeat(50)), orientation: 6 };
    const source = { ...picture, metadata };
    const expected = await encode(source, options);
    const coded = await worker.encode(source, { effort: 1 });
    assert.deepEqual(coded, { ...expected, bytes: coded.bytes });
    assert.ok(Buffer.compare(coded.bytes, expected.bytes) === 0);
    assert.equal(picture.data.length, 64 * 48 * 3);
    assert.equal(metadata.xmp.length, 200);
    const shown = await worker.decode(coded.bytes);
    assert.deepEqual(shown, await decode(expected.bytes, decoding));
    assert.ok(coded.bytes.length > 0 && model.length > 0);
    const sizes = await worker.encodeToSizes(picture, [300, 500], { effort: 1 });
    assert.deepEqual(
      sizes.map(({ bytes }) => bytes.length),
      [300, 500],
    );
  });

  it('does several calls that are made at once, each with its own result and progress', async () => {
    const heard = [0, 0, 0];
    const results = await Promise.all(
      [20, 40, 60].map((quality, i) =>
        worker.encode(picture, { effort: 1, target: { quality }, onProgress: () => heard[i]!++ }),
      ),
    );
    for (const [i, quality] of [20, 40, 60].entries())
      assert.deepEqual(
        Buffer.from(results[i]!.bytes),
        Buffer.from((await encode(picture, { ...options, target: { quality } })).bytes),
      );
    assert.ok(
      heard.every((count) => count > 3),
      heard.join(),
    );
  });

  it("leaves the caller's thread free", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await worker.encode(large, { effort: 1 });
    clearInterval(timer);
    assert.ok(ticks > 5, `${ticks} ticks`);
  });

  it('an error is the same DcompError as of the call itself', async () => {
    await assert.rejects(worker.decode(new Uint8Array(0)), { name: 'DcompError', code: 'E_EMPTY' });
    await assert.rejects(worker.encode({ ...picture, width: 3 }), { name: 'DcompError', code: 'E_PICTURE' });
    await assert.rejects(worker.encode(picture, { target: { quality: 0 } }), { code: 'E_USAGE' });
    await assert.rejects(worker.decode(new Uint8Array(100), { model: new Uint8Array(7) }), { code: 'E_NOT_DCZ' });
  });

  it('a signal ends the call that is being computed, and one that waits, and no other', async () => {
    const stop = new AbortController();
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const running = worker.encode(large, { effort: 9, signal: stop.signal, onProgress: begin });
    const waiting = worker.encode(large, { effort: 9, signal: stop.signal });
    const other = worker.encode(picture, { effort: 1 });
    await begun;
    stop.abort();
    await assert.rejects(running, { code: 'E_ABORTED' });
    await assert.rejects(waiting, { code: 'E_ABORTED' });
    assert.deepEqual(Buffer.from((await other).bytes), Buffer.from((await encode(picture, options)).bytes));
    await assert.rejects(worker.decode(new Uint8Array(9), { signal: AbortSignal.abort() }), { code: 'E_ABORTED' });
  });

  it('a file decodes while it arrives, also when the worker has been ended in between', async () => {
    const { bytes } = await encode(picture, { ...options, target: { size: 900 } });
    const shown: DecodeResult[] = [];
    async function* arriving(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 300) {
        yield bytes.subarray(at, at + 300);
        while (shown.length * 300 < at) await new Promise((resolve) => setTimeout(resolve, 2));
        const stop = new AbortController();
        const ended = worker.encode(large, { effort: 9, signal: stop.signal, onProgress: () => stop.abort() });
        await assert.rejects(ended, { code: 'E_ABORTED' });
      }
    }
    for await (const early of worker.decodeStream(arriving())) shown.push(early);
    assert.ok(shown.length >= 2, `${shown.length} pictures`);
    assert.deepEqual(shown.at(-1)!.data, (await decode(bytes, decoding)).data);
    const failing = worker.decodeStream(new Blob([new Uint8Array(50)]).stream());
    await assert.rejects(failing.next(), { code: 'E_NOT_DCZ' });
    // Who has seen enough leaves.
    for await (const early of worker.decodeStream(new Blob([Uint8Array.from(bytes)]).stream())) {
      assert.equal(early.width, 64);
      break;
    }
  });

  it('a stream costs the same in whatever portions it comes, and nothing is read behind the end of the file', async () => {
    const { bytes } = await encode(picture, { ...options, target: { size: 900 } });
    let given = 0;
    let left = false;
    async function* drops(): AsyncGenerator<Uint8Array> {
      try {
        for (; ; given++) {
          yield given < bytes.length ? bytes.subarray(given, given + 1) : new Uint8Array(1000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        left = true;
      }
    }
    const shown: DecodeResult[] = [];
    for await (const early of worker.decodeStream(drops())) shown.push(early);
    const whole = await decode(bytes, decoding);
    assert.deepEqual(shown.at(-1)!.data, whole.data);
    assert.ok(shown.at(-1)!.work <= 2.5 * whole.work + 2, `${shown.at(-1)!.work} for ${whole.work}`);
    assert.ok(left && given >= bytes.length - 1);
    // What ends early is shown as far as it has come.
    const cut = bytes.slice(0, 700);
    const pictures: DecodeResult[] = [];
    for await (const early of worker.decodeStream(new Blob([cut]).stream())) pictures.push(early);
    assert.deepEqual(pictures.at(-1)!.data, (await decode(cut, decoding)).data);
  });

  it('a worker that crashes is an error of the call that it had; the next call starts another', async () => {
    let starts = 0;
    const broken = new WorkerClient((events) => {
      starts++;
      return nodeThread(
        starts === 1
          ? new URL('data:text/javascript,setTimeout(() => { throw new Error("out of luck") }, 50)')
          : undefined,
      )(events);
    }, decoding);
    const [first, second] = await Promise.allSettled([
      broken.encode(picture, { effort: 1 }),
      broken.encode(picture, { effort: 1 }),
    ]);
    assert.equal(first.status, 'rejected');
    assert.match(String((first as PromiseRejectedResult).reason), /the worker has ended \(out of luck\)/);
    assert.equal((first as PromiseRejectedResult).reason.code, 'E_WORKER');
    assert.deepEqual(
      Buffer.from((second as PromiseFulfilledResult<EncodeResult>).value.bytes),
      Buffer.from((await encode(picture, options)).bytes),
    );
    await broken.close();
  });

  it('a stream that is stopped starts no worker anew', async () => {
    let starts = 0;
    const counted = new WorkerClient((events) => {
      starts++;
      return nodeThread()(events);
    }, decoding);
    const { bytes } = await encode(picture, options);
    const stop = new AbortController();
    const stream = counted.decodeStream(new Blob([Uint8Array.from(bytes)]).stream(), { signal: stop.signal });
    const first = stream.next();
    setTimeout(() => stop.abort(), 20);
    await assert.rejects(first, { code: 'E_ABORTED' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(starts <= 1, `${starts} workers`);
    await counted.close();
  });

  it('a signal and close() end a stream whose source gives nothing', async () => {
    const { bytes } = await encode(picture, options);
    let left = 0;
    const stalled = (): ReadableStream<Uint8Array> =>
      new ReadableStream<Uint8Array>({
        start: (to) => to.enqueue(bytes.slice(0, -20)),
        cancel: () => void left++,
      });
    const own = createWorker(decoding);
    const stop = new AbortController();
    const stream = own.decodeStream(stalled(), { signal: stop.signal });
    await stream.next();
    const next = stream.next();
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(next, { code: 'E_ABORTED' });
    await assert.rejects(own.decodeStream(stalled(), { signal: stop.signal }).next(), { code: 'E_ABORTED' });
    const other = own.decodeStream(stalled());
    await other.next();
    const last = assert.rejects(other.next(), { code: 'E_ABORTED' });
    await own.close();
    await last;
    assert.equal(left, 3);
    await assert.rejects(own.decodeStream(stalled()).next(), { code: 'E_USAGE' });
  });

  it('close() rejects what is not done, and what comes after', async () => {
    const closing = createWorker(decoding);
    const call = closing.encode(large);
    const rejected = assert.rejects(call, { code: 'E_ABORTED' });
    await closing.close();
    await rejected;
    await assert.rejects(closing.encode(picture), { code: 'E_USAGE' });
  });

  it('an idle worker does not keep the process alive', () => {
    const entry = new URL('../src/node.js', import.meta.url).href;
    const script = `import { createWorker } from ${JSON.stringify(entry)};
      await createWorker().decode(new Uint8Array(3)).catch(({ code }) => console.log(code));`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    });
    assert.deepEqual([stdout, status], ['E_NOT_DCZ\n', 0]);
  });

  it('what goes over is what a view shows, not the buffer that it lies in', () => {
    const buffer = new Uint8Array(1000);
    const parts = {
      view: buffer.subarray(10, 20),
      words: Uint16Array.of(1, 2),
      node: Buffer.from('abc'),
      list: [1, { f: () => 1 }],
    };
    const { value, transfer } = parcelOf(parts, false);
    assert.deepEqual(
      transfer.map((handed) => (handed as ArrayBuffer).byteLength),
      [10, 4, 3],
    );
    assert.deepEqual(structuredClone(value), {
      view: new Uint8Array(10),
      words: Uint16Array.of(1, 2),
      node: Uint8Array.of(97, 98, 99),
      list: [1, {}],
    });
    assert.equal(parcelOf(buffer, true).transfer[0], buffer.buffer);
    assert.notEqual(parcelOf(buffer.subarray(1), true).transfer[0], buffer.buffer);
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    assert.ok(parcelOf(shared, true).value.buffer instanceof ArrayBuffer);
  });
});
