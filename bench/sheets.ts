/**
 * `npm run sheets`: what `small` draws, as sheets of pictures and as figures.
 *
 * sampler     a row by sampler, of no class; columns are seeds
 * class       a row by class (--classes)
 * scale       a row by guidance scale (--scales), columns are classes; the class is told
 * classifier  the same; a classifier leads to the class
 * discrete    rows without tokens and with them; columns are seeds
 *
 * Of each row: the spectrum (root mean square of luma's details, finest first), how luma and chroma are spread, and how often the
 * classifier names the class that was wanted. Beside them: the same of middles of photographs (--data).
 *
 * Usage: node dist/bench/sheets.js MODE [--classes 7,18,…] [--scales 0,1,…] [--scale 1] [--columns 8] [--side 256]
 *   [--steps 18] [--seed 1] [--out out/sheets] [--data FOLDER…] [--discrete: all of them from tokens on]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp, { type OverlayOptions } from 'sharp';
import { findPictures, loadPicture, spread } from '../eval/pictures.js';
import { release, resultOf, samplePicture, SAMPLERS, type SampleOptions } from '../src/diffusion-node.js';
import { readClassFile } from '../src/model/class-file.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { loadClasses, loadModel } from '../src/models/read-node.js';
import type { Picture } from '../src/picture.js';
import { COLOURS } from '../src/pixels/colour.js';
import { colourRows } from '../src/pixels/picture-planes.js';
import { haar, type Plane } from '../src/pixels/pyramid.js';
import { Classifier } from '../src/restore/classifier.js';
import { finish } from '../src/turns.js';
import { mean, middle } from './middle.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    classes: { type: 'string', default: '2,7,11,13,16,18,22,29' },
    scales: { type: 'string' },
    scale: { type: 'string', default: '1' },
    columns: { type: 'string', default: '8' },
    side: { type: 'string', default: '256' },
    steps: { type: 'string', default: '18' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'out/sheets' },
    data: { type: 'string', multiple: true, default: [] },
    discrete: { type: 'boolean', default: false },
  },
});
const [mode = ''] = positionals;
const [columns, side, steps, seed] = [values.columns, values.side, values.steps, values.seed].map(Number) as [
  number,
  number,
  number,
  number,
];
const numbers = (text: string): number[] => text.split(',').map(Number);
const classes = numbers(values.classes);

/** Options of each picture of a row. */
interface Row {
  name: string;
  cells: SampleOptions[];
}

const inSeeds = (options: SampleOptions): SampleOptions[] =>
  Array.from({ length: columns }, (_, k) => ({ ...options, seed: seed + k }));
const inClasses = (options: SampleOptions): SampleOptions[] =>
  classes.map((wanted, k) => ({ ...options, class: wanted, seed: seed + k }));

const MODES: Record<string, () => Row[]> = {
  sampler: () => SAMPLERS.map((sampler) => ({ name: sampler, cells: inSeeds({ sampler }) })),
  class: () =>
    classes.map((wanted) => ({
      name: `class ${wanted}`,
      cells: inSeeds({ class: wanted, guidanceScale: Number(values.scale) }),
    })),
  scale: () =>
    numbers(values.scales ?? '0,0.5,1,1.5,2,3,4,6').map((guidanceScale) => ({
      name: `scale ${guidanceScale}`,
      cells: inClasses({ guidanceScale }),
    })),
  classifier: () =>
    numbers(values.scales ?? '0,1,2,4,8,16,32,64').map((guidanceScale) => ({
      name: `scale ${guidanceScale}`,
      cells: inClasses({ guidanceScale, classifier: true }),
    })),
  discrete: () => [false, true].map((discrete) => ({ name: `discrete ${discrete}`, cells: inSeeds({ discrete }) })),
};

const BANDS = 5;
/** Upper ends of luma (of 255) and of chroma, √(P² + Q²). */
const LUMA_ENDS = [32, 64, 96, 128, 160, 192, 224, Infinity];
const CHROMA_ENDS = [4, 8, 16, 32, 64, Infinity];

interface Figures {
  spectrum: number[];
  luma: number[];
  chroma: number[];
  named?: boolean;
}

const placeIn = (ends: readonly number[], value: number): number => ends.findIndex((end) => value < end);

