/**
 * What a second worker brings: `npm run bench:workers -- [--pictures N] [--side N] [--rounds N]`. Codes the same pictures by one worker and by two,
 * each of one thread, behind a Redis of its own, in turn. Where every worker has a core, the rate is workers over the processor's time
 * of a picture: that is what is compared, as the machine may be busy with something else, by the best round of each. Wall times beside it.
 *
 * The exit code is 1 where two workers are less than 1.8 times one. Linux alone, as it reads /proc.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corpusPicture } from '../dist/corpus/pictures.js';
import { writePng } from '../dist/formats/png-writer.js';
import { beside, noRedis, startRedis } from '../dist/test/helpers/redis.js';

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '40' },
    side: { type: 'string', default: '192' },
    rounds: { type: 'string', default: '3' },
  },
});
const LEAST = 1.8;
/** Seconds of a tick of /proc. */
const TICK = 0.01;
/** Pictures for each worker that are coded before anything counts. */
const WARM = 8;

if (noRedis !== false) {
  console.log(`bench:workers: ${noRedis}`);
  process.exit(0);
}

/** Processes by their parent, and the processor's time of each with that of its children that have ended. */
function processes() {
  const found = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0);
      found.set(Number(pid), { parent: Number(fields[1]), seconds: TICK * ticks });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** Seconds of a process and all below it. */
function secondsOf(pid, all = processes()) {
  const children = [...all].filter(([, { parent }]) => parent === pid);
  return (all.get(pid)?.seconds ?? 0) + children.reduce((sum, [child]) => sum + secondsOf(child, all), 0);
}

const folder = mkdtempSync(join(tmpdir(), 'dcomp-workers-'));

/** No two are alike, so that none is done already. */
function writePictures(name, count, first) {
  rmSync(join(folder, name), { recursive: true, force: true });
  rmSync(join(folder, `${name}-coded`), { recursive: true, force: true });
  mkdirSync(join(folder, name));
  for (let i = 0; i < count; i++) {
    const size = { width: Number(values.side), height: Number(values.side) - 16 + ((first + i) % 16) };
    writeFileSync(join(folder, name, `${i}.png`), writePng(corpusPicture('scene', size, first + i)));
  }
}

async function encode(redis, name) {
  const { code } = await beside(folder, ['encode', name, '-o', `${name}-coded`, '--redis', redis.url]).ended;
  if (code !== 0) throw new Error(`encode ended with ${code}`);
}

/** Pictures a second, where every worker has a core; and by the clock. */
async function rateOf(count) {
  const redis = await startRedis();
  const one = ['worker', '--redis', redis.url, '--concurrency', '1', '--threads', '1'];
  const workers = Array.from({ length: count }, () => beside(folder, one));
  try {
    await Promise.all(workers.map(({ says }) => says(/./)));
    const [warm, counted] = ['warm', 'counted'].map((name) => `${name}-${count}`);
    writePictures(warm, WARM * count, 1000 * count);
    writePictures(counted, Number(values.pictures), 0);
    await encode(redis, warm);
    const before = workers.map(({ process: { pid } }) => secondsOf(pid));
    const begun = performance.now();
    await encode(redis, counted);
    const wall = (performance.now() - begun) / 1000;
    const seconds = workers.map(({ process: { pid } }, i) => secondsOf(pid) - before[i]);
    const each = seconds.reduce((total, some) => total + some, 0) / Number(values.pictures);
    console.log(
      `${count} worker${count > 1 ? 's' : ''}: ${seconds.map((some) => some.toFixed(2)).join(' and ')} s of processor, ` +
        `${each.toFixed(3)} a picture; ${wall.toFixed(1)} s of wall`,
    );
    return count / each;
  } finally {
    for (const { process: each } of workers) each.kill('SIGKILL');
    await redis.stop();
  }
}

try {
  let [one, two] = [0, 0];
  for (let round = 0; round < Number(values.rounds); round++) {
    one = Math.max(one, await rateOf(1));
    two = Math.max(two, await rateOf(2));
  }
  console.log(`two workers, a core each: ${(two / one).toFixed(2)} times the rate of one (at least ${LEAST})`);
  process.exitCode = two / one < LEAST ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
