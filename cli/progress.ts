/** The progress bar: on a terminal only, so that logs and pipes stay clean. */
import cliProgress from './vendor/cli-progress.js';
import type { Progress } from '../src/index.js';

export interface ProgressDisplay {
  /** For `onProgress`; undefined where nothing is shown. */
  update: ((progress: Progress) => void) | undefined;
  /** Takes the bar's line away for something else that is printed; the bar comes back below it. */
  clear(): void;
  /** Removes the bar. */
  stop(): void;
}

export function progressDisplay(label: string, quiet: boolean): ProgressDisplay {
  if (quiet || !process.stderr.isTTY) return { update: undefined, clear: () => undefined, stop: () => undefined };
  const bar = new cliProgress.SingleBar({
    format: `${label} [{bar}] {percentage} %  {duration_formatted}  {stage}`,
    stream: process.stderr,
    clearOnComplete: true,
    stopOnComplete: false,
    hideCursor: true,
    fps: 5,
  });
  let running = true;
  const stop = (): void => {
    if (running) bar.stop();
    running = false;
  };
  process.once('exit', stop); // gives the cursor back after Ctrl-C
  bar.start(1000, 0, { stage: '' });
  return {
    update: ({ fraction, stage }) => bar.update(Math.round(Math.min(1, Math.max(0, fraction)) * 1000), { stage }),
    clear: () => void process.stderr.write('\r\x1b[K'),
    stop: () => {
      stop();
      process.off('exit', stop);
    },
  };
}
