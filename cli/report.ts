/** What a command says: its result on stdout, all else on stderr, and nothing into the progress bar. */
import { oneLine } from '../formats/text.js';
import { clearProgress } from './progress.js';

/** What was asked for. */
export function print(text: string): void {
  clearProgress();
  process.stdout.write(text);
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
