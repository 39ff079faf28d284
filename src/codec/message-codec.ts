/** What messages are told and what they become; how they are read. (`message-encoder.ts` makes them.) */
import { BitReader } from '../entropy/bits.js';
import { DcompError } from '../errors.js';
import {
  checkMessageSize,
  MAX_MESSAGE_PIXELS,
  MESSAGE_CHECKS,
  MESSAGE_NU,
  readMessage,
  scheduleOf,
  type MessageCheck,
  type MessageHeader,
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
import { unfolded } from '../pixels/fold.js';
import { hasAlpha, PictureRows } from '../pixels/picture-planes.js';
import { withoutTurns, type Pause } from '../turns.js';
import type { Progress } from './encoder-options.js';
import { DECODER_CHECKS } from './decoder-options.js';
import { Receiver } from './receiver.js';
import { Session } from './session.js';

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

/** Nothing known yet of the picture of a message. */
export function newSession(
  { width, height, grey, schedule }: MessageHeader,
  evaluator: Evaluator,
  pause: Pause,
): Session {
  return new Session(width, height, grey, scheduleOf(schedule), evaluator, pause);
}

/** Takes in bits of a message, as many as there are. @returns the session */
export async function receive(session: Session, reader: BitReader): Promise<Session> {
  const channel = new Receiver(reader, MESSAGE_NU);
  while (session.next !== undefined && !channel.ended && reader.remaining > 0) await session.runUnit(channel);
  return session;
}

/** The picture of what is known, as the header says. @param views at most; default: as a reader shows it */
export async function shownPicture(
  session: Session,
  { width, height, grey, schedule }: MessageHeader,
  views?: number,
): Promise<MessageDecodeResult> {
  const rows = new PictureRows(codedSize({ width, height }), grey ? 1 : 3, undefined, 8);
  await session.show(rows.take, 0, undefined, views, undefined, scheduleOf(schedule));
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
  const session = newSession(header, evaluator, pause);
  return shownPicture(await receive(session, new BitReader(bytes.subarray(start))), header);
}
