/**
 * Makes messages: pictures of some dozen to some thousand bytes (`src/container/message.ts`). Such a picture is so small that it can be coded
 * in several ways, and decoded, and the best one taken; which way that is a message says in a byte.
 */
import {
  MESSAGE_NU,
  messageOverhead,
  writeMessage,
  type MessageCheck,
  type MessageHeader,
  type MessageSchedule,
} from '../container/message.js';
import { BitReader } from '../entropy/bits.js';
import { DcompError } from '../errors.js';
import type { Evaluator } from '../model/evaluator.js';
import type { Picture } from '../picture.js';
import { folded } from '../pixels/fold.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { isGrey } from '../pixels/picture-planes.js';
import { inTurns, withoutTurns, type Pause } from '../turns.js';
import {
  checkMessagePicture,
  newSession,
  receive,
  shownPicture,
  type MessageOptions,
  type MessageResult,
} from './message-codec.js';
import { psnr } from './psnr.js';
import type { Session } from './session.js';
import { BitChannel } from './stream.js';

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

/** A message that may be the best one. */
interface Candidate {
  header: MessageHeader;
  bits: Uint8Array;
  /** In dB, of a look by one view. */
  look: number;
}

/** Candidates of a size that are shown as a reader shows them: a look costs a quarter of that, and tells which they are. */
const SHOWN = 2;

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
  const different = [...new Set(sizes)];
  const results = await ofDifferentSizes(source, evaluator, different, options);
  return sizes.map((size) => {
    const { bytes, psnr } = results[different.indexOf(size)]!;
    return { bytes: bytes.slice(), psnr };
  });
}

async function ofDifferentSizes(
  source: Picture,
  evaluator: Evaluator,
  sizes: readonly number[],
  options: MessageOptions & { pause?: Pause },
): Promise<MessageResult[]> {
  const picture = checkMessagePicture(source);
  const { check = 0, sizeIsTold = false, effort = 9, onProgress, pause = withoutTurns(options.signal) } = options;
  const candidates: Candidate[][] = sizes.map(() => []);
  const ways = WAYS.slice(0, TRIED[effort - 1]);
  const smallest = sizes.reduce((least, size) => Math.min(least, size), Infinity);
  for (const [i, way] of ways.entries()) {
    const header = headerOf(picture, evaluator, check, { ...way, trustsMeans: true });
    const overhead = messageOverhead(header, sizeIsTold);
    if (smallest <= overhead)
      throw new DcompError(
        'E_UNREACHABLE',
        `a message of ${smallest} bytes is not possible: its header alone takes ${overhead}`,
      );
    const lengths = sizes.map((size) => size - overhead);
    for await (const { k, session, bits } of knownByLength(picture, evaluator, header, lengths, pause)) {
      for (const own of shownBy(header, session)) {
        // Of one way, all that there is will be shown.
        const look = ways.length === 1 ? 0 : psnr(await shownPicture(session, own, 1), picture);
        candidates[k] = bestOf([...candidates[k]!, { header: own, bits, look }]);
      }
    }
    onProgress?.({ fraction: (i + 1) / (ways.length + 1), stage: `way ${i + 1} of ${ways.length}` });
  }
  const results: MessageResult[] = [];
  for (const some of candidates) results.push(await bestShown(picture, evaluator, some, sizeIsTold, pause));
  onProgress?.({ fraction: 1, stage: 'the best of them' });
  return results;
}

function headerOf(
  { width, height, channels }: Picture,
  { model }: Evaluator,
  check: MessageCheck,
  schedule: MessageSchedule,
): MessageHeader {
  return { width, height, grey: isGrey(channels), check, schedule, model: model.id.slice(0, 2) };
}

/** Ways to show what is known: at level 0 there is no mean of a coarser one to trust. */
function shownBy(header: MessageHeader, { level }: Session): MessageHeader[] {
  return level === 0 ? [header] : [header, { ...header, schedule: { ...header.schedule, trustsMeans: false } }];
}

/** The first of equal ones first. */
const bestOf = (candidates: Candidate[]): Candidate[] => candidates.sort((a, b) => b.look - a.look).slice(0, SHOWN);

/**
 * Codes in one way, and by the length of the bits in bytes gives what a reader knows. Encoder and reader know the same after each step:
 * only that in which a length ends is read.
 */
async function* knownByLength(
  picture: Picture,
  evaluator: Evaluator,
  header: MessageHeader,
  lengths: readonly number[],
  pause: Pause,
): AsyncGenerator<{ k: number; session: Session; bits: Uint8Array }> {
  const session = newSession(header, evaluator, pause);
  const coefficients = await inTurns(PictureCoefficients.of(folded(picture), session.sizes.length - 1), pause);
  const channel = new BitChannel(MESSAGE_NU);
  const most = 8 * lengths.reduce((longest, length) => Math.max(longest, length), 0);
  const left = new Set(lengths.keys());
  while (session.next !== undefined && channel.bits < most) {
    const before = session.fork();
    const start = channel.bits;
    do await session.runUnit(channel, coefficients.rowsOf(session.next.step.level));
    while (session.underWay && channel.bits < most);
    const bits = channel.packed();
    for (const k of left) {
      if (8 * lengths[k]! > channel.bits) continue;
      left.delete(k);
      const reader = new BitReader(bits, 0, 8 * lengths[k]!);
      reader.skip(start);
      yield { k, session: await receive(before.fork(), reader), bits: bits.subarray(0, lengths[k]) };
    }
  }
  const bits = channel.packed();
  for (const k of left) yield { k, session, bits };
}

/** Of some candidates the one that a reader sees best. */
async function bestShown(
  picture: Picture,
  evaluator: Evaluator,
  candidates: readonly Candidate[],
  sizeIsTold: boolean,
  pause: Pause,
): Promise<MessageResult> {
  let best: MessageResult | undefined;
  for (const { header, bits } of candidates) {
    const session = await receive(newSession(header, evaluator, pause), new BitReader(bits));
    const found = psnr(await shownPicture(session, header), picture);
    if (best === undefined || found > best.psnr) best = { bytes: writeMessage(header, sizeIsTold, bits), psnr: found };
  }
  return best!;
}
