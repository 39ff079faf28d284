/**
 * Codecs that give every sample back, or nearly: the first of a codec's settings is the one without loss, the others are
 * ever coarser.
 */
import type { ModelName } from '../../src/models/registry.js';
import type { CodecEntry } from '../codecs/codec.js';
import { loadJpegXl } from '../codecs/jpeg-xl.js';
import { loadProgram, type Program } from '../codecs/programs.js';
import { loadFormat, type Format } from '../codecs/sharp.js';

/** libjxl's distances from the least on: few, as each is a whole encoding. */
const DISTANCES = [0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8];

const FORMATS: readonly Format[] = [
  {
    name: 'webp',
    label: 'WebP',
    libraries: ['webp'],
    about: 'lossless or near-lossless (its levels 80 to 1), method 6',
    settings: [100, 80, 60, 40, 20, 1],
    encode: (image, level) =>
      image.webp(level === 100 ? { lossless: true, effort: 6 } : { nearLossless: true, quality: level, effort: 6 }),
  },
  {
    name: 'avif',
    label: 'AVIF',
    libraries: ['heif', 'aom'],
    about: 'lossless, effort 6',
    settings: [0],
    encode: (image) => image.avif({ lossless: true, effort: 6 }),
  },
];

/** With filters by row and without: a picture that has been quantised may be smaller without. */
const PNG: CodecEntry = {
  name: 'png',
  label: 'PNG',
  async load() {
    const [filtered, plain] = await Promise.all(
      [true, false].map((adaptiveFiltering) =>
        loadFormat({
          name: 'png',
          label: 'PNG',
          libraries: ['png', 'zlib-ng'],
          about: 'level 9, with filters or without, the smaller',
          settings: [0],
          encode: (image) => image.png({ compressionLevel: 9, adaptiveFiltering }),
        }),
      ),
    );
    return {
      ...filtered!,
      async encode(picture, setting) {
        const files = [await filtered!.encode(picture, setting), await plain!.encode(picture, setting)];
        return files[0]!.length <= files[1]!.length ? files[0]! : files[1]!;
      },
    };
  },
};

function jpegXl(effort: number): CodecEntry {
  return {
    name: `jxl-${effort}`,
    label: `JPEG XL, effort ${effort}`,
    load: () =>
      loadJpegXl('distance', DISTANCES, effort, (distance) => (distance === 0 ? { lossless: true } : { distance })),
  };
}

function cjxl(effort: number): Program {
  return {
    name: `cjxl-${effort}`,
    label: `JPEG XL (cjxl), effort ${effort}`,
    encoder: 'cjxl',
    decoder: 'djxl',
    extension: 'jxl',
    version: ['--version'],
    about: `effort ${effort}, one thread`,
    parameter: 'distance',
    settings: DISTANCES,
    encode: (input, output, distance) => [input, output, '-d', `${distance}`, '-e', `${effort}`, '--num_threads=0'],
    decode: (input, output) => [input, output, '--num_threads=0'],
  };
}

const PROGRAMS: readonly Program[] = [
  {
    name: 'oxipng',
    label: 'PNG (oxipng)',
    encoder: 'oxipng',
    decoder: undefined,
    extension: 'png',
    version: ['--version'],
    about: 'level max, one thread',
    parameter: 'level',
    settings: [0],
    encode: (input, output) => ['-o', 'max', '--threads', '1', '--force', '--quiet', '--out', output, input],
    decode: () => [],
  },
  cjxl(7),
  cjxl(9),
];

export const EXACT_RIVALS: readonly CodecEntry[] = [
  PNG,
  ...FORMATS.map((format) => ({ name: format.name, label: format.label, load: () => loadFormat(format) })),
  jpegXl(7),
  jpegXl(9),
  ...PROGRAMS.map((program) => ({ name: program.name, label: program.label, load: () => loadProgram(program) })),
];

/** A way of dcomp. */
export interface OwnWay {
  name: string;
  label: string;
  /** undefined: the plain form. A name of the package's models, or a model file in place of them all. */
  model: ModelName | 'given' | undefined;
}

export const OWN_WAYS: readonly OwnWay[] = [
  { name: 'dcomp-plain', label: 'dcomp, plain', model: undefined },
  { name: 'dcomp-small', label: 'dcomp, small', model: 'small' },
  { name: 'dcomp-large', label: 'dcomp, large', model: 'large' },
  { name: 'dcomp', label: 'dcomp, the model given', model: 'given' },
];

/** What is compared unless codecs are named. @param given whether a model is; @param maxError 0 for lossless */
export function defaultExactCodecs(given: boolean, maxError: number): string[] {
  const own = given ? ['dcomp-plain', 'dcomp'] : ['dcomp-plain', 'dcomp-small', 'dcomp-large'];
  return [...own, ...(maxError > 0 ? ['webp', 'jxl-7'] : ['png', 'oxipng', 'webp', 'avif', 'jxl-7', 'jxl-9'])];
}

export function exactCodecNames(): string[] {
  return [...OWN_WAYS, ...EXACT_RIVALS].map(({ name }) => name);
}

export function exactLabelOf(name: string): string {
  return [...OWN_WAYS, ...EXACT_RIVALS].find((entry) => entry.name === name)?.label ?? name;
}
