/**
 * `npm run bench:crop`: what a crop costs beside the whole picture, by place and size.
 *
 * Usage: node dist/bench/crop.js [--width 4000] [--height 3000] [--steps 1,3,6,10] [--model small|large|FILE]
 *          the network's work in a picture of that size whose file ends with so many refining steps of level 0
 *        node dist/bench/crop.js FILE.dcz [--bytes N,N…] [--decode] [--threads N] [--model small|large|FILE]
 *          the same of a file or beginnings of it, and the share of its bytes; with --decode each crop is decoded too, and
 *          held against the whole picture
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readable } from '../src/codec/readable.js';
import { containerOf } from '../src/codec/source.js';
import { groupsOf } from '../src/format.js';
import { needsOf, type StepNeeds } from '../src/codec/needs.js';
import { gridOf, type Rectangle, type Size } from '../src/math/rectangle.js';
import { DEFAULT_SCHEDULE, pyramidSizes, stepsOf, type Schedule, type Step } from '../src/diffusion/schedule.js';
import { loadModel } from '../src/models/read-node.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { decode, release, type DecodeResult } from '../src/node.js';
import { finish } from '../src/turns.js';
import { defined } from '../src/options.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: 'string', default: '4000' },
    height: { type: 'string', default: '3000' },
    steps: { type: 'string', default: '1,3,6,10' },
    bytes: { type: 'string' },
    decode: { type: 'boolean', default: false },
    threads: { type: 'string' },
    model: { type: 'string' },
  },
});

const model = await loadModel(values.model);
const { architecture } = readModelFile(model);

function placesIn({ width, height }: Size): [string, Rectangle][] {
  const square = (x: number, y: number, side: number): Rectangle => {
    const [w, h] = [Math.min(side, width), Math.min(side, height)];
    return { x: Math.round(x * (width - w)), y: Math.round(y * (height - h)), width: w, height: h };
  };
  return [
    ['256×256, corner', square(0, 0, 256)],
    ['256×256, middle of the upper side', square(0.5, 0, 256)],
    ['256×256, middle', square(0.5, 0.5, 256)],
    ['1024×1024, middle', square(0.5, 0.5, 1024)],
    ['left half', { x: 0, y: 0, width: Math.ceil(width / 2), height }],
  ];
}

/** The network's work in a picture's steps, in evaluations of the full size; what is shown afterwards is not in it. */
function workOf(size: Size, schedule: Schedule, units: number, needs?: readonly StepNeeds[]): number {
  const sizes = pyramidSizes(size.width, size.height);
  let left = units;
  let work = 0;
  for (const { index, level, kind } of stepsOf(schedule, sizes.length - 1)) {
    if (left <= 0) break;
    const grid = gridOf(sizes[level]!);
    left -= groupsOf(grid.width, grid.height).length;
    const window = needs?.[index]?.window ?? grid;
    if (kind !== 'root') work += (0.25 ** level * window.width * window.height) / (grid.width * grid.height);
  }
  return work;
}

function ofSize(size: Size, refining: number): void {
  const sizes = pyramidSizes(size.width, size.height);
  const steps = stepsOf(DEFAULT_SCHEDULE, sizes.length - 1);
  const count = ({ level }: Step): number => {
    const { width, height } = gridOf(sizes[level]!);
    return groupsOf(width, height).length;
  };
  const last = steps.findIndex(({ level, kind }) => level === 0 && kind === 'refine') - 1 + refining;
  const units = steps.slice(0, last + 1).reduce((sum, step) => sum + count(step), 0);
  const whole = workOf(size, DEFAULT_SCHEDULE, units);
  console.log(`${size.width}×${size.height}, ${refining} refining steps: ${whole.toFixed(2)} evaluations of the whole`);
  for (const [name, crop] of placesIn(size)) {
    const needs = needsOf(architecture, sizes, steps, units, crop, 0);
    console.log(`${name.padEnd(36)} work ${percent(workOf(size, DEFAULT_SCHEDULE, units, needs), whole)}`);
  }
}

async function ofFile(file: Uint8Array, maxBytes: number): Promise<void> {
  const { header, segments } = containerOf(file, { maxBytes }).container;
  const units = segments.reduce((sum, segment) => sum + segment.units, 0);
  const length = Math.min(maxBytes, file.length);
  const whole = workOf(header, header.schedule, units);
  console.log(`${header.width}×${header.height}, ${length} bytes: ${whole.toFixed(2)} evaluations of the whole`);
  const picture = values.decode ? await timed(file, maxBytes) : undefined;
  for (const [name, crop] of placesIn(header)) {
    const { needs, needed } = finish(
      readable(containerOf(file, { maxBytes, crop }), architecture, { crop }, (message) => {
        throw new Error(message);
      }),
    );
    const left = segments
      .filter((_, i) => needed[i] === false)
      .reduce((sum, segment) => sum + segment.payloadOffset + segment.payloadLength - segment.offset, 0);
    let said = '';
    if (picture !== undefined) {
      const part = await timed(file, maxBytes, crop);
      said = `  decoded: ${percent(part.work, picture.work)} of the work, ${percent(part.seconds, picture.seconds)} of the time, ${agree(picture, part, crop) ? 'the same' : 'OTHER'} pixels`;
    }
    console.log(
      `${name.padEnd(36)} work ${percent(workOf(header, header.schedule, units, needs), whole)}  bytes ${percent(length - left, length)}${said}`,
    );
  }
}

async function timed(
  file: Uint8Array,
  maxBytes: number,
  crop?: Rectangle,
): Promise<DecodeResult & { seconds: number }> {
  const started = performance.now();
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
  const picture = await decode(file, { model, maxBytes, ...threads, ...defined({ crop }) });
  return { ...picture, seconds: (performance.now() - started) / 1000 };
}

function agree(whole: DecodeResult, part: DecodeResult, crop: Rectangle): boolean {
  const row = crop.width * whole.channels;
  return part.data.every(
    (sample, i) =>
      sample === whole.data[((crop.y + Math.floor(i / row)) * whole.width + crop.x) * whole.channels + (i % row)],
  );
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1).padStart(5)} %`;
}

const [path] = positionals;
if (path === undefined) {
  for (const refining of values.steps.split(',').map(Number))
    ofSize({ width: Number(values.width), height: Number(values.height) }, refining);
} else {
  const file = readFileSync(path);
  for (const maxBytes of values.bytes === undefined ? [file.length] : values.bytes.split(',').map(Number))
    await ofFile(file, maxBytes);
  await release();
}
