/** The progressive decoder shows what the decoder shows, whatever the portions in which a file arrives. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { concat, readContainer } from '../src/container/container.js';
import { decodePicture, type DecodeResult } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { Progression } from '../src/codec/progressive.js';
import { decode, info, ProgressiveDecoder } from '../src/node.js';
import { options, pictures } from './helpers/arbitrary.js';
import { codeOfError, outcome } from './helpers/outcome.js';
import { tinyEvaluator, tinyModelFile } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const evaluator = tinyEvaluator();

/** What a picture is, without what it cost. */
function shown(result: DecodeResult | undefined): object | undefined {
  if (result === undefined) return undefined;
  const { evaluations: _evaluations, work: _work, engine: _engine, ...rest } = result;
  return rest;
}

/** `decode` of a prefix, undefined where that ends inside the header. */
async function decodePrefix(bytes: Uint8Array, length: number): Promise<object | undefined> {
  const result = await outcome(() => decodePicture(bytes, evaluator, { maxBytes: length }));
  if (typeof result !== 'string') return shown(result);
  assert.ok(result === 'E_EMPTY' || result === 'E_TRUNCATED', result);
  return undefined;
}

/** Ends of portions: shares of the length, most of them early, where the steps are short. */
const cuts = fc.array(
  fc.double({ min: 0, max: 1, noNaN: true }).map((share) => share ** 2),
  { minLength: 1, maxLength: 12 },
);

