/** Files made to hurt cost no more than honest ones of their size, in every call that takes them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { inspectFile } from '../src/codec/inspect.js';
import { honestWork } from '../src/codec/work.js';
import { outcome } from './helpers/outcome.js';
import { hostileFiles } from './helpers/hostile-files.js';

const place = (name: string): string => JSON.stringify(new URL(`../${name}`, import.meta.url).href);

/** Makes every call on a file, on a small heap, and says what came of it. */
const CALLS = `
  import { readFileSync } from 'node:fs';
  import { decode, info, ProgressiveDecoder, release, repair, verify } from ${place('src/node.js')};
  import { tinyModelFile } from ${place('corpus/tiny-model.js')};
  const bytes = readFileSync(process.argv[1]);
  const options = { model: tinyModelFile(), threads: 1 };
  const said = {};
  const call = async (name, make) => {
    try {
      await make();
      said[name] = 'picture';
    } catch (error) {
      said[name] = error.code ?? String(error.stack);
    }
  };
  await call('info', () => info(bytes));
  await call('verify', () => verify(bytes));
  await call('repair', () => repair(bytes));
  await call('decode', () => decode(bytes, options));
  await call('smaller', () => decode(bytes, { ...options, scale: 1 / 2 }));
  await call('damaged', () => decode(bytes, { ...options, allowDamaged: true }));
  await call('portions', async () => {
    const decoder = new ProgressiveDecoder(options);
    for (let at = 0; at < bytes.length; at += 5000) {
      decoder.push(bytes.subarray(at, at + 5000));
      decoder.info();
      await decoder.picture();
    }
  });
  await release();
  console.log(JSON.stringify({ said, megabytes: process.resourceUsage().maxRSS / 1024 }));`;

describe('a hostile file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-hostile-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { name, bytes, says } of hostileFiles(tinyEvaluator().model.id)) {
    it(`${name}: ${says}, with little memory`, { timeout: 120_000 }, async () => {
      const path = join(folder, 'file.dcz');
      writeFileSync(path, bytes);
      const { said, megabytes } = JSON.parse(
        execFileSync(process.execPath, ['--max-old-space-size=128', '--input-type=module', '-e', CALLS, path], {
          encoding: 'utf8',
        }),
      ) as { said: Record<string, string>; megabytes: number };
      assert.equal(said.decode, says);
      for (const [call, result] of Object.entries(said)) assert.match(result, /^(picture|E_[A-Z_]+)$/, call);
      assert.ok(megabytes < 380, `${megabytes} MiB`);
      // What is decoded is no more work than the best file of that size that the encoder makes.
      const found = await outcome(() => inspectFile(bytes));
      if (says !== 'picture' || typeof found === 'string') return;
      const { width, height, channels, depth, work } = found;
      assert.ok(work!.megapixels <= honestWork({ width, height }, channels, depth).megapixels);
    });
  }
});
