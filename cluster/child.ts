/**
 * A process that codes one file after another, with a model that it loads once. What ends it (memory, a fault in native
 * code) ends no more than the file that it had.
 */
import { DcompError } from '../src/errors.js';
import type { Progress } from '../src/index.js';
import { inputName } from '../formats/files.js';
import { readPlace, writePlace } from './places.js';
import { failureOf, type Coder, type Failure, type Result, type Task } from './task.js';

/** To the child. */
export interface Order {
  /** URL of the file that exports `code`. */
  coder: string;
  task: Task;
  /** For what stands as blobs in the settings: bytes that this child has not had yet, by their hash. */
  blobs: Record<string, Uint8Array>;
  threads: number;
  /** What the input holds, where it is no place. */
  input?: Uint8Array;
  /** Whether the bytes are wanted back, and not written. */
  back: boolean;
}

/** From the child. */
export type Answer = { progress: Progress } | { result: Result & { bytes?: Uint8Array } } | { failure: Failure };

const blobs = new Map<string, Uint8Array>();

function withBlobs(settings: Record<string, unknown>): Record<string, unknown> {
  const restored = Object.entries(settings).map(([name, value]) => {
    const hash = (value as { blob?: unknown } | null)?.blob;
    return [name, typeof hash === 'string' ? blobs.get(hash) : value] as const;
  });
  return Object.fromEntries(restored);
}

async function work({
  coder,
  task,
  blobs: sent,
  threads,
  input: given,
  back,
}: Order): Promise<Result & { bytes?: Uint8Array }> {
  for (const [hash, bytes] of Object.entries(sent)) blobs.set(hash, bytes);
  const { code } = (await import(coder)) as { code: Coder };
  let result: Omit<Result, 'outputBytes'> | undefined;
  let made = 0;
  const produce = async (): Promise<Uint8Array> => {
    const started = performance.now();
    const input = given ?? (await readPlace(task.input));
    const read = (performance.now() - started) / 1000;
    const settings = { ...withBlobs(task.settings), threads };
    const { bytes, seconds, ...rest } = await code(input, settings, { onProgress: (progress) => tell({ progress }) });
    result = { ...rest, seconds: { ...seconds, read: seconds.read + read }, inputBytes: input.length };
    made = performance.now();
    return bytes;
  };
  const make = named(task.input, produce);
  if (back) {
    const bytes = await make();
    return { ...result!, outputBytes: bytes.length, bytes };
  }
  const outputBytes = await writePlace(given === undefined ? task : { ...task, input: '-' }, make);
  result!.seconds.write += (performance.now() - made) / 1000;
  return { ...result!, outputBytes };
}

/** Errors of coding name the file; those of reading do so already. */
function named(input: string, produce: () => Promise<Uint8Array>): () => Promise<Uint8Array> {
  return async () => {
    try {
      return await produce();
    } catch (error) {
      if (!(error instanceof DcompError) || error.message.includes(input)) throw error;
      throw new DcompError(error.code, `${inputName(input)}: ${error.message}`, { cause: error });
    }
  };
}

function tell(answer: Answer): void {
  if (process.connected) process.send!(answer);
}

if (process.send !== undefined) {
  process.on('disconnect', () => process.exit()); // without its parent nobody waits for it; what is half written is removed
  process.on('message', (order: Order) => {
    work(order).then(
      (result) => tell({ result }),
      (error: unknown) => tell({ failure: failureOf(error) }),
    );
  });
}
