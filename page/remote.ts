/** Calls to a worker that can be taken back, and the worker's side of them. */
import type { FromWorker, ToWorker, Way } from './calls.js';

/** What a call ends with that was taken back. */
export const ABORTED = 'E_ABORTED';

export class CallError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
  way: Way | undefined;
}

type Calls = object;
type Method<C extends Calls, K extends keyof C> = C[K] extends (...args: infer A) => Promise<infer R>
  ? { args: A; result: R }
  : never;

/** The page's side. */
export class Remote<C extends Calls> {
  private worker: Worker | undefined;
  private readonly pending = new Map<number, Pending>();
  private count = 0;

  /** @param start makes the worker when it is first needed */
  constructor(private readonly start: () => Worker) {}

  /** @throws CallError with the worker's code, E_ABORTED by the signal */
  call<K extends keyof C & string>(
    method: K,
    args: Method<C, K>['args'],
    { signal, way }: { signal?: AbortSignal; way?: Way } = {},
  ): Promise<Method<C, K>['result']> {
    const worker = (this.worker ??= this.begin());
    const id = this.count++;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(new CallError(ABORTED, 'stopped'));
      const cancel = (): void => {
        worker.postMessage({ cancel: id } satisfies ToWorker);
        this.pending.delete(id);
        reject(new CallError(ABORTED, 'stopped'));
      };
      signal?.addEventListener('abort', cancel, { once: true });
      this.pending.set(id, { resolve, reject, way });
      worker.postMessage({ id, method, args } satisfies ToWorker);
    });
  }

  private begin(): Worker {
    const worker = this.start();
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data);
    worker.onerror = ({ message }) => {
      this.worker = undefined;
      for (const { reject } of this.pending.values())
        reject(new CallError('E_WORKER', message || 'the worker has ended'));
      this.pending.clear();
    };
    return worker;
  }

  private hear(message: FromWorker): void {
    const pending = this.pending.get(message.id);
    if ('way' in message) {
      if (pending === undefined) message.way.made?.bitmap.close();
      else pending.way?.(message.way.fraction, message.way.made);
      return;
    }
    this.pending.delete(message.id);
    if (pending === undefined) {
      if ('result' in message) (message.result as { bitmap?: ImageBitmap } | undefined)?.bitmap?.close();
      return;
    }
    if ('error' in message) pending.reject(new CallError(message.error.code, message.error.message));
    else pending.resolve(message.result as never);
  }
}

/** What a call of the worker's side is given beside its arguments. */
export interface Context {
  signal: AbortSignal;
  way: Way;
}

type Answers<C extends Calls> = {
  [K in keyof C]: (context: Context, ...args: Method<C, K>['args']) => Promise<Method<C, K>['result']>;
};

interface Scope {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

/** The worker's side. */
export function answer<C extends Calls>(answers: Answers<C>, other: (message: unknown) => boolean = () => false): void {
  const scope = globalThis as unknown as Scope;
  const running = new Map<number, AbortController>();
  const bitmapOf = (value: unknown): Transferable[] => {
    const bitmap = (value as { bitmap?: ImageBitmap } | undefined)?.bitmap;
    return bitmap === undefined ? [] : [bitmap];
  };
  scope.onmessage = ({ data }) => {
    if (other(data)) return;
    if ('cancel' in data) {
      running.get(data.cancel)?.abort();
      return;
    }
    const { id, method, args } = data;
    const controller = new AbortController();
    running.set(id, controller);
    const way: Way = (fraction, made) => {
      if (controller.signal.aborted) made?.bitmap.close();
      else scope.postMessage({ id, way: made === undefined ? { fraction } : { fraction, made } }, bitmapOf(made));
    };
    const call = answers[method as keyof C] as (context: Context, ...args: unknown[]) => Promise<unknown>;
    void call({ signal: controller.signal, way }, ...args)
      .then(
        (result) => scope.postMessage({ id, result }, bitmapOf(result)),
        (error: unknown) => {
          const { code = 'E_FAULT', message } = error as { code?: string; message: string };
          scope.postMessage({ id, error: { code, message } }, []);
        },
      )
      .finally(() => running.delete(id));
  };
}