/** Of a picture of any size of multiples of 2^BANDS. */
function figuresOf(picture: Picture): Figures {
  let plane: Plane = colourRows(picture, 0, picture.height);
  const pixels = plane.width * plane.height;
  const luma = LUMA_ENDS.map(() => 0);
  const chroma = CHROMA_ENDS.map(() => 0);
  for (let i = 0; i < plane.data.length; i += COLOURS) {
    luma[placeIn(LUMA_ENDS, plane.data[i]! / Math.sqrt(3) + 127.5)]! += 1 / pixels;
    chroma[placeIn(CHROMA_ENDS, Math.hypot(plane.data[i + 1]!, plane.data[i + 2]!))]! += 1 / pixels;
  }
  const spectrum: number[] = [];
  for (let band = 0; band < BANDS; band++) {
    const { width, height, data } = haar(plane);
    const channels = 4 * COLOURS;
    let sum = 0;
    for (let i = 0; i < data.length; i += channels)
      for (let c = COLOURS; c < channels; c += COLOURS) sum += data[i + c]! ** 2 / (3 * width * height);
    spectrum.push(Math.sqrt(sum));
    const lowest = new Float32Array(width * height * COLOURS).map(
      (_, i) => data[Math.floor(i / COLOURS) * channels + (i % COLOURS)]! / 2,
    );
    plane = { width, height, data: lowest };
  }
  return { spectrum, luma, chroma };
}

const { statistics } = readModelFile(await loadModel('small'));
const classifier = new Classifier(readClassFile((await loadClasses('small'))!), statistics.inputScale);

/** The class that the classifier takes a picture to be of. */
function namedClass(picture: Picture): number {
  const { width, height, data } = haar(colourRows(picture, 0, picture.height));
  const found = finish(classifier.logProbabilities({ z: data, width, height, sigma: 1, level: 0 }));
  return found.indexOf(Math.max(...found));
}

const column = (list: readonly number[][]): number[] => list[0]!.map((_, k) => mean(list.map((each) => each[k]!)));

function lineOf(name: string, figures: readonly Figures[]): string {
  const percent = (list: readonly number[][]): string =>
    column(list)
      .map((v) => (100 * v).toFixed(0))
      .join(' ');
  const spectrum = column(figures.map((each) => each.spectrum)).map((value) => value.toFixed(1));
  const named = figures.filter((each) => each.named !== undefined);
  const right = named.length === 0 ? '' : `${named.filter((each) => each.named).length} of ${named.length}`;
  return `| ${[name, spectrum.join(' '), percent(figures.map((f) => f.luma)), percent(figures.map((f) => f.chroma)), right].join(' | ')} |`;
}

const rows = MODES[mode]?.();
if (rows === undefined) throw new Error(`${mode}: one of ${Object.keys(MODES).join(', ')}`);
console.log('| row | details, finest first | luma in eighths, % | chroma below 4, 8, 16, 32, 64, above, % | named |');
console.log('| --- | --- | --- | --- | --- |');
const photographs = values.data.flatMap((folder) => spread(findPictures([folder]), 200));
const loaded = photographs
  .map((path) => middle(loadPicture(path), side))
  .filter(({ width, height }) => Math.min(width, height) === side);
if (loaded.length > 0) console.log(lineOf(`photographs (${loaded.length})`, loaded.map(figuresOf)));
const common = { model: 'small', threads: 1, width: side, steps, discrete: values.discrete } as const;
const GAP = 2;
const tiles: OverlayOptions[] = [];
for (const [y, { name, cells }] of rows.entries()) {
  const found: Figures[] = [];
  for (const [x, options] of cells.entries()) {
    const picture = await resultOf(samplePicture({ ...common, ...options }));
    const wanted = options.class;
    found.push({ ...figuresOf(picture), ...(wanted === undefined ? {} : { named: namedClass(picture) === wanted }) });
    const raw = { width: side, height: side, channels: 3 } as const;
    tiles.push({ input: Buffer.from(picture.data as Uint8Array), raw, left: x * (side + GAP), top: y * (side + GAP) });
  }
  console.log(lineOf(name, found));
}
mkdirSync(values.out, { recursive: true });
const [across, down] = [Math.max(...rows.map(({ cells }) => cells.length)), rows.length].map(
  (n) => n * (side + GAP) - GAP,
);
const sheet = await sharp({ create: { width: across!, height: down!, channels: 3, background: 'white' } })
  .composite(tiles)
  .png()
  .toBuffer();
await sharp(sheet).toFile(join(values.out, `${mode}.png`));
await sharp(sheet)
  .resize({ width: across! >> 1 })
  .webp({ quality: 60 })
  .toFile(join(values.out, `${mode}.webp`));
await release();
