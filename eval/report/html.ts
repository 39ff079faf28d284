/** The report as one HTML file that needs nothing else. */
import { BD_METHOD } from '../bd-rate.js';
import { labelOf } from '../codecs/table.js';
import type { Evaluation } from '../evaluation.js';
import { MEMORY_METHOD } from '../memory.js';
import { metricOf } from '../metrics/metrics.js';
import type { SampleSet } from '../run.js';
import { COST_RATE, MAIN_RATE, type Summary } from '../summary.js';
import { meanSteps, type Plotter } from './plots.js';
import {
  bdTable,
  costTable,
  leadTable,
  number,
  overheadTable,
  percent,
  pictureTable,
  qualityTable,
  type Table,
} from './text.js';

const CSS = `
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: #222; background: white; max-width: 1160px; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; letter-spacing: -.01em; } h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }
p, figcaption, .note { max-width: 52rem; } .sub, figcaption, .note { color: #555; font-size: .88rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(520px, 1fr)); gap: 1rem; } .small { display: flex; flex-wrap: wrap; gap: .4rem; }
figure { margin: 0; } svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .86rem; margin: .4rem 0 1rem; }
th, td { padding: .22rem .7rem; text-align: right; white-space: nowrap; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { border-top: 2px solid #222; border-bottom: 1px solid #222; font-weight: 600; } tbody tr:last-child td { border-bottom: 2px solid #222; } tr.own td { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .86rem; } dt { font-weight: 600; } dd { margin: 0; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(384px, 1fr)); gap: 1.6rem 1rem; } .wipe { position: relative; line-height: 0; } .wipe img { display: block; } .wipe img + img { position: absolute; inset: 0; }
.wipe::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--at, 50%); border-left: 1px solid white; box-shadow: 0 0 2px black; }
.sample input { width: 100%; margin: .3rem 0 0; } .sample .sides { display: flex; justify-content: space-between; gap: .5rem; font-size: .82rem; } select { font: inherit; }
details summary { cursor: pointer; } @media print { .sample input, details summary { display: none; } }
`;

/** Wipes between two codecs of a sample. */
const SCRIPT = `
for (const sample of document.querySelectorAll('.sample')) {
  const [left, right] = sample.querySelectorAll('img'), [a, b] = sample.querySelectorAll('select'), slider = sample.querySelector('input'), wipe = sample.querySelector('.wipe');
  const data = JSON.parse(sample.querySelector('script').textContent);
  const show = () => {
    left.src = data[a.value]; right.src = data[b.value];
    right.style.clipPath = 'inset(0 0 0 ' + slider.value + '%)'; wipe.style.setProperty('--at', slider.value + '%');
  };
  for (const input of [a, b, slider]) input.addEventListener('input', show);
  show();
}`;

