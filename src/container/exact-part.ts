/**
 * Files whose end is the picture itself, or within a stated error of it (part 129): behind all steps of the network the
 * bands of docs/format.md, section 13, or such bands alone in a file of the plain form.
 */
import { DcompError } from '../errors.js';
import { concat, readVarint, varint } from '../bytes.js';
import type { Container } from './container.js';
import { PARTS, type Part } from './parts.js';

/** Largest error that can be asked for, in units of a sample. */
export const MAX_MAX_ERROR = 255;

/** The part of a file. @param maxError that a sample has at most; 0 is lossless */
export function exactPart(maxError: number): Part {
  return { type: PARTS.exact, payload: concat([Uint8Array.from(varint(maxError))]) };
}

/**
 * The largest error of a sample that the whole file promises; undefined where it promises nothing.
 * @throws DcompError E_DAMAGED_SEGMENT
 */
export function maxErrorOf(
  bytes: Uint8Array,
  { header, parts }: Pick<Container, 'header' | 'parts'>,
): number | undefined {
  const part = parts.find(({ type }) => type === PARTS.exact);
  if (part === undefined || part.state === 'cut') return header.form === 'plain' ? 0 : undefined;
  const payload = bytes.subarray(part.payloadOffset, part.payloadOffset + part.payloadLength);
  const value = part.state === 'damaged' ? undefined : readVarint(payload, 0);
  if (value !== undefined && value.value <= MAX_MAX_ERROR && value.end === payload.length) return value.value;
  throw new DcompError(
    'E_DAMAGED_SEGMENT',
    `the part "exact" (byte offset ${part.offset}) is damaged beyond repair, and without it the samples cannot be decoded; get the file again`,
  );
}
