/** The caller's side: calls wait here, and one at a time is with the worker, so that ending the worker ends that call alone. */
import type { Codec, DecodeOptions, EncodeOptions } from '../api.js';
import { MODEL_CHECKS, type ModelOptions } from '../kept-models.js';
import type { DecodeResult } from '../codec/decoder.js';
import type { EncodeResult, Progress } from '../codec/encoder-options.js';
import { GrowingBytes } from '../codec/growing-bytes.js';
import { DcompError } from '../errors.js';
import { checkObject, checkOptions, checkValues, isFunction, isSignal, type Checks } from '../options.js';
import type { Picture } from '../picture.js';
import type { ProgressiveDecodeOptions } from '../progressive-decoder.js';
import {
  errorOf,
  parcelOf,
  type FromWorker,
  type Handed,
  type Method,
  type StreamPart,
  type ToWorker,
} from './messages.js';
import { portionsOf, type ByteSource, type Portions } from './portions.js';

/** A worker as a platform has it. */
export interface Thread {
  post(message: ToWorker, transfer: Handed[]): void;
  terminate(): Promise<void> | void;
  /** Whether the process is to wait for it. */
  hold(busy: boolean): void;
}

export interface ThreadEvents {
  message(message: FromWorker): void;
  /** It has ended by itself, or could not begin. */
  crash(reason: string): void;
}

export type StartThread = (events: ThreadEvents) => Thread;

/** Defaults for all calls of a worker. */
export interface WorkerOptions extends ModelOptions {
  /** In pages whose bundler does not find the worker's file: makes a module worker of a file that imports `dcomp/worker`. Node needs none. */
  worker?: () => object;
}

/** A codec that computes elsewhere: the caller's thread stays free. */
export interface DcompWorker {
  /** As the function `encode`; the samples are copied, and may be changed at once. */
  encode(picture: Picture, options?: EncodeOptions): Promise<EncodeResult>;
  /** As the function `encodeToSizes`. */
  encodeToSizes: Codec['encodeToSizes'];
  /** As the function `decode`. */
  decode(bytes: Uint8Array, options?: DecodeOptions): Promise<DecodeResult>;
  /**
   * Pictures of a file while it arrives: a new one where enough has come since the last, as a `ProgressiveDecoder` has them, so that the
   * portions in which it comes make no difference to what it costs. The last one is that of all bytes. What comes behind the end of the
   * file is not read.
   * @param source such as the `body` of a `Response`, or a readable stream of Node
   * @throws DcompError as `decode`, and what the source throws
   */
  decodeStream(source: ByteSource, options?: ProgressiveDecodeOptions): AsyncGenerator<DecodeResult, void, void>;
  /** Ends the worker; calls that are not done are rejected with E_ABORTED. */
  close(): Promise<void>;
}

interface Hooks extends ModelOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onDamage?: (message: string) => void;
}

const WORKER_CHECKS: Checks<WorkerOptions> = { ...MODEL_CHECKS, worker: isFunction as Checks<WorkerOptions>['worker'] };
const HOOK_CHECKS: Checks<Hooks> = {
  ...MODEL_CHECKS,
  signal: isSignal,
  onProgress: isFunction,
  onDamage: isFunction,
};

/** A call's options, of which those that stay on this side are checked. @throws DcompError E_USAGE */
function hooksOf(options: Hooks | undefined, what: string): Hooks {
  if (options === undefined) return {};
  checkObject(options, `the options of ${what}`);
  return { ...options, ...checkValues({ ...options } as Record<string, unknown>, HOOK_CHECKS) };
}

