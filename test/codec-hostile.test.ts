/**
 * Files that an encoder did not write, though their checksums hold: whatever the payloads, counts and lengths say, the
 * decoder gives a picture of the stated size or a DcompError, and it ends.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { USUAL_HEADER } from '../corpus/header.js';
import { corpusPicture } from '../corpus/pictures.js';
import {
  concat,
  readContainer,
  varint,
  writeAlpha,
  writeHeader,
  writeSegment,
  writeSegments,
  type Header,
} from '../src/container/container.js';
import { decodePicture, type DecodeResult } from '../src/codec/decoder.js';
import { type DecoderOptions } from '../src/codec/decoder-options.js';
import { encodePicture } from '../src/codec/encoder.js';
import { MAX_FINE_NU } from '../src/format.js';
import { verifyFile } from '../src/container/verify.js';
import { fileInfo } from '../src/container/info.js';
import type { DcompErrorCode } from '../src/errors.js';
import { MIN_NU } from '../src/entropy/trellis.js';
import { encodePlane } from '../src/entropy/plane.js';
import { hash32 } from '../src/math/hash.js';
import { anySchedules, sampleKinds } from './helpers/arbitrary.js';
import { codeOfError, outcome } from './helpers/outcome.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const evaluator = tinyEvaluator();
const HEADER: Header = { ...USUAL_HEADER, modelId: evaluator.model.id };

const headers: fc.Arbitrary<Header> = fc
  .record({
    width: fc.integer({ min: 1, max: 90 }),
    height: fc.integer({ min: 1, max: 90 }),
    kind: sampleKinds,
    modelId: fc.constant(evaluator.model.id),
    schedule: anySchedules,
    nu: fc.integer({ min: MIN_NU, max: MAX_FINE_NU }),
  })
  .map(({ kind, ...header }) => ({ ...header, ...kind }));

/** Bytes of one value, random ones, and mixtures: long runs of equal signs drive values as far as they go. */
const payloads = fc
  .record({
    length: fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 4000 })),
    fill: fc.constantFrom(0, 255, 0x55, -1, -2),
    seed: fc.nat(),
  })
  .map(({ length, fill, seed }) =>
    Uint8Array.from({ length }, (_, i) =>
      fill >= 0 ? fill : fill === -1 ? hash32(seed, i) & 255 : hash32(seed, i >> 5) & 255,
    ),
  );
const segments = fc.array(
  fc.record({
    payload: payloads,
    units: fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 255 })),
    ratio: fc.nat({ max: 255 }),
  }),
  { maxLength: 4 },
);

/** What a decoder may say of a file whose header is good. */
const DATA_CODES: readonly DcompErrorCode[] = ['E_DAMAGED_SEGMENT', 'E_TRUNCATED'];

async function decodes(
  bytes: Uint8Array,
  header: Header,
  options: DecoderOptions = {},
): Promise<DecodeResult | DcompErrorCode> {
  const result = await outcome(() => decodePicture(bytes, evaluator, options));
  if (typeof result === 'string') assert.ok(DATA_CODES.includes(result), result);
  else {
    assert.deepEqual([result.width, result.height, result.channels], [header.width, header.height, header.channels]);
    assert.equal(result.data.length, header.width * header.height * header.channels);
  }
  return result;
}

