/** How far a comparison is: a bar on a terminal, a line now and then elsewhere. */
import { progressDisplay } from '../progress.js';
import { note } from '../report.js';

/** Seconds between the lines that stand for the bar where there is no terminal. */
const LINE_EVERY = 15;

export interface EvaluationDisplay {
  /** @param left seconds, undefined as long as nothing is known */
  update: (fraction: number, stage: string, left: number | undefined) => void;
  notice: (line: string) => void;
  stop: () => void;
}

export function display(quiet: boolean): EvaluationDisplay {
  let bar = progressDisplay('eval', quiet);
  let last = { fraction: 0, stage: '' };
  let lastLine = performance.now();
  return {
    update(fraction, stage, left) {
      const text = left === undefined ? stage : `${stage}, ${duration(left)} left`;
      last = { fraction, stage: text };
      if (bar.update !== undefined) bar.update(last);
      else if (!quiet && performance.now() - lastLine > 1000 * LINE_EVERY) {
        lastLine = performance.now();
        note(`${Math.round(100 * fraction)} %, ${text}`);
      }
    },
    notice(line) {
      // Told even with --quiet: the figures are of less than was asked for.
      bar.stop();
      note(line);
      bar = progressDisplay('eval', quiet);
      bar.update?.(last);
    },
    stop: () => bar.stop(),
  };
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
