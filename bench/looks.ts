/**
 * `npm run looks`: sheets of crops at equal bytes, to be looked at. A row by rate, a column by way: the original, dcomp
 * (`small`, also with half of what it does not know drawn; `medium`, also its mean; `large`), AVIF tuned by iq, JPEG XL;
 * grey where there is no file that small. Scores of the whole pictures are printed.
 *
 * Usage: node dist/bench/looks.js [FOLDER or PNG…] [--limit 6] [--rates 0.05,0.1,0.2,0.4] [--side 224] [--at X,Y] [--threads N]
 *          [--out out/looks]
 *        (default: ../shared/data/dev2, crops of the middles)
 */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { JPEG_XL } from '../eval/codecs/jpeg-xl.js';
import { loadFormat, SHARP_FORMATS } from '../eval/codecs/sharp.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { findPictures, loadPicture, spread, toRgb } from '../eval/pictures.js';
import { cutOut, wholeOf } from '../src/math/rectangle.js';
import { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
import { decode, encode, release, type DecodeOptions, type EncodeOptions, type Picture } from '../src/node.js';
import { COLOURS } from '../src/pixels/colour.js';
import { bestWithin } from './at-size.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    limit: { type: 'string', default: '6' },
    rates: { type: 'string', default: '0.05,0.1,0.2,0.4' },
    side: { type: 'string', default: '224' },
    at: { type: 'string' },
    threads: { type: 'string' },
    out: { type: 'string', default: 'out/looks' },
  },
});
const rates = values.rates.split(',').map(Number);
const side = Number(values.side);
const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };

/** Decoded files of a size at most; undefined where there is none that small. */
type Way = (picture: Picture, size: number) => Promise<Picture | undefined>;

const dcomp =
  (options: EncodeOptions, way: DecodeOptions = {}): Way =>
  async (picture, size) => {
    const { bytes } = await encode(picture, { ...options, ...threads, target: { size } });
    return decode(bytes, { ...threads, ...way });
  };

async function ways(): Promise<Record<string, Way>> {
  const avif = await loadFormat(SHARP_FORMATS.find(({ name }) => name === 'avif')!);
  const jxl = await JPEG_XL.load();
  const rival =
    (codec: typeof avif): Way =>
    async (picture, size) => {
      const file = await bestWithin(size, (quality) => codec.encode(picture, quality));
      return file === undefined ? undefined : codec.decode(file);
    };
  return {
    original: async (picture) => picture,
    small: dcomp({ model: 'small' }),
    medium: dcomp({ model: 'medium' }),
    'medium, the mean': dcomp({ model: 'medium' }, { show: 'mean' }),
    'small, half drawn': dcomp({ model: 'small' }, { realism: 0.5 }),
    large: dcomp({ model: 'large' }),
    'AVIF, iq': rival(avif),
    'JPEG XL': rival(jxl),
  };
}

function crop({ width, height, data }: Picture): Buffer {
  const [w, h] = [Math.min(side, width), Math.min(side, height)];
  const [x, y] = values.at === undefined ? [(width - w) >> 1, (height - h) >> 1] : values.at.split(',').map(Number);
  const wanted = { x: Math.min(x!, width - w), y: Math.min(y!, height - h), width: w, height: h };
  return Buffer.from(cutOut(data as Uint8Array, wholeOf({ width, height }), wanted, COLOURS));
}

const GAP = 4;
const all = Object.entries(await ways());
mkdirSync(values.out, { recursive: true });
console.log(`columns: ${all.map(([name]) => name).join('; ')}`);
const paths = spread(
  findPictures(positionals.length === 0 ? ['../shared/data/dev2'] : positionals),
  Number(values.limit),
);
for (const path of paths) {
  const picture = toRgb(loadPicture(path));
  const [width, height] = [Math.min(side, picture.width), Math.min(side, picture.height)];
  const scoreOf = ssimulacra2(picture);
  const tiles: { input: Buffer; raw: { width: number; height: number; channels: 3 }; left: number; top: number }[] = [];
  for (const [row, rate] of rates.entries()) {
    const size = Math.floor((rate * picture.width * picture.height) / 8);
    const scores: string[] = [];
    for (const [column, [name, way]] of all.entries()) {
      const shown = await way(picture, size);
      if (name !== 'original')
        scores.push(
          shown === undefined
            ? `${name} -`
            : `${name} ${psnrRgb(picture, shown).toFixed(2)} dB ${scoreOf(shown)!.toFixed(0)}`,
        );
      if (shown === undefined) continue;
      const place = { left: column * (width + GAP), top: row * (height + GAP) };
      tiles.push({ input: crop(shown), raw: { width, height, channels: 3 }, ...place });
    }
    console.log(`${basename(path)}, ${size} bytes: ${scores.join('; ')}`);
  }
  const [w, h] = [all.length * (width + GAP) - GAP, rates.length * (height + GAP) - GAP];
  await sharp({ create: { width: w, height: h, channels: 3, background: { r: 128, g: 128, b: 128 } } })
    .composite(tiles)
    .png()
    .toFile(join(values.out, basename(path)));
}
await release();