describe('hostile files', () => {
  it('any segments after a good header are a picture or a DcompError', async () => {
    await assertLimited(
      fc.asyncProperty(headers, segments, payloads, fc.boolean(), async (header, parts, alpha, goodAlpha) => {
        const plane = goodAlpha
          ? encodePlane(new Uint8Array(header.width * header.height).fill(9), header.width, header.height)
          : alpha;
        const alphaPart = header.channels % 2 === 0 ? [writeAlpha(plane)] : [];
        const bytes = concat([
          writeHeader(header),
          ...alphaPart,
          writeSegments(parts.map(({ payload, units, ratio }) => ({ payload, units, idealRatio: ratio }))),
        ]);
        assert.ok(fileInfo(bytes).segments.length <= parts.length);
        // The narrowest of all steps are beyond the default limit.
        const maxWork = 100;
        await decodes(bytes, header, { maxWork });
        await decodes(bytes, header, { maxWork, maxBytes: Math.floor(bytes.length * 0.8) + 40 });
        // With damage allowed there is nothing left to refuse.
        const told: string[] = [];
        const result = await decodes(bytes, header, {
          maxWork,
          allowDamaged: true,
          onDamage: (message) => told.push(message),
        });
        if (typeof result === 'string') assert.fail(`${result}, though damage is allowed`);
      }),
      { numRuns: 60 },
    );
  });

  it('the same bytes give the same picture, however hostile', async () => {
    await assertLimited(
      fc.asyncProperty(payloads, async (payload) => {
        const bytes = concat([writeHeader(HEADER), writeSegments([{ payload, units: 40, idealRatio: 128 }])]);
        const first = await decodes(bytes, HEADER);
        assert.deepEqual(await decodes(bytes, HEADER), first);
      }),
      { numRuns: 10 },
    );
  });

  it('steps beyond the last are reported as damage', async () => {
    const { bytes } = await encodePicture(corpusPicture('flat', { width: 9, height: 7 }), evaluator, {
      plain: false,
      effort: 1,
      target: { quality: 100 },
    });
    const { segments } = readContainer(bytes);
    const first = segments.reduce((sum, { units }) => sum + units, 0) - segments[segments.length - 1]!.units;
    const payload = new Uint8Array(60);
    const more = concat([
      bytes.subarray(0, segments[segments.length - 1]!.offset),
      writeSegment({ payload, units: 200, idealRatio: 128 }, { first, last: true }),
    ]);
    assert.equal(await codeOfError(() => decodePicture(more, evaluator)), 'E_DAMAGED_SEGMENT');
    const told: string[] = [];
    await decodePicture(more, evaluator, { allowDamaged: true, onDamage: (message) => told.push(message) });
    assert.match(told.join(), /^segment \d+ .*states more steps than the picture has$/);
  });

  it('a segment that is not in its place is found: swapped, doubled, left out, the last one too', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 780, height: 40 }), evaluator, {
      effort: 1,
      target: { quality: 80 },
    });
    const { segments } = readContainer(bytes);
    const start = bytes.subarray(0, segments[0]!.offset);
    const pieces = segments.map(({ offset }, i) => bytes.subarray(offset, segments[i + 1]?.offset));
    assert.ok(pieces.length > 12);
    assert.equal(verifyFile(concat([start, ...pieces])).state, 'intact');
    const n = pieces.length;
    const others: Record<string, Uint8Array[]> = {
      swapped: [...pieces.slice(0, n - 3), pieces[n - 2]!, pieces[n - 3]!, pieces[n - 1]!],
      'the last two swapped': [...pieces.slice(0, n - 2), pieces[n - 1]!, pieces[n - 2]!],
      doubled: [...pieces.slice(0, 5), pieces[4]!, ...pieces.slice(5)],
      'left out': [...pieces.slice(0, 5), ...pieces.slice(6)],
      'the first left out': pieces.slice(1),
      reversed: pieces.slice().reverse(),
    };
    for (const [name, list] of Object.entries(others)) {
      const file = concat([start, ...list]);
      assert.notEqual(verifyFile(file).state, 'intact', name);
      const found = await outcome(() => decodePicture(file, evaluator));
      if (name === 'the last two swapped' && typeof found !== 'string') assert.fail('decoded');
      assert.equal(found, 'E_DAMAGED_SEGMENT', name);
    }
    const cut = concat([start, ...pieces.slice(0, -1)]);
    assert.equal(verifyFile(cut).state, 'cut');
    assert.equal((await decodePicture(cut, evaluator)).truncated, true);
  });

  it('what is behind the end of a file is no damage, but said; zeros in place of the rest neither', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 30, height: 20 }), evaluator, {
      effort: 1,
      target: { size: 400 },
    });
    const { data } = await decodePicture(bytes, evaluator);
    for (const more of [Uint8Array.of(10), new Uint8Array(512), bytes, new Uint8Array(70).fill(255)]) {
      const file = concat([bytes, more]);
      const { state, trailing } = verifyFile(file);
      assert.deepEqual([state, trailing, fileInfo(file).trailing], ['intact', more.length, more.length]);
      const back = await decodePicture(file, evaluator);
      assert.deepEqual([back.truncated, back.trailing], [false, more.length]);
      assert.deepEqual(back.data, data);
    }
    for (const length of [3, 4000]) {
      const half = concat([bytes.subarray(0, readContainer(bytes).segments[0]!.offset), new Uint8Array(length)]);
      assert.deepEqual([fileInfo(half).trailing, verifyFile(half).state], [length, 'cut']);
      assert.equal((await decodePicture(half, evaluator)).truncated, true);
    }
  });

  it('any number of empty segments or parts is no more than damage', async () => {
    const empty = { payload: new Uint8Array(0), idealRatio: 0 };
    const many = (units: number): Uint8Array =>
      concat([writeHeader(HEADER), writeSegments(Array.from({ length: 130_000 }, () => ({ ...empty, units })))]);
    for (const file of [many(0), many(1)]) {
      assert.ok(fileInfo(file).segments.length < 200);
      assert.equal(verifyFile(file).state, 'damaged');
      assert.equal(await codeOfError(() => decodePicture(file, evaluator)), 'E_DAMAGED_SEGMENT');
      assert.equal(typeof (await outcome(() => decodePicture(file, evaluator, { allowDamaged: true }))), 'object');
    }
    const part = { type: 1, payload: new Uint8Array(0) };
    const parts = writeHeader(
      HEADER,
      Array.from({ length: 130_000 }, () => part),
    );
    for (const call of [() => fileInfo(parts), () => verifyFile(parts), () => decodePicture(parts, evaluator)])
      assert.equal(await codeOfError(call), 'E_DAMAGED_SEGMENT');
    const twice = concat([writeHeader(HEADER, [part, part]), writeSegments([{ ...empty, units: 1 }])]);
    assert.deepEqual(
      readContainer(twice).parts.map(({ state }) => state),
      ['complete', 'damaged'],
    );
  });

  it('a file cut at any byte is a picture, or says that it lacks its header or alpha', async () => {
    const picture = corpusPicture('rgba-balls', { width: 24, height: 17 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 70 } });
    const { payloadOffset, payloadLength } = readContainer(bytes).alpha!;
    for (let n = 1; n < bytes.length; n++) {
      const code = await outcome(() => decodePicture(bytes.subarray(0, n), evaluator));
      if (n < payloadOffset + payloadLength) assert.equal(code, 'E_TRUNCATED', `${n} bytes`);
      else if (typeof code === 'string') assert.fail(`${n} bytes: ${code}`);
    }
  });

  it('lengths that lie are reported, or cut the file', async () => {
    const payload = new Uint8Array(100).map((_, i) => hash32(1, i) & 255);
    const honest = writeSegment({ payload, units: 5, idealRatio: 128 }, { first: 0, last: false });
    const after = writeSegment({ payload, units: 3, idealRatio: 128 }, { first: 5, last: true });
    for (const length of [0, 1, 99, 101, 5000, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35 - 1]) {
      const lying = concat([writeHeader(HEADER), Uint8Array.from(varint(length)), honest.subarray(1), after]);
      const result = await decodes(lying, HEADER);
      if (typeof result !== 'string') assert.ok(result.truncated, `length ${length} is believed`);
      const alphaHeader: Header = { ...HEADER, channels: 4 };
      const plane = encodePlane(
        new Uint8Array(1200).map((_, i) => i),
        40,
        30,
      );
      const file = concat([
        writeHeader(alphaHeader),
        Uint8Array.from(varint(length)),
        writeAlpha(plane).subarray(varint(plane.length).length),
        after,
      ]);
      if (length !== plane.length)
        assert.notEqual(typeof (await decodes(file, alphaHeader)), 'object', `alpha of length ${length} is believed`);
    }
  });

  it('huge sizes are refused before anything is allocated', async () => {
    const before = process.memoryUsage();
    const sizes: [number, number][] = [
      [65535, 32769],
      [2 ** 31, 1],
      [1, 2 ** 31],
      [2 ** 14, 2 ** 14 + 1],
      [65536, 1],
      [2 ** 34, 2 ** 34],
    ];
    for (const [width, height] of sizes) {
      const bytes = concat([
        writeHeader({ ...HEADER, width, height }),
        writeSegments([{ payload: new Uint8Array(50), units: 5, idealRatio: 128 }]),
      ]);
      assert.equal(await codeOfError(() => decodePicture(bytes, evaluator)), 'E_TOO_LARGE', `${width}×${height}`);
      assert.equal(await codeOfError(() => fileInfo(bytes)), 'E_TOO_LARGE');
    }
    const large = writeHeader({ ...HEADER, width: 16384, height: 16384 });
    assert.equal(await codeOfError(() => decodePicture(large, evaluator, { maxPixels: 2 ** 27 })), 'E_TOO_LARGE');
    assert.equal(fileInfo(large).width, 16384, 'info allocates nothing for pixels');
    const grown = process.memoryUsage().arrayBuffers - before.arrayBuffers;
    assert.ok(grown < 2 ** 24, `${grown} bytes allocated`);
  });

  it('an alpha channel that is no coded plane is refused, or left out', async () => {
    const header: Header = { ...HEADER, width: 5, height: 4, channels: 2 };
    for (const alpha of [[], [1], [2, 0], [0, 0], [1, 7, 7], [0, 1, 2, 3, 4, 5]]) {
      const bytes = concat([writeHeader(header), writeAlpha(Uint8Array.from(alpha))]);
      assert.ok(DATA_CODES.includes(await codeOfError(() => decodePicture(bytes, evaluator))), alpha.join());
      const shown = await decodePicture(bytes, evaluator, { allowDamaged: true });
      assert.ok(
        shown.data.every((value, i) => i % 2 === 0 || value === 255),
        'opaque where alpha is missing',
      );
    }
  });
});
