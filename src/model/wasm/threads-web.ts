/**
 * The evaluator on several threads of a browser, for workers: pages that are not isolated have no shared memory, and a
 * page's own thread must not wait, so there it has one thread.
 */
import type { Evaluator } from '../evaluator.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { CLOSED, HEAD, serve, type Shared } from './chunks.js';
import { createEngine, STARTING_WORK, type Helpers } from './engine.js';

/** Threads unless a call says otherwise: more gain little in pictures of pages, and each holds memory of its own. */
const MOST_THREADS = 8;

/** What a thread is asked first, and alone. */
interface HelpMessage {
  kind: 'help';
  shared: Shared;
}

interface Scope {
  crossOriginIsolated?: boolean;
  document?: unknown;
  location: { href: string };
  navigator: { hardwareConcurrency?: number };
}
const scope = globalThis as unknown as Scope;

/** How many threads there can be: 1 in a page, and in a worker of a page that is not isolated. */
export function threadsHere(): number {
  if (scope.crossOriginIsolated !== true || scope.document !== undefined || typeof Worker !== 'function') return 1;
  return Math.max(1, Math.min(MOST_THREADS, scope.navigator.hardwareConcurrency ?? 1));
}

/**
 * An evaluator that shares out each evaluation among workers of the very script that runs here, which has to hand its
 * messages to `helpIfAsked` first: so there is no further file for a bundler to find.
 * @param threads in all; default: as many as the machine runs at once, up to 8. Where there can be none but this: 1
 * @throws DcompError E_DAMAGED_MODEL, E_ENVIRONMENT
 */
export async function createWebEvaluator(model: IntegerModel, threads?: number): Promise<Evaluator> {
  const most = threadsHere();
  const count = most === 1 ? 1 : (threads ?? most);
  return createEngine(model, count === 1 ? undefined : new WebHelpers(count));
}

/** Helps for good if that is what the first message asks for. @returns whether it was */
export function helpIfAsked(message: unknown): boolean {
  if ((message as HelpMessage | undefined)?.kind !== 'help') return false;
  serve((message as HelpMessage).shared);
  return true;
}

class WebHelpers implements Helpers {
  readonly startAfter = STARTING_WORK;
  private shared: Shared | undefined;
  private workers: Worker[] = [];

  constructor(readonly threads: number) {}

  start(shared: Shared): void {
    this.shared = shared;
    for (let i = 1; i < this.threads; i++) {
      // A thread that cannot start is not needed: the others claim its share.
      try {
        const worker = new Worker(scope.location.href, { type: 'module', name: `dcomp ${i}` });
        worker.onerror = (event) => event.preventDefault();
        worker.postMessage({ kind: 'help', shared } satisfies HelpMessage);
        this.workers.push(worker);
      } catch {
        return;
      }
    }
  }

  async close(): Promise<void> {
    if (this.shared === undefined) return;
    const control = new Int32Array(this.shared.memory.buffer, this.shared.control, this.shared.controlLength);
    Atomics.store(control, HEAD.current, CLOSED);
    Atomics.notify(control, HEAD.current);
    for (const worker of this.workers.splice(0)) worker.terminate();
  }
}
