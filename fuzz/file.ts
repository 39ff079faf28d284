/**
 * Files changed by what they are made of. A `.dcz` is taken apart by the container's reader and put together again by its writer,
 * so a change of one field leaves all checksums right, and the layout is stated nowhere else.
 */
import { deflateSync } from 'node:zlib';
import {
  concat,
  readContainer,
  varint,
  writeAlpha,
  writeHeader,
  writeSegment,
  writeSegments,
  type Extent,
  type Header,
  type SegmentContent,
} from '../src/container/container.js';
import { PARTS, type Part } from '../src/container/parts.js';
import { LAG_BLOCK } from '../src/codec/region.js';
import { FINEST_FIRST_CODE, MAX_AHEAD, VIEWS } from '../src/diffusion/schedule.js';
import { encodePlane } from '../src/entropy/plane.js';
import { DcompError } from '../src/errors.js';
import { LAST_CODE, MAX_FIRST_CODE } from '../src/format.js';
import { TOP_CODE } from '../src/model/sigma.js';
import { hasAlpha } from '../src/pixels/picture-planes.js';
import type { Channels, Depth } from '../src/picture.js';
import { mutate, numbers } from './mutate.js';

/** What a file is made of. */
export interface FileParts {
  header: Header;
  parts: Part[];
  alpha: Uint8Array | undefined;
  segments: SegmentContent[];
  /** Bytes behind the last segment. */
  behind: Uint8Array;
}

/** undefined where the file is refused. */
export function takeApart(bytes: Uint8Array): FileParts | undefined {
  try {
    const { header, parts, alpha, segments } = readContainer(bytes);
    const payloadOf = ({ payloadOffset, payloadLength }: Extent): Uint8Array =>
      bytes.slice(payloadOffset, payloadOffset + payloadLength);
    return {
      header,
      parts: parts.map((part) => ({ type: part.type, payload: payloadOf(part) })),
      alpha: alpha === undefined ? undefined : payloadOf(alpha),
      segments: segments.map((segment) => ({ ...segment, payload: payloadOf(segment) })),
      behind: new Uint8Array(0),
    };
  } catch (error) {
    if (error instanceof DcompError) return undefined;
    throw error;
  }
}

/** The file of these parts, with all checksums right. */
export function putTogether({ header, parts, alpha, segments, behind }: FileParts): Uint8Array {
  return concat([
    writeHeader(header, parts),
    ...(hasAlpha(header.channels) ? [writeAlpha(alpha ?? new Uint8Array(0))] : []),
    writeSegments(segments),
    behind,
  ]);
}

type Below = (bound: number) => number;

const oneOf = <T>(list: readonly T[], below: Below): T => list[below(list.length)]!;

const KINDS: readonly [Channels, Depth][] = [
  [1, 1],
  [1, 2],
  [1, 4],
  [1, 8],
  [1, 16],
  [2, 8],
  [2, 16],
  [3, 8],
  [3, 16],
  [4, 8],
  [4, 16],
];

/** A side near the one that is there, or one of a shape that may be special. */
function side(now: number, below: Below): number {
  const near = now + below(5) - 2;
  return Math.max(1, oneOf([near, near, 1, 2, 7, 8, 9, 15, 16, 17, 20, 33, 400], below));
}

/** Another model: which one it is a target decides. */
const otherModel = (below: Below): string =>
  below(2 ** 32)
    .toString(16)
    .padStart(8, '0');

/** Levels measured straight, or no longer, or otherwise; what no header can state is no file. */
function otherPath(schedule: Header['schedule'], below: Below): Header['schedule'] {
  const { straight, ...refined } = schedule;
  if (straight !== undefined && below(3) === 0) return { ...refined, lastCode: Math.min(TOP_CODE, schedule.lastCode) };
  const ahead = (): number => (below(3) === 0 ? below(MAX_AHEAD + 1) : 2 * below(4));
  const firstCode = FINEST_FIRST_CODE + below(MAX_FIRST_CODE - FINEST_FIRST_CODE + 1);
  return {
    ...refined,
    lastCode: below(2) === 0 ? firstCode : Math.min(firstCode, schedule.lastCode),
    straight: { firstCode, ahead: [ahead(), ahead(), ahead(), ahead()] },
  };
}

/** Plain for diffusion, and the other way; what a plain header does not say has to be made up. */
function otherForm({ form, ...header }: Header): Header {
  if (form !== 'plain') return { ...header, form: 'plain' };
  return { ...header, modelId: '01234567', nu: 14 };
}

function changeHeader(header: Header, below: Below): Header {
  const changed = { ...header, schedule: { ...header.schedule } };
  switch (below(13)) {
    case 0:
      return { ...changed, width: side(header.width, below) };
    case 1:
      return { ...changed, height: side(header.height, below) };
    case 2:
      [changed.channels, changed.depth] = oneOf(KINDS, below);
      return changed;
    case 3:
      changed.schedule.coarseWidth = 1 + below(16);
      return changed;
    case 4:
      changed.schedule.fineWidth = 1 + below(16);
      return changed;
    case 5:
      changed.schedule.lastCode = LAST_CODE + below((changed.schedule.straight?.firstCode ?? TOP_CODE) - LAST_CODE + 1);
      return changed;
    case 6:
      changed.schedule.tail = below(8);
      return changed;
    case 7:
      changed.schedule.views = oneOf(VIEWS, below);
      changed.schedule.coarseViews = oneOf(VIEWS, below);
      return changed;
    case 8:
      return { ...changed, ends: { white: below(16), black: below(16) } };
    case 9:
      return otherForm(changed);
    case 10:
      return header.form === 'plain' ? changed : { ...changed, modelId: otherModel(below) };
    case 11:
      return { ...changed, schedule: otherPath(changed.schedule, below) };
    default:
      return header.form === 'plain' ? changed : { ...changed, nu: 8 + below(9) };
  }
}

