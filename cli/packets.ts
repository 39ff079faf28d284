/** `dcomp packets encode IN [OUT]`, `dcomp packets decode IN… OUT`: pictures over links with short messages that may be lost. */
import { THOROUGH_MODEL } from '../src/models/registry.js';
import { readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Argv } from 'yargs';
import { MAGIC } from '../src/format.js';
import { decode, decodeMessage, DcompError, encode, encodeMessages, type Target } from '../src/node.js';
import {
  joinPackets,
  LINKS,
  makePackets,
  planPackets,
  type LinkName,
  type PacketOptions,
} from '../src/packets/index.js';
import { MAX_PACKET_BYTES } from '../src/packets/packets.js';
import { PICTURE_FORMATS, formatOfName, formatOfOption } from '../formats/formats.js';
import { inputName, ioError, makeFolder, outputName, readSource, STANDARD } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import { readPicture } from '../formats/read.js';
import { resizePicture } from '../formats/resize.js';
import { barePicture } from '../formats/upright.js';
import { writePicture } from '../formats/write.js';
import { isFolder } from './batch/sources.js';
import { chooseTarget, resizeOf } from './encode.js';
import { about } from './errors.js';
import {
  bytesOption,
  commonOptions,
  engineOptions,
  fileArguments,
  flag,
  isMessage,
  maxPixelsOption,
  numberOption,
  SIZE_UNITS,
  sizeOption,
  textOption,
  type RawArgs,
} from './options.js';
import { note } from './report.js';
import { defined } from '../src/options.js';

/** A file that holds one packet. */
const PACKET = '.packet';
/** A file of packets as lines of base64: what queues and text messages carry. */
const LINES = '.txt';
const ACTIONS = ['encode', 'decode'] as const;

export function builder(yargs: Argv): void {
  const text = { type: 'string', requiresArg: true } as const;
  yargs
    .positional('action', { ...text, choices: ACTIONS, describe: 'To packets, or back' })
    .positional('files', {
      type: 'string',
      array: true,
      describe: `encode: a picture or .dcz file, and perhaps a folder for packets, or a ${LINES} file for lines of base64; decode: such folders and files, in any order, and a picture`,
    })
    .option('output', { ...text, alias: 'o', describe: 'The output, in place of a last name; - for stdout' })
    .option('link', { ...text, describe: `Length of a packet: ${Object.keys(LINKS).join(', ')}` })
    .option('bytes', { ...text, describe: `Or: bytes of a packet, at most; ${SIZE_UNITS}` })
    .option('count', {
      ...text,
      describe: 'Packets, 1 to 256, which the picture fills  [default: as the target needs]',
    })
    .option('redundancy', { ...text, describe: 'How many more than are needed, such as 30%  [default: 0%]' })
    .option('preview', {
      ...text,
      describe: 'BYTES or BYTES/N: so much of the beginning in every packet, or in shares of which any N give it',
    })
    .option('quality', { ...text, alias: 'q', describe: 'Without --count: quality 1 to 100' })
    .option('bpp', { ...text, describe: 'Or: bits per pixel, not to be exceeded' })
    .option('size', { ...text, describe: 'Or: bytes of the picture, not to be exceeded' })
    .option('profile', {
      ...text,
      describe:
        'What the packets hold: message, the picture alone, or a .dcz file  [default: message, by quality or PSNR a file]',
    })
    .option('psnr', { ...text, describe: 'Or: PSNR in dB, to be reached' })
    .option('resize', { ...text, describe: 'Before coding: WxH, W or xH pixels, or 50%' })
    .option('fit', { ...text, describe: 'With --resize WxH, as of encode' })
    .option('effort', { ...text, describe: 'Encoder’s search, 1 to 9  [default: 9]' })
    .option('id', { ...text, describe: 'decode: the picture to be had, if there are several' })
    .option('format', { ...text, describe: `decode: ${PICTURE_FORMATS.join(', ')}  [default: by the output's name]` })
    .option('force', { alias: 'f', type: 'boolean', describe: 'Replace outputs that exist' });
  sizeOption(yargs);
  engineOptions(yargs, THOROUGH_MODEL);
  yargs
    .example('$0 packets encode photo.jpg --resize 160x120 --link lora --count 6 --redundancy 30%', 'photo-packets/…')
    .example('$0 packets decode photo-packets back.png', 'From whatever is there');
}

/** @returns 1 where the picture is not complete */
export async function run(args: RawArgs): Promise<number> {
  return args['action'] === 'encode' ? encodeTo(args) : decodeFrom(args);
}

