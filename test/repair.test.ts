/** Repair: any single wrong byte of a part is found and set right, and what is damaged more is left alone. */
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
  writeSegments,
  type Header,
} from '../src/container/container.js';
import { crc32, crc32Combine, singleByteErrors } from '../src/container/crc32.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { repairFile } from '../src/container/repair.js';
import { hash32 } from '../src/math/hash.js';
import { inspectFile } from '../src/codec/inspect.js';
import { codeOfError } from './helpers/outcome.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const HEADER: Header = { ...USUAL_HEADER, width: 300, channels: 4 };

function noise(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => hash32(seed, i) & 255);
}

const some = concat([
  writeHeader(HEADER, [
    { type: 2, payload: Uint8Array.of(6) },
    { type: 1, payload: noise(150, 1) },
    { type: 99, payload: new Uint8Array(0) },
  ]),
  writeAlpha(noise(20, 2)),
  writeSegments([
    { payload: noise(130, 3), units: 3, idealRatio: 128 },
    { payload: noise(5, 4), units: 1, idealRatio: 100 },
    { payload: noise(300, 5), units: 7, idealRatio: 120 },
  ]),
]);

function changed(file: Uint8Array, ...changes: [number, number][]): Uint8Array {
  const bytes = Uint8Array.from(file);
  for (const [at, error] of changes) bytes[at]! ^= error;
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Byte ranges of what has a checksum each. The byte that ends the list of parts has none; what follows speaks for it. */
function rangesOf(file: Uint8Array): [number, number][] {
  const { parts, alpha, segments } = readContainer(file);
  const behind = ({ payloadOffset, payloadLength }: { payloadOffset: number; payloadLength: number }): number =>
    payloadOffset + payloadLength;
  const metadata = parts.map((part): [number, number] => [part.offset, behind(part)]);
  const lists = segments.map((segment): [number, number] => [segment.offset, behind(segment)]);
  return [[0, parts[0]!.offset], ...metadata, [behind(parts[parts.length - 1]!) + 1, behind(alpha!)], ...lists];
}

describe('checksums', () => {
  const pieces = fc.uint8Array({ maxLength: 200 });

  it('of two pieces make that of the whole', () => {
    assertLimited(
      fc.property(pieces, pieces, (a, b) => {
        const whole = crc32(concat([a, b]));
        assert.equal(crc32(b, crc32(a)), whole);
        assert.equal(crc32Combine(crc32(a), crc32(b), b.length), whole);
      }),
    );
    const long = new Uint8Array(100_000);
    assert.equal(crc32Combine(crc32(long), crc32(long), long.length), crc32(concat([long, long])));
  });

  it('differ by what names the place and the value of a single wrong byte', () => {
    assertLimited(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, place, error) => {
          const at = place % bytes.length;
          const difference = (crc32(bytes) ^ crc32(changed(bytes, [at, error]))) >>> 0;
          assert.deepEqual(singleByteErrors(difference, bytes.length), [[at, error]]);
        },
      ),
    );
  });

  it('never the same way for two places less than 145212 bytes apart', () => {
    // The differences that a byte makes when further and further from the end: none is that of another byte at the end.
    const zeros = new Uint8Array(1);
    const differences = Uint32Array.from({ length: 256 }, (_, e) => (crc32(Uint8Array.of(e)) ^ crc32(zeros)) >>> 0);
    const atEnd = new Uint32Array(256); // by their highest byte, which is different for each
    for (let e = 1; e < 256; e++) atEnd[differences[e]! >>> 24] = differences[e]!;
    const step = Uint32Array.from(differences);
    let distance = 0;
    for (let found = false; !found;) {
      distance++;
      for (let e = 1; e < 256; e++) {
        differences[e] = step[differences[e]! & 255]! ^ (differences[e]! >>> 8);
        found ||= atEnd[differences[e]! >>> 24] === differences[e]!;
      }
    }
    assert.equal(distance, 145212);
  });

  it('of damage in many bytes look like a single wrong byte as seldom as stated', () => {
    let alike = 0;
    for (let i = 0; i < 1000; i++) alike += singleByteErrors(hash32(7, i), 2 ** 17).length;
    // 1000 · 255 · 2^17 / 2^32 = 7.8 are expected.
    assert.ok(alike >= 1 && alike <= 20, `${alike} of 1000`);
  });
});

