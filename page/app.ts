/** What the tools share: the workers, the picture, the stage, and one thing at a time that is done. */
import type { Coded, CoderCalls, RivalCalls, Way } from './calls.js';
import { button, element, megapixels } from './dom.js';
import { ABORTED, CallError, Remote } from './remote.js';
import { Stage } from './stage.js';

/** The picture that all is about. */
export interface Source {
  name: string;
  file: Blob;
  /** Pixels to which it is reduced. */
  pixels: number;
  width: number;
  height: number;
}

export interface Running {
  signal: AbortSignal;
  way: Way;
}

export class App {
  readonly coder = new Remote<CoderCalls>(
    () => new Worker(new URL('./coder.ts', import.meta.url), { type: 'module', name: 'dcomp' }),
  );
  readonly rivals = new Remote<RivalCalls>(
    () => new Worker(new URL('./rivals.ts', import.meta.url), { type: 'module', name: 'other codecs' }),
  );
  readonly stage = new Stage();
  source: Source | undefined;
  /** What was coded last, of the source. */
  coded: Omit<Coded, 'bitmap'> | undefined;
  /** Called when there is another source. */
  readonly opened: ((source: Source) => void)[] = [];
  /** Called when a picture has been coded. */
  readonly done: (() => void)[] = [];
  private running: AbortController | undefined;
  private readonly bar = element('bar');

  constructor() {
    button('stop').addEventListener('click', () => {
      this.stop();
      this.say('Stopped.');
    });
  }

  say(text: string, kind: 'error' | 'news' = 'news'): void {
    const status = element('status');
    status.textContent = text;
    status.dataset.kind = kind;
  }

  stop(): void {
    this.running?.abort();
    this.running = undefined;
    this.busy(undefined);
  }

  /** Does something in place of what is being done. What goes wrong is said. @returns whether it came to its end */
  async run(work: (running: Running) => Promise<void>): Promise<boolean> {
    this.stop();
    const controller = new AbortController();
    this.running = controller;
    this.busy(0);
    const way: Way = (fraction) => {
      if (this.running === controller) this.busy(fraction);
    };
    try {
      await work({ signal: controller.signal, way });
      return true;
    } catch (error) {
      if (!(error instanceof CallError && error.code === ABORTED) && !controller.signal.aborted)
        this.say(error instanceof Error ? error.message : String(error), 'error');
      return false;
    } finally {
      if (this.running === controller) this.stop();
    }
  }

  /** Opens a picture in place of the one that is there. */
  async open(file: Blob, name: string, pixels: number): Promise<void> {
    await this.run(async ({ signal }) => {
      const opened = await this.coder.call('open', [file, pixels], { signal });
      const { width, height, from } = opened;
      this.source = { name, file, pixels, width, height };
      this.coded = undefined;
      element('first').hidden = true;
      this.stage.viewer.setSingle(false);
      this.stage.viewer.frame(width, height);
      this.stage.drop('dcomp', 'AVIF', 'JPEG XL', 'WebP');
      this.stage.put('Original', opened, 'Original');
      this.stage.forget('dcomp');
      await this.stage.remember('Original');
      const reduced = from.width === width ? '' : `, reduced from ${from.width} × ${from.height} (${megapixels(from)})`;
      this.say(`${width} × ${height}${reduced}.`);
    });
    const { source } = this;
    if (source?.file === file) for (const tell of this.opened) tell(source);
  }

  /** How far what is being done has come, 0 to 1. */
  progress(fraction: number): void {
    if (this.running !== undefined) this.busy(fraction);
  }

  private busy(fraction: number | undefined): void {
    this.bar.hidden = fraction === undefined;
    this.bar.style.transform = `scaleX(${Math.max(0.02, fraction ?? 0)})`;
    button('stop').disabled = fraction === undefined;
    element('view').setAttribute('aria-busy', String(fraction !== undefined));
  }
}