/** @throws DcompError E_USAGE */
function packetOptions(args: RawArgs): PacketOptions {
  const link = textOption(args, 'link');
  const given = bytesOption(args, 'bytes');
  if (link !== undefined && !Object.hasOwn(LINKS, link))
    throw new DcompError('E_USAGE', `--link is ${link}; it must be one of ${Object.keys(LINKS).join(', ')}`);
  if ((link === undefined) === (given === undefined))
    throw new DcompError('E_USAGE', 'give the length of a packet, by --bytes or by --link, and not by both');
  const count = numberOption(args, 'count', { min: 1, max: 256, whole: true });
  const preview = previewOf(args);
  return {
    bytes: given ?? LINKS[link as LinkName].bytes,
    redundancy: redundancyOf(args),
    ...defined({ count, preview }),
  };
}

/** `30%` or 0.3 @throws DcompError E_USAGE */
function redundancyOf(args: RawArgs): number {
  const text = textOption(args, 'redundancy') ?? '0';
  const [, number, percent] = /^(\d+\.?\d*|\.\d+)(%)?$/.exec(text) ?? [];
  const value = Number(number) / (percent === undefined ? 1 : 100);
  if (number === undefined || value > 100)
    throw new DcompError('E_USAGE', `--redundancy is ${text}; it must be a percentage such as 30%, or 0.3`);
  return value;
}

