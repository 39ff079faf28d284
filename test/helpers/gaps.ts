/**
 * `node --import ./dist/test/helpers/gaps.js …`: measures how long the calls of the library hold up the event loop. While one is under
 * way, the processor time of its thread between two turns is a gap. What is longer than `DCOMP_GAP` milliseconds is written as a line
 * of JSON to the file `DCOMP_GAPS`, and so is, at the end, the longest of all.
 */
import { appendFileSync } from 'node:fs';
import { register } from 'node:module';
import { threadTime } from './thread-time.js';

const out = process.env['DCOMP_GAPS'];
const limit = Number(process.env['DCOMP_GAP'] ?? 100);
const place = process.argv[1]?.split('/').pop() ?? '';

let underWay = 0;
let last = 0;
let ticking = false;
let calls = 0;
let turns = 0;
let longest = 0;

/** The time since the last turn. */
function look(what: string): void {
  const gap = threadTime() - last;
  longest = Math.max(longest, gap);
  if (gap > limit && out !== undefined) appendFileSync(out, `${JSON.stringify({ place, call: what, gap })}\n`);
}

function tick(): void {
  look('in the middle');
  turns++;
  last = threadTime();
  if (underWay > 0) setImmediate(tick);
  else ticking = false;
}

/** The same function, whose calls are watched. */
function watched<A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  return async (...args) => {
    calls++;
    if (underWay++ === 0) last = threadTime();
    if (!ticking) setImmediate(tick);
    ticking = true;
    try {
      return await call(...args);
    } finally {
      look(name);
      last = threadTime();
      underWay--;
    }
  };
}

type Async = (...args: unknown[]) => Promise<unknown>;
interface CodecLike {
  encode: Async;
  encodeToSizes: Async;
  decode: Async;
  ProgressiveDecoder: { prototype: { picture: Async } };
}

function watchGaps(name: string, made: unknown): unknown {
  if (name !== 'createCodec') return watched(name, made as Async);
  return (platform: unknown) => {
    const codec = (made as (platform: unknown) => CodecLike)(platform);
    for (const method of ['encode', 'encodeToSizes', 'decode'] as const)
      codec[method] = watched(method, codec[method].bind(codec));
    const { prototype } = codec.ProgressiveDecoder;
    const { picture } = prototype;
    prototype.picture = function (this: unknown, ...args) {
      return watched('picture', (...all: unknown[]) => picture.apply(this, all))(...args);
    };
    return codec;
  };
}

Object.assign(globalThis, { watchGaps });
register(new URL('./gaps-loader.js', import.meta.url));
process.on('exit', () => {
  if (out !== undefined && calls > 0)
    appendFileSync(out, `${JSON.stringify({ place, calls, turns, longest: Math.round(longest) })}\n`);
});
