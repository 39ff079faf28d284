/** Whatever is handed to the library, what comes back is a picture, or a `DcompError` that says what was wrong. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import {
  concat,
  readContainer,
  varint,
  writeHeader,
  writeSegment,
  writeSegments,
  type Header,
} from '../src/container/container.js';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import * as dcomp from '../src/node.js';
import { info, type DecodeOptions, type EncodeOptions } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { smallModelFile } from '../corpus/small-model.js';
import { assertLimited } from './helpers/limited.js';

const model = smallModelFile();
const encode = (picture: Picture, options: EncodeOptions = {}) =>
  dcomp.encode(picture, { model, threads: 1, ...options });
const decode = (bytes: Uint8Array, options: DecodeOptions = {}) =>
  dcomp.decode(bytes, { model, threads: 1, ...options });

async function rejects(promise: Promise<unknown>, code: DcompErrorCode | DcompErrorCode[], about = ''): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof DcompError, `${about} not a DcompError: ${String(error)}`);
    assert.ok([code].flat().includes(error.code), `${about} ${error.code}: ${error.message}`);
    assert.ok(error.message.length > 10 && !error.message.includes('\n'), error.message);
    return true;
  });
}

/** The result, or the code of the DcompError; any other error is a failure of the test. */
async function outcome<T>(make: () => T | Promise<T>): Promise<T | DcompErrorCode> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof DcompError) return error.code;
    throw error;
  }
}

