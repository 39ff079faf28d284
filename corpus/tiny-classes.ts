/** A class file for the tests: of any model, with small numbers that are the same everywhere. */
import { createHash } from 'node:crypto';
import { hash32 } from '../src/math/hash.js';
import { COEFFICIENTS, conditioningLength } from '../src/model/architecture.js';
import { OWN_FEATURES } from '../src/model/class-file.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';

/** What is asked for. */
export interface TinyClasses {
  classes?: number;
  /** Scale of the table: numbers are within ±127 times this. Default: 2^-8. */
  scale?: number;
  /** Whether a class's numbers are the same at every level. */
  alike?: boolean;
}

const [FIRST, SECOND, HIDDEN] = [4, 6, 8];

/** Whole numbers within ±most. */
const whole = (key: number, i: number, most: number): number => (hash32(key, i) % (2 * most + 1)) - most;

/** The bytes of a class file (src/model/class-file.ts). */
export function tinyClassFile(
  model: IntegerModel,
  { classes = 3, scale = 2 ** -8, alike = false }: TinyClasses = {},
): Uint8Array {
  const count = conditioningLength(model.architecture);
  const { levels } = model.architecture.conditioning;
  const parts: Buffer[] = [];
  const floats = (values: readonly number[]): void => void parts.push(Buffer.from(Float32Array.from(values).buffer));
  parts.push(Buffer.from(Uint16Array.of(levels, classes, count, FIRST, SECOND, HIDDEN).buffer));
  for (let c = 0; c < classes; c++) floats([100 * c - 100, 20, 10 * c, 5, -8 * c, 4]);
  floats(new Array<number>(count).fill(scale));
  const shift = (level: number, c: number, k: number): number =>
    whole(1, ((alike ? 0 : level) * 64 + c) * 4096 + k, 127);
  for (let level = 0; level < levels; level++)
    for (let c = 0; c < classes; c++)
      parts.push(Buffer.from(Int8Array.from({ length: count }, (_, k) => shift(level, c, k)).buffer));
  [
    [4 * COEFFICIENTS, FIRST],
    [4 * FIRST, SECOND],
    [OWN_FEATURES + FIRST + SECOND + levels, HIDDEN],
    [HIDDEN, classes],
  ].forEach(([inputs, outputs], layer) => {
    floats([2 ** -10]);
    parts.push(Buffer.from(Int16Array.from({ length: inputs! * outputs! }, (_, i) => whole(2 + layer, i, 400)).buffer));
    floats(Array.from({ length: outputs! }, (_, i) => whole(9 + layer, i, 100) / 512));
  });
  return sealed(Buffer.concat(parts), model.id);
}

/** Body in, whole file out: magic, version, length, id and checksum around it. */
export function sealed(body: Uint8Array, id: string): Uint8Array {
  const head = Buffer.alloc(20);
  head.set([0x89, 0x44, 0x43, 0x43, 0x0d, 0x0a, 0x1a, 0x0a]);
  head.writeUInt32LE(1, 8);
  head.writeUInt32LE(head.length + body.length + 32, 12);
  head.set(Buffer.from(id, 'hex'), 16);
  const content = Buffer.concat([head, body]);
  return new Uint8Array(Buffer.concat([content, createHash('sha256').update(content).digest()]));
}
