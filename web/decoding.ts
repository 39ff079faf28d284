/** Pictures of a page on their way: fetched, decoded in one worker for all of them while they arrive. */
import { inspectFile, type FileInfo } from '../src/codec/inspect.js';
import { DcompError } from '../src/errors.js';
import type { GivenModel } from '../src/kept-models.js';
import { WorkerClient, type DcompWorker } from '../src/worker/client.js';
import { webThread } from '../src/worker/thread-web.js';
import type { Shown } from './shown.js';
import { defined } from '../src/options.js';

/** What all `<dcz-image>` of a page have in common. */
export interface ElementOptions {
  /** The contents of a model file, for pictures of a model that is not of the package, or where a bundler does not find its file. */
  model?: GivenModel;
  /** Where a bundler does not find the worker's file: makes a module worker of a file that imports `dcomp/element-worker`. */
  worker?: () => object;
  /** Threads, in pages that are cross-origin isolated; default: as many as the machine runs at once, up to 8. Elsewhere 1. */
  threads?: number;
}

/** Milliseconds after the last picture until the worker and its memory are given back. */
const IDLE = 20_000;
/** Bytes at which a smaller picture is decoded for the first time, if there are more. */
const FIRST = 512;

/** As of all pictures in pages: what is damaged is shown as well as it can be. */
const TOLERANT = { allowDamaged: true } as const;

let options: ElementOptions = {};
let worker: DcompWorker | undefined;
let users = 0;
let idle: ReturnType<typeof setTimeout> | undefined;

/** Settings for pictures from now on. */
export function configure(given: ElementOptions): void {
  options = given;
  if (users > 0) return;
  void worker?.close();
  worker = undefined;
}

function borrow(): DcompWorker {
  users++;
  clearTimeout(idle);
  return (worker ??= new WorkerClient(
    webThread(
      options.worker ??
        (() => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'dcz-image' })),
    ),
    {
      ...defined({ model: options.model, threads: options.threads }),
    },
  ));
}

function giveBack(): void {
  if (--users > 0) return;
  idle = setTimeout(() => {
    void worker?.close();
    worker = undefined;
  }, IDLE);
}

/** What happens to a picture on its way. */
export interface OnTheWay {
  /** Of the whole picture, as soon as its header is there. */
  onHeader(info: FileInfo): void;
  /** @param total undefined where the server does not say it */
  onBytes(loaded: number, total: number | undefined): void;
  /** @returns 1, 1/2, 1/4, … of the full size */
  scaleOf(info: FileInfo): number;
  signal: AbortSignal;
  priority?: 'high' | 'low' | 'auto';
}

/**
 * Better and better pictures of a file.
 * @throws DcompError E_IO, and as `decode`; what `fetch` throws when it is aborted
 */
export async function* picturesOf(url: string, way: OnTheWay): AsyncGenerator<Shown, void, void> {
  const { signal, priority = 'auto' } = way;
  const borrowed = borrow();
  try {
    const arriving = new Arriving(await responseOf(url, { signal, priority }), way);
    const info = await arriving.head();
    if (info !== undefined) way.onHeader(info);
    const scale = info === undefined ? 1 : way.scaleOf(info);
    if (scale < 1) yield* smallPictures(borrowed, arriving, scale, signal);
    else {
      for await (const picture of borrowed.decodeStream(arriving.all(), { ...TOLERANT, signal }))
        yield picture as unknown as Shown;
    }
  } finally {
    giveBack();
  }
}

async function responseOf(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted === true) throw cause;
    throw new DcompError('E_IO', `${url} cannot be fetched; is it there, and may this page have it (CORS)?`, { cause });
  }
  if (!response.ok) throw new DcompError('E_IO', `${url}: the server answers ${response.status}`);
  return response;
}

/** The coarse levels come first in a file: a smaller picture needs but its beginning, and the rest is not fetched. */
async function* smallPictures(
  decoder: DcompWorker,
  arriving: Arriving,
  scale: number,
  signal: AbortSignal,
): AsyncGenerator<Shown, void, void> {
  for (let wanted = FIRST; ; wanted *= 2) {
    const ended = await arriving.until(wanted);
    const picture = await decoder.decode(arriving.bytes, { ...TOLERANT, scale, signal });
    yield picture as unknown as Shown;
    if (ended || isEnough(arriving.bytes, scale)) {
      arriving.cancel();
      return;
    }
    wanted = Math.max(wanted, arriving.bytes.length);
  }
}

/** Whether bytes have come that are of finer levels alone. */
function isEnough(bytes: Uint8Array, scale: number): boolean {
  const level = Math.round(Math.log2(1 / scale));
  return inspectFile(bytes).segments.some(({ steps }) => steps.length > 0 && steps.every((step) => step.level < level));
}

/** A response's bytes, those of the beginning kept. */
class Arriving {
  bytes = new Uint8Array(0);
  private readonly reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private readonly total: number | undefined;

  constructor(
    response: Response,
    private readonly way: OnTheWay,
  ) {
    this.reader = response.body?.getReader();
    const length = Number(response.headers.get('content-length') ?? NaN);
    // Of what the server has packed, the length is another one.
    this.total = length > 0 && !response.headers.has('content-encoding') ? length : undefined;
  }

  cancel(): void {
    void this.reader?.cancel().catch(() => undefined);
  }

  /** Reads until the header is there; undefined if it never is, which decoding then says. */
  async head(): Promise<FileInfo | undefined> {
    for (;;) {
      if (await this.more()) return undefined;
      try {
        return inspectFile(this.bytes);
      } catch (error) {
        if (!(error instanceof DcompError) || !['E_TRUNCATED', 'E_EMPTY'].includes(error.code)) return undefined;
      }
    }
  }

  /** Reads until there are so many bytes. @returns whether there are no more */
  async until(length: number): Promise<boolean> {
    while (this.bytes.length < length) if (await this.more()) return true;
    return false;
  }

  /** All bytes: those that were read, and those that come. */
  async *all(): AsyncGenerator<Uint8Array, void, void> {
    if (this.bytes.length > 0) yield this.bytes;
    try {
      for (let next = await this.next(); next !== undefined; next = await this.next()) yield next;
    } finally {
      this.cancel();
    }
  }

  private loaded = 0;

  private async next(): Promise<Uint8Array | undefined> {
    const next = await this.reader?.read();
    if (next?.value === undefined) return undefined;
    this.loaded += next.value.length;
    this.way.onBytes(this.loaded, this.total);
    return next.value;
  }

  private async more(): Promise<boolean> {
    const next = await this.next();
    if (next === undefined) return true;
    const joined = new Uint8Array(this.bytes.length + next.length);
    joined.set(this.bytes);
    joined.set(next, this.bytes.length);
    this.bytes = joined;
    return false;
  }
}