describe('bad input', () => {
  const picture = corpusPicture('rgba-balls', { width: 22, height: 15 });
  let file: Uint8Array;
  let plain: Uint8Array;
  before(async () => {
    ({ bytes: file } = await encode(picture, { target: { quality: 60 }, plain: false }));
    ({ bytes: plain } = await encode(picture, { target: 'lossless', plain: true }));
  });

  it('pictures that are not what they say are refused', async () => {
    const good: Picture = { width: 2, height: 2, channels: 3, data: new Uint8Array(12) };
    const bad: [Partial<Record<keyof Picture, unknown>>, DcompErrorCode][] = [
      [{ width: 0 }, 'E_PICTURE'],
      [{ width: 1.5 }, 'E_PICTURE'],
      [{ width: NaN }, 'E_PICTURE'],
      [{ height: -1 }, 'E_PICTURE'],
      [{ height: '2' }, 'E_PICTURE'],
      [{ channels: 5 }, 'E_PICTURE'],
      [{ channels: 0 }, 'E_PICTURE'],
      [{ channels: 4 }, 'E_PICTURE'],
      [{ data: new Uint8Array(11) }, 'E_PICTURE'],
      [{ data: new Float32Array(12) }, 'E_PICTURE'],
      [{ data: undefined }, 'E_PICTURE'],
      [{ data: new Uint16Array(12), depth: 8 }, 'E_PICTURE'],
      [{ depth: 16 }, 'E_PICTURE'],
      [{ depth: 4 }, 'E_PICTURE'],
      [{ depth: 3 }, 'E_PICTURE'],
      [{ channels: 1, depth: 2, data: Uint8Array.of(0, 1, 4, 3) }, 'E_PICTURE'],
      [{ width: 65536 }, 'E_TOO_LARGE'],
      [{ width: 65535, height: 65535 }, 'E_TOO_LARGE'],
    ];
    for (const [fields, code] of bad)
      await rejects(encode({ ...good, ...fields } as Picture), code, JSON.stringify(fields));
  });

  it('options that make no sense are refused', async () => {
    const targets: unknown[] = [
      { quality: 0 },
      { quality: 101 },
      { quality: NaN },
      { bitsPerPixel: 0 },
      { bitsPerPixel: -1 },
      { size: 0 },
      { size: 10.5 },
      { psnr: -3 },
      { psnr: Infinity },
      { quality: 50, size: 100 },
      {},
      { q: 50 },
    ];
    for (const target of targets)
      await rejects(encode(picture, { target } as EncodeOptions), 'E_USAGE', JSON.stringify(target));
    for (const effort of [0, 10, 2.5, NaN]) await rejects(encode(picture, { effort }), 'E_USAGE', `effort ${effort}`);
    for (const threads of [0, -1, 1.5, NaN]) {
      await rejects(encode(picture, { threads }), 'E_USAGE', `threads ${threads}`);
      await rejects(decode(file, { threads }), 'E_USAGE', `threads ${threads}`);
    }
    for (const maxBytes of [-1, 1.5, NaN]) await rejects(decode(file, { maxBytes }), 'E_USAGE', `maxBytes ${maxBytes}`);
  });

  it('a size that is smaller than the smallest file is refused', async () => {
    await rejects(encode(picture, { target: { size: 1 } }), 'E_UNREACHABLE');
  });

  it('a signal stops both ways', async () => {
    const signal = AbortSignal.abort();
    await rejects(encode(picture, { signal }), 'E_ABORTED');
    await rejects(decode(file, { signal }), 'E_ABORTED');
    const abort = new AbortController();
    const fractions: number[] = [];
    const onProgress = ({ fraction }: { fraction: number }): void => {
      if (fractions.push(fraction) === 3) abort.abort();
    };
    await rejects(encode(picture, { signal: abort.signal, onProgress }), 'E_ABORTED');
    assert.equal(fractions.length, 3, 'stops at the next step');
  });

  it('files that are none of ours are refused', async () => {
    const text = new TextEncoder().encode('some text that is long enough to be a coded picture, but is none');
    for (const [bytes, code] of [
      [new Uint8Array(0), 'E_EMPTY'],
      [text, 'E_NOT_DCZ'],
      [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13), 'E_NOT_DCZ'],
      [new Uint8Array(1000), 'E_NOT_DCZ'],
    ] as [Uint8Array, DcompErrorCode][]) {
      await rejects(decode(bytes), code);
      assert.equal(await outcome(() => info(bytes)), code);
    }
  });

  it('a transfer as text is noticed', async () => {
    const latin1 = Buffer.from(file).toString('latin1');
    for (const changed of [
      latin1.replaceAll(/[\x80-\xff]/g, '?'),
      latin1.replaceAll(/[\x80-\xff]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) & 127)),
    ]) {
      await rejects(decode(Buffer.from(changed, 'latin1')), 'E_NOT_DCZ');
    }
    const lines = latin1.replaceAll(/[\n\r]/g, '\r\n');
    assert.notEqual(lines, latin1, 'the file has a byte that is the end of a line');
    await rejects(decode(Buffer.from(lines, 'latin1')), ['E_DAMAGED_HEADER', 'E_DAMAGED_SEGMENT']);
  });

  it('a model that is none is refused, before the picture is looked at', async () => {
    await rejects(encode(picture, { model: new Uint8Array(0) }), ['E_EMPTY', 'E_NOT_MODEL']);
    await rejects(encode(picture, { model: new Uint8Array(100) }), 'E_NOT_MODEL');
    await rejects(decode(file, { model: file }), 'E_NOT_MODEL');
  });

  it('a file cut anywhere decodes, or says that its beginning is missing', async () => {
    for (const whole of [file, plain]) await cutAnywhere(whole);
  });

  async function cutAnywhere(file: Uint8Array): Promise<void> {
    let decoded = 0;
    for (let n = 1; n < file.length; n++) {
      const bytes = file.subarray(0, n);
      const found = await outcome(() => info(bytes));
      if (typeof found === 'string') {
        assert.ok(['E_TRUNCATED', 'E_NOT_DCZ'].includes(found), `${n} bytes: ${found}`);
        assert.equal(decoded, 0, `${n} bytes are refused, though fewer were not`);
        await rejects(decode(bytes), found);
        continue;
      }
      decoded++;
      // Each decode evaluates the network: all short prefixes, and of the longer ones some.
      if (n < file.length - 8 && n % 13 !== 0) continue;
      const back = await outcome(() => decode(bytes));
      if (back === 'E_TRUNCATED') continue; // the alpha channel is not complete
      if (typeof back === 'string') assert.fail(`${n} bytes: ${back}`);
      assert.deepEqual([back.width, back.height, back.channels], [picture.width, picture.height, picture.channels]);
    }
    assert.ok(decoded > 0);
  }

  it('a bit changed anywhere is noticed', async () => {
    for (const whole of [file, plain]) await bitsChanged(whole);
  });

  async function bitsChanged(file: Uint8Array): Promise<void> {
    for (let n = 0; n < file.length; n++) {
      const bytes = Uint8Array.from(file);
      bytes[n] ^= 1 << (n & 7);
      const found = await outcome(() => info(bytes));
      if (typeof found !== 'string') {
        // A length that was changed may reach over the end of the file, as in one that was cut.
        const noticed =
          found.truncated ||
          found.alpha?.state === 'damaged' ||
          [...found.parts, ...found.segments].some(({ state }) => state !== 'complete');
        assert.ok(noticed, `byte ${n} of ${file.length}: not noticed`);
      }
      if (n % 7 === 0)
        await rejects(decode(bytes), [
          'E_NOT_DCZ',
          'E_VERSION',
          'E_OTHER_MODEL',
          'E_DAMAGED_HEADER',
          'E_DAMAGED_SEGMENT',
          'E_TRUNCATED',
        ]);
    }
  }

  it('headers that state the impossible are refused, each with its own code, before anything is allocated', async () => {
    const { header } = readContainer(file);
    const before = process.memoryUsage().arrayBuffers;
    const schedule = (change: Partial<Header['schedule']>): Partial<Header> => ({
      schedule: { ...header.schedule, ...change },
    });
    const cases: [Partial<Record<keyof Header, unknown>>, DcompErrorCode][] = [
      [{ width: 65535, height: 32769 }, 'E_TOO_LARGE'], // 2^31 pixels
      [{ width: 2 ** 31, height: 1 }, 'E_TOO_LARGE'],
      [{ width: 65536 }, 'E_TOO_LARGE'],
      [{ width: 0 }, 'E_DAMAGED_HEADER'],
      [{ height: 0 }, 'E_DAMAGED_HEADER'],
      [{ channels: 0 }, 'E_DAMAGED_HEADER'],
      [{ channels: 5 }, 'E_DAMAGED_HEADER'],
      [{ nu: 0 }, 'E_DAMAGED_HEADER'],
      [{ nu: 31 }, 'E_DAMAGED_HEADER'],
      [schedule({ coarseViews: 8 as 4 }), 'E_DAMAGED_HEADER'],
      [schedule({ lastCode: 0 }), 'E_DAMAGED_HEADER'],
    ];
    for (const [fields, code] of cases) {
      const bytes = writeHeader({ ...header, ...fields } as Header);
      await rejects(decode(bytes), code, JSON.stringify(fields));
      assert.equal(await outcome(() => info(bytes)), code);
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 24);
  });

  it('another format version and another model have errors of their own', async () => {
    const version = Uint8Array.from(file);
    version[4]++;
    await rejects(decode(version), 'E_VERSION');
    const { header } = readContainer(file);
    const other = writeHeader({ ...header, modelId: '01234567' });
    await rejects(decode(other), 'E_OTHER_MODEL');
    assert.equal(info(other).modelId, '01234567', 'info needs no model');
  });

  it('lengths that lie are noticed, or harmless', async () => {
    const { header, segments } = readContainer(file);
    const start = file.subarray(0, segments[0].offset);
    const rest = file.subarray(segments[0].payloadOffset);
    for (const length of [0, 1, rest.length - 1, rest.length + 1, 2 ** 31, 2 ** 34]) {
      const bytes = concat([start, Uint8Array.from(varint(length)), Uint8Array.of(1, 128, 0, 0, 0, 0), rest]);
      const found = await outcome(() => decode(bytes));
      if (typeof found !== 'string') assert.deepEqual([found.width, found.height], [header.width, header.height]);
    }
    // Segments that go on after the last step, steps without bits, bits without steps: their checksums hold.
    const units = segments.reduce((sum, { units }) => sum + units, 0);
    for (const segment of [
      { payload: new Uint8Array(50), units: 255, idealRatio: 128 },
      { payload: new Uint8Array(0), units: 255, idealRatio: 0 },
      { payload: new Uint8Array(9), units: 0, idealRatio: 255 },
    ]) {
      for (const bytes of [
        concat([file, writeSegment(segment, { first: units, last: true })]),
        concat([start, writeSegments([segment, segment])]),
      ]) {
        const found = await outcome(() => decode(bytes));
        if (typeof found !== 'string') assert.deepEqual([found.width, found.height], [header.width, header.height]);
      }
    }
  });

  it('damaged segments can be decoded around, and are reported', async () => {
    const bytes = Uint8Array.from(file);
    bytes[bytes.length - 2] ^= 0x10;
    await rejects(decode(bytes), 'E_DAMAGED_SEGMENT');
    const told: string[] = [];
    const back = await decode(bytes, { allowDamaged: true, onDamage: (message) => told.push(message) });
    assert.equal(told.length, 1);
    assert.deepEqual([back.width, back.height, back.channels], [picture.width, picture.height, picture.channels]);
  });

  it('random bytes after a good beginning never cause another error than ours', async () => {
    await assertLimited(
      fc.asyncProperty(
        fc.boolean(),
        fc.nat({ max: 400 }),
        fc.uint8Array({ maxLength: 60 }),
        async (lossy, keep, rest) => {
          const bytes = Uint8Array.from([...(lossy ? file : plain).subarray(0, keep), ...rest]);
          await outcome(() => info(bytes));
          const back = await outcome(() => decode(bytes, { maxPixels: 10000, allowDamaged: true }));
          if (typeof back !== 'string') assert.equal(back.data.length, back.width * back.height * back.channels);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('a picture larger than the caller allows is refused', async () => {
    await rejects(decode(file, { maxPixels: 22 * 15 - 1 }), 'E_TOO_LARGE');
    await decode(file, { maxPixels: 22 * 15 });
  });
});
