/**
 * Options that several commands share, and numbers that mean what they say. yargs is told that all values are strings:
 * its own numbers turn `--size 1O0` into NaN and a repeated option into a list.
 */
import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { DcompError } from '../src/errors.js';
import type { GivenModel, Rectangle } from '../src/index.js';
import { ENGINES, type EngineName } from '../src/model/evaluator.js';
import { isModelName, MODELS } from '../src/models/registry.js';
import { DEFAULT_MAX_PIXELS, MAX_PIXELS } from '../src/picture.js';
import { readInput } from '../formats/files.js';
import { metadataChoice, type MetadataChoice } from '../formats/metadata.js';

/** What yargs hands over: nothing is known until it has been looked at. */
export type RawArgs = Record<string, unknown>;

export interface CommonOptions {
  threads: number;
  engine: EngineName;
  /** Given with --model: a name of the package's models, or the bytes of a model file. */
  model: GivenModel | undefined;
  verbose: boolean;
  quiet: boolean;
}

const MAX_THREADS = 256;

/** Adds --verbose and --quiet, which all commands share. */
export function outputOptions(yargs: Argv): void {
  yargs
    .option('verbose', { alias: 'v', type: 'boolean', describe: 'Say more' })
    .option('quiet', { type: 'boolean', describe: 'Say nothing but errors' });
}

/** Adds --threads, --engine and --model. @param model the default one, in words */
export function engineOptions(yargs: Argv, model: string): void {
  yargs
    .option('threads', {
      type: 'string',
      requiresArg: true,
      describe: 'Worker threads; the result is the same with any number  [default: all cores]',
    })
    .option('engine', {
      type: 'string',
      requiresArg: true,
      describe: 'auto, wasm (the processor) or webgpu (a GPU); the result is the same with any  [default: auto]',
    })
    .option('model', {
      type: 'string',
      requiresArg: true,
      describe: `Model: ${Object.keys(MODELS).join(', ')} or a model file (.dcm)  [default: ${model}]`,
    });
}

/** yargs loses a `-` alone, which is the name of stdin and stdout; it is given this instead, which no file name can hold. */
export const DASH = '\u0000-';

/** Adds --max-pixels. */
export function sizeOption(yargs: Argv): void {
  yargs.option('max-pixels', {
    type: 'string',
    requiresArg: true,
    describe: `Refuse pictures with more pixels than that  [default: ${DEFAULT_MAX_PIXELS}]`,
  });
}

/** Extension of files that are messages. */
export const MESSAGE_EXTENSION = '.dcmsg';

/** Whether --profile says message; it may say file. @throws DcompError E_USAGE */
export function isMessage(args: RawArgs): boolean {
  const profile = textOption(args, 'profile') ?? 'file';
  if (profile !== 'file' && profile !== 'message')
    throw new DcompError('E_USAGE', `--profile is ${profile}; it must be file or message`);
  const messageOnly = ['crc', 'size-is-told'].find((name) => args[name] !== undefined && args[name] !== false);
  if (profile === 'file' && messageOnly !== undefined)
    throw new DcompError('E_USAGE', `--${messageOnly} is for messages: --profile message`);
  return profile === 'message';
}

/** Adds --max-work. */
export function workOption(yargs: Argv): void {
  yargs.option('max-work', {
    type: 'string',
    requiresArg: true,
    describe: 'Refuse what takes more megapixels through the network (info tells)  [default: by the size]',
  });
}

/** undefined if it was not given. @throws DcompError E_USAGE */
export function maxWorkOption(args: RawArgs): number | undefined {
  return numberOption(args, 'max-work', { min: 0.001, max: Number.MAX_SAFE_INTEGER, whole: false });
}

/** @throws DcompError E_USAGE */
export function maxPixelsOption(args: RawArgs): number {
  return numberOption(args, 'max-pixels', { min: 1, max: MAX_PIXELS, whole: true }) ?? DEFAULT_MAX_PIXELS;
}

