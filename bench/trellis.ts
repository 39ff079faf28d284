/**
 * Trellis coder on ideal Gaussian data: overhead and time by number of states and information per coefficient.
 *
 * Usage: node dist/bench/trellis.js [SECTIONS]
 */
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { BitReader } from '../src/entropy/bits.js';
import { TrellisEncoder } from '../src/entropy/trellis-encoder.js';
import { decodeRun } from '../src/entropy/trellis.js';
import { gaussianRun, overhead, signal } from '../corpus/trellis-signal.js';

/** Prints the table. @param sections bits per measurement; 100 000 make the overhead exact to about 0.1 points */
export function benchTrellis(sections: number, print: (line: string) => void): void {
  const encoder = new TrellisEncoder();
  print('nu  bit/coef  overhead %  encode ns/section  encode ns/coef  decode ns/coef');
  for (const denominator of [8, 16, 32]) {
    const x = signal(sections * denominator, 1);
    const { information, metric } = gaussianRun(x, 1 / denominator);
    const run = { information, key: 7 };
    for (const nu of [8, 9, 10, 11, 12, 13, 14, 15, 16]) {
      const start = performance.now();
      const encoded = encoder.encode(run, metric, nu);
      const middle = performance.now();
      decodeRun(run, new BitReader(encoded.bits), nu);
      const decodeTime = performance.now() - middle;
      // encode also runs the decoder once, to know its signs
      const encodeTime = middle - start;
      const cells = [
        String(nu).padStart(2),
        `1/${denominator}`.padStart(8),
        (100 * overhead(x, encoded.signs, encoded.bitCount)).toFixed(2).padStart(10),
        ((1e6 * encodeTime) / encoded.bitCount).toFixed(0).padStart(17),
        ((1e6 * encodeTime) / x.length).toFixed(1).padStart(14),
        ((1e6 * decodeTime) / x.length).toFixed(1).padStart(14),
      ];
      print(cells.join('  '));
    }
  }
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  benchTrellis(Number(argv[2] ?? 100000), (line) => console.log(line));
}
