/**
 * Puts an evaluation's figures into the documents: docs/rate-distortion.svg and docs/ssimulacra2.svg, and between the marks
 * <!-- report --> and <!-- /report --> one table in README.md, and in docs/results.md all with date, machine, versions and
 * model.
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

publish('README.md', shortText());
publish('docs/results.md', text());
console.log('README.md, docs/results.md, docs/rate-distortion.svg, docs/ssimulacra2.svg');

/** Puts a text between the marks of a document. */
function publish(name, content) {
  const path = join(root, name);
  const document = readFileSync(path, 'utf8');
  const [from, to] = [document.indexOf(MARKS[0]), document.indexOf(MARKS[1])];
  if (from < 0 || to < from) {
    console.error(`${name} has no ${MARKS.join(' … ')}`);
    process.exit(1);
  }
  writeFileSync(path, `${document.slice(0, from + MARKS[0].length)}\n\n${content}\n\n${document.slice(to)}`);
}

/** One table: quality at three rates, what dcomp saves, and the seconds that it takes. */
function shortText() {
  const rates = [0.25, 0.5, 1].filter((rate) => summary.rates.includes(rate));
  const names = evaluation.codecs.map(({ name }) => name).filter((name) => name !== 'ideal');
  const saved = (metric, reference) => {
    const entry = summary.bdRates.find((one) => one.metric === metric && one.reference === reference);
    return entry?.pictures == null ? '' : `${number(entry.pictures, 1, true)} %`;
  };
  const rows = names.map((name) => {
    const cost = summary.costs.find(({ codec }) => codec === name);
    const seconds = (value) => (value == null ? '-' : Number(value.toPrecision(2)).toString());
    return [
      evaluation.codecs.find((codec) => codec.name === name).label,
      ...rates.map((rate) => number(summary.quality.psnr?.[name]?.[summary.rates.indexOf(rate)], 2)),
      saved('psnr', name),
      saved('ssimulacra2', name),
      seconds(cost?.encode),
      seconds(cost?.decode),
    ];
  });
  const [first, ...others] = rates.map(String);
  const head = ['codec', `PSNR at ${first} bpp`, ...others, 'dcomp at equal PSNR', 'at equal SSIMULACRA 2'];
  return [
    `At equal bytes, means of ${summary.pictures} pictures, dcomp with \`--model large\`; PSNR in dB, and how many bytes dcomp needs for equal quality; seconds of one core per megapixel:`,
    '',
    markdown({ head: [...head, 'encoding, s', 'decoding, s'], rows }),
    '',
    'A dash: not reached on every picture, or not measured. All settings, rates and metrics: [results](docs/results.md).',
  ].join('\n');
}

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
    '![PSNR over bits per pixel](rate-distortion.svg)',
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
