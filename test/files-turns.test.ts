/** What reads files yields and hears, too: checks, repairs, and pictures of other formats. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { handler } from '../cluster/handler.js';
import { readJpegXlElsewhere } from '../formats/jpeg-xl-thread.js';
import { readPicture } from '../formats/read.js';
import { writePng } from '../formats/png-writer.js';
import {
  divideByAlpha,
  firstColour,
  fromFloat,
  greyOfRgba,
  overAll,
  roundedTo,
  withoutOpaque,
} from '../formats/samples.js';
import { resizePicture } from '../formats/resize.js';
import { barePicture } from '../formats/upright.js';
import { writePicture } from '../formats/write.js';
import { concat, readContainer, varint, writeAlpha, writeHeader, writeSegments } from '../src/container/container.js';
import { metadataOfInPieces } from '../src/container/metadata.js';
import { PARTS, type Part } from '../src/container/parts.js';
import { verifyFileInPieces } from '../src/container/verify.js';
import { DEFAULT_SCHEDULE } from '../src/diffusion/schedule.js';
import { hash32 } from '../src/math/hash.js';
import * as dcomp from '../src/node.js';
import { newSamples, rangeOf, withDepthInPieces, type Picture } from '../src/picture.js';
import { turnedInPieces } from '../src/pixels/turned.js';
import type { Pieces } from '../src/turns.js';
import { hostileFiles } from './helpers/hostile-files.js';
import { abortAt, watched } from './helpers/loop.js';
import { makeBmp } from './helpers/make-bmp.js';
import { makeTiff } from './helpers/make-tiff.js';

const [sharp, wasm] = await Promise.all([
  import('sharp').then(
    (module) => module.default,
    () => undefined,
  ),
  import('wasm-vips').then(
    (module) => module.default,
    () => undefined,
  ),
]);

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

/** A JPEG XL of RGB. */
async function jpegXlOf(samples: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const vips = await wasm!({ dynamicLibraries: ['vips-jxl.wasm'], print: () => undefined, printErr: () => undefined });
  try {
    const image = vips.Image.newFromMemory(samples, width, height, 3, vips.BandFormat.uchar);
    const options = { lossless: true, effort: 1, keep: vips.ForeignKeep.none };
    return Uint8Array.from(image.copy({ interpretation: 'srgb' }).jxlsaveBuffer(options));
  } finally {
    vips.shutdown();
  }
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
  const deep: Picture = { width, height, channels: 4, depth: 16, data: new Uint16Array(4 * width * height).fill(777) };
  const soft = noise(3 * width * height).map((v, i) => (i >> 16) + (v & 1));
  const raw = { width, height, channels: 3 } as const;
  const floats = new Uint8Array(Float32Array.from(soft, (v) => v / 255).buffer);
  const pictures: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
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
    'a PNG of 16 bits with alpha': () => writePng(deep),
    'a TIFF of floats': () => makeTiff([{ width, height, bits: 32, samples: 3, format: 3, data: floats }]),
    'a TIFF of 16 bits with alpha, by sharp': () => sharp!(writePng(deep)).tiff({ compression: 'none' }).toBuffer(),
    'a JPEG, by sharp': () => sharp!(soft, { raw }).jpeg().toBuffer(),
    'a GIF, by sharp': () => sharp!(soft, { raw }).gif({ colours: 4, effort: 1, dither: 0 }).toBuffer(),
    'a JPEG XL, by wasm-vips': () => jpegXlOf(soft, width, height),
  };
  const needed = (name: string): string | undefined =>
    /, by (.*)$/.exec(name)?.[1] ?? (/TIFF/.test(name) ? 'sharp' : undefined);
  const skipOf = (name: string): string | false =>
    (needed(name) === 'sharp' && sharp === undefined) || (needed(name) === 'wasm-vips' && wasm === undefined)
      ? `${needed(name)} does not load on this machine`
      : false;
  for (const [name, make] of Object.entries(pictures))
    it(`${name} is read with turns`, { timeout: 300_000, skip: skipOf(name) }, async () => {
      const bytes = await make();
      await assertTurns(name, async () => {
        const { picture } = await readPicture(bytes, 'all', undefined, name.includes('run lengths'));
        assert.deepEqual([picture.width, picture.height], [width, height]);
      });
    });
});