/** Adds --metadata. */
export function metadataOption(yargs: Argv, byDefault: MetadataChoice): void {
  yargs.option('metadata', {
    type: 'string',
    requiresArg: true,
    describe: `What to keep: all, default (colour, orientation, density) or none  [default: ${byDefault}]`,
  });
}

/** yargs gives strings where strings were declared, and numbers nowhere; anything else is as good as nothing. */
function asText(value: unknown): string {
  return value === DASH ? '-' : typeof value === 'string' ? value : typeof value === 'number' ? value.toString() : '';
}

/** A string option, undefined if it was not given. @throws DcompError E_USAGE if it was given twice or empty */
export function textOption(args: RawArgs, name: string): string | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value)) throw new DcompError('E_USAGE', `--${name} is given ${value.length} times; give it once`);
  const text = asText(value);
  if (text === '') throw new DcompError('E_USAGE', `--${name} needs a value`);
  return text;
}

/** The values of an option that may be given several times. @throws DcompError E_USAGE */
export function textOptions(args: RawArgs, name: string): string[] {
  const value = args[name];
  const texts = (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(asText);
  if (texts.includes('')) throw new DcompError('E_USAGE', `--${name} needs a value`);
  return texts;
}

/** @throws DcompError E_USAGE */
export function metadataOf(args: RawArgs, byDefault: MetadataChoice): MetadataChoice {
  const text = textOption(args, 'metadata');
  return text === undefined ? byDefault : metadataChoice(text);
}

export function flag(args: RawArgs, name: string): boolean {
  const value = args[name];
  return Array.isArray(value) ? value.some(Boolean) : value === true;
}

export interface NumberRule {
  min: number;
  max: number;
  whole: boolean;
  /** The options that numbers with other units belong to, by unit in lower case. */
  units?: Readonly<Record<string, string>>;
}

/** A number option, undefined if it was not given. @throws DcompError E_USAGE unless it is a plain number in range */
export function numberOption(args: RawArgs, name: string, rule: NumberRule): number | undefined {
  const { min, max, whole } = rule;
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (!Number.isFinite(value) || (whole && !Number.isInteger(value)) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    const hint = unitHint(text, name, rule);
    throw new DcompError(
      'E_USAGE',
      `--${name} is ${text}; it must be a ${whole ? 'whole ' : ''}number ${range}${hint}`,
    );
  }
  return value;
}

/** What a number with a unit was perhaps meant for. */
function unitHint(text: string, name: string, { units = {} }: NumberRule): string {
  const [, number, unit] = /^(\d+\.?\d*|\.\d+)\s*(%|[a-z]+)$/i.exec(text) ?? [];
  if (unit === undefined) return '';
  const other = units[unit.toLowerCase()];
  return other === undefined
    ? `, without a unit: --${name} ${number}`
    : `; did you mean --${other} ${other === 'size' ? text : number}?`;
}

const PREFIXES = ['', 'k', 'm', 'g'];

/** What the help says of sizes. */
export const SIZE_UNITS = '20k or 20kB are 20000, 20KiB 20480, 1.5M 1500000';

/**
 * A number of bytes, undefined if it was not given: 20000, 20k and 20kB (1000 bytes each), 20Ki and 20KiB (1024), and so
 * on with M and G, upper or lower case; fractions of a byte are left out. @throws DcompError E_USAGE
 */
export function bytesOption(args: RawArgs, name: string): number | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const [, number, prefix = '', binary = ''] = /^\+?(\d+\.?\d*|\.\d+) ?(?:([kmg])(i?))?b?$/i.exec(text) ?? [];
  const unit = (binary === '' ? 1000 : 1024) ** PREFIXES.indexOf(prefix.toLowerCase());
  const value = unit === 1 ? Number(number) : Math.floor(Number(number) * unit);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new DcompError('E_USAGE', `--${name} is ${text}; it must be a number of bytes, at least 1: ${SIZE_UNITS}`);
  return value;
}

