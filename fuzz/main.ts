/**
 * `npm run fuzz [-- WORD...] [--executions N] [--seed S]`: fuzzes the targets whose names contain a word, or all, N times in all
 * (default 100 000), shared out between them. Findings are written to out/fuzz; the exit code is 1 if there are any.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Coverage, fuzz, nameOf } from './fuzzer.js';

const coverage = new Coverage();
await coverage.start();
const { TARGETS } = await import('./targets.js');

const { values, positionals } = parseArgs({
  options: { executions: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
  allowPositionals: true,
});
const executions = Number(values.executions);
const seed = Number(values.seed);
if (!(executions >= 1) || !Number.isInteger(seed)) throw new Error('--executions and --seed are whole numbers');
const chosen = TARGETS.filter(
  ({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
const shares = chosen.reduce((sum, { share }) => sum + share, 0);

const folder = join('out', 'fuzz');
mkdirSync(folder, { recursive: true });
let found = 0;
let total = 0;
for (const target of chosen) {
  const started = performance.now();
  const report = await fuzz(target, { executions: Math.ceil((executions * target.share) / shares), seed, coverage });
  const seconds = (performance.now() - started) / 1000;
  total += report.executions;
  console.log(
    `${target.name.padEnd(12)} ${report.executions} executions in ${seconds.toFixed(0)} s, ${(100 * report.passed).toFixed(0)} % past the header, corpus ${report.corpus.length}, ` +
      `${report.covered} characters reached, slowest ${(report.slowest.seconds * 1000).toFixed(0)} ms, findings ${report.findings.length}`,
  );
  for (const { error, input } of report.findings) {
    const path = join(folder, `${target.name}-${nameOf(input)}`);
    writeFileSync(path, input);
    console.log(`  ${path}: ${error.stack ?? error.message}`);
    found++;
  }
}
await coverage.stop();
console.log(`${total} executions in all, ${found} findings`);
process.exitCode = found > 0 ? 1 : 0;
