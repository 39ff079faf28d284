/** What a command says beside its result. It goes to stderr: stdout is for what was asked for. */
import { oneLine } from '../formats/text.js';

export function note(message: string): void {
  process.stderr.write(`${oneLine(message)}\n`);
}

/** The single values of a result, one a line; arrays and pixel data are left out. */
export function reportFigures(figures: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(figures)) {
    const isNumber = typeof value === 'number';
    if (!isNumber && typeof value !== 'string' && typeof value !== 'boolean') continue;
    process.stderr.write(`  ${name}: ${isNumber && !Number.isInteger(value) ? value.toFixed(3) : value}\n`);
  }
}
