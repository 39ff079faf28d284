/** What a command says: its result on stdout, all else on stderr, and nothing into the progress bar. */
import { fstatSync, writeSync } from 'node:fs';
import { ioError } from '../formats/files.js';
import { oneLine } from '../formats/text.js';
import { clearProgress } from './progress.js';

const STDOUT = 1;

/** What was asked for. @throws DcompError E_IO */
export function print(text: string): void {
  clearProgress();
  if (fstatSync(STDOUT).isFile()) printToFile(new TextEncoder().encode(text));
  else process.stdout.write(text); // what fails is told in cli/main.ts
}

/** Node's own stream takes it for done when the disk has had room for the first part only. */
function printToFile(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at);
  } catch (error) {
    throw ioError('write', 'stdout', error);
  }
}

/** What is said beside it. */
export function say(text: string): void {
  clearProgress();
  process.stderr.write(text);
}

export function note(message: string): void {
  say(`${oneLine(message)}\n`);
}

/** The single values of a result, one a line; arrays and pixel data are left out. */
export function reportFigures(figures: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(figures)) {
    const isNumber = typeof value === 'number';
    if (!isNumber && typeof value !== 'string' && typeof value !== 'boolean') continue;
    say(`  ${name}: ${isNumber && !Number.isInteger(value) ? value.toFixed(3) : value}\n`);
  }
}
