/** What restores and draws pictures lets others have their turn, and hears its signal, while it estimates noise and makes pictures too. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import {
  denoisePicture,
  estimateSigma,
  inpaintPicture,
  release,
  resultOf,
  samplePicture,
  upscalePicture,
  type RestoreState,
  type States,
} from '../src/diffusion-node.js';
import { hash32 } from '../src/math/hash.js';
import type { Channels, Picture } from '../src/picture.js';
import { abortAt, watched } from './helpers/loop.js';
import { DECODING } from './helpers/tiny.js';

/** Milliseconds of processor time; pieces take some 20. */
const GAP = 100;

const common = { ...DECODING, steps: 2 };

function noisy(width: number, height: number, channels: Channels): Picture {
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; i++) data[i] = 100 + (hash32(3, i) & 31);
  return { width, height, channels, data };
}

async function assertTurns(what: string, task: () => Promise<unknown>): Promise<void> {
  await task(); // compiled code, of which the second time is
  const { turns, spent, secondGap } = await watched(task);
  assert.ok(turns >= 2 || spent < 2 * GAP, `${what}: only ${turns} turns in ${spent} ms`);
  assert.ok(secondGap < GAP, `${what}: ${secondGap} ms without a turn`);
}

describe('dcomp/diffusion turns while it', () => {
  after(() => release());
  const large = noisy(1000, 800, 4);
  const small = noisy(400, 300, 4);
  const mask = new Uint8Array(400 * 300).fill(255, 400 * 100, 400 * 200);
  const tasks: Record<string, (signal?: AbortSignal) => Promise<unknown>> = {
    'estimates noise': (signal) => estimateSigma(large, signal === undefined ? {} : { signal }),
    denoises: (signal) => resultOf(denoisePicture(small, { ...common, ...(signal && { signal }) })),
    enlarges: (signal) => resultOf(upscalePicture(small, { ...common, ...(signal && { signal }) })),
    'paints anew': (signal) => resultOf(inpaintPicture(small, mask, { ...common, ...(signal && { signal }) })),
    draws: (signal) => resultOf(samplePicture({ ...common, width: 300, ...(signal && { signal }) })),
    'draws from tokens on': (signal) =>
      resultOf(samplePicture({ ...common, discrete: true, width: 300, ...(signal && { signal }) })),
  };
  for (const [what, task] of Object.entries(tasks))
    it(`${what}, and ends where a signal says so`, { timeout: 600_000 }, async () => {
      await assertTurns(what, () => task());
      await assert.rejects(task(AbortSignal.abort('before')), { code: 'E_ABORTED' });
      const { second } = await abortAt(3, task);
      assert.ok(second < GAP, `obeyed after ${second} ms`);
    });

  it('makes the pictures of large states', { timeout: 600_000 }, async () => {
    const firstOf = async (states: States): Promise<RestoreState> => {
      for await (const state of states) return state;
      assert.fail('no state');
    };
    const abort = new AbortController();
    const options = { ...common, views: 1, sigma: 9, signal: abort.signal } as const;
    const states = [
      await firstOf(denoisePicture(large, options)),
      await firstOf(upscalePicture(noisy(700, 500, 4), { ...common, views: 1 })),
    ];
    for (const state of states) await assertTurns('a picture', () => state.picture());
    abort.abort();
    await assert.rejects(states[0]!.picture(), { code: 'E_ABORTED' });
  });
});
