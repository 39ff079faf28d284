/** A process for one job: it comes as a message, its result goes back as one. */
import { DcompError } from '../src/errors.js';
import type { Curve, Job, Sample } from './measurement.js';
import { makeSample, measureCurve } from './measure.js';

export type Answer = { result: Curve | Sample } | { error: string };

process.once('message', (job: Job) => {
  const work = job.kind === 'curve' ? measureCurve(job) : makeSample(job);
  work.then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof DcompError ? error.message : `${String(error)}` }),
  );
});
// The parent is gone: nobody waits for the result.
process.once('disconnect', () => process.exit(0));

function answer(message: Answer): void {
  process.send!(message, () => process.exit(0));
}