/** `BYTES` or `BYTES/N` @throws DcompError E_USAGE */
function previewOf(args: RawArgs): PacketOptions['preview'] {
  const text = textOption(args, 'preview');
  if (text === undefined) return undefined;
  const [, bytes, need = '1'] = /^(\d{1,6})(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (bytes === undefined)
    throw new DcompError('E_USAGE', `--preview is ${text}; it must be a number of bytes, and perhaps /N: 60 or 120/3`);
  return { bytes: Number(bytes), need: Number(need) };
}

/** What the names on the command line are: inputs, and the output. */
function namesOf(args: RawArgs): { inputs: string[]; output: string | undefined } {
  const names = fileArguments(args, 'files');
  const output = textOption(args, 'output') ?? (names.length > 1 ? names.pop() : undefined);
  return { inputs: names, output };
}

async function encodeTo(args: RawArgs): Promise<number> {
  const { inputs, output } = namesOf(args);
  const [input] = inputs;
  if (input === undefined || inputs.length > 1)
    throw new DcompError('E_USAGE', `${inputs.length} pictures are named; a set of packets is of one`);
  const options = packetOptions(args);
  const { quiet } = commonOptions(args);
  const name = input === STANDARD ? 'picture' : basename(input, extname(input));
  const to = output ?? `${input === STANDARD ? '' : input.slice(0, -extname(input).length || undefined)}-packets`;
  const source = await readSource(input);
  let packets: Uint8Array[];
  try {
    packets = makePackets(await fileOf(source, options, args), options);
  } catch (error) {
    throw about(inputName(input), error);
  }
  const written = { replace: flag(args, 'force') };
  if (to === STANDARD || extname(to) === LINES) {
    const lines = packets.map((packet) => `${Buffer.from(packet).toString('base64')}\n`).join('');
    await writeOutput(input, to, async () => Promise.resolve(new TextEncoder().encode(lines)), written);
  } else {
    makeFolder(to);
    for (const [i, packet] of packets.entries()) {
      const path = join(to, `${name}-${String(i).padStart(3, '0')}${PACKET}`);
      await writeOutput(input, path, async () => Promise.resolve(packet), written);
    }
  }
  const need = joinPackets(packets)[0]!.need;
  if (!quiet)
    note(
      `${outputName(to)}: ${packets.length} packets of ${packets[0]!.length} bytes, of which any ${need} are enough`,
    );
  return 0;
}

/** First byte of a .dcz file, and of no message. */
const FILE_MARK = MAGIC[0]!;

/** What to send: a .dcz file as it is, a picture coded to what fits. */
async function fileOf(source: Uint8Array, options: PacketOptions, args: RawArgs): Promise<Uint8Array> {
  if (source[0] === FILE_MARK) return source;
  const { threads, engine, model } = commonOptions(args);
  const maxPixels = maxPixelsOption(args);
  const target = targetOf(options, args);
  const asMessage = target !== 'lossless' && 'size' in target && (args['profile'] === undefined || isMessage(args));
  const { picture: read } = await readPicture(source, 'default', maxPixels);
  const resize = resizeOf(args);
  const picture = resize === undefined ? read : await resizePicture(read, resize, maxPixels);
  const settings = {
    effort: numberOption(args, 'effort', { min: 1, max: 9, whole: true }) ?? 9,
    threads,
    engine,
    ...defined({ model }),
  };
  if (!asMessage) return (await encode(picture, { target, maxPixels, ...settings })).bytes;
  return (await encodeMessages((await barePicture(picture)).picture, [target.size], settings))[0]!.bytes;
}

/** With a count what fits, else what is asked for. @throws DcompError E_USAGE */
function targetOf(options: PacketOptions, args: RawArgs): Target {
  const asked = ['quality', 'bpp', 'size', 'psnr'].filter((name) => args[name] !== undefined);
  if (options.count === undefined) {
    if (asked.length > 0) return chooseTarget(args);
    throw new DcompError('E_USAGE', 'say how many packets there are to be: --count; or what of the picture: --quality');
  }
  if (asked.length === 0) return { size: planPackets(options).room };
  throw new DcompError('E_USAGE', `--count and --${asked[0]} contradict each other; give one of them`);
}

async function decodeFrom(args: RawArgs): Promise<number> {
  const { inputs, output } = namesOf(args);
  const { threads, engine, model, quiet } = commonOptions(args);
  const maxPixels = maxPixelsOption(args);
  const id = numberOption(args, 'id', { min: 0, max: 0xffff, whole: true });
  const asked = textOption(args, 'format');
  if (output === undefined) throw new DcompError('E_USAGE', 'name the picture that the packets are to become');
  const format = asked !== undefined ? formatOfOption(asked) : (formatOfName(output) ?? 'png');
  const messages = (await Promise.all(inputs.map(messagesOf))).flat();
  const pictures = joinPackets(messages);
  const found = id === undefined ? pictures[0] : pictures.find((each) => each.id === id);
  if (found === undefined)
    throw new DcompError(
      'E_EMPTY',
      `none of the ${messages.length} messages is a packet${id === undefined ? '' : ` of picture ${id}`}; give those that arrived`,
    );
  const { bytes, complete, received, need } = found;
  const left = messages.length - received;
  const others = pictures.filter((each) => each !== found && each.complete).map((each) => each.id);
  const ofOthers = others.length === 0 ? '' : ` (--id ${others.slice(0, 5).join(' or ')} is another picture)`;
  const told = `picture ${found.id}: ${received} packets of ${need} that are enough`;
  if (bytes.length === 0)
    throw new DcompError(
      'E_TRUNCATED',
      `${told}, and none of them holds its beginning; get more of them (${left} others are of no use)`,
    );
  await writeOutput(
    undefined,
    output,
    async () => {
      const settings = { threads, engine, ...defined({ model }) };
      const picture =
        bytes[0] === FILE_MARK
          ? await decode(bytes, { maxPixels, ...(complete ? {} : { maxBytes: bytes.length }), ...settings })
          : await decodeMessage(bytes, { maxPixels, ...settings });
      return (await writePicture(picture, format, 'all')).bytes;
    },
    { replace: flag(args, 'force') },
  );
  if (!quiet || !complete)
    note(
      `${outputName(output)}: ${told}${left === 0 ? '' : `, ${left} others left out${ofOthers}`}${complete ? '' : `; a coarser picture, of ${bytes.length} bytes`}`,
    );
  return complete ? 0 : 1;
}

/** The messages of a folder, a file of lines, or a file that is one. @throws DcompError E_IO */
async function messagesOf(name: string): Promise<Uint8Array[]> {
  if (name === STANDARD) return linesOf(await readSource(name));
  if (!isFolder(name)) return messagesOfFile(name);
  const messages: Uint8Array[] = [];
  // One after the other, as there may be more of them than a process may have open.
  for (const file of filesOf(name)) for (const each of await messagesOfFile(join(name, file))) messages.push(each);
  return messages;
}

async function messagesOfFile(name: string): Promise<Uint8Array[]> {
  if (extname(name) === LINES) return linesOf(await readSource(name));
  // What is longer than any packet is none, and is not read.
  const size = statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  return [size > MAX_PACKET_BYTES ? new Uint8Array(0) : await readSource(name)];
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    throw ioError('read', folder, error);
  }
}

/** Messages of lines of base64; what is none is not a packet either. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.map((line) => Uint8Array.from(Buffer.from(line, 'base64')));
}
