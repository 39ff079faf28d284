/**
 * Trellis coder and quantiser on ideal Gaussian data: overhead and time by number of states and information per coefficient.
 *
 * Usage: node dist/bench/trellis.js [SECTIONS]
 */
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { BitReader } from '../src/entropy/bits.js';
import { decodePoints } from '../src/entropy/tcq.js';
import { PointEncoder } from '../src/entropy/tcq-encoder.js';
import { TrellisEncoder } from '../src/entropy/trellis-encoder.js';
import { decodeRun } from '../src/entropy/trellis.js';
import { finish } from '../src/turns.js';
import { errorOf, gaussianPoints, gaussianRun, overhead, signal } from '../corpus/trellis-signal.js';

/** Prints the table. @param sections bits per measurement; 100 000 make the overhead exact to about 0.1 points */
function benchTrellis(sections: number, print: (line: string) => void): void {
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

/** Prints the table of points. @param n coefficients per measurement; with 100 000 errors are exact to about 0.5 % */
function benchPoints(n: number, print: (line: string) => void): void {
  const encoder = new PointEncoder();
  print('nu  spread  information  overhead bit/coef  error / table  encode ns/coef  decode ns/coef');
  const x = signal(n, 1);
  for (const spread of [8, 16, 32, 64]) {
    for (const nu of [8, 9, 10, 11, 12, 13, 14]) {
      const { run, residual, information } = gaussianPoints(x, spread, nu);
      const start = performance.now();
      const { bytes, count, places } = finish(encoder.encodeInPieces(run, residual, nu));
      const middle = performance.now();
      finish(decodePoints(run, new BitReader(bytes, 0, count), nu));
      const end = performance.now();
      const cells = [
        String(nu).padStart(2),
        String(spread).padStart(6),
        information.toFixed(3).padStart(11),
        (count / n - information).toFixed(4).padStart(17),
        errorOf(residual, places, nu).square.toFixed(4).padStart(13),
        ((1e6 * (middle - start)) / n).toFixed(0).padStart(14),
        ((1e6 * (end - middle)) / n).toFixed(0).padStart(14),
      ];
      print(cells.join('  '));
    }
  }
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const count = Number(argv[2] ?? 100000);
  benchTrellis(count, (line) => console.log(line));
  benchPoints(count, (line) => console.log(line));
}