describe('repair', () => {
  it('leaves an intact file as it is, and one that was cut', () => {
    for (let n = writeHeader(HEADER).length; n <= some.length; n++) {
      const part = some.subarray(0, n);
      const { bytes, repairs, lost } = repairFile(part);
      assert.equal(bytes, part, `${n} bytes`);
      assert.deepEqual([repairs, lost], [[], []], `${n} bytes`);
    }
  });

  it('sets any single wrong byte right, wherever it is', () => {
    for (let at = 0; at < some.length; at++) {
      for (const error of [1 << (at & 7), 0x80, 255, 1 + (hash32(1, at) % 255)]) {
        const damaged = changed(some, [at, error]);
        const { bytes, repairs, lost } = repairFile(damaged);
        assert.ok(equal(bytes, some), `byte ${at} xor ${error}: ${JSON.stringify({ repairs, lost })}`);
        assert.deepEqual(lost, []);
        assert.equal(repairs.length, 1);
        const [repair] = repairs;
        assert.deepEqual([repair!.offset, repair!.found, repair!.right], [at, damaged[at], some[at]]);
        assert.ok(repair!.partOffset <= at && repair!.risk > 0 && repair!.risk < 1e-4);
      }
    }
  });

  it('every value of a byte of the lengths, types and the end of the parts', () => {
    const { parts, alpha, segments } = readContainer(some);
    const last = parts[2]!;
    const places = [
      18,
      19,
      ...parts.flatMap(({ offset }) => [offset, offset + 1, offset + 2]),
      last.payloadOffset,
      alpha!.payloadOffset - 5,
      ...segments.flatMap(({ offset }) => [offset, offset + 1]),
    ];
    for (const at of places) {
      for (let error = 1; error < 256; error++)
        assert.ok(equal(repairFile(changed(some, [at, error])).bytes, some), `byte ${at} xor ${error}`);
    }
  });

  it('mends one byte in each part at the same time', () => {
    const ranges = rangesOf(some);
    let chances = 1;
    assertLimited(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
          minLength: ranges.length,
          maxLength: ranges.length,
        }),
        (draws) => {
          const changes = draws.map(([place, error], i): [number, number] => [
            ranges[i]![0] + (place % (ranges[i]![1] - ranges[i]![0])),
            error,
          ]);
          const { bytes, repairs, lost } = repairFile(changed(some, ...changes));
          // A wrong length and what is wrong where it leads to may by chance look like one error more: see `risk`.
          // Then one part is given up, and each of the errors alone is mended.
          if (lost.length > 0 && chances-- > 0) {
            assert.equal(lost.length, 1);
            for (const change of changes) assert.ok(equal(repairFile(changed(some, change)).bytes, some));
            return;
          }
          assert.deepEqual(lost, [], JSON.stringify(changes));
          assert.equal(repairs.length, ranges.length);
          assert.ok(equal(bytes, some));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is what `info` leads to of any single wrong byte in the header, and of no other damage', () => {
    const end = writeHeader(HEADER).length;
    const said = (file: Uint8Array): string => {
      try {
        inspectFile(file);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    for (let at = 0; at < end; at++)
      assert.match(said(changed(some, [at, 16])), new RegExp(`\\(byte offset ${at}\\) can be repaired: repair`));
    for (const file of [changed(some, [5, 16], [end - 1, 16]), noise(100, 1), some.subarray(0, 9)])
      assert.match(said(file), /^(?!.*can be repaired)./);
    assert.equal(said(some), '');
  });

  it('leaves alone what is wrong in two bytes, and mends what is before it', () => {
    const { alpha, segments } = readContainer(some);
    const second = segments[2]!;
    const two: [number, number][] = [
      [second.payloadOffset + 3, 1],
      [second.payloadOffset + 200, 64],
    ];
    const before: [number, number] = [segments[0]!.payloadOffset, 5];
    const { bytes, repairs, lost } = repairFile(changed(some, before, ...two));
    assert.equal(repairs.length, 1);
    assert.deepEqual(lost, [{ part: 'segment 3', offset: second.offset }]);
    assert.ok(equal(bytes, changed(some, ...two)));
    // Alpha does not decide what segments mean: they are mended behind it.
    const alphaTwice: [number, number][] = [
      [alpha!.payloadOffset, 3],
      [alpha!.payloadOffset + 9, 3],
    ];
    const behind = repairFile(changed(some, before, ...alphaTwice));
    assert.deepEqual(
      behind.lost.map(({ part }) => part),
      ['alpha'],
    );
    assert.ok(equal(behind.bytes, changed(some, ...alphaTwice)));
  });

  it('repairs one wrong bit of a long segment, but not one wrong byte, and nothing of an endless one', () => {
    const of = (length: number): Uint8Array =>
      concat([
        writeHeader({ ...HEADER, channels: 3 }),
        writeSegments([{ payload: noise(length, 1), units: 1, idealRatio: 1 }]),
      ]);
    const long = of(2 ** 18);
    assert.ok(equal(repairFile(changed(long, [100_000, 16])).bytes, long));
    assert.deepEqual(repairFile(changed(long, [100_000, 17])).repairs, []);
    assert.ok(repairFile(changed(long, [100_000, 16])).repairs[0]!.risk < 1 / 128);
    const limit = of(2 ** 17 - 9);
    assert.ok(equal(repairFile(changed(limit, [100_000, 17])).bytes, limit));
    assert.ok(repairFile(changed(limit, [100_000, 17])).repairs[0]!.risk < 1 / 128);
    assert.deepEqual(repairFile(changed(of(2 ** 22 + 1), [100_000, 16])).repairs, []);
  });

  it('a length that reaches over the end of the file is told from a file that was cut', () => {
    const { segments } = readContainer(some);
    const at = segments[2]!.offset + 1;
    const damaged = changed(some, [at, 64]);
    assert.equal(readContainer(damaged).segments[2]!.state, 'cut');
    assert.ok(equal(repairFile(damaged).bytes, some));
  });

  it('another format version is not damage', () => {
    const other = Uint8Array.from(writeHeader(HEADER));
    other[8] = 2;
    const end = other.length - 4;
    new DataView(other.buffer).setUint32(end, crc32(other.subarray(0, end)), true);
    assert.deepEqual(repairFile(other).repairs, []);
  });

  it('takes time in proportion to the size, however the file is damaged', () => {
    // Many tiny segments, each with a wrong length: every one of them asks for trials over all the rest.
    const segments = writeSegments(
      Array.from({ length: 60_000 }, () => ({ payload: noise(9, 1), units: 1, idealRatio: 1 })),
    );
    for (let at = 0; at < segments.length; at += 16) segments[at]! ^= 2;
    const file = concat([writeHeader({ ...HEADER, channels: 3 }), segments]);
    const { repairs, lost } = repairFile(file);
    assert.ok(repairs.length > 100 && repairs.length < 2000, `${repairs.length} repairs`);
    assert.equal(lost.length, 1);
    const { lost: none } = repairFile(
      concat([writeHeader(HEADER), Uint8Array.from(varint(2 ** 34)), noise(10_000, 2)]),
    );
    assert.deepEqual(none, []);
  });

  it('never fails, and what it gives is repaired as far as it says', () => {
    assertLimited(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: some.length - 1 }), fc.nat({ max: 255 })), { maxLength: 12 }),
        fc.nat({ max: some.length }),
        (changes, length) => {
          const damaged = changed(some, ...changes).subarray(0, length);
          const { bytes, repairs } = repairFile(damaged);
          assert.ok(
            equal(
              bytes,
              changed(damaged, ...repairs.map(({ offset, found, right }): [number, number] => [offset, found ^ right])),
            ),
          );
          assert.deepEqual(repairFile(bytes).repairs, [], 'nothing is left to repair');
        },
      ),
    );
    assertLimited(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => assert.deepEqual(repairFile(bytes).repairs, [])),
    );
  });
});

