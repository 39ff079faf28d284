/**
 * Messages: pictures of some dozen to some thousand bytes (`container/message.ts`). Such a picture is so small that it can be coded in
 * several ways, and decoded, and the best one taken; which way that is a message says in a byte.
 */
import { BitReader } from '../entropy/bits.js';
import { DcompError } from '../errors.js';
import {
  checkMessageSize,
  MAX_MESSAGE_PIXELS,
  MESSAGE_CHECKS,
  MESSAGE_NU,
  messageOverhead,
  readMessage,
  scheduleOf,
  writeMessage,
  type MessageCheck,
  type MessageHeader,
  type MessageSchedule,
} from '../container/message.js';
import { codedSize } from '../format.js';
import type { Size } from '../math/rectangle.js';
import type { Evaluator } from '../model/evaluator.js';
import {
  isBoolean,
  isFunction,
  isOneOf,
  isSignal,
  isWhole,
  checkObject,
  checkValues,
  type Check,
  type Checks,
} from '../options.js';
import { MAX_SIDE, pictureOf, withDepth, type Picture } from '../picture.js';
import { folded, unfolded } from '../pixels/fold.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { hasAlpha, isGrey, PictureRows } from '../pixels/picture-planes.js';
import { inTurns, withoutTurns, type Pause } from '../turns.js';
import type { Progress } from './encoder-options.js';
import { psnr } from './psnr.js';
import { DECODER_CHECKS } from './decoder-options.js';
import { Receiver } from './receiver.js';
import { Session } from './session.js';
import { BitChannel } from './stream.js';

