/** Any of a file's packets that are enough give the file; fewer give its beginning; what is damaged or strange harms nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { ReedSolomonErasure } from '@digitaldefiance/reed-solomon-erasure.wasm';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { hash32 } from '../src/math/hash.js';
import { decode, encode } from '../src/node.js';
import { shareAt, type Share } from '../src/packets/erasure.js';
import { joinPackets, LINKS, makePackets, planPackets, type PacketOptions } from '../src/packets/index.js';
import { readPacket } from '../src/packets/packet.js';
import { assertLimited } from './helpers/limited.js';

const noise = (length: number, seed = 1): Uint8Array => Uint8Array.from({ length }, (_, i) => hash32(seed, i) & 255);

/** Subsets of 0 .. n − 1 with so many members. */
function* subsets(n: number, size: number, from = 0): Generator<number[]> {
  if (size === 0) return void (yield []);
  for (let first = from; first <= n - size; first++)
    for (const rest of subsets(n, size - 1, first + 1)) yield [first, ...rest];
}

/** An order that a seed names. */
const shuffled = <T>(list: readonly T[], seed: number): T[] =>
  list
    .map((value, i) => ({ value, key: hash32(seed, i) }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);

const options = fc
  .record({
    bytes: fc.integer({ min: 20, max: 60 }),
    redundancy: fc.constantFrom(0, 0.1, 0.3, 0.5, 1, 2.5),
    preview: fc.constantFrom(undefined, { bytes: 7, need: 1 }, { bytes: 24, need: 3 }),
  })
  .map(({ preview, ...rest }): PacketOptions => ({ ...rest, ...(preview === undefined ? {} : { preview }) }));

describe('erasure code', () => {
  it('gives the shares that another implementation gives, and takes its shares', () => {
    const wasm = createRequire(import.meta.url).resolve('@digitaldefiance/reed-solomon-erasure.wasm/wasm');
    for (const [need, count, length] of [
      [1, 3, 5],
      [2, 3, 1],
      [5, 9, 40],
      [17, 31, 20],
      [127, 255, 3],
    ] as const) {
      const data = Array.from({ length: need }, (_, index): Share => ({ index, bytes: noise(length, index) }));
      const ours = Array.from({ length: count }, (_, index) => shareAt(index, data));
      const theirs = new Uint8Array(count * length);
      data.forEach(({ bytes, index }) => theirs.set(bytes, index * length));
      const other = ReedSolomonErasure.fromBytes(readFileSync(wasm)); // anew: what it does may depend on what it did before
      assert.equal(other.encode(theirs, need, count - need), 0);
      assert.deepEqual(Buffer.concat(ours), Buffer.from(theirs), `${need} of ${count}`);
      // Ours without its first ones, completed by the other.
      const present = ours.map((_, index) => index >= Math.min(need, count - need));
      const holes = Uint8Array.from(theirs, (byte, i) => (present[Math.floor(i / length)]! ? byte : 0));
      assert.equal(other.reconstruct(holes, need, count - need, present), 0);
      assert.deepEqual(holes, theirs);
    }
  });

  it('gives the data back from every choice of enough shares', () => {
    for (const [need, count] of [
      [1, 4],
      [3, 7],
      [5, 9],
    ] as const) {
      const data = Array.from({ length: need }, (_, index): Share => ({ index, bytes: noise(6, index) }));
      const all = Array.from({ length: count }, (_, index): Share => ({ index, bytes: shareAt(index, data) }));
      for (const chosen of subsets(count, need))
        for (const { index, bytes } of all)
          assert.deepEqual(
            shareAt(
              index,
              chosen.map((i) => all[i]!),
            ),
            bytes,
            `share ${index} of ${chosen.join()}`,
          );
    }
  });
});

describe('packets', () => {
  it('whatever is lost up to the stated redundancy, in any order and doubled, gives the file', () => {
    assertLimited(
      fc.property(options, fc.integer({ min: 40, max: 900 }), fc.nat(), (how, length, seed) => {
        const file = noise(Math.min(length, planPackets(how).room), seed);
        const packets = makePackets(file, how);
        assert.ok(packets.every(({ length: bytes }) => bytes <= how.bytes));
        const { need } = readPacket(packets[0]!)!;
        assert.ok(packets.length - need >= need * how.redundancy! - 1e-9, 'less redundancy than was asked for');
        const kept = shuffled(packets, seed).slice(0, need);
        const [found, ...others] = joinPackets([...kept, ...kept.slice(1)]);
        assert.deepEqual(others, []);
        assert.deepEqual(found!.bytes, file);
        assert.ok(found!.complete && found!.received === need && found!.need === need);
      }),
      { numRuns: 300 },
    );
  });

  it('every loss of a small set: enough give the file, fewer a beginning of it', () => {
    const file = noise(130);
    for (const preview of [undefined, { bytes: 20, need: 2 }]) {
      const packets = makePackets(file, { bytes: 40, count: 7, redundancy: 0.4, ...(preview && { preview }) });
      const { need } = readPacket(packets[0]!)!;
      for (let size = 1; size <= packets.length; size++) {
        for (const chosen of subsets(packets.length, size)) {
          const { bytes, complete } = joinPackets(chosen.map((i) => packets[i]!))[0]!;
          assert.equal(complete, size >= need);
          assert.deepEqual(bytes, file.subarray(0, bytes.length));
          if (complete) assert.equal(bytes.length, file.length);
          else if (preview !== undefined && size >= preview.need) assert.ok(bytes.length >= preview.bytes);
          else if (preview === undefined && chosen[0] === 0) assert.ok(bytes.length > 0);
        }
      }
    }
  });

  it('a plan is filled to its last byte, with four bytes of framing', () => {
    for (const link of Object.values(LINKS)) {
      const how = { bytes: link.bytes, count: 5, redundancy: 0.25 };
      const { room, need } = planPackets(how);
      assert.equal(need, 4);
      assert.equal(room, 4 * (link.bytes - 4));
      for (const length of [room, room - 1, room - need - 1]) {
        const packets = makePackets(noise(length), how);
        assert.ok(packets.length === 5 && packets.every(({ length: bytes }) => bytes <= link.bytes));
        assert.equal(joinPackets(packets.slice(1))[0]!.bytes.length, length);
      }
      assert.throws(() => makePackets(noise(room + 1), how), { code: 'E_UNREACHABLE' });
    }
  });

  it('more packets can be made later', () => {
    const file = noise(300);
    const few = makePackets(file, { bytes: 50, redundancy: 0.2 });
    const more = makePackets(file, { bytes: 50, redundancy: 1 });
    assert.deepEqual(more.slice(0, few.length), few);
    assert.deepEqual(joinPackets([few[0]!, ...more.slice(-readPacket(few[0]!)!.need + 1)])[0]!.bytes, file);
  });

  it('strangers, damaged packets and noise change nothing', () => {
    assertLimited(
      fc.property(options, fc.nat(), (how, seed) => {
        const [file, stranger] = [noise(200, seed), noise(150, seed + 1)];
        const packets = makePackets(file, how);
        const damaged = packets.map((packet, i) => {
          const copy = Uint8Array.from(packet);
          copy[hash32(seed, i) % copy.length]! ^= 1 + (hash32(seed + 2, i) % 255);
          return copy;
        });
        const others = makePackets(stranger, how).slice(1);
        const all = shuffled([...packets, ...damaged, ...others, noise(9, seed), new Uint8Array(0)], seed);
        assert.deepEqual(joinPackets(all).find(({ complete }) => complete)!.bytes, file);
      }),
      { numRuns: 100 },
    );
  });

  it('the picture is the same pixels as without loss', async () => {
    const settings = { model: tinyModelFile(), threads: 1 };
    const how = { bytes: 51, count: 8, redundancy: 0.3 };
    const picture = corpusPicture('scene', { width: 40, height: 30 });
    const { bytes } = await encode(picture, { ...settings, target: { size: planPackets(how).room }, effort: 1 });
    const whole = await decode(bytes, settings);
    const packets = makePackets(bytes, how);
    const { need } = readPacket(packets[0]!)!;
    for (const lost of subsets(packets.length, packets.length - need)) {
      const [joined] = joinPackets(packets.filter((_, i) => !lost.includes(i)));
      assert.deepEqual(joined!.bytes, bytes);
    }
    const [part] = joinPackets(packets.slice(0, 2));
    const coarse = await decode(part!.bytes, { ...settings, maxBytes: part!.bytes.length });
    assert.deepEqual([coarse.width, coarse.height, coarse.truncated], [whole.width, whole.height, true]);
  });

  it('what makes no sense is refused by name', () => {
    const file = noise(100);
    const refused = (given: object, message: RegExp, code = 'E_USAGE'): void =>
      assert.throws(() => makePackets(file, given as PacketOptions), { code, message });
    refused({}, /bytes/);
    refused({ bytes: 4 }, /bytes is 4/);
    refused({ bytes: 51, count: 257 }, /count is 257/);
    refused({ bytes: 51, count: 1, redundancy: 0.3 }, /too few for that redundancy/);
    refused({ bytes: 51, redundancy: -1 }, /redundancy/);
    refused({ bytes: 51, size: 1 }, /no option "size"/);
    refused({ bytes: 51, preview: { bytes: 60, need: 1 } }, /hold nothing beside the preview/);
    refused({ bytes: 510, preview: { bytes: 200, need: 2 } }, /fewer for the preview/);
    refused({ bytes: 51, count: 2, preview: { bytes: 9, need: 3 } }, /the preview needs 3 packets/);
    refused({ bytes: 51, preview: { bytes: 9 } }, /needs bytes and need/);
    refused({ bytes: 51, count: 2 }, /hold 94/, 'E_UNREACHABLE');
    assert.throws(() => makePackets(new Uint8Array(0), { bytes: 51 }), { code: 'E_EMPTY' });
    assert.throws(() => joinPackets(undefined as never), { code: 'E_USAGE' });
    assert.deepEqual(joinPackets([]), []);
  });
});