describe('decoding of a damaged file', () => {
  const evaluator = tinyEvaluator();

  it('gives the very picture where one byte is wrong and damage is allowed, and says what it did', async () => {
    const { bytes: file } = await encodePicture(corpusPicture('rgba-balls', { width: 24, height: 17 }), evaluator, {
      plain: false,
      effort: 1,
      target: { quality: 70 },
    });
    const { data } = await decodePicture(file, evaluator);
    for (let at = 0; at < file.length; at++) {
      const damaged = changed(file, [at, 1 << (at & 7)]);
      await assert.rejects(decodePicture(damaged, evaluator), (error: Error & { code: string }) => {
        assert.match(error.code, /^E_(NOT_DCZ|VERSION|DAMAGED_HEADER|DAMAGED_SEGMENT|TRUNCATED)$/);
        assert.match(error.message, new RegExp(`byte offset ${at}\\).*can be repaired`));
        return true;
      });
      assert.ok(equal(repairFile(damaged).bytes, file), `byte ${at}`);
      if (at % 16 !== 0) continue; // each decoding evaluates the network, on the same bytes
      const told: string[] = [];
      const back = await decodePicture(damaged, evaluator, {
        allowDamaged: true,
        onDamage: (message) => told.push(message),
      });
      assert.deepEqual(back.data, data, `byte ${at}`);
      assert.equal(told.length, 1);
      assert.match(told[0]!, new RegExp(`^repaired .*byte ${at} is`));
    }
  });

  it('ends before a segment that is beyond repair, and says so', async () => {
    const { bytes: file } = await encodePicture(corpusPicture('scene', { width: 70, height: 50 }), evaluator, {
      plain: false,
      effort: 1,
      target: { quality: 90 },
    });
    const { segments } = readContainer(file);
    const second = segments[1]!;
    const damaged = changed(file, [second.payloadOffset, 3], [second.payloadOffset + 90, 3]);
    assert.equal(await codeOfError(() => decodePicture(damaged, evaluator)), 'E_DAMAGED_SEGMENT');
    const told: string[] = [];
    const back = await decodePicture(damaged, evaluator, {
      allowDamaged: true,
      onDamage: (message) => told.push(message),
    });
    assert.match(told.join(), /^segment 2 of \d+ \(byte offset \d+\) is damaged beyond repair/);
    assert.deepEqual(back.data, (await decodePicture(file, evaluator, { maxBytes: second.offset })).data);
  });
});
