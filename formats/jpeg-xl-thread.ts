/**
 * JPEG XL on a thread of its own: what decodes it does so at a stretch, for as long as the file asks, and a thread can be ended
 * meanwhile.
 */
import { Worker } from 'node:worker_threads';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import { throwIfAborted } from '../src/turns.js';
import { damagedJpegXl, readJpegXl } from './jpeg-xl.js';
import type { PngRead } from './png-reader.js';

/** To the thread. */
export interface ToJpegXl {
  bytes: Uint8Array;
  maxPixels: number;
}

/** From the thread. `ready`: it has begun; `fault`: an error that is none of ours. */
export type FromJpegXl =
  | { kind: 'ready' }
  | { kind: 'read'; read: PngRead }
  | { kind: 'failure'; code: DcompErrorCode; message: string }
  | { kind: 'fault'; message: string };

/** That no thread can be had. */
const NO_THREAD = Symbol();

/**
 * As `readJpegXl`, on another thread; on this one where no other can be had.
 * @param signal ends the thread
 * @throws DcompError as `readJpegXl`, E_ABORTED
 */
export async function readJpegXlElsewhere(
  bytes: Uint8Array,
  maxPixels: number,
  signal?: AbortSignal,
  script = new URL('./jpeg-xl-worker.js', import.meta.url),
): Promise<PngRead> {
  const read = await onThread(bytes, maxPixels, signal, script);
  throwIfAborted(signal);
  return read === NO_THREAD ? readJpegXl(bytes, maxPixels) : read;
}

function onThread(
  bytes: Uint8Array,
  maxPixels: number,
  signal: AbortSignal | undefined,
  script: URL,
): Promise<PngRead | typeof NO_THREAD> {
  return new Promise((resolve, reject) => {
    let worker: Worker;
    try {
      // Without the flags of the process: some, such as --input-type, are refused for a file.
      worker = new Worker(script, { name: 'dcomp JPEG XL', execArgv: [] });
    } catch {
      resolve(NO_THREAD);
      return;
    }
    const copy = bytes.slice(); // the caller may change its own
    let isReady = false;
    const end = (settle: () => void): void => {
      signal?.removeEventListener('abort', abort);
      worker.removeAllListeners();
      worker.on('error', () => undefined); // of an end in the middle
      settle();
      void worker.terminate();
    };
    const crash = (reason: string): void =>
      end(() => (isReady ? reject(damagedJpegXl(`its decoder ended: ${reason}`)) : resolve(NO_THREAD)));
    // The caller's `throwIfAborted` says why.
    const abort = (): void => end(() => resolve(NO_THREAD));
    signal?.addEventListener('abort', abort);
    worker.on('message', (message: FromJpegXl) => {
      if (message.kind === 'ready') {
        isReady = true;
        worker.postMessage({ bytes: copy, maxPixels } satisfies ToJpegXl, [copy.buffer]);
      } else if (message.kind === 'read') end(() => resolve(message.read));
      else if (message.kind === 'failure') end(() => reject(new DcompError(message.code, message.message)));
      else crash(message.message);
    });
    worker.on('error', (error) => crash(error.message));
    worker.on('exit', (code) => crash(`exit code ${code}`));
  });
}