/** A scale as a fraction or a decimal, `1/4`, `0.25` or 1; undefined if it was not given. @throws DcompError E_USAGE */
export function scaleOption(args: RawArgs): number | undefined {
  const text = textOption(args, 'scale');
  if (text === undefined) return undefined;
  const [found, divisor] = /^(?:1\/(\d{1,5})|1(?:\.0*)?|0?\.\d{1,20})$/.exec(text) ?? [];
  const scale = found === undefined ? 0 : divisor === undefined ? Number(found) : 1 / Number(divisor);
  if (scale > 1 || !Number.isInteger(Math.log2(scale)))
    throw new DcompError('E_USAGE', `--scale is ${text}; it must be 1, 1/2, 1/4, 1/8, … or 0.5, 0.25, 0.125, …`);
  return scale;
}

/** `x,y,width,height`; undefined if it is something else. */
export function parseRectangle(text: string): Rectangle | undefined {
  if (!/^\d+(,\d+){3}$/.test(text)) return undefined;
  const [x, y, width, height] = text.split(',').map(Number) as [number, number, number, number];
  return { x, y, width, height };
}

/** Undefined if it was not given. Whether the picture has it is not known yet. @throws DcompError E_USAGE */
export function cropOption(args: RawArgs): Rectangle | undefined {
  const text = textOption(args, 'crop');
  if (text === undefined) return undefined;
  const crop = parseRectangle(text);
  if (crop === undefined || crop.width === 0 || crop.height === 0)
    throw new DcompError(
      'E_USAGE',
      `--crop is "${text}"; it must be x,y,width,height in whole pixels, of at least 1×1`,
    );
  return crop;
}

/** A file name argument. yargs gives it as a string even where it looks like a number. */
export function fileArgument(args: RawArgs, name: string): string | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  const text = asText(value);
  if (text === '') throw new DcompError('E_USAGE', `the ${name} file name is empty`);
  return text;
}

/** File names of an argument that takes several; at least one. */
export function fileArguments(args: RawArgs, name: string): string[] {
  const value = args[name];
  const names = (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(asText);
  if (names.length === 0) throw new DcompError('E_USAGE', 'a file name is missing');
  if (names.includes('')) throw new DcompError('E_USAGE', 'a file name is empty');
  return names;
}

/** @throws DcompError E_USAGE, E_IO */
export function outputFlags(args: RawArgs): { verbose: boolean; quiet: boolean } {
  const verbose = flag(args, 'verbose');
  const quiet = flag(args, 'quiet');
  if (verbose && quiet) throw new DcompError('E_USAGE', '--verbose and --quiet contradict each other');
  return { verbose, quiet };
}

/**
 * What --model means: a name of the package's models, or the contents of a model file.
 * @throws DcompError E_IO, which tells the names
 */
export function namedModel(model: string): GivenModel {
  if (isModelName(model)) return model;
  try {
    return readInput(model);
  } catch (error) {
    if (!(error instanceof DcompError)) throw error;
    const names = Object.keys(MODELS).join(' and ');
    throw new DcompError(error.code, `${error.message}; the models of the package are ${names}`, { cause: error });
  }
}

/** What --engine says. @throws DcompError E_USAGE */
export function engineOption(args: RawArgs): EngineName {
  const text = textOption(args, 'engine') ?? 'auto';
  const engine = ENGINES.find((each) => each === text);
  if (engine === undefined) throw new DcompError('E_USAGE', `--engine is ${text}; it must be ${ENGINES.join(', ')}`);
  return engine;
}

/** @throws DcompError E_USAGE, E_IO */
export function commonOptions(args: RawArgs): CommonOptions {
  const threads =
    numberOption(args, 'threads', { min: 1, max: MAX_THREADS, whole: true }) ??
    Math.min(availableParallelism(), MAX_THREADS);
  const model = textOption(args, 'model');
  const given = model === undefined ? undefined : namedModel(model);
  return { ...outputFlags(args), threads, engine: engineOption(args), model: given };
}
