/** What is fuzzed of the container: structure, repair, verification, metadata, alpha. */
import assert from 'node:assert/strict';
import { decodeAlpha, encodeAlpha } from '../../src/container/alpha.js';
import { USUAL_HEADER } from '../../corpus/header.js';
import { concat, readContainer, varint, type Header } from '../../src/container/container.js';
import { fileInfo } from '../../src/container/info.js';
import { metadataOf, partsOf } from '../../src/container/metadata.js';
import { PARTS } from '../../src/container/parts.js';
import { repairFile } from '../../src/container/repair.js';
import { verifyFile } from '../../src/container/verify.js';
import { checkPicture, type Metadata } from '../../src/picture.js';
import { mutateFile, putTogether, takeApart, type FileParts } from '../file.js';
import { errorOf, equal, noise, read, type Target } from '../target.js';

const HEADER: Header = { ...USUAL_HEADER, width: 300, height: 7, channels: 4 };

const file = (header: Partial<Header>, rest: Partial<FileParts> = {}): Uint8Array =>
  putTogether({
    header: { ...HEADER, ...header },
    parts: [],
    alpha: noise(12, 4),
    segments: [
      { payload: noise(40, 1), units: 3, idealRatio: 128 },
      { payload: noise(150, 2), units: 9, idealRatio: 120 },
    ],
    behind: new Uint8Array(0),
    ...rest,
  });

export const container: Target = {
  name: 'container',
  share: 8,
  seeds() {
    const parts = [
      { type: PARTS.orientation, payload: Uint8Array.of(6) },
      { type: PARTS.text, payload: noise(30, 3) },
      { type: 99, payload: noise(2, 3) },
    ];
    return [
      file({}, { parts }),
      file({ channels: 2, width: 20 }, { alpha: Uint8Array.of(1, 255) }),
      file({ channels: 3, depth: 16 }),
      file({ channels: 1, depth: 2 }, { parts: parts.slice(1) }),
      file({ channels: 1, width: 1, height: 1 }, { segments: [] }),
      file(
        { form: 'plain', width: 20, height: 30 },
        { parts, segments: [1, 2].map((seed) => ({ payload: noise(70, seed), units: 1, idealRatio: 0 })) },
      ),
    ];
  },
  mutate: mutateFile,
  passes: (bytes) => takeApart(bytes) !== undefined,
  run(bytes) {
    const found = read(() => readContainer(bytes));
    const info = read(() => fileInfo(bytes));
    assert.equal(info === undefined, found === undefined);
    read(() => verifyFile(bytes));
    for (const { payloadOffset, payloadLength } of [
      ...(found?.parts ?? []),
      ...(found?.alpha === undefined ? [] : [found.alpha]),
      ...(found?.segments ?? []),
    ]) {
      assert.ok(payloadLength >= 0 && payloadOffset + payloadLength <= bytes.length, 'an extent outside the file');
    }
    const { bytes: mended, repairs } = repairFile(bytes);
    const undone = Uint8Array.from(mended);
    for (const { offset, found: was } of repairs) undone[offset] = was;
    assert.ok(equal(undone, bytes), 'repair changed other bytes than it says');
    if (repairs.length === 0) return;
    // A damaged part that a newer decoder knows is one that this one does not, once it is repaired.
    const refusal = errorOf(() => readContainer(mended));
    if (refusal?.code === 'E_VERSION') return;
    assert.equal(refusal, undefined, 'repair made a file that is refused');
    assert.deepEqual(repairFile(mended).repairs, [], 'repair left something to repair');
  },
};

export const metadata: Target = {
  name: 'metadata',
  share: 4,
  seeds() {
    const all: Metadata = {
      orientation: 6,
      density: { x: 11811, y: 2835, unit: 'metre' },
      icc: noise(200, 1),
      exif: Uint8Array.of(73, 73, 42, 0, 8, 0, 0, 0, 0, 0),
      xmp: new TextEncoder().encode('<x:xmpmeta/>'),
      text: [{ keyword: 'Title', text: 'Bälle', language: 'de', translatedKeyword: 'Titel' }],
    };
    return [all, { text: all.text! }, { density: all.density! }].map((some) =>
      file({ channels: 1, width: 3, height: 2 }, { parts: partsOf(some), segments: [] }),
    );
  },
  mutate: mutateFile,
  passes: (bytes) => (takeApart(bytes)?.parts.length ?? 0) > 0,
  run(bytes) {
    const found = read(() => readContainer(bytes));
    if (found === undefined) return;
    const metadata = read(() => metadataOf(bytes, found.parts, (message) => assert.ok(message.length > 10)));
    if (metadata === undefined) return;
    checkPicture({ width: 1, height: 1, channels: 1, data: new Uint8Array(1), metadata });
    const again = file({ channels: 1 }, { parts: partsOf(metadata) });
    const read2 = metadataOf(again, readContainer(again).parts, (message) => assert.fail(message));
    // An orientation of 1 and empty contents are not written.
    for (const [name, value] of Object.entries(read2 ?? {}))
      assert.deepEqual(value, metadata[name as keyof Metadata], name);
  },
};

/** Width, height and kind (odd: 16 bits) in the first three bytes. */
export const alpha: Target = {
  name: 'alpha',
  share: 4,
  seeds() {
    const samples = Uint16Array.from({ length: 77 }, (_, i) => (i * 257) & 0xffff);
    return [
      concat([Uint8Array.of(11, 7, 1), encodeAlpha(samples, 11, 7)]),
      concat([Uint8Array.of(11, 7, 0), encodeAlpha(noise(77, 1), 11, 7)]),
      concat([Uint8Array.of(11, 7, 1), Uint8Array.from(varint(5)), noise(9, 2)]),
    ];
  },
  passes: ([width = 0, height = 0, kind]) => width > 0 && height > 0 && kind !== undefined,
  run(bytes) {
    const [width = 0, height = 0, kind = 0] = bytes;
    if (width === 0 || height === 0) return;
    const samples = read(() => decodeAlpha(bytes.subarray(3), width, height, (kind & 1) === 1 ? 16 : 8));
    if (samples === undefined) return;
    assert.equal(samples.length, width * height);
    const again = decodeAlpha(encodeAlpha(samples, width, height), width, height, (kind & 1) === 1 ? 16 : 8);
    assert.deepEqual(again, samples, 'what was read is not read again');
  },
};
