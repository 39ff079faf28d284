/** What the user sees when a command fails: one line on stderr, and the exit code. */
import { oneLine } from '../formats/text.js';
import { DcompError, isMisuse } from '../src/errors.js';
import { say } from './report.js';

/** Exit codes: 1 for data and environment, 2 for misuse, as the shell's own tools have it. */
export const EXIT_DATA = 1;
export const EXIT_MISUSE = 2;

/** Puts what failed in front: `photo.png: damaged PNG: …`. Other errors pass unchanged. */
export function about(subject: string, error: unknown): unknown {
  if (!(error instanceof DcompError)) return error;
  return new DcompError(error.code, `${subject}: ${error.message}`, { cause: error });
}

/**
 * Reports an error on stderr. What went wrong is said in one line; where in the program it arose is of use only for
 * errors of the program's own, and to those who ask for it by the environment variable DCOMP_DEBUG.
 * @param help the command that helps after misuse of the command line; undefined for what a single file cannot be asked for, which
 *   says itself what can
 * @returns the exit code
 */
export function reportError(error: unknown, verbose: boolean, help?: string): number {
  const debug = (process.env.DCOMP_DEBUG ?? '') !== '';
  if (error instanceof DcompError) {
    const hint = error.code === 'E_USAGE' && help !== undefined ? ` (see ${help})` : '';
    say(`dcomp: ${oneLine(error.message)}${hint}\n`);
    if (debug) say(`${error.stack ?? ''}\n`);
    return isMisuse(error.code) ? EXIT_MISUSE : EXIT_DATA;
  }
  const stack = debug || verbose;
  const message = error instanceof Error ? error.message : String(error);
  say(
    `dcomp: internal error, please report it: ${oneLine(message)}${stack ? '' : ' (run again with -v for details)'}\n`,
  );
  if (stack && error instanceof Error) say(`${error.stack ?? ''}\n`);
  return EXIT_DATA;
}