const noise = (length: number, below: Below): Uint8Array => Uint8Array.from({ length }, () => below(256));

/** Deflated, with a length before it, as texts and profiles are. */
function packed(content: Uint8Array, below: Below): Uint8Array {
  const stated = below(4) === 0 ? below(2 ** 24) : content.length;
  return concat([Uint8Array.from(varint(stated)), deflateSync(content).subarray(2, -4)]);
}

/** Lags of blocks, few different ones or many. */
function lags({ width, height }: Header, below: Below): Uint8Array {
  const [columns, rows] = [Math.ceil(width / LAG_BLOCK), Math.ceil(height / LAG_BLOCK)];
  if (columns * rows > 4096) return noise(3, below);
  const unit = oneOf([1, 4, 16], below);
  const kinds = 1 + below(12);
  return encodePlane(
    Uint8Array.from({ length: columns * rows }, () => unit * below(kinds)),
    columns,
    rows,
  );
}

function newPart(header: Header, below: Below): Part {
  const type = oneOf([...Object.values(PARTS), below(256)], below);
  if (type === PARTS.regions) return { type, payload: lags(header, below) };
  if (type === PARTS.pixelHash) return { type, payload: noise(32, below) };
  const content =
    below(2) === 0 ? noise(below(40), below) : new TextEncoder().encode('Title\0de\0Titel\0a text\0II*\0<x:xmpmeta/>');
  return { type, payload: below(2) === 0 ? content : packed(content, below) };
}

function changeParts(file: FileParts, below: Below): void {
  const { parts, header } = file;
  const i = below(parts.length + 1);
  switch (below(4)) {
    case 0:
      parts.splice(i, 0, newPart(header, below));
      break;
    case 1:
      parts.splice(i, 1);
      break;
    case 2:
      if (parts[i] !== undefined) parts.splice(below(parts.length), 0, parts[i]);
      break;
    default:
      if (parts[i] !== undefined) parts[i] = { ...parts[i], payload: changed(parts[i].payload, below) };
  }
}

function changed(payload: Uint8Array, below: Below): Uint8Array {
  return mutate(payload, payload, below(2 ** 32));
}

function changeSegments({ segments }: FileParts, other: FileParts | undefined, below: Below): void {
  const i = below(segments.length + 1);
  const segment = segments[i] ?? { payload: noise(below(30), below), units: 1 + below(255), idealRatio: below(256) };
  switch (below(9)) {
    case 0:
      segments.splice(i, 1);
      break;
    case 1:
      segments.splice(below(segments.length + 1), 0, segment);
      break;
    case 2:
      segments.push(...segments.splice(i, 1));
      break;
    case 3:
      segments[Math.min(i, segments.length)] = { ...segment, units: 1 + below(255) };
      break;
    case 4:
      segments[Math.min(i, segments.length)] = {
        ...segment,
        payload: segment.payload.slice(0, below(segment.payload.length + 1)),
      };
      break;
    case 5:
      segments[Math.min(i, segments.length)] = {
        ...segment,
        payload: new Uint8Array(segment.payload.length).fill(oneOf([0, 255], below)),
      };
      break;
    case 6:
      if (other !== undefined && other.segments.length > 0) segments.splice(i, 1, oneOf(other.segments, below));
      break;
    case 7:
      for (let n = below(6); n > 0; n--) segments.push({ payload: new Uint8Array(0), units: 1, idealRatio: 128 });
      break;
    default:
      segments[Math.min(i, segments.length)] = { ...segment, payload: changed(segment.payload, below) };
  }
}

/** Segments as they are, but each with the place of another: what a file is not. */
function misplaced(file: FileParts, below: Below): Uint8Array {
  let first = 0;
  const written = file.segments.map((segment, i) => {
    const bytes = writeSegment(segment, { first, last: i + 1 === file.segments.length });
    first += segment.units;
    return bytes;
  });
  for (let n = 1 + below(2); n > 0; n--) written.splice(below(written.length + 1), below(2), oneOf(written, below));
  return concat([
    putTogether({ ...file, segments: [], behind: new Uint8Array(0) }),
    ...written.filter((bytes) => bytes !== undefined),
  ]);
}

/** Changes a file by what it is made of, mostly; now and then by its bytes, or its end. What is refused is changed by its bytes. */
export function mutateFile(input: Uint8Array, other: Uint8Array, seed: number): Uint8Array {
  const below = numbers(seed);
  const file = below(8) === 0 ? undefined : takeApart(input);
  if (file === undefined) return mutate(input, other, below(2 ** 32));
  const second = takeApart(other);
  for (let changes = 1 + below(1 << below(4)); changes > 0; changes--) {
    switch (below(8)) {
      case 0:
      case 1:
        file.header = changeHeader(file.header, below);
        break;
      case 2:
      case 3:
        changeParts(file, below);
        break;
      case 4:
        if (file.alpha !== undefined) file.alpha = changed(file.alpha, below);
        else if (below(4) === 0) file.behind = below(2) === 0 ? new Uint8Array(below(40)) : noise(below(40), below);
        break;
      default:
        changeSegments(file, second, below);
    }
  }
  if (below(16) === 0 && file.segments.length > 0) return misplaced(file, below);
  const bytes = putTogether(file);
  return below(6) === 0 ? bytes.slice(0, below(bytes.length + 1)) : bytes;
}