export function reportHtml(
  evaluation: Evaluation,
  summary: Summary,
  samples: readonly SampleSet[],
  plotter: Plotter,
): string {
  const { pictures, metrics, codecs, rates, notices } = evaluation;
  const own = codecs.some(({ name }) => name === 'dcomp');
  const rivals = codecs.map(({ name }) => name).filter((name) => name !== 'dcomp' && name !== 'ideal');
  const main = rivals.includes('avif') ? 'avif' : rivals[0];
  const at = rates.includes(MAIN_RATE) ? MAIN_RATE : rates[0]!;
  const title = `Rate and distortion of ${codecs
    .filter(({ name }) => name !== 'ideal')
    .map(({ label }) => label)
    .join(', ')}`;
  const parts = [
    `<h1>${escape(title)}</h1>`,
    `<p class="sub">${pictures.length} pictures, ${megapixels(evaluation)} megapixels · ${evaluation.date} · dcomp ${evaluation.dcompVersion}${evaluation.model === undefined ? '' : `, model ${evaluation.model.id}`} · ${escape(evaluation.machine)}</p>`,
    own && main !== undefined ? `<p>${escape(sentence(summary, main))}</p>` : '',
    section('Rate and distortion'),
    `<div class="figures">${metrics.map((metric) => `<figure>${plotter.quality(metric)}</figure>`).join('')}</div>`,
    `<p class="note">Mean over the pictures at equal rate; rates are those of whole files, headers included. Dots: the rates of the tables; between a codec’s own files by PCHIP over the logarithm of the rate. A line begins and ends where every picture has files on both sides. MS-SSIM as −10 log10(1 − MS-SSIM). ${codecs.some(({ name }) => name === 'ideal') ? 'Dashed: what dcomp would need with an ideal channel, the model’s KL.' : ''}</p>`,
    ...metrics.map(
      (metric) =>
        `<h3 class="sub">${metricOf(metric).label}${metricOf(metric).unit === '' ? '' : `, ${metricOf(metric).unit}`}, at equal bytes</h3>${table(qualityTable(summary, metric))}`,
    ),
    own ? section('Differences') : '',
    own && summary.bdRates.length > 0
      ? `${table(bdTable(summary))}<p class="note">${escape(BD_METHOD)}, over ${summary.bdRange[0]} to ${summary.bdRange[1]} bits per pixel and the quality that both curves have. Negative: dcomp needs fewer bytes for the same quality. A picture on which the two curves do not overlap is not in the mean.</p>`
      : '',
    own && main !== undefined ? `${table(leadTable(summary, main))}<figure>${plotter.lead(main, at)}</figure>` : '',
    own ? section('Where dcomp’s bits go') : '',
    own
      ? `<figure class="wide">${plotter.steps() ?? ''}</figure>${stepShares(evaluation)}${table(overheadTable(summary))}<p class="note">The ideal rate is the model’s KL with an ideal Gaussian channel on the same picture, without headers. Arithmetic: a multiply-add is two operations; a decoder’s, of the whole file.</p>`
      : '',
    section('Time and memory'),
    `${table(costTable(summary))}<p class="note">Times per pixel at about ${COST_RATE} bits per pixel, as ratios: absolute ones are the machine’s. Of the processor, each codec on one thread, ${evaluation.processes} processes side by side. ${own ? 'dcomp’s files come from one walk along the schedule, of whose time each has its share of the network’s arithmetic; evaluations of the network that an earlier file of the picture shares are done once and counted each time.' : ''} Memory: ${escape(MEMORY_METHOD)}; highest of all files.${evaluation.kept > 0 ? ` ${evaluation.kept} curves, with their times, are from earlier runs.` : ''}</p>`,
    samples.length > 0
      ? `${section(`The pictures at ${samples[0]!.bitsPerPixel} bits per pixel`)}<p class="note">The largest file of at most the stated size that each codec’s settings allow (larger where even the smallest is); parts of at most 384×384 pixels at full size, shown as WebP of quality 93.</p><div class="samples">${samples.map((set, i) => sampleHtml(set, i)).join('')}</div>`
      : '',
    section('Picture by picture'),
    `<p class="note">PSNR (RGB) in dB over bits per pixel; colours as above.</p><div class="small">${pictures.map((picture) => plotter.picture(picture)).join('')}</div><details><summary>As a table</summary><div class="wide">${table(pictureTable(evaluation))}</div></details>`,
    section('Codecs and settings'),
    `<dl>${codecs.map(({ label, about }) => `<dt>${escape(label)}</dt><dd>${escape(about)}</dd>`).join('')}</dl>`,
    notices.length > 0
      ? `${section('Left out')}<ul>${notices.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>`
      : '',
  ];
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${CSS}</style></head><body>\n${parts.filter((part) => part !== '').join('\n')}\n<script>${SCRIPT}</script>\n</body></html>\n`;
}

function sentence(summary: Summary, rival: string): string {
  const entry = summary.bdRates.find(({ metric, reference }) => metric === 'psnr' && reference === rival);
  const i = summary.rates.indexOf(MAIN_RATE);
  const wins = i < 0 ? undefined : summary.lead[rival]?.wins[i];
  const parts: string[] = [];
  if (entry?.pictures !== undefined)
    parts.push(
      `For the same PSNR dcomp needs ${number(Math.abs(entry.pictures), 1)} % ${entry.pictures < 0 ? 'fewer' : 'more'} bytes than ${labelOf(rival)} (BD-rate, ${summary.bdRange[0]} to ${summary.bdRange[1]} bits per pixel, mean of ${entry.counted} pictures).`,
    );
  if (wins !== undefined)
    parts.push(`At ${MAIN_RATE} bits per pixel its PSNR is better on ${percent(wins, 0)} % of the pictures.`);
  return parts.join(' ');
}

function megapixels({ pictures }: Evaluation): string {
  return (pictures.reduce((sum, { width, height }) => sum + width * height, 0) / 1e6).toFixed(1);
}

/** Share of the bits by part of the schedule, at rates on the way. */
function stepShares({ pictures, rates }: Evaluation): string {
  const steps = meanSteps(pictures);
  if (steps.length === 0) return '';
  const partOf = ({ level, kind }: { level: number; kind: string }): number =>
    level > 2 ? 0 : level > 0 ? 3 - level : kind === 'enter' ? 3 : 4;
  const shares = rates.map((rate) => {
    const sums = [0, 0, 0, 0, 0];
    let left = rate;
    for (const step of steps) {
      const bits = Math.min(left, step.bits);
      sums[partOf(step)]! += bits;
      left -= bits;
    }
    return left > 1e-9 ? undefined : sums.map((bits) => bits / rate);
  });
  const names = ['levels 3 and coarser', 'level 2', 'level 1', 'entering level 0', 'refining level 0'];
  return table({
    head: ['share of the ideal bits, % up to', ...rates.map(String)],
    rows: names.map((name, k) => [name, ...shares.map((share) => percent(share?.[k], 0))]),
  });
}

function sampleHtml({ picture, width, height, bytes, shown }: SampleSet, index: number): string {
  const data = JSON.stringify(
    Object.fromEntries(shown.map(({ codec, sample }) => [codec, `data:${sample.type};base64,${sample.image}`])),
  );
  const options = (chosen: string): string =>
    shown
      .map(
        ({ codec, label, sample }) =>
          `<option value="${codec}"${codec === chosen ? ' selected' : ''}>${escape(label)}${codec === 'original' ? '' : `: ${sample.bytes} bytes, ${number(sample.psnr, 2)} dB`}</option>`,
      )
      .join('');
  const has = (name: string): boolean => shown.some(({ codec }) => codec === name);
  const left = has('avif')
    ? 'avif'
    : (shown.find(({ codec }) => codec !== 'dcomp' && codec !== 'original')?.codec ?? 'original');
  const right = has('dcomp') ? 'dcomp' : 'original';
  return `<figure class="sample"><div class="wipe" style="width:${width}px;height:${height}px"><img alt="${escape(picture)}" width="${width}" height="${height}"><img alt="" width="${width}" height="${height}"></div><input type="range" min="0" max="100" value="50" aria-label="divide between left and right" style="width:${width}px"><div class="sides" style="width:${width}px"><select aria-label="left" name="left${index}">${options(left)}</select><select aria-label="right" name="right${index}">${options(right)}</select></div><figcaption>${escape(picture)}, at most ${bytes} bytes</figcaption><script type="application/json">${data}</script></figure>`;
}

function section(title: string): string {
  return `<h2>${escape(title)}</h2>`;
}

function table({ head, rows }: Table): string {
  const line = (cells: readonly string[], tag: string): string =>
    cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('');
  return `<div class="wide"><table><thead><tr>${line(head, 'th')}</tr></thead><tbody>${rows.map((row) => `<tr${row[0] === 'dcomp' ? ' class="own"' : ''}>${line(row, 'td')}</tr>`).join('')}</tbody></table></div>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}