/** A call that waits or is with the worker. */
interface Pending {
  method: Method;
  /** Made when the call's turn comes. */
  args: () => unknown[];
  options: Hooks;
  transfer: Handed[];
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class WorkerClient implements DcompWorker {
  private thread: Thread | undefined;
  /** Counts threads: what one of them knows, the next does not. */
  private generation = 0;
  private readonly waiting: Pending[] = [];
  private running: Pending | undefined;
  private closed = false;
  /** Models by their arrays, and which of them the thread has. */
  private readonly models = new WeakMap<Uint8Array, number>();
  private modelCount = 0;
  private sent = new Set<number>();
  private streams = 0;
  /** Of the streams that are read. */
  private readonly sources = new Set<Portions>();

  private readonly defaults: ModelOptions;

  /** @throws DcompError E_USAGE */
  constructor(
    private readonly start: StartThread,
    options?: WorkerOptions,
  ) {
    const { worker: _, ...defaults } = checkOptions(options, WORKER_CHECKS, 'createWorker');
    this.defaults = defaults;
  }

  encode(picture: Picture, options?: EncodeOptions): Promise<EncodeResult> {
    return this.call('encode', [picture], options);
  }

  encodeToSizes(
    picture: Picture,
    sizes: readonly number[],
    options?: Omit<EncodeOptions, 'target'>,
  ): Promise<EncodeResult[]> {
    return this.call('encodeToSizes', [picture, sizes], options);
  }

  decode(bytes: Uint8Array, options?: DecodeOptions): Promise<DecodeResult> {
    return this.call('decode', [bytes], options);
  }

  async *decodeStream(source: ByteSource, given?: ProgressiveDecodeOptions): AsyncGenerator<DecodeResult, void> {
    const options = hooksOf(given, 'decodeStream');
    if (this.closed) throw isClosed();
    const stream = this.streams++;
    const portions = portionsOf(source);
    const stop = (): void => portions.fail(aborted());
    options.signal?.addEventListener('abort', stop);
    if (options.signal?.aborted === true) stop();
    this.sources.add(portions);
    let generation = -1;
    // The thread may be ended by another call, and the next one knows nothing of the stream.
    const all = new GrowingBytes();
    const next = (fresh: Uint8Array, latest: boolean): Promise<DecodeResult | undefined> => {
      all.append(fresh);
      // Asked when the call's turn comes.
      const part = (): [StreamPart] => {
        const known = generation === this.generation;
        generation = this.generation;
        return [{ stream, fresh: !known, bytes: (known ? fresh : all.bytes).slice(), latest, last: false }];
      };
      return this.enqueue<DecodeResult | undefined>('picture', part, [], options);
    };
    try {
      for (let fresh = await portions.next(); fresh !== undefined; fresh = await portions.next()) {
        const picture = await next(fresh, false);
        if (picture === undefined) continue;
        yield picture;
        // What may follow means nothing, and may follow for ever.
        if (!picture.truncated) return;
      }
      const last = await next(new Uint8Array(0), true);
      if (last !== undefined) yield last;
    } finally {
      options.signal?.removeEventListener('abort', stop);
      this.sources.delete(portions);
      // Not waited for: a source that is slow in giving would be slow in ending.
      void portions.cancel().catch(() => undefined);
      // A thread that has been ended knows nothing of it, and none is started for that.
      if (this.thread !== undefined && generation === this.generation && !this.closed) {
        const part: StreamPart = { stream, fresh: false, bytes: new Uint8Array(0), latest: false, last: true };
        void this.enqueue('picture', () => [part], [], {}).catch(() => undefined);
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const left = [...(this.running === undefined ? [] : [this.running]), ...this.waiting.splice(0)];
    this.running = undefined;
    const ended = this.endThread();
    const error = new DcompError('E_ABORTED', 'the worker was closed before it was done');
    for (const { reject } of left) reject(error);
    for (const portions of this.sources) portions.fail(error);
    await ended;
  }

  private async call<T>(method: Method, args: unknown[], given: Hooks | undefined): Promise<T> {
    const options = hooksOf(given, method);
    // Copied now, so that the caller may go on with its data.
    const { value, transfer } = parcelOf(args, false);
    return this.enqueue<T>(method, () => value, transfer, options);
  }

  private enqueue<T>(method: Method, args: () => unknown[], transfer: Handed[], options: Hooks): Promise<T> {
    const { signal } = options;
    return new Promise<T>((resolve, reject) => {
      if (this.closed) return reject(isClosed());
      if (signal?.aborted === true) return reject(aborted());
      const stop = (): void => this.stop(pending);
      const done = <A>(settle: (value: A) => void): ((value: A) => void) => {
        return (value) => {
          signal?.removeEventListener('abort', stop);
          settle(value);
        };
      };
      const pending: Pending = {
        method,
        args,
        options: { ...this.defaults, ...options },
        transfer,
        resolve: done(resolve as (value: unknown) => void),
        reject: done(reject),
      };
      signal?.addEventListener('abort', stop);
      this.waiting.push(pending);
      this.next();
    });
  }

  /** Takes a call back: at once, as one that is being computed hears nothing until it is done. */
  private stop(pending: Pending): void {
    const place = this.waiting.indexOf(pending);
    if (place >= 0) this.waiting.splice(place, 1);
    else if (this.running === pending) {
      this.running = undefined;
      void this.endThread();
    }
    pending.reject(aborted());
    this.next();
  }

  private next(): void {
    if (this.running !== undefined) return;
    const pending = this.waiting.shift();
    if (pending === undefined) {
      this.thread?.hold(false);
      return;
    }
    this.running = pending;
    try {
      this.post(pending);
    } catch (error) {
      this.fail(error instanceof DcompError ? error : crashed(String(error)));
    }
  }

  private post({ method, args, options, transfer }: Pending): void {
    const thread = (this.thread ??= this.startThread());
    thread.hold(true);
    const { model, ...rest } = options;
    const number = typeof model === 'object' ? this.numberOf(model, thread) : undefined;
    const call = { kind: 'call', method, args: args(), model: number } as const;
    const named: Record<string, unknown> = typeof model === 'string' ? { ...rest, model } : { ...rest };
    const parcel = parcelOf(named, false);
    thread.post({ ...call, options: parcel.value }, [...transfer, ...parcel.transfer]);
  }

  /** Sends a model that the thread does not have yet. */
  private numberOf(model: Uint8Array, thread: Thread): number {
    let number = this.models.get(model);
    if (number === undefined) this.models.set(model, (number = this.modelCount++));
    if (!this.sent.has(number)) {
      this.sent.add(number);
      const { value: bytes, transfer } = parcelOf(model, false);
      thread.post({ kind: 'model', number, bytes }, transfer);
    }
    return number;
  }

  private startThread(): Thread {
    const generation = ++this.generation;
    this.sent = new Set();
    // What a thread says that has been ended is no longer heard.
    const current = (): boolean => generation === this.generation && this.thread !== undefined;
    return this.start({
      message: (message) => {
        if (current()) this.hear(message);
      },
      crash: (reason) => {
        if (!current()) return;
        void this.endThread();
        this.fail(crashed(reason));
      },
    });
  }

  private async endThread(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    await thread?.terminate();
  }

  private hear(message: FromWorker): void {
    const { running } = this;
    if (running === undefined) return;
    if (message.kind === 'progress') return this.tell(running, 'onProgress', message.progress);
    if (message.kind === 'damage') return this.tell(running, 'onDamage', message.message);
    if (message.kind !== 'result') return this.fail(errorOf(message));
    this.running = undefined;
    running.resolve(message.value);
    this.next();
  }

  /** What a callback throws, now or later, ends its call. */
  private tell(running: Pending, name: 'onProgress' | 'onDamage', value: unknown): void {
    const end = (error: unknown): void => {
      if (this.running !== running) return;
      void this.endThread();
      this.fail(error as Error);
    };
    try {
      const said = (running.options[name] as ((value: unknown) => unknown) | undefined)?.(value);
      if (said instanceof Promise) said.catch(end);
    } catch (error) {
      end(error);
    }
  }

  private fail(error: Error): void {
    const { running } = this;
    this.running = undefined;
    running?.reject(error);
    this.next();
  }
}

function isClosed(): DcompError {
  return new DcompError('E_USAGE', 'the worker is closed; make another with createWorker');
}

function aborted(): DcompError {
  return new DcompError('E_ABORTED', 'stopped by the signal');
}

function crashed(reason: string): DcompError {
  return new DcompError('E_WORKER', `the worker has ended (${reason}); the next call starts another`);
}
