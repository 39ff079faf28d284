/** Directories and boxes that overlap cost no more than the file is long: in TIFF, in EXIF, in AVIF and HEIC. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heifFacts } from '../formats/heif.js';
import { readDirectories } from '../formats/tiff.js';

/** Directories one behind the other, each with texts that are all the same bytes, as many and as long as can be. */
function tiffOfTexts(directories: number, entries: number): Uint8Array {
  const size = 2 + 12 * entries + 4;
  const file = Buffer.alloc(8 + directories * size + 2 ** 16 + 4, 'A');
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  for (let d = 0, at = 8; d < directories; d++, at += size) {
    file.writeUInt16LE(entries, at);
    for (let i = 0; i < entries; i++) {
      const entry = at + 2 + 12 * i;
      file.writeUInt16LE(1000 + i, entry);
      file.writeUInt16LE(2, entry + 2);
      file.writeUInt32LE(2 ** 16, entry + 4);
      file.writeUInt32LE(8 + directories * size + (i & 3), entry + 8);
    }
    file.writeUInt32LE(d + 1 < directories ? at + size : 0, at + size - 4);
  }
  return file;
}

/** Directories of which each begins in the one before, an entry further on. */
function tiffOfOverlaps(directories: number, entries: number): Uint8Array {
  const pointers = 26;
  const first = pointers + 4 * directories;
  const file = Buffer.alloc(first + 12 * (entries + directories) + 16);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(1, 8); // one entry: where the directories below stand
  file.writeUInt16LE(330, 10);
  file.writeUInt16LE(4, 12);
  file.writeUInt32LE(directories, 14);
  file.writeUInt32LE(pointers, 18);
  for (let d = 0; d < directories; d++) file.writeUInt32LE(first + 12 * d, pointers + 4 * d);
  for (let i = 0; i < entries + directories; i++) {
    const at = first + 12 * i;
    file.writeUInt16LE(entries, at); // the number of entries, and the upper half of the value of the entry before
    file.writeUInt16LE(1000 + i, at + 2);
    file.writeUInt16LE(1, at + 4);
    file.writeUInt32LE(1, at + 6);
  }
  return file;
}

function box(type: string, ...content: Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  head.write(type, 4, 'latin1');
  const all = Buffer.concat([head, ...content]);
  all.writeUInt32BE(all.length);
  return all;
}

/** Boxes that say they hold far more than they do, before much that could be read as that. */
function heifOfOverlaps(boxes: number, items: number): Uint8Array {
  const version = Buffer.alloc(4);
  const count = Buffer.alloc(8);
  count.writeUInt32BE(items, 4);
  const reading = Array.from({ length: boxes }, () => box('ipma', count));
  const read = Buffer.alloc(258 * items, 1);
  for (let i = 2; i < read.length; i += 258) read[i] = 255;
  const references = Array.from({ length: boxes }, () => box('dimg', Buffer.of(0, 1, 255, 255)));
  return box(
    'meta',
    version,
    box('pitm', version, Buffer.of(0, 1)),
    box('iprp', box('ipco', box('free')), ...reading, box('free', read)),
    box('iref', version, ...references, Buffer.alloc(2 ** 14)),
  );
}

/** The memory that is held while the result is. */
function heldBy<T>(make: () => T): { made: T; megabytes: number } {
  const before = process.memoryUsage().heapUsed;
  const made = make();
  return { made, megabytes: (process.memoryUsage().heapUsed - before) / 2 ** 20 };
}

describe('what overlaps in a picture file', () => {
  it('texts of TIFF and EXIF are read one by one, when they are asked for', () => {
    const { made, megabytes } = heldBy(() => readDirectories(tiffOfTexts(3, 1500)));
    assert.equal(made.length, 3);
    assert.equal(made[2]!.text(1000 + 1499)!.length, 2 ** 16);
    assert.ok(megabytes < 60, `${megabytes} MiB for 288 MiB of texts`);
  });

  it('entries of all directories of a TIFF are bounded', () => {
    const [first] = readDirectories(tiffOfOverlaps(250, 4000));
    const entries = first!.below.reduce((sum, { tags }) => sum + tags.size, 0);
    assert.ok(first!.below.length > 0 && entries <= 2 ** 15, `${first!.below.length} directories, ${entries} entries`);
  });

  it('boxes of AVIF and HEIC are read up to their ends', { timeout: 300_000 }, () => {
    const { megabytes } = heldBy(() => heifFacts(heifOfOverlaps(4000, 4000)));
    assert.ok(megabytes < 60, `${megabytes} MiB`);
  });
});
