/** The progress bar: on a terminal only, so that logs and pipes stay clean. It has the last line; what is said goes above. */
import type { MultiBar } from 'cli-progress';
import type { Progress } from '../src/index.js';

export interface ProgressDisplay {
  /** For `onProgress`; undefined where nothing is shown. */
  update: ((progress: Progress) => void) | undefined;
  /** Removes the bar. */
  stop(): void;
}

const WIDEST_BAR = 40;
/** Columns of a line that are for words and figures. */
const WORDS = 50;
const DEFAULT_COLUMNS = 80;

const streams = new Set<NodeJS.WriteStream>();

/** Takes the bar's line away for something else that is printed; the bar comes back below it. */
export function clearProgress(): void {
  for (const stream of streams) stream.write('\r\x1b[K');
}

export function progressDisplay(
  label: string,
  quiet: boolean,
  stream: NodeJS.WriteStream = process.stderr,
): ProgressDisplay {
  if (quiet || !stream.isTTY) return { update: undefined, stop: () => undefined };
  let bars: MultiBar | undefined;
  let bar: ReturnType<MultiBar['create']> | undefined;
  let last = { value: 0, stage: '' };
  let stopped = false;
  void barsOn(stream, label).then((made) => {
    if (stopped) return;
    bars = made;
    bar = bars.create(1000, last.value, { stage: last.stage });
    streams.add(stream);
  });
  const stop = (): void => {
    stopped = true;
    if (streams.delete(stream)) bars?.stop();
    process.off('exit', stop);
  };
  process.on('exit', stop); // gives the cursor back after Ctrl-C
  return {
    update: ({ fraction, stage }) => {
      last = { value: Math.round(Math.min(1, Math.max(0, fraction)) * 1000), stage };
      bar?.update(last.value, { stage });
    },
    stop,
  };
}

/** Loaded where there is a bar to be shown. */
async function barsOn(stream: NodeJS.WriteStream, label: string): Promise<MultiBar> {
  const { default: cliProgress } = await import('./vendor/cli-progress.js');
  // Of several bars, which may be one, the package moves the cursor by lines. A single bar it brings back to where it was
  // when it began, which is another line once something was printed or the window has scrolled.
  return new cliProgress.MultiBar({
    format: `${label} [{bar}] {percentage} %  {duration_formatted}  {stage}`,
    barsize: Math.max(0, Math.min(WIDEST_BAR, (stream.columns || DEFAULT_COLUMNS) - WORDS)),
    stream,
    linewrap: true, // the package then cuts its line at the window's width, and what is printed wraps
    forceRedraw: true, // as what is printed takes its line away
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
    hideCursor: true,
    fps: 5,
  });
}
