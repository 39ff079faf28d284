/** At fifty moments of each call on each hostile file, an abort is obeyed at once. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { tinyEvaluator } from '../../corpus/tiny-model.js';
import { release } from '../../src/node.js';
import { callsOn, hostileFiles } from '../helpers/hostile-files.js';
import { abortAt } from '../helpers/loop.js';

const MOMENTS = Number(process.env['DCOMP_MOMENTS'] ?? 50);
/** Milliseconds of processor time from the abort to the end. */
const LATEST = 100;

describe('an abort at any moment of a hostile file', () => {
  after(release);
  for (const { name, bytes } of hostileFiles(tinyEvaluator().model.id))
    it(name, { timeout: 1_800_000 }, async () => {
      for (const [call, task] of Object.entries(callsOn(bytes))) {
        const { longest, second } = await abortAt(MOMENTS, task);
        console.log(
          `# ${name}: ${call} obeys within ${longest.toFixed(0)} ms, all but one within ${second.toFixed(0)}`,
        );
        assert.ok(second < LATEST, `${call}: ${second} ms`);
      }
    });
});
