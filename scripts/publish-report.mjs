/**
 * Puts an evaluation's figures into the documents: docs/rate-distortion.svg and docs/ssimulacra2.svg, and in README.md the
 * table between the marks <!-- report --> and <!-- /report -->, with date, machine, versions and model.
 *
 * Usage: node scripts/publish-report.mjs REPORT_DIR   (npm run report does the evaluation first)
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { leadTable, markdown, number, percent, qualityTable } from '../dist/eval/report/text.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = process.argv[2];
if (folder === undefined) {
  console.error('usage: node scripts/publish-report.mjs REPORT_DIR');
  process.exit(2);
}
const evaluation = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
const { summary } = evaluation;
const MARKS = ['<!-- report -->', '<!-- /report -->'];

copyFileSync(join(folder, 'psnr.svg'), join(root, 'docs', 'rate-distortion.svg'));
copyFileSync(join(folder, 'ssimulacra2.svg'), join(root, 'docs', 'ssimulacra2.svg'));

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const [from, to] = [readme.indexOf(MARKS[0]), readme.indexOf(MARKS[1])];
if (from < 0 || to < from) {
  console.error(`README.md has no ${MARKS.join(' … ')}`);
  process.exit(1);
}
writeFileSync(join(root, 'README.md'), `${readme.slice(0, from + MARKS[0].length)}\n${text()}\n${readme.slice(to)}`);
console.log('README.md, docs/rate-distortion.svg, docs/ssimulacra2.svg');

function text() {
  const bd = (metric, name) => summary.bdRates.find((entry) => entry.metric === metric && entry.reference === name);
  const rivals = ['avif', 'webp', 'jxl', 'jpeg'].filter((name) => bd('psnr', name) !== undefined);
  const label = (name) => evaluation.codecs.find((codec) => codec.name === name).label;
  const value = ({ pictures, counted }) =>
    pictures == null
      ? 'the curves do not overlap'
      : `${number(pictures, 1, true)} %${counted < summary.pictures ? ` (${counted} pictures)` : ''}`;
  const bdTable = {
    head: [
      'BD-rate of dcomp',
      ...evaluation.metrics.map((name) => evaluation.metricInfo.find((info) => info.name === name).label),
    ],
    rows: rivals.map((name) => [
      `against ${label(name)}`,
      ...evaluation.metrics.map((metric) => value(bd(metric, name))),
    ]),
  };
  const overhead = summary.overhead === undefined ? [] : summary.overhead.mean.filter((entry) => entry != null);
  return [
    `PSNR (RGB) in dB at equal bytes (real files, headers included), mean of ${summary.pictures} pictures:`,
    '',
    markdown(qualityTable(summary, 'psnr')),
    ...(summary.lead.avif === undefined ? [] : ['', markdown(leadTable(summary, 'avif'))]),
    '',
    '![PSNR over bits per pixel](docs/rate-distortion.svg)',
    '',
    markdown(bdTable),
    '',
    `A dash: that codec does not reach the rate on every picture. BD-rate: ${summary.bdRange[0]} to ${summary.bdRange[1]} bits per pixel, PCHIP, mean of the pictures; negative: fewer bytes.`,
    ...(overhead.length === 0
      ? []
      : [
          `dcomp spends ${percent(Math.min(...overhead), 0)} to ${percent(Math.max(...overhead), 0)} % more than the ideal rate, the model's KL.`,
        ]),
    `\`npm run report\`, ${evaluation.date}, ${evaluation.machine}; ${evaluation.codecs
      .filter(({ name }) => name !== 'ideal')
      .map(({ label: name, about }) => `${name}: ${about}`)
      .join('. ')}.`,
  ].join('\n');
}
