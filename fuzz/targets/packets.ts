/** What is fuzzed of packets: sets of messages, each behind its length. */
import assert from 'node:assert/strict';
import { readVarint, varint } from '../../src/bytes.js';
import { joinPackets, makePackets } from '../../src/packets/index.js';
import { crc16, readPacket } from '../../src/packets/packet.js';
import { hash32 } from '../../src/math/hash.js';
import { mutate } from '../mutate.js';
import { equal, noise, type Target } from '../target.js';

const FILE = noise(90, 1);
const OTHER = noise(40, 2);
const MAKES = [
  makePackets(FILE, { bytes: 20, redundancy: 0.4 }),
  makePackets(FILE, { bytes: 40, redundancy: 1, preview: { bytes: 12, need: 2 } }),
  [...makePackets(FILE, { bytes: 51 }), ...makePackets(OTHER, { bytes: 30, redundancy: 0.5 })],
];

const join = (packets: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(packets.flatMap((packet) => [...varint(packet.length), ...packet]));

/** The messages of a set, as many as are whole. */
function split(bytes: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = readVarint(bytes, at);
    if (length === undefined || length.end + length.value > bytes.length) break;
    packets.push(bytes.subarray(length.end, length.end + length.value));
    at = length.end + length.value;
  }
  return packets;
}

/** Some lost, doubled, taken from another set, changed byte by byte; of the changed ones half with a check that holds. */
function mutatePackets(input: Uint8Array, other: Uint8Array, seed: number): Uint8Array {
  const strangers = split(other);
  const packets = split(input).flatMap((packet, i) => {
    const chance = hash32(seed, i);
    switch (chance % 8) {
      case 0:
        return [];
      case 1:
        return [packet, packet];
      case 2:
        return [packet, ...strangers.slice(0, 1 + (chance % 3))];
      case 3:
      case 4: {
        const id = readPacket(packet)?.id ?? 0;
        const changed = Uint8Array.from(mutate(packet, packet, chance));
        if (chance & 256 && changed.length > 2) {
          const check = id ^ crc16(changed.subarray(2));
          changed[0] = check & 255;
          changed[1] = check >>> 8;
        }
        return [changed];
      }
      default:
        return [packet];
    }
  });
  return join(packets.length === 0 ? split(input) : packets);
}

export const packets: Target = {
  name: 'packets',
  share: 4,
  seeds: () => MAKES.map(join),
  mutate: mutatePackets,
  passes: (bytes) => split(bytes).some((packet) => readPacket(packet) !== undefined),
  run(bytes) {
    const given = split(bytes);
    const found = joinPackets(given);
    const intact = new Set(given.map((packet) => readPacket(packet)).filter((packet) => packet !== undefined));
    assert.ok(found.length <= intact.size);
    for (const { bytes: file, complete, received, need } of found) {
      assert.ok(received >= need || !complete);
      if (!complete || file.length === 0) continue;
      // Complete files are those that were sent, but where a forged packet hits their 16 bits.
      const again = joinPackets(makePackets(file, { bytes: 300, redundancy: 0.5 }).reverse());
      assert.ok(again.length === 1 && equal(again[0]!.bytes, file), 'what was put together does not survive sending');
    }
  },
};
