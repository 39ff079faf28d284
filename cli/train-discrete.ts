/** `dcomp train discrete`: the file of a discrete model, for `sample --discrete`. */
import type { Argv } from 'yargs';
import { outputFlags, type RawArgs } from './options.js';
import { progressDisplay } from './progress.js';
import { forceOption, required, stringOption, writeTrained } from './train-options.js';

/** Photographs that are read for the calibration; those of the validation part come on top. */
const PHOTOGRAPHS = 60;

export function discreteOptions(yargs: Argv): void {
  stringOption(yargs, 'checkpoint', 'Checkpoint file of `python3 src/train/pytorch discrete`');
  stringOption(yargs, 'data', 'Folder of PNG photographs that it was trained on');
  stringOption(yargs, 'output', 'Discrete model (.dcd) to write', 'o');
  forceOption(yargs);
}

export async function runDiscrete(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const [checkpoint, data, output] = [required(args, 'checkpoint'), required(args, 'data'), required(args, 'output')];
  const { readCheckpoint } = await import('../src/train/checkpoint.js');
  const { loadDataset } = await import('../src/train/dataset.js');
  const { exportDiscrete } = await import('../src/train/export-discrete.js');
  const bar = progressDisplay('export', quiet);
  let said = '';
  const produce = async (): Promise<Uint8Array> => {
    const state = await readCheckpoint(checkpoint);
    const dataset = await loadDataset(data, {
      trainingLimit: PHOTOGRAPHS,
      onProgress: (done, total) => bar.update?.({ fraction: (0.5 * done) / total, stage: 'reading photographs' }),
    });
    const { bytes, report } = await exportDiscrete(state, dataset);
    const { step, seconds, photographs, float, integer } = report;
    said = `step ${step}, ${(seconds / 60).toFixed(0)} min: ${float.toFixed(4)} bits a masked token of ${photographs} photographs in floats, ${integer.toFixed(4)} in integers\n`;
    return bytes;
  };
  await writeTrained(checkpoint, output, produce, { args, bar, said: () => said });
}
