#!/usr/bin/env node
/** The command line: yargs finds the command and refuses what it does not know; each command is a file of its own. */
import { readFileSync } from 'node:fs';
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';
import yargs, { hideBin } from './vendor/yargs.js';
import { DcompError } from '../src/errors.js';
import { ioError } from '../formats/files.js';
import { oneLine } from '../formats/text.js';
import { EXIT_MISUSE, reportError } from './errors.js';
import { DASH, flag, outputOptions, type RawArgs } from './options.js';

/** What a command's file holds; it is loaded only when the command is the one asked for. */
interface CommandFile {
  /** Declares positionals and options. */
  builder(yargs: Argv): void;
  /** @returns the exit code, if it is not 0 though nothing is thrown */
  run(args: RawArgs): Promise<number | void>;
}

const COMMANDS: { usage: string; about: string; load: () => Promise<CommandFile> }[] = [
  { usage: 'encode <files..>', about: 'Code pictures', load: () => import('./encode.js') },
  { usage: 'decode <files..>', about: 'Make pictures of .dcz files', load: () => import('./decode.js') },
  { usage: 'info <files..>', about: 'Show what .dcz files hold', load: () => import('./info.js') },
  { usage: 'verify <files..>', about: 'Check .dcz files for damage', load: () => import('./verify.js') },
  { usage: 'repair <input> <output>', about: 'Put a damaged .dcz file right', load: () => import('./repair.js') },
  {
    usage: 'packets <action> <files..>',
    about: 'Send pictures in short messages of which some may be lost, and put them together again',
    load: () => import('./packets.js'),
  },
  { usage: 'denoise <input> <output>', about: 'Take noise out of a picture', load: () => import('./denoise.js') },
  { usage: 'upscale <input> <output>', about: 'Make a picture larger', load: () => import('./upscale.js') },
  { usage: 'inpaint <input> <output>', about: 'Paint a part of a picture anew', load: () => import('./inpaint.js') },
  { usage: 'sample <output>', about: 'Draw pictures out of nothing', load: () => import('./sample.js') },
  {
    usage: 'placeholder <file>',
    about: 'Print a picture as some dozen characters, for a page to show until it is there',
    load: () => import('./placeholder.js'),
  },
  {
    usage: 'eval <inputs..>',
    about: 'Compare dcomp with other codecs on a folder of PNG pictures',
    load: () => import('./eval.js'),
  },
  {
    usage: 'worker',
    about: 'Code what other machines put into a queue (encode --redis)',
    load: () => import('./worker.js'),
  },
  {
    usage: 'jsonl',
    about: 'Code what lines of JSON on stdin name, for pipes of other programs',
    load: () => import('./jsonl.js'),
  },
  { usage: 'train', about: 'Train the network on a folder of PNG pictures', load: loadTrain },
];

async function loadTrain(): Promise<CommandFile> {
  const { trainCommand } = await import('./train.js');
  const { builder, handler } = trainCommand as CommandModule<object, RawArgs>;
  return {
    builder: (own) => void (typeof builder === 'function' && builder(own)),
    run: async (args) => handler(args as ArgumentsCamelCase<RawArgs>),
  };
}

function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** yargs' complaints as misuse, in our own words where its are not clear. */
function misuse(complaint: string): DcompError {
  if (complaint.startsWith('Not enough non-option arguments'))
    return new DcompError('E_USAGE', missingNames(command ?? ''));
  const unknown = /^Unknown arguments?: (.*)$/s.exec(complaint)?.[1];
  if (unknown !== undefined)
    return new DcompError('E_USAGE', `unknown argument: ${oneLine(asTyped(unknown.split(', ')))}`);
  const text = oneLine(complaint);
  return new DcompError('E_USAGE', text.charAt(0).toLowerCase() + text.slice(1));
}

/** What a command wants of names, as its usage has it. */
function missingNames(name: string): string {
  const wanted = COMMANDS.find(({ usage }) => usage.split(' ')[0] === name)?.usage ?? name;
  return `a file name is missing: dcomp ${wanted}`;
}

/** Arguments that nothing knows, as they were typed: yargs takes dashes off, and adds names of its own. */
function asTyped(names: string[]): string {
  const typed = hideBin(process.argv).map((arg) => arg.replace(/=.*$/s, ''));
  const found = typed.filter((arg) => names.includes(arg.replace(/^--?(no-)?/, '')));
  return (found.length > 0 ? found : names).join(', ');
}

/**
 * What follows `--` is a name, whatever it looks like. yargs does not count such names as a command's arguments, so those
 * that look like options are given a form that does not.
 */
function plainNames(args: string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const names = args.slice(end + 1).map((name) => (/^-./.test(name) ? `./${name}` : name));
  return [...args.slice(0, end), ...names].map((arg) => (arg === '-' ? DASH : arg));
}

