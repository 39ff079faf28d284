/** Files that end with the samples themselves, or with what is within a stated error of them. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { RansStack } from '../src/entropy/rans.js';
import {
  DcompError,
  decode,
  encode,
  info,
  ProgressiveDecoder,
  release,
  verify,
  withDepth,
  type EncodeOptions,
  type Picture,
} from '../src/node.js';
import { pictures } from './helpers/arbitrary.js';
import { codeOfError } from './helpers/outcome.js';
import { DECODING, ENCODING } from './helpers/tiny.js';

const scene = (width: number, height: number): Picture => corpusPicture('scene', { width, height });

function largestError(a: Picture, b: Picture): number {
  let most = 0;
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(a.data[i]! - b.data[i]!));
  return most;
}

async function coded(picture: Picture, more: EncodeOptions = {}): Promise<Uint8Array> {
  return (await encode(picture, { ...ENCODING, target: 'lossless', ...more })).bytes;
}

describe('files that end with the samples themselves', () => {
  after(() => release());

  it('give every sample back, by the network too, at 8 and 16 bits, grey, with alpha, of any size', async () => {
    const cases: Picture[] = [
      scene(67, 43),
      withDepth(scene(41, 30), 16),
      corpusPicture('grey-scene', { width: 45, height: 64 }),
      withDepth(corpusPicture('grey-scene', { width: 30, height: 25 }), 4),
      corpusPicture('rgba-balls', { width: 52, height: 41 }),
      scene(9, 10),
    ];
    for (const picture of cases) {
      const bytes = await coded(picture, { plain: false });
      assert.equal(info(bytes).form, 'diffusion');
      assert.equal(info(bytes).maxError, 0);
      const back = await decode(bytes, DECODING);
      assert.equal(back.truncated, false);
      assert.deepEqual(back.data, picture.data);
    }
  });

  it('keep any picture within the error that is asked for, 1 to 32, in either form', async () => {
    await fc.assert(
      fc.asyncProperty(
        pictures(24),
        fc.integer({ min: 1, max: 32 }),
        fc.constantFrom(true, undefined),
        async (picture, maxError, plain) => {
          const { bytes } = await encode(picture, {
            ...ENCODING,
            target: { maxError },
            ...(plain === undefined ? {} : { plain }),
          });
          const back = await decode(bytes, DECODING);
          assert.ok(largestError(picture, back) <= maxError);
          assert.equal((await verify(bytes)).state, 'intact');
        },
      ),
      { numRuns: 20 },
    );
  });

  it('keep photographs within any error from 1 to 32, in fewer bytes the larger it is', async () => {
    const picture = scene(60, 44);
    for (const plain of [true, false]) {
      let before = Infinity;
      for (const maxError of [0, 1, 2, 5, 13, 32]) {
        const { bytes } = await encode(picture, { ...ENCODING, target: { maxError }, plain });
        const back = await decode(bytes, DECODING);
        assert.ok(largestError(picture, back) <= maxError);
        assert.equal(info(bytes).maxError, maxError);
        assert.ok(bytes.length < before);
        before = bytes.length;
      }
    }
  });

  it('decode wherever they end, say that they are not whole, and get no worse', async () => {
    const picture = scene(120, 90);
    const bytes = await coded(picture, { plain: false });
    const squares = [];
    for (let length = 30; length < bytes.length; length += Math.ceil(bytes.length / 12)) {
      const early = await decode(bytes.subarray(0, length), { ...DECODING, maxBytes: length });
      assert.equal(early.truncated, true);
      let sum = 0;
      for (const [i, v] of early.data.entries()) sum += (v - picture.data[i]!) ** 2;
      squares.push(sum);
    }
    assert.ok(squares.at(-1)! <= squares[0]!);
    const cut = bytes.subarray(0, bytes.length - 1);
    assert.equal((await verify(cut)).state, 'cut');
    assert.equal(info(cut).truncated, true);
  });

  it('come in portions to the same end', async () => {
    const picture = scene(96, 70);
    const bytes = await coded(picture, { plain: false });
    const decoder = new ProgressiveDecoder(DECODING);
    let last: Picture | undefined;
    for (let at = 0; at < bytes.length; at += 700) {
      decoder.push(bytes.subarray(at, at + 700));
      last = (await decoder.picture()) ?? last;
    }
    assert.deepEqual(last?.data, picture.data);
  });

  it('come to the same end wherever a portion ends, in the last step too', async () => {
    const picture = scene(24, 20);
    const bytes = await coded(picture, { plain: false });
    const bands = info(bytes).segments.find(({ steps }) => steps.length === 0)!.offset;
    for (let at = bands - 24; at < bands + 24; at += 3) {
      const decoder = new ProgressiveDecoder(DECODING);
      decoder.push(bytes.subarray(0, at));
      const early = await decoder.picture({ latest: true });
      assert.deepEqual(early?.data, (await decode(bytes, { ...DECODING, maxBytes: at })).data);
      decoder.push(bytes.subarray(at));
      assert.deepEqual((await decoder.picture())?.data, picture.data);
    }
  });

  it('go on where an error of the caller, of whichever class, has ended a picture; it is no damage', async () => {
    const picture = scene(40, 30);
    const own = new DcompError('E_DAMAGED_SEGMENT', 'of the caller');
    for (const plain of [false, true]) {
      const bytes = await coded(picture, { plain });
      for (const atOnce of [true, false]) {
        let [count, failing] = [0, -1];
        const onProgress = (): void => {
          if (count++ === failing) throw own;
        };
        const begun = (): (() => Promise<Picture | undefined>) => {
          if (atOnce) return () => decode(bytes, { ...DECODING, allowDamaged: true, onProgress });
          const decoder = new ProgressiveDecoder({ ...DECODING, onProgress });
          decoder.push(bytes);
          return () => decoder.picture({ latest: true });
        };
        await begun()();
        for (const calls = count; ++failing < calls;) {
          count = 0;
          const picturing = begun();
          await assert.rejects(picturing(), own);
          assert.deepEqual((await picturing())?.data, picture.data, `call ${failing}`);
        }
        assert.ok(failing > 0);
      }
    }
  });

  it('can be decoded in part and smaller', async () => {
    const picture = scene(96, 70);
    const bytes = await coded(picture, { plain: false });
    const crop = { x: 13, y: 9, width: 20, height: 31 };
    const part = await decode(bytes, { ...DECODING, crop });
    for (let y = 0; y < crop.height; y++) {
      const from = ((y + crop.y) * picture.width + crop.x) * 3;
      const row = part.data.subarray(y * crop.width * 3, (y + 1) * crop.width * 3);
      assert.deepEqual(row, picture.data.subarray(from, from + crop.width * 3));
    }
    const small = await decode(bytes, { ...DECODING, scale: 0.5 });
    assert.deepEqual([small.width, small.height], [48, 35]);
  });

  it('hold a hash of their pixels, and are known to be damaged', async () => {
    const bytes = await coded(scene(60, 44), { plain: false });
    assert.match((await verify(bytes)).pixelHash!, /^[0-9a-f]{64}$/);
    const last = info(bytes).segments.at(-1)!;
    const damaged = bytes.slice();
    for (let i = 0; i < 4; i++) damaged[last.offset + 40 + 9 * i]! ^= 85;
    assert.equal(await codeOfError(() => decode(damaged, DECODING)), 'E_DAMAGED_SEGMENT');
    const shown = await decode(damaged, { ...DECODING, allowDamaged: true });
    assert.equal(shown.width, 60);
  });

  it('are of the plain form where that is asked for, or the picture is a drawing, thin or tiny', async () => {
    const glyphs = corpusPicture('glyphs', { width: 90, height: 60 });
    for (const [picture, plain] of [
      [glyphs, undefined],
      [scene(60, 44), true],
      [scene(90, 3), undefined],
      [scene(4, 4), undefined],
    ] as const) {
      const bytes = await coded(picture, plain === undefined ? {} : { plain });
      assert.equal(info(bytes).form, 'plain');
      assert.deepEqual((await decode(bytes, { threads: 1 })).data, picture.data);
    }
    assert.equal(await codeOfError(() => coded(scene(90, 3), { plain: false })), 'E_USAGE');
    assert.equal(await codeOfError(() => encode(glyphs, { target: { maxError: 256 } })), 'E_USAGE');
  });
});

describe('a stack of the entropy coder', () => {
  it('gives noise back for nothing: what is popped by a law and pushed by the same law costs no bit', () => {
    const seed = Uint8Array.from({ length: 600 }, (_, i) => ((i * 167 + 13) & 255) | (i === 0 ? 1 : 0));
    const stack = new RansStack(seed);
    const before = stack.finish();
    const symbols: [number, number][] = [];
    for (let i = 0; i < 200; i++) {
      const start = stack.peek(12) < 1000 + i ? 0 : 1000 + i;
      const freq = start === 0 ? 1000 + i : 4096 - 1000 - i;
      stack.pop(start, freq, 12);
      symbols.push([start, freq]);
    }
    for (const [start, freq] of symbols.reverse()) stack.push(start, freq, 12);
    assert.deepEqual(stack.finish(), before);
  });
});
