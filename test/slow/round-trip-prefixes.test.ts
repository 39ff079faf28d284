/** Every single prefix of some files, and more random pictures than the quick tests have time for. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../../corpus/pictures.js';
import { readContainer, writeHeader } from '../../src/container/container.js';
import { decodePicture } from '../../src/codec/decoder.js';
import { encodePicture } from '../../src/codec/encoder.js';
import { inKind, options, pictures } from '../helpers/arbitrary.js';
import { CountingChannel } from '../helpers/channels.js';
import { outcome } from '../helpers/outcome.js';
import { tinyEvaluator } from '../../corpus/tiny-model.js';
import { stepsIn, walk } from '../helpers/walk.js';
import { assertLimited } from '../helpers/limited.js';

const evaluator = tinyEvaluator();

describe('prefixes', () => {
  for (const [name, width, height, channels] of [
    ['scene', 33, 21, 3],
    ['grey-scene', 70, 5, 1],
    ['rgba-balls', 24, 17, 4],
    ['edges', 39, 17, 3],
  ] as const) {
    it(`each of a file of ${name}, ${width}×${height}, decodes from the header on`, async () => {
      const picture = inKind(corpusPicture(name, { width, height }), channels);
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 75 } });
      const { header, alpha } = readContainer(bytes);
      const first = writeHeader(header).length;
      for (let n = 1; n <= bytes.length; n++) {
        const shown = await outcome(() => decodePicture(bytes, evaluator, { maxBytes: n }));
        if (n < first) {
          assert.equal(shown, 'E_TRUNCATED', `${n} bytes`);
          continue;
        }
        if (typeof shown === 'string') return assert.fail(`${n} bytes: ${shown}`);
        assert.equal(shown.data.length, picture.data.length);
        if (n % 3 !== 0) continue;
        // The file cut there, instead of read to there: nothing else, unless it lacks alpha.
        const cut = await outcome(() => decodePicture(bytes.subarray(0, n), evaluator));
        if (alpha !== undefined && n < alpha.payloadOffset + alpha.payloadLength)
          assert.equal(cut, 'E_TRUNCATED', `${n} bytes`);
        else assert.deepEqual(cut, shown, `${n} bytes`);
      }
    });
  }
});

describe('many random pictures', () => {
  it('the decoder shows what the encoder has, whatever the picture and options', async () => {
    await assertLimited(
      fc.asyncProperty(pictures(100), options, async (picture, chosen) => {
        const coded = await outcome(() => encodePicture(picture, evaluator, chosen));
        if (typeof coded === 'string') return assert.equal(coded, 'E_UNREACHABLE');
        const back = await decodePicture(coded.bytes, evaluator);
        assert.equal(back.data.length, picture.data.length);
        // Where the stream was cut the encoder is ahead of the file.
        if (!('quality' in chosen.target!)) return;
        const { header } = readContainer(coded.bytes);
        const { reconstruction } = await walk(
          picture,
          evaluator,
          header.schedule,
          stepsIn(coded.bytes),
          new CountingChannel(header.nu),
        );
        assert.deepEqual(back.data, reconstruction.data);
      }),
      { numRuns: 200 },
    );
  });
});