describe('pictures that are written or converted', () => {
  const [width, height] = [1800, 1300];
  const deep: Picture = { width, height, channels: 3, depth: 16, data: new Uint16Array(3 * width * height).fill(777) };
  for (const format of ['png', 'tiff', 'jpeg'] as const)
    it(
      `are written with turns, as ${format}`,
      { timeout: 300_000, skip: format !== 'png' && sharp === undefined ? 'sharp does not load' : false },
      () => assertTurns(format, () => writePicture(deep, format)),
    );

  const opaque: Picture = { width: 1200, height: 900, channels: 4, data: new Uint8Array(4 * 1200 * 900).fill(255) };
  it('are turned, and freed of alpha that hides nothing, with turns', { timeout: 300_000 }, () =>
    assertTurns('turned', async () => {
      const { picture } = await barePicture({ ...opaque, metadata: { orientation: 6 } });
      assert.deepEqual([picture.width, picture.height, picture.channels], [900, 1200, 3]);
    }),
  );

  const needsSharp = { timeout: 300_000, skip: sharp === undefined ? 'sharp does not load' : false };
  it('are resized with turns', needsSharp, () =>
    assertTurns('resized', () => resizePicture(deep, { scale: 0.9, fit: 'fill' })),
  );

  it('end at once where a signal says so, whatever is waited for', needsSharp, async () => {
    const { bytes } = await writePicture(opaque, 'avif');
    const calls: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
      writing: (signal) => writePicture(opaque, 'avif', 'all', 95, signal),
      reading: (signal) => readPicture(bytes, 'all', undefined, false, signal),
      resizing: (signal) => resizePicture(opaque, { scale: 0.5, fit: 'fill' }, undefined, signal),
      'reading, resizing and coding': (signal) => handler(bytes, { signal, effort: 1, resize: { width: 16 } }),
    };
    for (const [name, call] of Object.entries(calls)) {
      const { second } = await abortAt(3, call);
      assert.ok(second < GAP, `${name}: obeyed after ${second} ms`);
    }
  });

  it('are the same file, written with turns and at a stretch', async () => {
    for (const depth of [1, 4, 8, 16] as const) {
      const picture: Picture = { width: 201, height: 67, channels: 1, depth, data: newSamples(201 * 67, depth) };
      picture.data.forEach((_, i) => (picture.data[i] = hash32(depth, i) % rangeOf(depth)));
      const { bytes } = await writePicture(picture, 'png');
      assert.deepEqual(bytes, writePng(picture));
    }
  });

  it('are converted in pieces of at most 2^20 samples', () => {
    const n = 2 ** 22;
    const wide = new Uint16Array(n).fill(65535);
    const work: Record<string, Pieces<unknown>> = {
      firstColour: firstColour(wide, 3),
      greyOfRgba: greyOfRgba(wide),
      withoutOpaque: withoutOpaque({ width: 2 ** 10, height: 2 ** 10, channels: 4, depth: 16, data: wide }),
      turned: turnedInPieces({ width: 2 ** 11, height: 2 ** 11, channels: 1, depth: 16, data: wide }, 6),
      overAll: overAll(wide, 10),
      divideByAlpha: divideByAlpha(wide, 4),
      fromFloat: fromFloat(new Float32Array(n)),
      roundedTo: roundedTo({ width: 2 ** 11, height: 2 ** 11, channels: 1, depth: 16, data: wide }, 10),
      withDepth: withDepthInPieces({ width: 2 ** 11, height: 2 ** 11, channels: 1, depth: 16, data: wide }, 8),
    };
    for (const [name, pieces] of Object.entries(work)) {
      let count = 0;
      while (pieces.next().done !== true) count++;
      // Of those that keep the first colour, what is made is a third or half of what there was.
      assert.ok(count >= 2, `${name}: ${count} pieces`);
    }
  });

  it('end where a signal says so, whatever their format', { timeout: 300_000 }, async () => {
    const small = { ...deep, width: 180, height: 130, data: deep.data.slice(0, 3 * 180 * 130) };
    const written: Uint8Array[] = [
      writePng(small),
      makeBmp({ width: 64, height: 64, bits: 24, data: noise(3 * 64 * 64) }),
    ];
    if (sharp !== undefined) written.push((await writePicture(small, 'jpeg')).bytes);
    for (const bytes of written) {
      const signal = AbortSignal.abort('before');
      await assert.rejects(readPicture(bytes, 'all', undefined, false, signal), { code: 'E_ABORTED' });
    }
  });
});

describe('JPEG XL', { skip: wasm === undefined ? 'wasm-vips is not installed' : false }, () => {
  let file: Promise<Uint8Array> | undefined;
  const bytes = (): Promise<Uint8Array> => (file ??= jpegXlOf(noise(3 * 400 * 300), 400, 300));

  it('ends at once where a signal says so, at any moment', { timeout: 300_000 }, async () => {
    const { second } = await abortAt(4, async (signal) => readPicture(await bytes(), 'all', undefined, false, signal));
    assert.ok(second < GAP, `obeyed after ${second} ms`);
  });

  it('is read on the calling thread where no other can be had', { timeout: 300_000 }, async () => {
    const { picture } = await readJpegXlElsewhere(await bytes(), 2 ** 20, undefined, new URL('file:///nowhere.js'));
    assert.deepEqual(picture, (await readPicture(await bytes())).picture);
  });

  it('is an error where its thread ends', { timeout: 300_000 }, async () => {
    const script = `import { parentPort } from 'node:worker_threads';
      parentPort.once('message', () => process.exit(3));
      parentPort.postMessage({ kind: 'ready' });`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
    await assert.rejects(readJpegXlElsewhere(await bytes(), 2 ** 20, undefined, url), {
      code: 'E_DAMAGED_PICTURE',
      message: /its decoder ended: exit code 3/,
    });
  });
});

describe('segments without a byte', () => {
  it('are pieces of their own: as many as there are give turns', () => {
    const { bytes } = hostileFiles('01234567').find(({ name }) => name === 'segments without end')!;
    const checking = verifyFileInPieces(bytes);
    let pieces = 0;
    while (checking.next().done !== true) pieces++;
    assert.ok(pieces > 100_000, `${pieces} pieces of ${bytes.length} bytes`);
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
