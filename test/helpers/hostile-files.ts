/**
 * Small files that ask for much: each of a kind that once ended the process, kept it busy for hours, or passed for another
 * picture. Their checksums hold; an attacker's do.
 */
import { deflateSync } from 'fflate';
import { concat, varint, writeAlpha, writeHeader, writeSegments, type Header } from '../../src/container/container.js';
import { PARTS, type Part } from '../../src/container/parts.js';
import { DEFAULT_SCHEDULE, type Schedule } from '../../src/diffusion/schedule.js';
import { unitCount } from '../../src/diffusion/units.js';
import { encodePlane } from '../../src/entropy/plane.js';
import type { DcompErrorCode } from '../../src/errors.js';
import { tinyModelFile } from '../../corpus/tiny-model.js';
import { decode, ProgressiveDecoder, repair, verify } from '../../src/node.js';

export interface HostileFile {
  name: string;
  bytes: Uint8Array;
  /** What `decode` says; a picture where it is no more than an honest file of that size. */
  says: DcompErrorCode | 'picture';
}

const NONE = new Uint8Array(0);

/** Segments without a bit, of so many units together. */
function emptySegments(units: number): Uint8Array {
  const segments = [];
  for (let left = units; left > 0; left -= 255)
    segments.push({ payload: NONE, units: Math.min(255, left), idealRatio: 0 });
  return writeSegments(segments);
}

function lagged(width: number, height: number, lag: (block: number) => number): Part {
  const [columns, rows] = [Math.ceil(width / 16), Math.ceil(height / 16)];
  const lags = new Uint8Array(columns * rows);
  for (let b = 0; b < lags.length; b++) lags[b] = lag(b);
  return { type: PARTS.regions, payload: encodePlane(lags, columns, rows) };
}

function packed(bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.from(varint(bytes.length)), deflateSync(bytes, { level: 9 })]);
}

/** The calls on a file that a signal ends. */
export function callsOn(bytes: Uint8Array): Record<string, (signal: AbortSignal) => Promise<unknown>> {
  const options = { model, threads: 1 };
  return {
    verify: (signal) => verify(bytes, { signal }),
    repair: (signal) => repair(bytes, { signal }),
    decode: (signal) => decode(bytes, { ...options, signal }),
    'decode, smaller': (signal) => decode(bytes, { ...options, signal, scale: 1 / 2 }),
    'decode, damage allowed': (signal) => decode(bytes, { ...options, signal, allowDamaged: true }),
    'in portions': async (signal) => {
      const decoder = new ProgressiveDecoder({ ...options, signal, allowDamaged: true });
      for (let at = 0; at < bytes.length; at += 5000) {
        decoder.push(bytes.subarray(at, at + 5000));
        await decoder.picture();
      }
      await decoder.picture({ latest: true });
    },
  };
}

const model = tinyModelFile();

/** @param modelId of the model that they are decoded with */
export function hostileFiles(modelId: string): HostileFile[] {
  const file = (size: [number, number], more: Partial<Header>, parts: Part[], rest: Uint8Array[]): Uint8Array => {
    const [width, height] = size;
    const header: Header = {
      width,
      height,
      channels: 3,
      depth: 8,
      modelId,
      schedule: DEFAULT_SCHEDULE,
      nu: 14,
      ...more,
    };
    return concat([writeHeader(header, parts), ...rest]);
  };
  const alpha16 = writeAlpha(concat([Uint8Array.of(2, 1, 255), Uint8Array.of(1, 0)]));
  const narrow: Schedule = { ...DEFAULT_SCHEDULE, fineWidth: 1, views: 1 };
  const units = unitCount(narrow, { width: 128, height: 144 });
  const texts = new Uint8Array(2 ** 23).fill(0);
  for (let at = 0; at + 5 <= texts.length; at += 5) texts.set([1, 65], at);
  return [
    {
      name: '16-bit alpha of 134 megapixels',
      bytes: file([11600, 11600], { channels: 4, depth: 16 }, [], [alpha16, emptySegments(1)]),
      says: 'E_TOO_LARGE',
    },
    {
      name: '16-bit alpha of 4 megapixels',
      bytes: file([2000, 2000], { channels: 2, depth: 16 }, [], [alpha16]),
      says: 'picture',
    },
    { name: 'a header of 2^28 pixels', bytes: file([16384, 16384], { depth: 16 }, [], []), says: 'E_TOO_LARGE' },
    { name: 'a root of 2^28 pixels', bytes: file([16384, 16384], {}, [], [emptySegments(1)]), says: 'E_TOO_LARGE' },
    { name: 'a root of 65535×1', bytes: file([65535, 1], {}, [], [emptySegments(1)]), says: 'picture' },
    {
      name: 'all lags there are',
      bytes: file([128, 144], { schedule: narrow }, [lagged(128, 144, (b) => b % 17)], [emptySegments(units)]),
      says: 'E_DAMAGED_SEGMENT',
    },
    {
      name: 'four lags at each of 104 steps',
      bytes: file([128, 144], { schedule: narrow }, [lagged(128, 144, (b) => b % 4)], [emptySegments(units)]),
      says: 'E_TOO_LARGE',
    },
    {
      name: 'segments without steps',
      bytes: file(
        [40, 30],
        {},
        [],
        [writeSegments(Array.from({ length: 130_000 }, () => ({ payload: NONE, units: 0, idealRatio: 0 })))],
      ),
      says: 'E_DAMAGED_SEGMENT',
    },
    {
      name: 'segments without end',
      bytes: file(
        [40, 30],
        {},
        [],
        [writeSegments(Array.from({ length: 130_000 }, () => ({ payload: NONE, units: 1, idealRatio: 0 })))],
      ),
      says: 'E_DAMAGED_SEGMENT',
    },
    {
      name: 'parts without end',
      bytes: file(
        [40, 30],
        {},
        Array.from({ length: 130_000 }, () => ({ type: 99, payload: NONE })),
        [emptySegments(1)],
      ),
      says: 'E_DAMAGED_SEGMENT',
    },
    {
      name: 'damaged parts without end',
      bytes: concat([
        file([40, 30], {}, [{ type: 99, payload: NONE }], []).subarray(0, -1),
        new Uint8Array(6 * 130_000).map((_, i) => [99, 0, 1, 2, 3, 4][i % 6]!),
      ]),
      says: 'E_DAMAGED_SEGMENT',
    },
    {
      name: '1.7 million texts',
      bytes: file([40, 30], {}, [{ type: PARTS.text, payload: packed(texts) }], [emptySegments(1)]),
      says: 'E_DAMAGED_SEGMENT',
    },
    {
      name: 'texts again and again',
      bytes: file(
        [40, 30],
        {},
        Array.from({ length: 90 }, () => ({ type: PARTS.text, payload: packed(texts) })),
        [emptySegments(1)],
      ),
      says: 'E_DAMAGED_SEGMENT',
    },
  ];
}
