/** A rectangle decoded alone is that rectangle of the whole decoding, bit for bit, and depends on nothing that it does not need. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { concat, readContainer, writeHeader } from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { finish } from '../src/turns.js';
import { encodePicture } from '../src/codec/encoder.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import { Session } from '../src/codec/session.js';
import { Stream } from '../src/codec/stream.js';
import { assertCrops, assertSame, fileOf, rectangleOf } from './helpers/crops.js';
import { outcome } from './helpers/outcome.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';

const evaluator = tinyEvaluator();

/** Files of several groups in a row, and of one. */
const WIDE = 0;
const SMALL = 5;

describe('a crop', () => {
  it('is the rectangle of the whole picture: any place, any end of the file, any scale', async () => {
    await assertCrops(30);
  });

  it('costs what it needs: the share of the network that grows from it, and all of a picture of one group', async () => {
    const bytes = await fileOf(WIDE);
    const { part, whole } = await assertSame(bytes, {}, [0.02, 0, 0, 1]);
    assert.ok(part.work < 0.8 * whole.work, `${part.work} of ${whole.work}`);
    const early = await assertSame(bytes, { maxBytes: Math.floor(0.75 * bytes.length) }, [0.9, 0, 0, 1]);
    assert.ok(early.part.work < 0.7 * early.whole.work, `${early.part.work} of ${early.whole.work}`);
    const small = await decodePicture(await fileOf(SMALL), evaluator);
    const { evaluations } = await decodePicture(await fileOf(SMALL), evaluator, {
      crop: { x: 42, y: 56, width: 1, height: 1 },
    });
    assert.equal(evaluations, small.evaluations);
  });

  it('does not depend on segments that it does not need: whatever is in them, the picture is the same', async () => {
    const bytes = await fileOf(WIDE);
    const { segments } = readContainer(bytes);
    const crop = { x: 20, y: 1, width: 9, height: 5 };
    const expected = await decodePicture(bytes, evaluator, { crop });
    /** Beyond repair, or with one wrong byte. */
    const broken = (file: Uint8Array, i: number, wrong: number): Uint8Array => {
      const out = Uint8Array.from(file);
      const { payloadOffset, payloadLength } = segments[i]!;
      for (let k = 0; k < wrong; k++) out[payloadOffset + ((k * 5) % payloadLength)]! ^= 0x55;
      return out;
    };
    const unneeded: number[] = [];
    for (const i of segments.keys()) {
      const found = await outcome(() => decodePicture(broken(bytes, i, 3), evaluator, { crop }));
      if (found === 'E_DAMAGED_SEGMENT') continue;
      assert.deepEqual(found, expected, `segment ${i + 1}`);
      unneeded.push(i);
    }
    assert.ok(unneeded.length >= 8 && unneeded.length < segments.length, `${unneeded.length} of ${segments.length}`);
    for (const wrong of [1, 3]) {
      const all = unneeded.reduce((file, i) => broken(file, i, wrong), bytes);
      assert.deepEqual(await decodePicture(all, evaluator, { crop }), expected);
      assert.equal(await outcome(() => decodePicture(all, evaluator)), 'E_DAMAGED_SEGMENT');
      const told: string[] = [];
      const tolerant = await decodePicture(all, evaluator, {
        crop,
        allowDamaged: true,
        onDamage: (message) => told.push(message),
      });
      assert.deepEqual(tolerant, expected);
      assert.equal(told.length, wrong === 1 ? unneeded.length : 0);
    }
    // A wrong length loses what comes behind it, and is not passed over. (The last segment then looks cut, as in a part of a file.)
    for (const i of unneeded.filter((each) => each + 1 < segments.length)) {
      const moved = Uint8Array.from(bytes);
      moved[segments[i]!.offset]! ^= 1;
      for (const k of [2, 4]) moved[segments[i]!.payloadOffset + k]! ^= 0x77;
      assert.equal(
        await outcome(() => decodePicture(moved, evaluator, { crop })),
        'E_DAMAGED_SEGMENT',
        `length of segment ${i + 1}`,
      );
    }
  });

  it('damage that it needs ends it where it ends the whole picture', async () => {
    const bytes = await fileOf(WIDE);
    const { segments } = readContainer(bytes);
    for (const i of [1, Math.floor(segments.length / 3), segments.length - 1]) {
      const bad = Uint8Array.from(bytes);
      for (const k of [0, 3, 4]) bad[segments[i]!.payloadOffset + k]! ^= 0xff;
      const options = { allowDamaged: true };
      const whole = await decodePicture(bad, evaluator, options);
      const crop = { x: 1500, y: 0, width: 100, height: 9 };
      const told: string[] = [];
      const part = await decodePicture(bad, evaluator, { ...options, crop, onDamage: (message) => told.push(message) });
      if (told.length > 0) assert.deepEqual(Array.from(part.data), rectangleOf(whole, crop));
      else assert.deepEqual(part.data, (await decodePicture(bytes, evaluator, { crop })).data);
      assert.ok(told.length > 0 || i === segments.length - 1);
    }
  });

  it('of a file whose segments hold several groups each is decoded as well', async () => {
    const picture = corpusPicture('scene', { width: 1700, height: 10 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 25 } });
    const { header } = readContainer(bytes);
    const session = new Session(picture.width, picture.height, false, header.schedule, evaluator);
    const coefficients = finish(PictureCoefficients.of(picture, session.sizes.length - 1));
    const stream = new Stream(header.nu);
    for (let unit = session.next; unit !== undefined; unit = session.next) {
      stream.begin();
      stream.end(await session.runUnit(stream, coefficients.rowsOf(unit.step.level)), false);
    }
    const joined = concat([writeHeader(header), stream.cut(Infinity).bytes]);
    assert.ok(readContainer(joined).segments.length < 0.7 * readContainer(bytes).segments.length);
    assert.deepEqual((await decodePicture(joined, evaluator)).data, (await decodePicture(bytes, evaluator)).data);
    for (const cut of [1, 0.8, 0.3])
      await assertSame(joined, { maxBytes: Math.floor(cut * joined.length) }, [0.1, 0, 0.1, 0.4]);
  });

  it('that is no rectangle of the picture is refused', async () => {
    const bytes = await fileOf(SMALL);
    const part = { x: 0, y: 0, width: 5, height: 5 };
    for (const crop of [
      { ...part, width: 0 },
      { ...part, height: -1 },
      { ...part, x: 0.5 },
      { ...part, x: 39 },
      { ...part, y: 53 },
      { ...part, y: -1 },
      { ...part, height: NaN },
    ]) {
      assert.equal(await outcome(() => decodePicture(bytes, evaluator, { crop })), 'E_USAGE', JSON.stringify(crop));
    }
    assert.equal(
      await outcome(() => decodePicture(bytes, evaluator, { scale: 0.5, crop: { ...part, x: 20 } })),
      'E_USAGE',
    );
    assert.notEqual(
      await outcome(() => decodePicture(bytes, evaluator, { crop: { ...part, x: 38, y: 52 } })),
      'E_USAGE',
    );
  });
});
