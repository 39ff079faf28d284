/** Checks what can be checked of a file without a model: all its checksums. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { finish, type Pieces } from '../turns.js';
import { readContainerInPieces, readHeader, type Extent } from './container.js';
import { partName } from './parts.js';
import { storedHash } from './pixel-hash.js';
import { repairFileInPieces, type Repair } from './repair.js';

/** How a part of a file is: intact, cut, repairable or damaged. */
export interface PartCheck {
  /** `header`, `part icc`, `end of the parts`, `alpha`, `segment 3`. */
  part: string;
  /** Where it begins in the file, and how many of its bytes are there. */
  offset: number;
  byteLength: number;
  /** intact: its checksum holds; cut: the file ends in it; repairable: a single byte is wrong; damaged: more than that. */
  state: 'intact' | 'cut' | 'repairable' | 'damaged';
}

/** What is wrong with a file, part by part. */
export interface Verification {
  /** The worst of its parts; also cut where a segment that says it is the last is missing. */
  state: PartCheck['state'];
  parts: PartCheck[];
  /** What `decode` with damage allowed would repair. */
  repairs: Repair[];
  /** SHA-256 of the decoded samples as the file states it (docs/format.md, section 1), hexadecimal; null if it does not. */
  pixelHash: string | null;
  /** Bytes behind the end of the file, which mean nothing. */
  trailing: number;
}

const STATES: readonly PartCheck['state'][] = ['intact', 'cut', 'repairable', 'damaged'];

/**
 * Checks all checksums of a file and finds what can be repaired; needs no model.
 * @throws DcompError as `readContainer`, where the header is damaged beyond repair or the file is none of ours
 */
export function verifyFile(file: Uint8Array): Verification {
  return finish(verifyFileInPieces(file));
}

/** As `verifyFile`. */
export function* verifyFileInPieces(file: Uint8Array): Pieces<Verification> {
  const { bytes, repairs } = yield* repairFileInPieces(file);
  const { parts, alpha, segments, truncated, trailing } = yield* readContainerInPieces(bytes);
  const checks: PartCheck[] = [];
  const { end: headerEnd, hasParts } = readHeader(bytes);
  const check = (part: string, offset: number, end: number, state: Extent['state'] = 'complete'): void => {
    const repaired = repairs.some(({ offset: at }) => at >= offset && at < end);
    checks.push({
      part,
      offset,
      byteLength: end - offset,
      state: state === 'complete' ? (repaired ? 'repairable' : 'intact') : state,
    });
  };
  const endOf = ({ payloadOffset, payloadLength }: Extent): number => payloadOffset + payloadLength;
  check('header', 0, headerEnd);
  for (const part of parts) check(`part ${partName(part.type)}`, part.offset, endOf(part), part.state);
  const last = parts[parts.length - 1];
  const partsEnd = last === undefined ? headerEnd : endOf(last);
  if (hasParts && last?.state !== 'cut' && partsEnd < bytes.length) check('end of the parts', partsEnd, partsEnd + 1);
  if (alpha !== undefined) check('alpha', hasParts ? partsEnd + 1 : headerEnd, endOf(alpha), alpha.state);
  for (const [i, segment] of segments.entries())
    check(`segment ${i + 1}`, segment.offset, endOf(segment), segment.state);
  const worst = checks.reduce(
    (so, { state }) => Math.max(so, STATES.indexOf(state)),
    STATES.indexOf(truncated ? 'cut' : 'intact'),
  );
  const hash = storedHash(bytes, parts);
  const pixelHash = hash === undefined ? null : bytesToHex(hash);
  return { state: STATES[worst]!, parts: checks, repairs, pixelHash, trailing };
}
