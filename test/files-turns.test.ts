/** What reads files yields and hears, too: checks, repairs, and pictures of other formats. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { readPicture } from '../formats/read.js';
import { writePng } from '../formats/png-writer.js';
import { concat, readContainer, varint, writeAlpha, writeHeader, writeSegments } from '../src/container/container.js';
import { metadataOfInPieces } from '../src/container/metadata.js';
import { PARTS, type Part } from '../src/container/parts.js';
import { DEFAULT_SCHEDULE } from '../src/diffusion/schedule.js';
import { hash32 } from '../src/math/hash.js';
import * as dcomp from '../src/node.js';
import { abortAt, watched } from './helpers/loop.js';
import { makeBmp } from './helpers/make-bmp.js';

/** Milliseconds of processor time; pieces take some 20. */
const GAP = 100;

const noise = (length: number): Uint8Array => {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = hash32(7, i);
  return out;
};

function fileOf(parts: Part[], alpha: Uint8Array, payload: Uint8Array): Uint8Array {
  const header = {
    width: 3000,
    height: 2000,
    channels: 4,
    depth: 16,
    modelId: '01234567',
    schedule: DEFAULT_SCHEDULE,
    nu: 14,
  } as const;
  return concat([
    writeHeader(header, parts),
    writeAlpha(alpha),
    writeSegments(Array.from({ length: 3 }, () => ({ payload, units: 1, idealRatio: 128 }))),
  ]);
}

function changed(file: Uint8Array, at: number): Uint8Array {
  const out = file.slice();
  out[at]! ^= 1;
  return out;
}

async function assertTurns(what: string, task: () => Promise<unknown>): Promise<void> {
  await task(); // compiled code, of which the second time is
  const { turns, spent, secondGap } = await watched(task);
  // a quick machine is done before a turn is due
  assert.ok(turns >= 2 || spent < 2 * GAP, `${what}: only ${turns} turns in ${spent} ms`);
  assert.ok(secondGap < GAP, `${what}: ${secondGap} ms without a turn`);
}

describe('files of many megabytes', () => {
  const parts = [{ type: PARTS.icc, payload: noise(2 ** 18) }];
  const whole = fileOf(parts, noise(6 * 2 ** 20), noise(2 ** 18));
  const at = readContainer(whole);
  const files = {
    whole,
    'wrong in the alpha channel': changed(whole, at.alpha!.payloadOffset + 2 ** 22),
    'wrong in a length': changed(whole, at.alpha!.payloadOffset - 8),
    'wrong in a segment': changed(whole, at.segments[1]!.payloadOffset + 5),
  };
  for (const [name, file] of Object.entries(files)) {
    it(`${name}: verify and repair turn, and say what they say at a stretch`, { timeout: 300_000 }, async () => {
      await assertTurns(`verify, ${name}`, () => dcomp.verify(file));
      await assertTurns(`repair, ${name}`, () => dcomp.repair(file));
      const { state, repairs } = await dcomp.verify(file);
      const { bytes, repairs: again } = await dcomp.repair(file);
      assert.deepEqual(again, repairs);
      assert.equal(state, name === 'whole' ? 'intact' : repairs.length > 0 ? 'repairable' : 'damaged');
      if (repairs.length > 0) assert.ok(Buffer.compare(bytes, whole) === 0);
    });
  }

  it('decode turns before it says what is wrong', { timeout: 300_000 }, () =>
    assertTurns('decode', () =>
      dcomp.decode(files['wrong in a segment']).then(
        () => assert.fail('it decodes'),
        (error: unknown) => assert.ok(error instanceof dcomp.DcompError),
      ),
    ),
  );

  it('verify and repair end where a signal says so, at any moment', { timeout: 300_000 }, async () => {
    for (const call of [dcomp.verify, dcomp.repair] as ((
      ...args: Parameters<typeof dcomp.repair>
    ) => Promise<unknown>)[]) {
      await assert.rejects(call(whole, { signal: AbortSignal.abort('before') }), { code: 'E_ABORTED' });
      const { second } = await abortAt(6, (signal) => call(whole, { signal }));
      assert.ok(second < GAP, `obeyed after ${second} ms`);
    }
  });

  it('what is handed over may be changed at once', async () => {
    const file = whole.slice();
    const checking = dcomp.verify(file);
    file.fill(0);
    assert.equal((await checking).state, 'intact');
  });
});

describe('pictures of many pixels', () => {
  const [width, height] = [2000, 1500];
  const palette = Array.from({ length: 256 }, (_, i) => [i, i, i]);
  const pictures: Record<string, () => Uint8Array> = {
    'a BMP of 24 bits': () => makeBmp({ width, height, bits: 24, data: noise(3 * width * height) }),
    'a BMP with alpha': () => makeBmp({ width, height, bits: 32, data: noise(4 * width * height) }),
    'a BMP with a palette': () => makeBmp({ width, height, bits: 8, palette, data: noise(width * height) }),
    'a BMP of run lengths': () =>
      makeBmp({
        width,
        height,
        bits: 8,
        palette,
        compression: 1,
        data: noise(2 * width * 64).map((v, i) => (i % 2 === 0 ? 255 : v)),
      }),
    'a PNG': () => writePng({ width, height, channels: 3, data: noise(3 * width * height).fill(3, 99) }),
    'a PNG of 16 bits with alpha': () =>
      writePng({ width, height, channels: 4, depth: 16, data: new Uint16Array(4 * width * height).fill(777) }),
  };
  for (const [name, make] of Object.entries(pictures))
    it(`${name} is read with turns`, { timeout: 300_000 }, async () => {
      const bytes = make();
      await assertTurns(name, async () => {
        const { picture } = await readPicture(bytes, 'all', undefined, name.includes('run lengths'));
        assert.deepEqual([picture.width, picture.height], [width, height]);
      });
    });
});

describe('texts', () => {
  it('are counted while they are inflated: too many end it after the first of them', () => {
    const texts = new Uint8Array(2 ** 23);
    for (let at = 0; at + 5 <= texts.length; at += 5) texts.set([1, 65], at);
    const payload = concat([Uint8Array.from(varint(texts.length)), deflateSync(texts).subarray(2, -4)]);
    const file = writeHeader(
      { width: 4, height: 4, channels: 3, depth: 8, modelId: '01234567', schedule: DEFAULT_SCHEDULE, nu: 14 },
      [{ type: PARTS.text, payload }],
    );
    const told: string[] = [];
    let pieces = 0;
    const reading = metadataOfInPieces(file, readContainer(file).parts, (message) => void told.push(message));
    while (reading.next().done !== true) pieces++;
    assert.match(told.join(), /more than 4096 texts/);
    assert.ok(pieces <= 1, `${pieces} pieces of ${payload.length} bytes`);
  });
});
