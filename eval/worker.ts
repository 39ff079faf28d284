/** A process for one job: it comes as a message, its result goes back as one. */
import { DcompError } from '../src/errors.js';
import type { Curve, Job, Loaded, Sample } from './measurement.js';
import { loadInfo, makeSample, measureCurve } from './measure.js';

export type Answer = { result: Curve | Sample | Loaded } | { error: string };

process.once('message', (job: Job) => {
  run(job).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof DcompError ? error.message : String(error) }),
  );
});
// The parent is gone: nobody waits for the result.
process.once('disconnect', () => process.exit(0));

function run(job: Job): Promise<Curve | Sample | Loaded> {
  if (job.kind === 'curve') return measureCurve(job);
  return job.kind === 'sample' ? makeSample(job) : loadInfo(job.codec);
}

function answer(message: Answer): void {
  process.send!(message, () => process.exit(0));
}
