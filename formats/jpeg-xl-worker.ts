/** What a thread runs that decodes one JPEG XL. */
import { parentPort } from 'node:worker_threads';
import { DcompError } from '../src/errors.js';
import type { FromJpegXl, ToJpegXl } from './jpeg-xl-thread.js';
import { readJpegXl } from './jpeg-xl.js';

const port = parentPort!;
const answer = (message: FromJpegXl, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

port.once('message', ({ bytes, maxPixels }: ToJpegXl) => {
  readJpegXl(bytes, maxPixels).then(
    (read) => answer({ kind: 'read', read }, [read.picture.data.buffer as ArrayBuffer]),
    (error: unknown) =>
      error instanceof DcompError
        ? answer({ kind: 'failure', code: error.code, message: error.message })
        : answer({ kind: 'fault', message: String(error) }),
  );
});
answer({ kind: 'ready' });