const NAMES = COMMANDS.map(({ usage }) => usage.split(' ')[0]!);

/** `help encode` is `encode --help`; options may stand before the command. @throws DcompError E_USAGE */
async function commandFirst(args: string[]): Promise<string[]> {
  if (args[0] === 'help') return commandFirst([...args.slice(1), '--help']);
  const at = await placeOfCommand(args);
  if (at === -1) return args;
  const word = args[at]!;
  if (!NAMES.includes(word))
    throw new DcompError('E_USAGE', `unknown command: ${word}; there are ${NAMES.join(', ')} and help`);
  command = word;
  return [word, ...args.slice(at + 1), ...args.slice(0, at)];
}

/** The first argument that is neither an option nor an option's value, -1 if there is none. */
async function placeOfCommand(args: string[]): Promise<number> {
  if (args[0] === undefined || !args[0].startsWith('-')) return args.length > 0 ? 0 : -1;
  if (args.every((arg) => arg.startsWith('-'))) return -1;
  const withValue = await optionsWithValue();
  for (let i = 0; i < args.length; i++) {
    const [, dashes, name = '', value] = /^(--?)([^=]*)(=.*)?$/s.exec(args[i]!) ?? [];
    if (dashes === undefined) return i;
    // Of `-q30` the value is in the argument itself.
    if (value === undefined && withValue.has(name)) i++;
  }
  return -1;
}

/** Names and letters of the options of all commands that a value follows. */
async function optionsWithValue(): Promise<Set<string>> {
  const all = yargs();
  for (const { load } of COMMANDS) (await load()).builder(all);
  const { string, alias } = (all as unknown as { getOptions(): Known }).getOptions();
  return new Set(string.flatMap((name) => [name, ...(alias[name] ?? [])]));
}

/** What yargs knows of options; its types do not have it. */
interface Known {
  string: string[];
  alias: Record<string, string[]>;
}

/**
 * The command that was found. It is thrown out of yargs, which would lay out the help, for tens of milliseconds, as soon as a
 * command of its own has begun.
 */
class Chosen extends Error {
  constructor(
    readonly file: CommandFile,
    readonly args: RawArgs,
  ) {
    super('a command was found');
  }
}

let verbose = false;
/** The command that is asked for, as soon as it is known. */
let command: string | undefined;

function parserOf(args: string[]): Argv {
  const parser = yargs(args)
    .scriptName('dcomp')
    .usage('$0: an image codec that is a diffusion model\n\nUsage: $0 <command> [options]')
    .epilogue('Of each command: dcomp help <command>')
    .parserConfiguration({ 'dot-notation': false, 'parse-positional-numbers': false })
    .detectLocale(false)
    .strict()
    .demandCommand(1, 'no command is given')
    .version(version())
    .alias('help', 'h')
    .group(['help', 'version'], 'General:')
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((complaint: string | null, error: Error | undefined) => {
      // yargs hands over the errors of commands as well as its own complaints.
      throw error !== undefined && error.name !== 'YError'
        ? error
        : misuse(complaint ?? error?.message ?? 'the command line is not understood');
    });
  outputOptions(parser); // before or after the command's name
  // Of the others nothing is asked, and laying them out takes a while.
  const asked = COMMANDS.filter(({ usage }) => command === undefined || usage.split(' ')[0] === command);
  for (const { usage, about, load } of asked) {
    let file: CommandFile;
    parser.command(
      usage,
      about,
      async (own) => {
        file = await load();
        file.builder(own);
      },
      (parsed) => {
        throw new Chosen(file, parsed);
      },
    );
  }
  return parser;
}

async function main(): Promise<number> {
  try {
    if (process.argv.length === 2) {
      process.stderr.write(`${await parserOf([]).getHelp()}\n`);
      return EXIT_MISUSE;
    }
    const chosen: unknown = await parserOf(await commandFirst(plainNames(hideBin(process.argv))))
      .parseAsync()
      .catch((error: unknown) => error);
    if (chosen instanceof Chosen) {
      verbose = flag(chosen.args, 'verbose');
      return (await chosen.file.run(chosen.args)) ?? 0;
    }
    if (chosen instanceof Error) throw chosen;
    return 0; // help or the version
  } catch (error) {
    // While a command's options are still being loaded, yargs throws its own complaints past `fail`.
    const reported = error instanceof Error && error.name === 'YError' ? misuse(error.message) : error;
    return reportError(reported, verbose, `dcomp ${command === undefined ? '--help' : `help ${command}`}`);
  }
}

// `dcomp info FILE | head -1` closes the pipe early, which is no failure (unless something is still to be done, then
// process.exitCode says so); nor is a log that nobody reads any more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(reportError(ioError('write', 'stdout', error), verbose));
  process.exit();
});
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error) => process.exit(reportError(error, verbose)));

process.exitCode = await main();
