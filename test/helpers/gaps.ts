/**
 * `node --import ./dist/test/helpers/gaps.js …`: measures how long the calls of the library hold up the event loop. While one is under
 * way, the processor time of its thread between two turns is a gap. What is longer than `DCOMP_GAP` milliseconds is written as a line
 * of JSON to the file `DCOMP_GAPS`, and so is, at the end, the longest of all.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { register } from 'node:module';

const out = process.env['DCOMP_GAPS'];
const limit = Number(process.env['DCOMP_GAP'] ?? 100);
const place = process.argv[1]?.split('/').pop() ?? '';

/** Milliseconds of processor time: of the calling thread where Linux says it, or else of the process. */
function cpu(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ', 1)[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}

let underWay = 0;
let last = 0;
let ticking = false;
let calls = 0;
let turns = 0;
let longest = 0;

/** The time since the last turn. */
function look(what: string): void {
  const gap = cpu() - last;
  longest = Math.max(longest, gap);
  if (gap > limit && out !== undefined) appendFileSync(out, `${JSON.stringify({ place, call: what, gap })}\n`);
}

function tick(): void {
  look('in the middle');
  turns++;
  last = cpu();
  if (underWay > 0) setImmediate(tick);
  else ticking = false;
}

/** The same function, whose calls are watched. */
function watched<A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  return async (...args) => {
    calls++;
    if (underWay++ === 0) last = cpu();
    if (!ticking) setImmediate(tick);
    ticking = true;
    try {
      return await call(...args);
    } finally {
      look(name);
      last = cpu();
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