describe('progressive decoding', () => {
  it('after any portions, the picture is that of the prefix; after all bytes, that of the file', async () => {
    await assertLimited(
      fc.asyncProperty(pictures(48), options, cuts, async (picture, chosen, shares) => {
        const coded = await outcome(() => encodePicture(picture, evaluator, chosen));
        fc.pre(typeof coded !== 'string');
        const { bytes } = coded as Exclude<typeof coded, string>;
        const ends = [...shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length];
        const progression = new Progression();
        let at = 0;
        for (const end of ends) {
          progression.push(bytes.subarray(at, end));
          at = end;
          assert.deepEqual(
            shown(await progression.picture(evaluator, true)),
            await decodePrefix(bytes, end),
            `${end} of ${bytes.length} bytes`,
          );
        }
        assert.deepEqual(
          shown(await progression.picture(evaluator, true)),
          shown(await decodePicture(bytes, evaluator)),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('byte by byte', async () => {
    for (const [name, width, height] of [
      ['scene', 24, 17],
      ['grey-alpha-disc', 19, 13],
    ] as const) {
      const { bytes } = await encodePicture(corpusPicture(name, { width, height }), evaluator, {
        plain: false,
        effort: 1,
        target: { size: 450 },
      });
      const progression = new Progression();
      for (let end = 1; end <= bytes.length; end++) {
        progression.push(bytes.subarray(end - 1, end));
        assert.deepEqual(
          shown(await progression.picture(evaluator, true)),
          await decodePrefix(bytes, end),
          `${name}: ${end} of ${bytes.length} bytes`,
        );
      }
    }
  });

  it('a byte at a time costs about twice the whole, and the last picture is that of the file', async () => {
    for (const [width, height, size] of [
      [64, 48, 900],
      [780, 14, 1100],
    ] as const) {
      const { bytes } = await encodePicture(corpusPicture('scene', { width, height }), evaluator, {
        plain: false,
        effort: 1,
        target: { size },
      });
      const whole = await decodePicture(bytes, evaluator);
      const progression = new Progression();
      const seen: DecodeResult[] = [];
      const portions = concat([bytes, new Uint8Array(50).fill(7)]);
      for (let at = 0; at < portions.length; at++) {
        progression.push(portions.subarray(at, at + 1));
        assert.equal(progression.info()?.byteLength ?? at + 1, at + 1);
        const picture = await progression.picture(evaluator);
        if (picture !== undefined) seen.push(picture);
      }
      const last = seen.at(-1)!;
      assert.deepEqual(last.data, whole.data);
      assert.equal(last.truncated, false);
      assert.ok(seen.length >= 3, `${seen.length} pictures`);
      const picture = 1.4 * readContainer(bytes).header.schedule.views;
      assert.ok(last.work <= 2 * whole.work + 2 * picture, `${last.work} instead of ${whole.work}`);
      assert.equal(await progression.picture(evaluator), undefined, 'nothing is new');
    }
  });

  it('what is behind the end of a file is counted and not kept', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 20, height: 10 }), evaluator, {
      plain: false,
      effort: 1,
    });
    const progression = new Progression();
    progression.push(bytes);
    const before = process.memoryUsage().arrayBuffers;
    const junk = new Uint8Array(2 ** 20).fill(1);
    for (let i = 0; i < 64; i++) progression.push(junk);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 23);
    const { trailing, data } = (await progression.picture(evaluator))!;
    assert.equal(trailing, 2 ** 26);
    assert.equal(progression.byteLength, bytes.length + trailing);
    assert.deepEqual(data, (await decodePicture(bytes, evaluator)).data);
  });

  it('a picture of several groups, whose steps end between two of them', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 780, height: 14 }), evaluator, {
      plain: false,
      effort: 1,
      target: { size: 1100 },
    });
    const progression = new Progression();
    for (let at = 0; at < bytes.length; at += 50) {
      progression.push(bytes.subarray(at, at + 50));
      const end = progression.bytes.length;
      assert.deepEqual(
        shown(await progression.picture(evaluator, true)),
        await decodePrefix(bytes, end),
        `${end} of ${bytes.length} bytes`,
      );
    }
  });

  it('steps that were whole are not decoded again', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 144, height: 105 }), evaluator, {
      plain: false,
      effort: 1,
      views: 1,
      target: { quality: 93 },
    });
    const { segments } = readContainer(bytes);
    assert.ok(segments.length > 3);
    const progression = new Progression();
    let pushed = 0;
    const to = async (end: number): Promise<DecodeResult> => {
      progression.push(bytes.subarray(pushed, end));
      pushed = end;
      return (await progression.picture(evaluator, true))!;
    };
    let before = 0;
    for (const [i, { payloadOffset, payloadLength, units: steps }] of segments.entries()) {
      const { evaluations } = await to(payloadOffset + payloadLength);
      // Each of its steps once (the root step needs none), and the picture: an evaluation of each level that is left.
      assert.ok(
        evaluations - before <= steps + 5,
        `segment ${i}: ${evaluations - before} evaluations for ${steps} steps`,
      );
      before = evaluations;
      assert.equal((await to(pushed)).evaluations - before <= 5, true, 'asked again: the picture alone');
      before = (await progression.picture(evaluator, true))!.evaluations;
    }
    // A byte more inside a step that is not whole: that step again, and the picture.
    const fresh = new Progression();
    const { payloadOffset, payloadLength } = segments[segments.length - 1]!;
    fresh.push(bytes.subarray(0, payloadOffset + payloadLength - 2));
    before = (await fresh.picture(evaluator, true))!.evaluations;
    fresh.push(bytes.subarray(payloadOffset + payloadLength - 2, payloadOffset + payloadLength - 1));
    assert.ok((await fresh.picture(evaluator, true))!.evaluations - before <= 2);
  });

  it('damage is met as the decoder meets it, also in a segment that was shown before it was whole', async () => {
    const { bytes } = await encodePicture(corpusPicture('rgba-balls', { width: 60, height: 44 }), evaluator, {
      plain: false,
      effort: 1,
      target: { quality: 99 },
    });
    const { alpha, segments } = readContainer(bytes);
    assert.ok(segments.length >= 2);
    const middle = segments[1]!;
    for (const at of [alpha!.payloadOffset + 3, middle.payloadOffset + 5]) {
      const bad = Uint8Array.from(bytes);
      bad[at]! ^= 8;
      for (const allowDamaged of [false, true]) {
        const told: string[] = [];
        const onDamage = (message: string): number => told.push(message);
        const progression = new Progression({ allowDamaged, onDamage });
        for (let from = 0; from < bad.length; from += 97) {
          progression.push(bad.subarray(from, from + 97));
          const expected = await outcome(() =>
            decodePicture(progression.bytes.slice(), evaluator, { allowDamaged, maxBytes: progression.bytes.length }),
          );
          const found = await outcome(() => progression.picture(evaluator, true));
          if (typeof expected === 'string') assert.equal(found ?? 'E_TRUNCATED', expected);
          else assert.deepEqual(shown(found as DecodeResult), shown(expected));
        }
        assert.equal(told.length > 0, allowDamaged);
        if (!allowDamaged)
          assert.equal(await codeOfError(() => progression.picture(evaluator, true)), 'E_DAMAGED_SEGMENT');
      }
    }
  });

  it('what is no .dcz file, too large, or of another model is refused', async () => {
    const text = new Progression();
    text.push(new TextEncoder().encode('{}'));
    assert.equal(await codeOfError(() => text.picture(evaluator, true)), 'E_NOT_DCZ');
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 20, height: 10 }), evaluator, {
      plain: false,
      effort: 1,
    });
    const large = new Progression({ maxPixels: 199 });
    large.push(bytes);
    assert.equal(await codeOfError(() => large.picture(evaluator, true)), 'E_TOO_LARGE');
    const other = new ProgressiveDecoder();
    other.push(bytes);
    assert.equal(await codeOfError(() => other.picture()), 'E_OTHER_MODEL');
    assert.equal(await codeOfError(() => other.push('abc' as never)), 'E_USAGE');
  });

  it('can be stopped between evaluations', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 40, height: 30 }), evaluator, {
      plain: false,
      effort: 1,
    });
    const abort = new AbortController();
    const stages: string[] = [];
    const onProgress = ({ stage }: { stage: string }): void => {
      if (stages.push(stage) === 4) abort.abort();
    };
    const stopped = new Progression({ signal: abort.signal, onProgress });
    stopped.push(bytes);
    assert.equal(await codeOfError(() => stopped.picture(evaluator, true)), 'E_ABORTED');
    assert.equal(stages.length, 4);
  });
});

