/**
 * `npm run bench:crop`: what a crop costs beside the whole picture, by place and size: the share of the network's work and of the
 * file's bytes. Both follow from the file's structure; with --decode every crop is decoded as well, and held against the whole.
 *
 * Usage: node dist/bench/crop.js [FILE.dcz] [--width 4000] [--height 3000] [--bpp 0.25] [--effort 1] [--threads N] [--model FILE]
 *        [--bytes N,N…] [--decode]      (without a file: the project's own test picture, coded first)
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { corpusPicture } from '../corpus/pictures.js';
import { containerOf, readable } from '../src/codec/decoder.js';
import { gridOf, type Rectangle } from '../src/codec/rectangle.js';
import { pyramidSizes, stepsOf } from '../src/codec/schedule.js';
import { readModelFile } from '../src/model/model-file.js';
import { decode, DEFAULT_MODEL, encode, release } from '../src/node.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: 'string', default: '4000' },
    height: { type: 'string', default: '3000' },
    bpp: { type: 'string', default: '0.25' },
    effort: { type: 'string', default: '1' },
    threads: { type: 'string' },
    model: { type: 'string' },
    bytes: { type: 'string' },
    decode: { type: 'boolean', default: false },
  },
});

const model = readFileSync(values.model ?? DEFAULT_MODEL);
const { architecture } = readModelFile(model);
const engine = { model, ...(values.threads === undefined ? {} : { threads: Number(values.threads) }) };

async function encoded(): Promise<Uint8Array> {
  const scene = corpusPicture('scene', { width: Number(values.width), height: Number(values.height) });
  return (await encode(scene, { ...engine, effort: Number(values.effort), target: { bitsPerPixel: Number(values.bpp) } })).bytes;
}

/** Network work in evaluations of the full size up to the file's end, without what is shown; and bytes. */
function costOf(file: Uint8Array, maxBytes: number, crop: Rectangle | undefined): { work: number; bytes: number } {
  const options = { maxBytes, ...(crop === undefined ? {} : { crop }) };
  const source = containerOf(file, options);
  const { header, segments } = source.container;
  const { needs, needed } = readable(source, architecture, options, (message) => {
    throw new Error(message);
  });
  const sizes = pyramidSizes(header.width, header.height);
  const units = segments.reduce((sum, segment) => sum + segment.units, 0);
  let work = 0;
  let begun = 0;
  for (const { index, level, kind } of stepsOf(header.schedule, sizes.length - 1)) {
    if (begun >= units) break;
    const grid = gridOf(sizes[level]!);
    begun += Math.ceil(grid.width / 384) * Math.ceil(grid.height / 384);
    const { width, height } = needs?.[index]?.window ?? grid;
    if (kind !== 'root') work += (0.25 ** level * width * height) / (grid.width * grid.height);
  }
  const left = segments.filter((_, i) => needed[i] === false).reduce((sum, segment) => sum + segment.payloadOffset + segment.payloadLength - segment.offset, 0);
  return { work, bytes: source.bytes.length - left };
}

const file = positionals[0] === undefined ? await encoded() : readFileSync(positionals[0]);
const { width, height } = containerOf(file, {}).container.header;
const square = (x: number, y: number, side: number): Rectangle => {
  const [w, h] = [Math.min(side, width), Math.min(side, height)];
  return { x: Math.round(x * (width - w)), y: Math.round(y * (height - h)), width: w, height: h };
};
const places: [string, Rectangle][] = [
  ['256×256, corner', square(0, 0, 256)],
  ['256×256, middle of the upper side', square(0.5, 0, 256)],
  ['256×256, middle', square(0.5, 0.5, 256)],
  ['1024×1024, corner', square(1, 1, 1024)],
  ['1024×1024, middle', square(0.5, 0.5, 1024)],
  ['left half', { x: 0, y: 0, width: Math.ceil(width / 2), height }],
];
const lengths = values.bytes === undefined ? [file.length] : values.bytes.split(',').map(Number);
for (const maxBytes of lengths) {
  const whole = costOf(file, maxBytes, undefined);
  console.log(`${width}×${height}, ${whole.bytes} bytes, ${whole.work.toFixed(2)} evaluations`);
  const picture = values.decode ? await timed(undefined, maxBytes) : undefined;
  for (const [name, crop] of places) {
    const { work, bytes } = costOf(file, maxBytes, crop);
    let said = '';
    if (picture !== undefined) {
      const part = await timed(crop, maxBytes);
      said = `  decoded: ${percent(part.work, picture.work)} of the work, ${percent(part.seconds, picture.seconds)} of the time, ${agree(picture, part, crop) ? 'the same' : 'OTHER'} pixels`;
    }
    console.log(`${name.padEnd(36)} work ${percent(work, whole.work)}  bytes ${percent(bytes, whole.bytes)}${said}`);
  }
}
await release();

async function timed(crop: Rectangle | undefined, maxBytes: number): Promise<{ data: ArrayLike<number>; channels: number; work: number; seconds: number }> {
  const started = performance.now();
  const { data, channels, work } = await decode(file, { ...engine, maxBytes, ...(crop === undefined ? {} : { crop }) });
  return { data, channels, work, seconds: (performance.now() - started) / 1000 };
}

function agree(whole: { data: ArrayLike<number>; channels: number }, part: { data: ArrayLike<number> }, crop: Rectangle): boolean {
  const row = crop.width * whole.channels;
  for (let i = 0; i < part.data.length; i++) {
    const at = ((crop.y + Math.floor(i / row)) * width + crop.x) * whole.channels + (i % row);
    if (part.data[i] !== whole.data[at]) return false;
  }
  return true;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1).padStart(5)} %`;
}
