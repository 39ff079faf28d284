/** Encoders that are installed as programs: found on the PATH, fed with PNG files. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readPng } from '../../formats/png-reader.js';
import { writePng } from '../../formats/png-writer.js';
import { DcompError } from '../../src/errors.js';
import type { Picture } from '../../src/picture.js';
import { toRgb } from '../pictures.js';
import { peakOfProcess } from '../memory.js';
import type { Codec, CodecEntry } from './codec.js';

export interface Program {
  name: string;
  label: string;
  encoder: string;
  /** undefined: its files are PNGs. */
  decoder: string | undefined;
  extension: string;
  /** What makes the encoder say its version. */
  version: readonly string[];
  /** Words on the settings, for the report. */
  about: string;
  parameter: string;
  settings: readonly number[];
  encode(input: string, output: string, setting: number): string[];
  decode(input: string, output: string): string[];
}

const PROGRAMS: readonly Program[] = [
  {
    name: 'cjxl',
    label: 'JPEG XL (cjxl)',
    encoder: 'cjxl',
    decoder: 'djxl',
    extension: 'jxl',
    version: ['--version'],
    about: 'effort 7, one thread',
    parameter: 'distance',
    settings: [25, 20, 16, 13, 10.5, 8.5, 7, 5.5, 4.3, 3.3, 2.5, 1.8, 1.3, 0.9],
    encode: (input, output, distance) => [input, output, '-d', String(distance), '-e', '7', '--num_threads=0'],
    decode: (input, output) => [input, output, '--num_threads=0'],
  },
  {
    name: 'avifenc',
    label: 'AVIF (avifenc)',
    encoder: 'avifenc',
    decoder: 'avifdec',
    extension: 'avif',
    version: ['--version'],
    about: 'aom, speed 0, 4:4:4, one thread',
    parameter: 'cq-level',
    settings: [63, 58, 53, 48, 43, 38, 33, 28, 23, 18, 13],
    encode: (input, output, level) => [
      '-c',
      'aom',
      '-s',
      '0',
      '-j',
      '1',
      '-y',
      '444',
      '--min',
      '0',
      '--max',
      '63',
      '-a',
      'end-usage=q',
      '-a',
      `cq-level=${level}`,
      input,
      output,
    ],
    decode: (input, output) => ['-j', '1', input, output],
  },
  {
    name: 'cwebp',
    label: 'WebP (cwebp)',
    encoder: 'cwebp',
    decoder: 'dwebp',
    extension: 'webp',
    version: ['-version'],
    about: 'method 6, sharp YUV',
    parameter: 'quality',
    settings: [0, 6, 14, 24, 36, 48, 60, 70, 78, 84, 89, 93, 96],
    encode: (input, output, quality) => ['-quiet', '-m', '6', '-sharp_yuv', '-q', String(quality), input, '-o', output],
    decode: (input, output) => ['-quiet', input, '-o', output],
  },
  {
    name: 'jpeg2000',
    label: 'JPEG 2000 (OpenJPEG)',
    encoder: 'opj_compress',
    decoder: 'opj_decompress',
    extension: 'jp2',
    version: ['-h'],
    about: 'irreversible 9/7',
    parameter: 'bits per pixel',
    settings: [0.08, 0.12, 0.18, 0.27, 0.4, 0.6, 0.9, 1.3, 1.8],
    // The option takes a ratio to the 24 bits of the original.
    encode: (input, output, rate) => ['-i', input, '-o', output, '-I', '-r', String(24 / rate)],
    decode: (input, output) => ['-i', input, '-o', output],
  },
  {
    name: 'bpgenc',
    label: 'BPG (HEVC)',
    encoder: 'bpgenc',
    decoder: 'bpgdec',
    extension: 'bpg',
    version: ['-h'],
    about: 'x265 or jctvc as built, level 9, 4:4:4',
    parameter: 'quantiser',
    settings: [51, 48, 45, 42, 39, 36, 33, 30, 27, 24, 21],
    encode: (input, output, quantiser) => ['-m', '9', '-f', '444', '-q', String(quantiser), '-o', output, input],
    decode: (input, output) => ['-o', output, input],
  },
];

export const PROGRAM_CODECS: readonly CodecEntry[] = PROGRAMS.map((program) => ({
  name: program.name,
  label: program.label,
  load: () => loadProgram(program),
}));

/** @throws DcompError E_MISSING_DEPENDENCY, E_IO */
export async function loadProgram(program: Program): Promise<Codec> {
  const encoder = find(program.encoder);
  const decoder = program.decoder === undefined ? undefined : find(program.decoder);
  const missing = [
    encoder === undefined ? program.encoder : undefined,
    decoder === undefined ? program.decoder : undefined,
  ].filter((name) => name !== undefined);
  if (encoder === undefined || missing.length > 0) {
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      `${program.label} needs the program${missing.length > 1 ? 's' : ''} ${missing.join(' and ')}, not found on the PATH`,
    );
  }
  let peak: number | undefined;
  const run = async (path: string, args: string[]): Promise<void> => {
    const outcome = await execute(path, args);
    peak = outcome.peak;
    if (outcome.code !== 0)
      throw new DcompError(
        'E_IO',
        `${path} failed: ${outcome.output.trim().split('\n').pop() ?? ''} (exit code ${String(outcome.code)})`,
      );
  };
  return {
    about: `${versionOf((await execute(encoder, [...program.version])).output, program.encoder)}; ${program.about}`,
    parameter: program.parameter,
    settings: program.settings,
    encode: (picture, setting) =>
      inFolder(async (file) => {
        const [input, output] = [file('in.png'), file(`out.${program.extension}`)];
        writeFileSync(input, writePng(picture));
        await run(encoder, program.encode(input, output, setting));
        return readFileSync(output);
      }),
    decode: (bytes) =>
      inFolder(async (file): Promise<Picture> => {
        if (decoder === undefined) return toRgb(readPng(bytes).picture);
        const [input, output] = [file(`in.${program.extension}`), file('out.png')];
        writeFileSync(input, bytes);
        await run(decoder, program.decode(input, output));
        return toRgb(readPng(readFileSync(output)).picture);
      }),
    peakMemory: () => peak,
  };
}

/** A program's path, undefined where the PATH has none. */
function find(name: string): string | undefined {
  const paths = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => [join(folder, name), join(folder, `${name}.exe`)]);
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The first line of the program's output that names a version. */
export function versionOf(output: string, name: string): string {
  const line = output.split('\n').find((text) => /\d+\.\d+/.test(text));
  const version = line === undefined ? undefined : /v?(\d+(?:\.\d+)+)/.exec(line)?.[1];
  return version === undefined ? name : `${name} ${version}`;
}

async function inFolder<T>(f: (file: (name: string) => string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-eval-'));
  try {
    return await f((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Outcome {
  code: number | null;
  output: string;
  peak: number | undefined;
}

/** Often enough that the little that a process still grows after the last look does not matter. */
const LOOK_EVERY = 4;

function execute(path: string, args: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let peak: number | undefined;
    const look = setInterval(() => {
      if (child.pid !== undefined) peak = peakOfProcess(child.pid) ?? peak;
    }, LOOK_EVERY);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) => {
      clearInterval(look);
      reject(new DcompError('E_IO', `${path} cannot be run: ${error.message}`, { cause: error }));
    });
    child.on('close', (code) => {
      clearInterval(look);
      resolve({ code, output, peak });
    });
  });
}
