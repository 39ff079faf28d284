/** Files made to hurt cost no more than honest ones of their size, in every call that takes them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { inspectFile, type FileInfo } from '../src/codec/inspect.js';
import { honestWork } from '../src/codec/work.js';
import { withDepth } from '../src/picture.js';
import { outcome } from './helpers/outcome.js';
import { callsOn, hostileFiles } from './helpers/hostile-files.js';
import { abortAt } from './helpers/loop.js';

const place = (name: string): string => JSON.stringify(new URL(`../${name}`, import.meta.url).href);

/** Makes every call on a file, on a small heap, and says what came of it. */
const CALLS = `
  import { readFileSync } from 'node:fs';
  import { decode, info, ProgressiveDecoder, release, repair, verify } from ${place('src/node.js')};
  import { tinyModelFile } from ${place('corpus/tiny-model.js')};
  const bytes = readFileSync(process.argv[1]);
  const options = { model: tinyModelFile(), threads: 1 };
  const said = {};
  const seconds = {};
  const call = async (name, make) => {
    const before = process.cpuUsage();
    try {
      await make();
      said[name] = 'picture';
    } catch (error) {
      said[name] = error.code ?? String(error.stack);
    }
    const { user, system } = process.cpuUsage(before);
    seconds[name] = (user + system) / 1e6;
  };
  await call('info', () => info(bytes));
  await call('verify', () => verify(bytes));
  await call('repair', () => repair(bytes));
  await call('decode', () => decode(bytes, options));
  await call('smaller', () => decode(bytes, { ...options, scale: 1 / 2 }));
  await call('damaged', () => decode(bytes, { ...options, allowDamaged: true }));
  for (const allowDamaged of [false, true])
    await call(allowDamaged ? 'portions, damaged' : 'portions', async () => {
      const decoder = new ProgressiveDecoder({ ...options, allowDamaged });
      for (let at = 0; at < bytes.length; at += 5000) {
        decoder.push(bytes.subarray(at, at + 5000));
        decoder.info();
        await decoder.picture();
      }
    });
  await release();
  console.log(JSON.stringify({ said, seconds, megabytes: process.resourceUsage().maxRSS / 1024 }));`;

/** Seconds of processor time that any file may take, and how many times that of an honest one of its size larger ones may. */
const SECONDS = 2;
const TIMES = 2;

/** To decode what the encoder makes of a picture of that size and kind at the best quality. */
async function honestSeconds({ width, height, channels, depth }: FileInfo): Promise<number> {
  const picture = withDepth(corpusPicture(PICTURES[channels], { width, height }), depth);
  const { bytes } = await encodePicture(picture, tinyEvaluator(), { effort: 1, target: { quality: 100 } });
  const before = process.cpuUsage();
  await decodePicture(bytes, tinyEvaluator());
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const PICTURES = { 1: 'grey-scene', 2: 'grey-alpha-disc', 3: 'scene', 4: 'rgba-balls' } as const;

describe('a hostile file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-hostile-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { name, bytes, says } of hostileFiles(tinyEvaluator().model.id)) {
    it(`${name}: ${says}, with little memory`, { timeout: 600_000 }, async () => {
      const path = join(folder, 'file.dcz');
      writeFileSync(path, bytes);
      const { said, seconds, megabytes } = JSON.parse(
        execFileSync(process.execPath, ['--max-old-space-size=128', '--input-type=module', '-e', CALLS, path], {
          encoding: 'utf8',
        }),
      ) as { said: Record<string, string>; seconds: Record<string, number>; megabytes: number };
      assert.equal(said.decode, says);
      for (const [call, result] of Object.entries(said)) assert.match(result, /^(picture|E_[A-Z_]+)$/, call);
      assert.ok(megabytes < 300, `${megabytes} MiB`);
      console.log(
        `# ${name}: ${megabytes.toFixed(0)} MiB, ${Math.max(...Object.values(seconds)).toFixed(2)} s at most`,
      );
      const found = await outcome(() => inspectFile(bytes));
      for (const [call, time] of Object.entries(seconds)) {
        if (time <= SECONDS) continue;
        assert.ok(typeof found !== 'string', `${call} takes ${time} s and says ${said[call]}`);
        assert.ok(time <= TIMES * (await honestSeconds(found)), `${call} takes ${time} s`);
      }
      // What is decoded is no more work than the best file of that size that the encoder makes.
      if (says !== 'picture' || typeof found === 'string') return;
      const { width, height, channels, depth, work } = found;
      assert.ok(work!.megapixels <= honestWork({ width, height }, channels, depth).megapixels);
    });

    // At fifty moments: test/slow/hostile-aborts.test.ts.
    it(`${name}: an abort is obeyed at once`, { timeout: 600_000 }, async () => {
      for (const task of Object.values(callsOn(bytes))) await abortAt(1, task);
    });
  }
});
