/** The container: what is written is read, and whatever else is read is refused or reported under a name of its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { USUAL_HEADER } from '../corpus/header.js';
import {
  concat,
  MAX_SEGMENT_UNITS,
  readContainer,
  segmentOverhead,
  varint,
  writeAlpha,
  writeHeader,
  writeSegments,
  type Extent,
  type Header,
} from '../src/container/container.js';
import { crc32 } from '../src/container/crc32.js';
import { FORMAT_VERSION, LAST_CODE, MAGIC, MAX_FINE_NU } from '../src/format.js';
import { fileInfo } from '../src/container/info.js';
import { MAX_PART_BYTES, MUST_BE_KNOWN, PARTS, type Part } from '../src/container/parts.js';
import { unitCount } from '../src/diffusion/units.js';
import { MIN_NU } from '../src/entropy/trellis.js';
import { MODEL_ID_BYTES } from '../src/model/integer/integer-model.js';
import { TOP_CODE } from '../src/model/sigma.js';
import { MAX_PIXELS, MAX_SIDE, type Channels } from '../src/picture.js';
import { anySchedules, sampleKinds } from './helpers/arbitrary.js';
import { codeOfError, outcome } from './helpers/outcome.js';
import { assertLimited } from './helpers/limited.js';

/** Records that look like those of the codec, for comparisons. */
const plainObjects = { noNullPrototype: true };

const headers: fc.Arbitrary<Header> = fc
  .record(
    {
      width: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 4096 })),
      height: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: MAX_SIDE })),
      kind: sampleKinds,
      modelId: fc
        .uint8Array({ minLength: MODEL_ID_BYTES, maxLength: MODEL_ID_BYTES })
        .map((bytes) => Buffer.from(bytes).toString('hex')),
      schedule: anySchedules,
      nu: fc.integer({ min: MIN_NU, max: MAX_FINE_NU }),
    },
    plainObjects,
  )
  .map(({ kind, ...header }) => ({ ...header, ...kind }));
const payloads = fc.uint8Array({ maxLength: 300 });
const parts: fc.Arbitrary<Part[]> = fc.uniqueArray(
  fc.record({ type: fc.integer({ min: 1, max: MUST_BE_KNOWN - 1 }), payload: payloads }, plainObjects),
  { maxLength: 4, selector: ({ type }) => type },
);
interface Body {
  payload: Uint8Array;
  units: number;
  ratio: number;
}
const segments: fc.Arbitrary<Body[]> = fc.array(
  fc.record({ payload: payloads, units: fc.integer({ min: 1, max: MAX_SEGMENT_UNITS }), ratio: fc.nat({ max: 255 }) }),
  { minLength: 1, maxLength: 5 },
);

/** As many of the segments, and of the units of the last, as the picture has. */
function fitting(header: Header, body: Body[]): Body[] {
  let left = unitCount(header.schedule, header);
  return body.flatMap((segment) => {
    const units = Math.min(left, segment.units);
    left -= units;
    return units === 0 ? [] : [{ ...segment, units }];
  });
}

const hasAlpha = (channels: number): boolean => channels % 2 === 0;

/** A file of any header, alpha, segments and parts. */
function fileOf(header: Header, alpha: Uint8Array, body: Body[], more: Part[] = []): Uint8Array {
  return concat([
    writeHeader(header, more),
    ...(hasAlpha(header.channels) ? [writeAlpha(alpha)] : []),
    writeSegments(body.map(({ payload, units, ratio }) => ({ payload, units, idealRatio: ratio }))),
  ]);
}

const payloadOf = (bytes: Uint8Array, { payloadOffset, payloadLength }: Extent): Uint8Array =>
  bytes.slice(payloadOffset, payloadOffset + payloadLength);

/** Header bytes with anything in them, and a checksum that holds. */
function forgedHeader(fields: {
  width?: number[];
  height?: number[];
  kind?: number;
  version?: number;
  tail?: number[];
}): Uint8Array {
  const { width = [40], height = [30], kind = 3, version = FORMAT_VERSION, tail = [2, 4, 64, 14] } = fields;
  const bytes = Uint8Array.from([...MAGIC, version, kind, 1, 2, 3, 4, ...width, ...height, ...tail]);
  const crc = crc32(bytes);
  return concat([bytes, Uint8Array.of(crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24)]);
}

