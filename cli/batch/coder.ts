/** What a command does with the bytes of one file; the rest (reading, writing, reports, threads) is the same for all. */
import type { Progress } from '../../src/index.js';
import { about } from '../errors.js';
import { inputName, readInput } from '../../formats/files.js';

export interface Hooks {
  onProgress?: (progress: Progress) => void;
}

export interface Coded {
  bytes: Uint8Array;
  /** For `--json` and `--verbose`. */
  figures: Record<string, number | boolean | string>;
  /** Seconds taken by understanding the input, coding, and making the output. */
  seconds: { read: number; code: number; write: number };
  /** What a line about the output says after its name, from its number of bytes. */
  summary: string;
  /** What the user should know. */
  notices: string[];
  /** The same, told even with --quiet: the result is not what it should be. */
  damage: string[];
}

export type Coder<Settings> = (input: Uint8Array, settings: Settings, hooks: Hooks) => Promise<Coded>;

export interface CodedFile extends Coded {
  inputBytes: number;
}

/**
 * Reads a file and codes it; errors name the file.
 * @param given the file's bytes, where they have been read already
 * @throws DcompError E_IO and what the coder throws
 */
export async function codeFile<Settings>(
  input: string,
  given: Uint8Array | undefined,
  code: Coder<Settings>,
  settings: Settings,
  hooks: Hooks,
): Promise<CodedFile> {
  const started = performance.now();
  const bytes = given ?? readInput(input);
  const read = (performance.now() - started) / 1000;
  try {
    const coded = await code(bytes, settings, hooks);
    return { ...coded, seconds: { ...coded.seconds, read: coded.seconds.read + read }, inputBytes: bytes.length };
  } catch (error) {
    throw about(inputName(input), error);
  }
}