describe('ProgressiveDecoder of the package', () => {
  it('several at a time, and other calls between, do not disturb each other', async () => {
    const model = tinyModelFile();
    const files: Uint8Array[] = [];
    for (const name of ['scene', 'glyphs'])
      files.push(
        (await encodePicture(corpusPicture(name, { width: 50, height: 40 }), evaluator, { plain: false, effort: 1 }))
          .bytes,
      );
    const decoders = files.map(() => new ProgressiveDecoder({ model, threads: 1 }));
    assert.deepEqual(
      [await decoders[0]!.picture({ latest: true }), decoders[0]!.info(), decoders[0]!.byteLength],
      [undefined, undefined, 0],
    );
    const most = Math.max(...files.map((file) => file.length));
    for (let at = 0; at < most; at += 300) {
      for (const [i, decoder] of decoders.entries()) decoder.push(files[i]!.subarray(at, at + 300));
      // With another number of threads, so that the network of the decoders is another one at every turn.
      const [first, whole, second] = await Promise.all([
        decoders[0]!.picture({ latest: true }),
        decode(files[1]!, { model, threads: 2 }),
        decoders[1]!.picture({ latest: true }),
      ]);
      const end = (i: number): { maxBytes: number } => ({ maxBytes: Math.min(at + 300, files[i]!.length) });
      assert.deepEqual(shown(first), shown(await decodePicture(files[0]!, evaluator, end(0))));
      assert.deepEqual(shown(second), shown(await decodePicture(files[1]!, evaluator, end(1))));
      assert.deepEqual(shown(whole), shown(await decodePicture(files[1]!, evaluator)));
    }
    assert.deepEqual(decoders[0]!.info(), info(files[0]!));
    assert.equal(decoders[0]!.byteLength, files[0]!.length);
  });
});
