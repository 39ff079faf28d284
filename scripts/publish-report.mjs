/**
 * Puts the figures of an evaluation by each model into the documents: docs/rate-distortion.svg and docs/ssimulacra2.svg (of
 * the first one), and between the marks <!-- report --> and <!-- /report --> one table in README.md, and in docs/results.md
 * all with date, machine, versions and models. Of folders that are called MODEL-psnr, files for squared errors (`--tune psnr`),
 * PSNR alone is told.
 *
 * Usage: node scripts/publish-report.mjs REPORT_DIR...   (npm run report does the evaluations first)
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { leadTable, markdown, number, percent, qualityTable } from '../dist/eval/report/text.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const SQUARES = /-psnr\/?$/;
const given = process.argv.slice(2);
const folders = given.filter((folder) => !SQUARES.test(folder));
if (folders.length === 0) {
  console.error('usage: node scripts/publish-report.mjs REPORT_DIR...');
  process.exit(2);
}
const MARKS = ['<!-- report -->', '<!-- /report -->'];
/** What `dcomp eval` has written for a model. */
const reportOf = (folder) => ({
  modelName: basename(folder).replace(SQUARES, ''),
  ...JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')),
});
const reports = folders.map(reportOf);
const squares = given.filter((folder) => SQUARES.test(folder)).map(reportOf);
const [first] = reports;
const rivals = first.codecs.map(({ name }) => name).filter((name) => name !== 'dcomp' && name !== 'ideal');
const labelOf = (name) => first.codecs.find((codec) => codec.name === name).label;

for (const [plot, document] of [
  ['psnr.svg', 'rate-distortion.svg'],
  ['ssimulacra2.svg', 'ssimulacra2.svg'],
])
  copyFileSync(join(folders[0], plot), join(root, 'docs', document));

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

/** What a model saves, BD-rate: the mean of the pictures. */
function saved({ summary }, metric, reference) {
  const entry = summary.bdRates.find((one) => one.metric === metric && one.reference === reference);
  if (entry?.pictures == null) return '-';
  return `${number(entry.pictures, 1, true)} %${entry.counted < summary.pictures ? ` (${entry.counted} pictures)` : ''}`;
}

/** One table: quality at three rates, what the models need for equal quality, and the seconds that each codec takes. */
function shortText() {
  const rates = [0.25, 0.5, 1].filter((rate) => first.summary.rates.includes(rate));
  const row = (label, { summary }, name, beside) => {
    const cost = summary.costs.find(({ codec }) => codec === name);
    const seconds = (value) => (value == null ? '-' : Number(value.toPrecision(2)).toString());
    const quality = (metric, digits) =>
      rates.map((rate) => number(summary.quality[metric]?.[name]?.[summary.rates.indexOf(rate)], digits)).join(', ');
    return [
      label,
      quality('psnr', 2),
      quality('ssimulacra2', 1),
      ...beside,
      seconds(cost?.encode),
      seconds(cost?.decode),
    ];
  };
  const needed = (name) =>
    reports.map((report) => ['psnr', 'ssimulacra2'].map((of) => saved(report, of, name)).join(', '));
  const rows = [
    ...reports.map((report) =>
      row(
        `dcomp, ${report.modelName}`,
        report,
        'dcomp',
        reports.map(() => ''),
      ),
    ),
    ...rivals.map((name) => row(labelOf(name), first, name, needed(name))),
  ];
  const head = [
    'codec',
    'PSNR, dB',
    'SSIMULACRA 2',
    ...reports.map(({ modelName }) => `${modelName} beside it`),
    'encoding, s',
    'decoding, s',
  ];
  return [
    `Means of ${first.summary.pictures} photographs: quality at ${rates.join(', ')} bit per pixel; how many bytes dcomp needs beside a codec for equal PSNR and for equal SSIMULACRA 2 (negative: fewer); seconds of one core per megapixel. A dash: not reached on every picture. All settings, rates and metrics: [results](docs/results.md).`,
    '',
    markdown({ head, rows }),
  ].join('\n');
}

/** Files for squared errors, beside those of AVIF. */
function squaresText() {
  if (squares.length === 0) return [];
  const beside = rivals.filter((name) => name.startsWith('avif'));
  const { rates } = squares[0].summary;
  const head = [
    'PSNR (RGB)',
    ...rates.map((rate) => `at ${rate}`),
    ...beside.map((name) => `BD-rate against ${labelOf(name)}`),
  ];
  const rows = squares.map((report) => [
    `dcomp, ${report.modelName}`,
    ...report.summary.quality.psnr.dcomp.map((value) => number(value, 2)),
    ...beside.map((name) => saved(report, 'psnr', name)),
  ]);
  return ['## For squared errors: `--tune psnr`', '', markdown({ head, rows }), ''];
}

function text() {
  const ofModel = (report) => {
    const { summary, modelName } = report;
    const bd = {
      head: [
        `BD-rate of dcomp, ${modelName}`,
        ...report.metrics.map((name) => report.metricInfo.find((info) => info.name === name).label),
      ],
      rows: rivals.map((name) => [
        `against ${labelOf(name)}`,
        ...report.metrics.map((metric) => saved(report, metric, name)),
      ]),
    };
    const overhead = summary.overhead === undefined ? [] : summary.overhead.mean.filter((entry) => entry != null);
    const over =
      overhead.length === 0
        ? []
        : [
            '',
            `Files take ${percent(Math.min(...overhead), 0)} to ${percent(Math.max(...overhead), 0)} % more than the model's KL along their own way.`,
          ];
    return [
      `## ${modelName}`,
      '',
      ...report.metrics.flatMap((metric) => {
        const { label } = report.metricInfo.find((info) => info.name === metric);
        return [`${label}, at equal bytes:`, '', markdown(qualityTable(summary, metric)), ''];
      }),
      ...(summary.lead.avif === undefined ? [] : [markdown(leadTable(summary, 'avif')), '']),
      markdown(bd),
      ...over,
      '',
    ];
  };
  const about = ({ codecs }, name) => codecs.find((codec) => codec.name === name).about;
  return [
    `Real files, headers included, means of ${first.summary.pictures} photographs. A dash: that codec does not reach the rate on every picture. BD-rate: ${first.summary.bdRange[0]} to ${first.summary.bdRange[1]} bits per pixel, PCHIP, mean of the pictures; negative: fewer bytes.`,
    '',
    ...reports.flatMap(ofModel),
    ...squaresText(),
    `![PSNR over bits per pixel, ${first.modelName}](rate-distortion.svg)`,
    '',
    `\`npm run report\`, ${first.date}, ${first.machine}; ${[
      ...reports.map((report) => `dcomp, ${report.modelName}: ${about(report, 'dcomp')}`),
      ...rivals.map((name) => `${labelOf(name)}: ${about(first, name)}`),
    ].join('. ')}.`,
  ].join('\n');
}