/** How a picture becomes a message. */
export interface MessageOptions {
  /** Bits of a checksum, 0, 8, 16 or 32, for links that have none. Default 0. */
  check?: MessageCheck;
  /** Whether the reader is told the size of the picture; it then takes no bytes. Default: false. */
  sizeIsTold?: boolean;
  /** 1..9: how many ways of coding are tried; 9, the default, is all. */
  effort?: number;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** A message and how good it is. */
export interface MessageResult {
  /** The message, of at most the size that was asked for. */
  bytes: Uint8Array;
  /** In dB over the colour samples of what it decodes to. */
  psnr: number;
}

/** What the reader of a message knows besides. */
export interface MessageDecodeOptions {
  /** Size of the picture in pixels, where the message does not say it; 2^18 pixels at most. */
  size?: Size;
  /** Decode it though its checksum does not hold, or though it is only the beginning of a message. */
  allowDamaged?: boolean;
  /** Refuse pictures of more pixels. Default: 2^18, which no message exceeds. */
  maxPixels?: number;
  signal?: AbortSignal;
}

/** The picture of a message, of 1 or 3 channels of 8 bits. */
export interface MessageDecodeResult extends Picture {
  /** Network evaluations, also in multiples of one at full resolution. */
  evaluations: number;
  work: number;
}

const isSize: Check<Size> = (value, name) => {
  checkObject(value, name, 'an object such as { width: 160, height: 120 }');
  const side = isWhole(1, MAX_SIDE, ' of pixels');
  const { width, height } = checkValues<Partial<Size>>({ ...value }, { width: side, height: side });
  if (width === undefined || height === undefined) throw new DcompError('E_USAGE', `${name} needs width and height`);
  return { width, height };
};

/** What each option of a message's encoding can be. */
export const MESSAGE_ENCODE_CHECKS: Checks<MessageOptions> = {
  check: isOneOf(MESSAGE_CHECKS),
  sizeIsTold: isBoolean,
  effort: isWhole(1, 9),
  onProgress: isFunction,
  signal: isSignal,
};

/** What each option of a message's decoding can be. */
export const MESSAGE_DECODE_CHECKS: Checks<MessageDecodeOptions> = {
  size: isSize,
  allowDamaged: isBoolean,
  maxPixels: DECODER_CHECKS.maxPixels,
  signal: isSignal,
};

/** Ways of coding, the best ones on average first; which is best for a picture is chance, and worth 0.15 dB. */
const WAYS: readonly Omit<MessageSchedule, 'trustsMeans'>[] = [
  { coarseWidth: 4, firstWidth: 0, coarsestWidth: 8, coarseViews: 1 },
  { coarseWidth: 4, firstWidth: 2, coarsestWidth: 8, coarseViews: 4 },
  { coarseWidth: 3, firstWidth: 0, coarsestWidth: 8, coarseViews: 4 },
  { coarseWidth: 4, firstWidth: 1, coarsestWidth: 8, coarseViews: 1 },
  { coarseWidth: 4, firstWidth: 3, coarsestWidth: 8, coarseViews: 4 },
  { coarseWidth: 6, firstWidth: 0, coarsestWidth: 16, coarseViews: 2 },
  { coarseWidth: 3, firstWidth: 1, coarsestWidth: 8, coarseViews: 1 },
  { coarseWidth: 3, firstWidth: 2, coarsestWidth: 8, coarseViews: 1 },
];
/** By effort, from 1 on. */
const TRIED = [1, 1, 1, 1, 1, 1, 2, 4, WAYS.length];

/** @returns the picture as a message has it: 8 bits, no metadata @throws DcompError E_PICTURE, E_TOO_LARGE */
export function checkMessagePicture(source: unknown): Picture {
  const picture = pictureOf(source);
  checkMessageSize(picture);
  const { width, height, channels, data } = withDepth(picture, 8);
  if (hasAlpha(channels))
    throw new DcompError(
      'E_PICTURE',
      'a message has no alpha; put the picture on a background first, or make a .dcz file',
    );
  return { width, height, channels, data };
}

/**
 * A picture as messages of some sizes, each as good as it can be made.
 * @param source of 1 or 3 channels
 * @param sizes bytes, at most, in any order
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_UNREACHABLE, E_USAGE, E_ABORTED
 */
export async function encodeMessages(
  source: Picture,
  evaluator: Evaluator,
  sizes: readonly number[],
  options: MessageOptions & { pause?: Pause } = {},
): Promise<MessageResult[]> {
  const picture = checkMessagePicture(source);
  const { check = 0, sizeIsTold = false, effort = 9, onProgress, pause = withoutTurns(options.signal) } = options;
  const best: (MessageResult | undefined)[] = sizes.map(() => undefined);
  const ways = WAYS.slice(0, TRIED[effort - 1]);
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  const smallest = sizes.reduce((least, size) => Math.min(least, size), Infinity);
  for (const [i, way] of ways.entries()) {
    const header = headerOf(picture, evaluator, check, { ...way, trustsMeans: true });
    const overhead = messageOverhead(header, sizeIsTold);
    const most = largest - overhead;
    if (smallest <= overhead)
      throw new DcompError(
        'E_UNREACHABLE',
        `a message of ${smallest} bytes is not possible: its header alone takes ${overhead}`,
      );
    const bits = await bitsOf(picture, evaluator, header.schedule, most, pause);
    for (const [k, size] of sizes.entries()) {
      const result = await betterShown(
        picture,
        bits.subarray(0, size - overhead),
        evaluator,
        header,
        sizeIsTold,
        pause,
      );
      if (best[k] === undefined || result.psnr > best[k].psnr) best[k] = result;
    }
    onProgress?.({ fraction: (i + 1) / ways.length, stage: `way ${i + 1} of ${ways.length}` });
  }
  return best as MessageResult[];
}

function headerOf(
  { width, height, channels }: Picture,
  { model }: Evaluator,
  check: MessageCheck,
  schedule: MessageSchedule,
): MessageHeader {
  return { width, height, grey: isGrey(channels), check, schedule, model: model.id.slice(0, 2) };
}

/** All units' bits, up to so many bytes. */
async function bitsOf(
  picture: Picture,
  evaluator: Evaluator,
  schedule: MessageSchedule,
  most: number,
  pause: Pause,
): Promise<Uint8Array> {
  const { width, height, channels } = picture;
  const session = new Session(width, height, isGrey(channels), scheduleOf(schedule), evaluator, pause);
  const coefficients = await inTurns(PictureCoefficients.of(folded(picture), session.sizes.length - 1), pause);
  const channel = new BitChannel(MESSAGE_NU);
  for (let unit = session.next; unit !== undefined && channel.bits < 8 * most; unit = session.next)
    await session.runUnit(channel, coefficients.rowsOf(unit.step.level));
  return channel.packed().subarray(0, most);
}

/** A message of the bits, with means trusted or not, as its picture is better. */
async function betterShown(
  picture: Picture,
  bits: Uint8Array,
  evaluator: Evaluator,
  header: MessageHeader,
  sizeIsTold: boolean,
  pause: Pause,
): Promise<MessageResult> {
  const session = await sessionOfBits(bits, evaluator, header, pause);
  const shownBy = async (trustsMeans: boolean): Promise<MessageResult> => {
    const own = { ...header, schedule: { ...header.schedule, trustsMeans } };
    const shown = await shownPicture(session, own);
    return { bytes: writeMessage(own, sizeIsTold, bits), psnr: psnr(shown, picture) };
  };
  const trusting = await shownBy(true);
  if (session.level === 0) return trusting; // which has no mean of a coarser level
  const other = await shownBy(false);
  return other.psnr > trusting.psnr ? other : trusting;
}

/** What is known by a message's bits, as many as there are. */
async function sessionOfBits(
  bits: Uint8Array,
  evaluator: Evaluator,
  { width, height, grey, schedule }: MessageHeader,
  pause: Pause,
): Promise<Session> {
  const session = new Session(width, height, grey, scheduleOf(schedule), evaluator, pause);
  const reader = new BitReader(bits);
  const channel = new Receiver(reader, MESSAGE_NU);
  while (session.next !== undefined && !channel.ended && reader.remaining > 0) await session.runUnit(channel);
  return session;
}

/** The picture of what is known, as the header says. */
async function shownPicture(
  session: Session,
  { width, height, grey, schedule }: MessageHeader,
): Promise<MessageDecodeResult> {
  const rows = new PictureRows(codedSize({ width, height }), grey ? 1 : 3, undefined, 8);
  await session.show(rows.take, 0, undefined, undefined, undefined, scheduleOf(schedule));
  return { ...unfolded(rows.picture, { width, height }), ...session.statistics };
}

/**
 * The picture of a message, or of as much of it as there is.
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_TRUNCATED, E_DAMAGED_HEADER, E_TOO_LARGE, E_OTHER_MODEL, E_DAMAGED_SEGMENT (wrong checksum),
 *   E_USAGE, E_ABORTED
 */
export async function decodeMessageBytes(
  bytes: Uint8Array,
  evaluator: Evaluator,
  {
    size,
    allowDamaged,
    maxPixels = MAX_MESSAGE_PIXELS,
    signal,
    pause = withoutTurns(signal),
  }: MessageDecodeOptions & { pause?: Pause } = {},
): Promise<MessageDecodeResult> {
  const { header, start, intact } = readMessage(bytes, size);
  if (header.width * header.height > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `the message is of ${header.width}×${header.height} pixels, more than the limit of ${maxPixels}; raise the limit (maxPixels) to decode it`,
    );
  const { id } = evaluator.model;
  if (header.model !== id.slice(0, 2))
    throw new DcompError(
      'E_OTHER_MODEL',
      `the message was made with a model whose id begins with ${header.model}, at hand is ${id}; give the model that it was made with`,
    );
  if (!intact && allowDamaged !== true)
    throw new DcompError(
      'E_DAMAGED_SEGMENT',
      `the checksum of the message does not hold: it is damaged or cut; get it again, or allow damage (allowDamaged, --allow-damaged) to see what is there`,
    );
  return shownPicture(await sessionOfBits(bytes.subarray(start), evaluator, header, pause), header);
}
