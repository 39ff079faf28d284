/** What is fuzzed of messages. */
import assert from 'node:assert/strict';
import { corpusPicture } from '../../corpus/pictures.js';
import { decodeMessageBytes, type MessageDecodeResult, type MessageOptions } from '../../src/codec/message-codec.js';
import { encodeMessages } from '../../src/codec/message-encoder.js';
import { messageOverhead, readMessage, writeMessage } from '../../src/container/message.js';
import type { Size } from '../../src/math/rectangle.js';
import { checkPicture } from '../../src/picture.js';
import { evaluatorFor, toldEvaluator, untoldEvaluator } from '../models.js';
import { mutate, numbers } from '../mutate.js';
import { equal, errorOf, read, refused, type Target } from '../target.js';

/** What the reader is told where the message does not say it. */
const TOLD: Size = { width: 13, height: 9 };
/** Larger pictures are refused, so that the network takes little time. */
const FUZZ_PIXELS = 1024;

/** The model's byte right, and the checksum. Neither is what is fuzzed. */
function sealed(bytes: Uint8Array): Uint8Array {
  const found = read(() => readMessage(bytes, TOLD));
  if (found === undefined) return bytes;
  const { header, start } = found;
  const model = evaluatorFor(header.model).model.id.slice(0, 2);
  return writeMessage({ ...header, model }, (bytes[0]! & 15) === 0, bytes.subarray(start));
}

/** Byte by byte, mostly behind the first three, which say how the rest is read. */
function mutateMessage(input: Uint8Array, other: Uint8Array, seed: number): Uint8Array {
  const below = numbers(seed);
  const head = input.slice(0, 3);
  if (below(3) === 0 && head.length > 0) {
    const at = below(head.length);
    head[at]! ^= 1 << below(8);
    return Uint8Array.of(...head, ...input.subarray(3));
  }
  return Uint8Array.of(...head, ...mutate(input.subarray(3), other.subarray(3), below(2 ** 32)));
}

async function decoded(bytes: Uint8Array, allowDamaged: boolean): Promise<MessageDecodeResult | undefined> {
  const model = (bytes[2] ?? 0).toString(16).padStart(2, '0');
  try {
    const options = { size: TOLD, allowDamaged, maxPixels: FUZZ_PIXELS };
    const picture = await decodeMessageBytes(bytes, evaluatorFor(model), options);
    checkPicture(picture);
    assert.ok(picture.width * picture.height <= FUZZ_PIXELS);
    return picture;
  } catch (error) {
    return refused(error);
  }
}

async function made(
  name: string,
  [width, height]: readonly [number, number],
  size: number,
  options: MessageOptions = {},
  evaluator = toldEvaluator,
): Promise<Uint8Array> {
  const picture = corpusPicture(name, { width, height });
  const [message] = await encodeMessages(picture, evaluator, [size], { effort: 1, ...options });
  return message!.bytes;
}

export const message: Target = {
  name: 'message',
  share: 0.15,
  async seeds() {
    // One after the other: they share evaluators.
    const small = await made('scene', [32, 32], 90);
    const grey = await made('grey-scene', [32, 32], 60, { check: 16 }, untoldEvaluator);
    const odd = await made('scene', [20, 17], 120, { check: 32 });
    const told = await made('scene', [13, 9], 70, { sizeIsTold: true, check: 8 }, untoldEvaluator);
    return [small, grey, odd, told, await made('glyphs', [300, 3], 60), await made('grey-scene', [1, 1], 12)];
  },
  mutate: mutateMessage,
  passes: (bytes) => errorOf(() => readMessage(sealed(bytes), TOLD)) === undefined,
  async run(given) {
    read(() => readMessage(given, TOLD));
    const bytes = sealed(given);
    const found = read(() => readMessage(bytes, TOLD));
    if (found !== undefined) {
      assert.ok(found.intact, 'a checksum that was made does not hold');
      assert.ok(found.start <= bytes.length && found.start >= messageOverhead(found.header, true));
    }
    const picture = await decoded(bytes, false);
    if (picture === undefined) return;
    assert.ok(
      equal(new Uint8Array(picture.data), new Uint8Array((await decoded(bytes, true))!.data)),
      'two decodings differ',
    );
    await decoded(bytes.subarray(0, (found!.start + bytes.length) >> 1), true);
  },
};
