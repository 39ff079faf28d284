/**
 * `node --import ./dist/test/helpers/gaps.js …`: measures how long the calls of the library hold up the event loop. While one is under
 * way, the processor time of its thread between two turns is a gap, less what the test's own code, which may run in between, and the
 * collection of garbage took of it.
 * What is longer than `DCOMP_GAP` milliseconds is written as a line of JSON to the file `DCOMP_GAPS`, and so is, at the end, the
 * longest of all.
 */
import { appendFileSync } from 'node:fs';
import { register } from 'node:module';
import { threadTime } from './thread-time.js';
import { now, whoseSince } from './whose-time.js';

const out = process.env['DCOMP_GAPS'];
const limit = Number(process.env['DCOMP_GAP'] ?? 100);
const place = process.argv[1]?.split('/').pop() ?? '';

let underWay = 0;
let last = 0;
/** When that was by the clock. */
let lastAt = 0;
let ticking = false;
let calls = 0;
let turns = 0;
let longest = 0;

/** The time since the last turn. */
function look(what: string): void {
  let gap = threadTime() - last;
  if (gap > limit) {
    const { others, where } = whoseSince(lastAt, watchedCall.name);
    gap *= 1 - others;
    if (gap > limit && out !== undefined) appendFileSync(out, `${JSON.stringify({ place, call: what, gap, where })}\n`);
  }
  longest = Math.max(longest, gap);
}

function begin(): void {
  last = threadTime();
  lastAt = now();
}

function tick(): void {
  look('in the middle');
  turns++;
  begin();
  if (underWay > 0) setImmediate(tick);
  else ticking = false;
}

/** What runs inside of it is the library's, whoever calls. */
function watchedCall<A extends unknown[], T>(call: (...args: A) => Promise<T>, args: A): Promise<T> {
  return call(...args);
}

/** The same function, whose calls are watched. */
function watched<A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  return async (...args) => {
    calls++;
    if (underWay++ === 0) begin();
    if (!ticking) setImmediate(tick);
    ticking = true;
    try {
      return await watchedCall(call, args);
    } finally {
      look(name);
      begin();
      underWay--;
    }
  };
}

type Async = (...args: unknown[]) => Promise<unknown>;
type Methods = Record<string, Async>;

/** Watches a method of an object or class from now on. */
function watchMethod(of: Methods, method: string): void {
  const call = of[method]!;
  of[method] = function (this: unknown, ...args) {
    return watched(method, (...all: unknown[]) => call.apply(this, all))(...args);
  };
}

/** What a codec's calls, and the pictures of its decoders, take. */
function watchCodec(codec: object): object {
  for (const method of ['encode', 'encodeToSizes', 'decode', 'encodeMessages', 'decodeMessage'])
    watchMethod(codec as Methods, method);
  watchMethod((codec as { ProgressiveDecoder: { prototype: Methods } }).ProgressiveDecoder.prototype, 'picture');
  return codec;
}

/** What each state of a picture takes that is restored or drawn, and the picture of it. */
function watchRestorer(restorer: object): object {
  const of = restorer as Record<string, (...args: unknown[]) => AsyncGenerator<object>>;
  for (const method of ['denoisePicture', 'upscalePicture', 'inpaintPicture', 'samplePicture']) {
    const call = of[method]!;
    of[method] = (...args) => {
      const states = call(...args);
      const next = watched(method, () => states.next());
      states.next = async () => {
        const result = await next();
        if (result.done !== true) watchMethod(result.value as Methods, 'picture');
        return result;
      };
      return states;
    };
  }
  return restorer;
}

const MAKERS: Readonly<Record<string, (made: object) => object>> = {
  createCodec: watchCodec,
  createRestorer: watchRestorer,
};

function watchGaps(name: string, made: unknown): unknown {
  const watch = MAKERS[name];
  if (watch === undefined) return watched(name, made as Async);
  return (platform: unknown) => watch((made as (platform: unknown) => object)(platform));
}

Object.assign(globalThis, { watchGaps });
register(new URL('./gaps-loader.js', import.meta.url));
process.on('exit', () => {
  if (out !== undefined && calls > 0)
    appendFileSync(out, `${JSON.stringify({ place, calls, turns, longest: Math.round(longest) })}\n`);
});
