/** A process for one job: it comes as a message, its result goes back as one. */
import { DcompError } from '../src/errors.js';
import { loadExactInfo, measureExact } from './exact/measure.js';
import type { ExactPoint } from './exact/measurement.js';
import type { Curve, Job, Loaded, Sample } from './measurement.js';
import { loadInfo, makeSample, measureCurve } from './measure.js';

type Result = Curve | Sample | Loaded | ExactPoint | { about: string };

export type Answer = { result: Result } | { error: string };

process.once('message', (job: Job) => {
  run(job).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof DcompError ? error.message : String(error) }),
  );
});
// The parent is gone: nobody waits for the result.
process.once('disconnect', () => process.exit(0));

function run(job: Job): Promise<Result> {
  switch (job.kind) {
    case 'curve':
      return measureCurve(job);
    case 'sample':
      return makeSample(job);
    case 'load':
      return loadInfo(job.codec);
    case 'exact':
      return measureExact(job);
    case 'load-exact':
      return loadExactInfo(job.codec);
  }
}

function answer(message: Answer): void {
  process.send!(message, () => process.exit(0));
}