describe('container', () => {
  it('the checksum is the CRC-32 of PNG and zip', () => {
    assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
    assert.equal(crc32(new Uint8Array(0)), 0);
  });

  it('what is written is read: header, parts, alpha, segments', () => {
    assertLimited(
      fc.property(headers, parts, payloads, segments, (header, more, alpha, drawn) => {
        fc.pre(header.width * header.height <= MAX_PIXELS);
        const body = fitting(header, drawn);
        const bytes = fileOf(header, alpha, body, more);
        const read = readContainer(bytes);
        assert.deepEqual(read.header, header);
        assert.equal(read.truncated, false);
        assert.deepEqual(
          read.parts.map((part) => ({ type: part.type, payload: payloadOf(bytes, part), state: part.state })),
          more.map((part) => ({ ...part, state: 'complete' })),
        );
        if (hasAlpha(header.channels)) {
          assert.equal(read.alpha?.state, 'complete');
          assert.deepEqual(payloadOf(bytes, read.alpha), alpha);
        } else assert.equal(read.alpha, undefined);
        assert.deepEqual(
          read.segments.map((segment) => ({
            payload: payloadOf(bytes, segment),
            units: segment.units,
            ratio: segment.idealRatio,
            state: segment.state,
          })),
          body.map((segment) => ({ ...segment, state: 'complete' })),
        );
      }),
    );
  });

  it('a file without parts has no byte for them', () => {
    assert.equal(
      writeHeader(USUAL_HEADER).length,
      writeHeader(USUAL_HEADER, [{ type: 1, payload: new Uint8Array(0) }]).length - 7,
    );
    assert.equal(writeHeader(USUAL_HEADER)[5], 3);
  });

  it('a part of an unknown type is passed over below 128, and refused from there on, unless it is damaged', async () => {
    const payload = Uint8Array.of(1, 2, 3);
    const file = (type: number): Uint8Array =>
      fileOf(USUAL_HEADER, payload, [{ payload, units: 1, ratio: 3 }], [{ type, payload }]);
    assert.deepEqual(fileInfo(file(127)).parts, [
      { type: 127, name: 'unknown', offset: writeHeader(USUAL_HEADER).length, byteLength: 3, state: 'complete' },
    ]);
    assert.equal(fileInfo(file(127)).segments.length, 1);
    assert.deepEqual(
      fileInfo(file(PARTS.icc)).parts.map(({ name }) => name),
      ['icc'],
    );
    for (const type of [MUST_BE_KNOWN + 2, 200, 255]) {
      assert.equal(await codeOfError(() => readContainer(file(type))), 'E_VERSION');
      const damaged = file(type);
      damaged[writeHeader(USUAL_HEADER).length + 7]! ^= 1; // in the payload
      assert.equal(readContainer(damaged).parts[0]!.state, 'damaged');
    }
  });

  it('a part of more bytes than a part may have is damaged, whatever its checksum', () => {
    for (const length of [MAX_PART_BYTES, MAX_PART_BYTES + 1]) {
      const read = readContainer(
        fileOf(USUAL_HEADER, new Uint8Array(0), [], [{ type: PARTS.exif, payload: new Uint8Array(length) }]),
      );
      assert.equal(read.parts[0]!.state, length === MAX_PART_BYTES ? 'complete' : 'damaged');
    }
  });

  it('the overhead of a segment is what segmentOverhead says', () => {
    for (const length of [0, 1, 127, 128, 16383, 16384, 100000]) {
      const segment = { payload: new Uint8Array(length), units: 3, idealRatio: 128 };
      assert.equal(writeSegments([segment]).length, length + segmentOverhead(length));
    }
  });

  it('all headers of a photograph coded at 0.1 bit per pixel are 64 bytes or less', () => {
    // 768 · 512 · 0.1 / 8 = 4915 bytes: segments of 3072 bytes or more are at most two.
    const overhead = writeHeader({ ...USUAL_HEADER, width: 768, height: 512 }).length + 2 * segmentOverhead(3072);
    assert.ok(overhead <= 48, `${overhead} bytes`);
  });

  it('info tells of every file what the container holds, and needs no model', () => {
    assertLimited(
      fc.property(headers, parts, payloads, segments, (header, more, alpha, drawn) => {
        fc.pre(header.width * header.height <= MAX_PIXELS);
        const body = fitting(header, drawn);
        const info = fileInfo(fileOf(header, alpha, body, more));
        const { width, height, channels, depth, modelId } = header;
        assert.deepEqual(
          { width: info.width, height: info.height, channels: info.channels, depth: info.depth, modelId: info.modelId },
          { width, height, channels, depth, modelId },
        );
        assert.equal(info.formatVersion, FORMAT_VERSION);
        assert.deepEqual(
          info.parts.map(({ type, byteLength }) => [type, byteLength]),
          more.map(({ type, payload }) => [type, payload.length]),
        );
        assert.equal(info.segments.length, body.length);
        assert.deepEqual(
          info.segments.map(({ units }) => units),
          body.map(({ units }) => units),
        );
      }),
    );
  });

  it('every prefix is read as what is there, or refused as cut inside the header', () => {
    const bytes = fileOf(
      { ...USUAL_HEADER, channels: 4 },
      new Uint8Array(20).fill(7),
      [
        { payload: new Uint8Array(200).fill(1), units: 3, ratio: 120 },
        { payload: new Uint8Array(30).fill(2), units: 1, ratio: 110 },
      ],
      [
        { type: PARTS.icc, payload: new Uint8Array(140).fill(3) },
        { type: PARTS.orientation, payload: Uint8Array.of(6) },
      ],
    );
    assert.equal(readContainer(bytes).truncated, false);
    for (let n = 1; n < bytes.length; n++) {
      const headerLength = writeHeader(USUAL_HEADER).length;
      if (n < headerLength) {
        assert.throws(() => readContainer(bytes.subarray(0, n)), { code: 'E_TRUNCATED' }, `${n} bytes`);
        continue;
      }
      const read = readContainer(bytes.subarray(0, n));
      assert.ok(read.truncated, `${n} bytes`);
      const states = [
        ...read.parts.map(({ state }) => state),
        read.alpha?.state,
        ...read.segments.map(({ state }) => state),
      ].filter((state) => state !== undefined);
      assert.ok(
        states.every((state, i) => state === 'complete' || (state === 'cut' && i === states.length - 1)),
        `${n} bytes: ${states.join()}`,
      );
    }
  });

  it('a changed bit is damage in exactly the part that it lies in, or moves its end', () => {
    const bytes = fileOf(
      { ...USUAL_HEADER, channels: 2 },
      new Uint8Array(20).fill(7),
      [
        { payload: new Uint8Array(40).fill(1), units: 3, ratio: 120 },
        { payload: new Uint8Array(30).fill(2), units: 1, ratio: 110 },
      ],
      [
        { type: PARTS.density, payload: new Uint8Array(9) },
        { type: PARTS.orientation, payload: Uint8Array.of(6) },
      ],
    );
    const whole = readContainer(bytes);
    const alphaStart = whole.alpha!.payloadOffset - 5;
    const starts = [
      whole.parts[0]!.offset,
      whole.parts[1]!.offset,
      alphaStart,
      whole.segments[0]!.offset,
      whole.segments[1]!.offset,
    ];
    // Where a length stands, or a type, which may turn into the end of the list: behind it, all moves.
    const lengths = [starts[0]!, starts[0]! + 1, starts[1]!, starts[1]! + 1, alphaStart - 1, ...starts.slice(2)];
    // Where the number of units stands: what follows has another place.
    lengths.push(starts[3]! + 1, starts[4]! + 1);
    for (let bit = 8 * starts[0]!; bit < 8 * bytes.length; bit++) {
      const at = bit >> 3;
      const damaged = Uint8Array.from(bytes);
      damaged[at]! ^= 1 << (bit & 7);
      const read = readContainer(damaged);
      const states = [
        ...read.parts.map(({ state }) => state),
        read.alpha?.state,
        ...read.segments.map(({ state }) => state),
      ];
      const hit = starts.filter((start) => start <= at).length - 1;
      if (lengths.includes(at)) assert.ok(read.truncated || states.includes('damaged'), `byte ${at}: ${states.join()}`);
      else
        assert.deepEqual(
          states,
          starts.map((_, i) => (i === hit ? 'damaged' : 'complete')),
          `byte ${at}`,
        );
    }
  });

  it('a bit changed in the header is never missed', async () => {
    const bytes = writeHeader(USUAL_HEADER);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const code = await codeOfError(() => readContainer(damaged));
      const expected = bit < 32 ? ['E_NOT_DCZ'] : bit < 40 ? ['E_VERSION'] : ['E_DAMAGED_HEADER', 'E_TRUNCATED'];
      assert.ok(expected.includes(code), `bit ${bit}: ${code}`);
    }
  });

  it('each malformed header has its code', async () => {
    const cases: [string, Uint8Array, string][] = [
      ['empty', new Uint8Array(0), 'E_EMPTY'],
      ['other bytes', new Uint8Array(60), 'E_NOT_DCZ'],
      ['a PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), 'E_NOT_DCZ'],
      ['the first byte only', MAGIC.subarray(0, 1), 'E_TRUNCATED'],
      ['the magic only', MAGIC, 'E_TRUNCATED'],
      ['magic in 7 bits', MAGIC.map((byte) => byte & 127), 'E_NOT_DCZ'],
      ['version 0', forgedHeader({ version: 0 }), 'E_VERSION'],
      ['version 2', forgedHeader({ version: 2 }), 'E_VERSION'],
      ['kind 0', forgedHeader({ kind: 0 }), 'E_DAMAGED_HEADER'],
      ['kind 5', forgedHeader({ kind: 5 }), 'E_DAMAGED_HEADER'],
      ['depth code 5', forgedHeader({ kind: 0x53 }), 'E_DAMAGED_HEADER'],
      ['RGB of 4 bits', forgedHeader({ kind: 0x23 }), 'E_DAMAGED_HEADER'],
      ['grey + alpha of 1 bit', forgedHeader({ kind: 0x42 }), 'E_DAMAGED_HEADER'],
      ['a kind with bit 7', forgedHeader({ kind: 0x83 }), 'E_DAMAGED_HEADER'],
      ['width 0', forgedHeader({ width: [0] }), 'E_DAMAGED_HEADER'],
      ['height 0', forgedHeader({ height: [0] }), 'E_DAMAGED_HEADER'],
      ['width 65536', forgedHeader({ width: varint(65536) }), 'E_TOO_LARGE'],
      ['height 65536', forgedHeader({ height: varint(65536) }), 'E_TOO_LARGE'],
      ['2^31 pixels', forgedHeader({ width: varint(2 ** 16 - 1), height: varint(2 ** 15 + 1) }), 'E_TOO_LARGE'],
      ['2^31 × 1 pixels', forgedHeader({ width: varint(2 ** 31), height: [1] }), 'E_TOO_LARGE'],
      [
        'one pixel row more than 2^28',
        forgedHeader({ width: varint(2 ** 14), height: varint(2 ** 14 + 1) }),
        'E_TOO_LARGE',
      ],
      ['a number of 35 bits', forgedHeader({ width: [255, 255, 255, 255, 127] }), 'E_TOO_LARGE'],
      ['a number that does not end', forgedHeader({ width: Array(30).fill(255) as number[] }), 'E_DAMAGED_HEADER'],
      ['views code 3', forgedHeader({ tail: [0x31, 4, 64, 14] }), 'E_DAMAGED_HEADER'],
      ['coarse views code 3', forgedHeader({ tail: [0xc1, 4, 64, 14] }), 'E_DAMAGED_HEADER'],
      ['last code 63', forgedHeader({ tail: [2, 4, LAST_CODE - 1, 14] }), 'E_DAMAGED_HEADER'],
      ['last code 169', forgedHeader({ tail: [2, 4, TOP_CODE + 1, 14] }), 'E_DAMAGED_HEADER'],
      ['nu 7', forgedHeader({ tail: [2, 4, 64, MIN_NU - 1] }), 'E_DAMAGED_HEADER'],
      ['nu 17', forgedHeader({ tail: [2, 4, 64, MAX_FINE_NU + 1] }), 'E_DAMAGED_HEADER'],
    ];
    for (const [name, bytes, expected] of cases)
      assert.equal(await codeOfError(() => readContainer(bytes)), expected, name);
    assert.equal(readContainer(forgedHeader({})).header.width, 40, 'the forger makes good headers too');
  });

  it('the limit of pixels can be set lower', async () => {
    assert.equal(await codeOfError(() => readContainer(writeHeader(USUAL_HEADER), 1199)), 'E_TOO_LARGE');
    assert.equal(readContainer(writeHeader(USUAL_HEADER), 1200).header.width, 40);
  });

  it('any bytes are a container or a DcompError, after a good header too', async () => {
    const bytes = fc.uint8Array({ maxLength: 100 });
    await assertLimited(fc.asyncProperty(bytes, async (rest) => void (await outcome(() => readContainer(rest)))));
    await assertLimited(
      fc.asyncProperty(fc.constantFrom<Channels>(1, 2, 3, 4), bytes, async (channels, rest) => {
        const file = concat([writeHeader({ ...USUAL_HEADER, channels }), rest]);
        const read = await outcome(() => readContainer(file));
        if (typeof read === 'string') return assert.fail(read);
        for (const segment of read.segments) assert.ok(segment.payloadOffset + segment.payloadLength <= file.length);
        assert.equal(fileInfo(file).byteLength, file.length);
      }),
    );
  });
});
