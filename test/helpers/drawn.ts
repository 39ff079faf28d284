/** Pictures that `dcomp/diffusion` draws, and what they are, wherever that is. */
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { EngineName } from '../../src/node.js';
import { root } from './cli.js';

const entryOf = (name: string): string => pathToFileURL(join(root, 'dist', 'src', name)).href;
/** What is asked: which module, and on what its networks are computed. */
export interface Asked {
  entry: string;
  engine: EngineName;
}

/**
 * Hashes of the samples of pictures that the package's small model draws. It runs here as in a page, so it knows nothing but
 * its argument.
 */
export async function hashesOfDrawn({ entry, engine }: Asked): Promise<Record<string, string>> {
  const { denoisePicture, normalAt, resultOf, samplePicture } = (await import(
    entry
  )) as typeof import('../../src/diffusion-browser.js');
  const common = { model: 'small', engine, threads: 1, steps: 3 } as const;
  const [width, height] = [15, 10];
  const noisy = {
    width,
    height,
    channels: 3 as const,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => 90 + (i % 97) + 20 * normalAt(1, i)),
  };
  const drawn = {
    told: await resultOf(samplePicture({ ...common, width: 32, seed: 1, class: 22 })),
    sampled: await resultOf(samplePicture({ ...common, width: 9, height: 13, seed: 2 })),
    tokens: await resultOf(samplePicture({ ...common, width: 48, seed: 1, discrete: true })),
    denoised: await resultOf(denoisePicture(noisy, { ...common, sigma: 20, seed: 3, sampler: 'ancestral' })),
    best: await resultOf(denoisePicture(noisy, { ...common, sigma: 20, sampler: 'mean' })),
  };
  const hashes: Record<string, string> = {};
  for (const [name, { data }] of Object.entries(drawn)) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(data)));
    hashes[name] = Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  return hashes;
}

/** By the processor in Node; `told` is what test/classes.test.ts has, too, `tokens` what test/discrete.test.ts has. */
export const EXPECTED = {
  told: 'b97d6beb32b24670',
  sampled: 'aff1f0129be20d7f',
  tokens: '1ea8a3c071f7f2f1',
  denoised: 'a2ecab9afaa9d1b8',
  best: '608cfbaf6ad0b0ef',
};

/** What Node draws. */
export function drawnHere(engine: EngineName): Promise<Record<string, string>> {
  return hashesOfDrawn({ entry: entryOf('diffusion-node.js'), engine });
}
