/** A folder of small generated pictures to train on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { planAt, type ExamplePlan } from '../src/train/examples.js';
import { gaussian } from '../corpus/random-model.js';

/** Waves with a little noise. @returns the folder and a function that removes it */
export function trainingFolder(count = 30, side = 64): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-train-'));
  for (let n = 0; n < count; n++) {
    const next = gaussian(n);
    const waves = [0, 1, 2].map(() => ({ fx: 0.3 * next(), fy: 0.3 * next(), phase: next() }));
    const png = new PNG({ width: side, height: side });
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        waves.forEach(({ fx, fy, phase }, c) => {
          png.data[4 * (y * side + x) + c] = Math.max(
            0,
            Math.min(255, 128 + 80 * Math.sin(fx * x + fy * y + phase) + 4 * next()),
          );
        });
        png.data[4 * (y * side + x) + 3] = 255;
      }
    }
    writeFileSync(join(folder, `${String(n).padStart(3, '0')}.png`), PNG.sync.write(png));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export const TINY_PLAN: ExamplePlan = {
  ...planAt(1),
  share: [0.5, 0.3, 0.2],
  crop: [16, 16, 8],
  batch: [2, 2, 4],
};
