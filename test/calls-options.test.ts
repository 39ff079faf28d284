/** Whatever a caller hands over, each option of each function is right, or refused by a `DcompError` that names it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import * as browserEntry from '../src/browser.js';
import { DcompError } from '../src/errors.js';
import * as nodeEntry from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { HOSTILE, OWN_ERROR } from './helpers/hostile.js';

const model = tinyModelFile();
const picture = corpusPicture('rgba-balls', { width: 4, height: 4 });
const entries = { node: nodeEntry, browser: browserEntry as unknown as typeof nodeEntry };

/** No case takes so long, on any machine. */
const LIMIT = 60_000;

type Outcome = { works: unknown } | { refused: DcompError } | { own: unknown };

async function outcomeOf(call: () => unknown, about: string): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${about}: no answer` })), LIMIT);
  });
  try {
    return { works: await Promise.race([Promise.resolve().then(call), limit]) };
  } catch (error) {
    if (error === OWN_ERROR) return { own: error };
    assert.ok(error instanceof DcompError, `${about}: not a DcompError: ${error instanceof Error ? error.stack : ''}`);
    assert.ok(error.message.length > 10 && error.message.length < 500, `${about}: ${error.message}`);
    assert.doesNotMatch(error.message, /\n|\[object|undefined is/, about);
    return { refused: error };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Calls a function with every hostile value as one of its options.
 * @param right names of the values that work; all others are refused
 * @param said what every refusal names
 */
async function tryAll(
  call: (value: unknown) => unknown,
  about: string,
  right: readonly string[],
  said: RegExp,
  codes: readonly string[] = ['E_USAGE'],
): Promise<void> {
  for (const [name, value] of Object.entries(HOSTILE)) {
    const outcome = await outcomeOf(() => call(value), `${about}, ${name}`);
    if (right.includes(name)) {
      assert.ok(!('refused' in outcome), `${about}, ${name}: ${'refused' in outcome ? outcome.refused.message : ''}`);
      assert.equal('own' in outcome, name.endsWith('that throws'), `${about}, ${name}: whose error comes out`);
    } else {
      assert.ok('refused' in outcome, `${about}, ${name}: taken without a word`);
      assert.match(outcome.refused.message, said, `${about}, ${name}`);
      assert.ok(codes.includes(outcome.refused.code), `${about}, ${name}: ${outcome.refused.code}`);
    }
  }
}

const objects = ['empty object', 'object without prototype', 'Proxy'];
const functions = ['function', 'function that throws'];

/** By option, the hostile values that are right for it. */
const SHARED = {
  signal: [],
  threads: [],
  engine: [],
  onProgress: functions,
} as const;
const ENCODING = {
  ...SHARED,
  effort: [],
  views: [],
  tune: [],
  importance: [],
  pixelHash: ['true', 'false'],
  plain: ['true', 'false'],
  exact: ['true', 'false'],
  alphaQuality: ['-0', '0.5', '1.5', '1e-320'],
} as const;
const DECODING = {
  ...SHARED,
  maxBytes: ['2^53', '1e300'],
  allowDamaged: ['true', 'false'],
  scale: [],
  crop: [],
  maxPixels: ['Infinity', '2^53', '1e300'],
  maxWork: ['0.5', '1.5', 'Infinity', '2^53', '1e300'],
  onDamage: functions,
} as const;

for (const [entry, dcomp] of Object.entries(entries)) {
  describe(`hostile values, ${entry} entry`, () => {
    let file: Uint8Array;
    let damaged: Uint8Array;
    const shared = { model, ...(entry === 'node' ? { threads: 1 } : {}) };
    const encode = (of: unknown, options: object) =>
      dcomp.encode(of as Picture, { ...shared, plain: false, effort: 1, ...options });
    before(async () => {
      file = (await encode(picture, { target: { quality: 30 } })).bytes;
      damaged = Uint8Array.from(file);
      damaged[damaged.length - 1]! ^= 1;
    });
    after(() => dcomp.release());

    for (const [option, right] of Object.entries(ENCODING)) {
      it(`encode, ${option}`, () =>
        tryAll((value) => encode(picture, { [option]: value }), option, right, new RegExp(option)));
      it(`encodeToSizes, ${option}`, () =>
        tryAll(
          (value) => dcomp.encodeToSizes(picture, [200], { ...shared, effort: 1, [option]: value }),
          option,
          right,
          new RegExp(option),
        ));
    }
    for (const [option, right] of Object.entries(DECODING)) {
      it(`decode, ${option}`, () =>
        tryAll(
          (value) =>
            dcomp.decode(option === 'onDamage' ? damaged : file, { ...shared, allowDamaged: true, [option]: value }),
          option,
          right,
          new RegExp(`${option}|limit|file ends|empty`),
          ['E_USAGE', 'E_TOO_LARGE', 'E_TRUNCATED', 'E_EMPTY'],
        ));
    }
    for (const option of ['allowDamaged', 'maxPixels', 'onDamage', 'onProgress', 'signal'] as const) {
      it(`ProgressiveDecoder, ${option}`, () =>
        tryAll(
          async (value) => {
            const decoder = new dcomp.ProgressiveDecoder({ ...shared, allowDamaged: true, [option]: value });
            decoder.push(option === 'onDamage' ? damaged : file);
            return decoder.picture();
          },
          option,
          DECODING[option],
          new RegExp(`${option}|limit`),
          ['E_USAGE', 'E_TOO_LARGE'],
        ));
    }

    for (const option of ['maxPixels', 'maxWork'] as const)
      it(`encode, ${option}`, () =>
        tryAll((value) => encode(picture, { [option]: value }), option, DECODING[option], /limit|max/, [
          'E_USAGE',
          'E_TOO_LARGE',
        ]));

    it('encode, target and what is in it', async () => {
      await tryAll((target) => encode(picture, { target }), 'target', [], /target/);
      const right = {
        quality: ['1.5'],
        bitsPerPixel: [],
        size: ['2^53', '1e300'],
        psnr: ['0.5', '1.5', '1e-320'],
      };
      for (const [name, values] of Object.entries(right)) {
        await tryAll(
          (value) => encode(picture, { target: { [name]: value } }),
          name,
          values,
          new RegExp(`${name}|target|not possible`),
          ['E_USAGE', 'E_UNREACHABLE'],
        );
      }
    });

    it('encode, regions and masks', async () => {
      await tryAll((regions) => encode(picture, { importance: { regions } }), 'regions', ['empty list'], /region/);
      await tryAll((region) => encode(picture, { importance: { regions: [region] } }), 'region', [], /region/);
      const region = { x: 0, y: 0, width: 4, height: 4 };
      for (const field of Object.keys(region)) {
        const right = field === 'x' || field === 'y' ? ['-0'] : [];
        await tryAll(
          (value) => encode(picture, { importance: { regions: [{ ...region, [field]: value }] } }),
          field,
          right,
          /region/,
        );
      }
      await tryAll(
        (weight) => encode(picture, { importance: { regions: [{ ...region, weight }] } }),
        'weight',
        ['0.5', '1.5'],
        /weight/,
      );
      await tryAll((mask) => encode(picture, { importance: { mask } }), 'mask', [], /mask/);
      const mask = new Uint8Array(16).fill(200);
      for (const same of [mask, mask.buffer, new Uint8ClampedArray(mask), new DataView(mask.buffer)])
        await encode(picture, { importance: { mask: same } });
    });

    it('encode, every field of a picture', async () => {
      const codes = ['E_PICTURE', 'E_TOO_LARGE'];
      await tryAll((value) => encode(value, {}), 'picture', [], /picture/, codes);
      for (const field of ['width', 'height', 'channels', 'depth', 'data', 'metadata'])
        await tryAll(
          (value) => encode({ ...picture, [field]: value }, {}),
          field,
          field === 'metadata' ? [...objects, 'unknown key', 'object of null'] : [],
          /picture/,
          codes,
        );
      const bytes = [
        'empty Uint8Array',
        'Uint8Array',
        'Uint8ClampedArray',
        'ArrayBuffer',
        'SharedArrayBuffer',
        'DataView',
        'Uint8Array out of bounds',
      ];
      const right: Record<string, readonly string[]> = {
        icc: bytes,
        exif: bytes,
        xmp: bytes,
        iptc: bytes,
        cicp: [],
        gamma: [],
        chromaticities: [],
        modified: [],
        orientation: [],
        density: [],
        text: ['empty list'],
      };
      for (const [field, values] of Object.entries(right))
        await tryAll(
          (value) => encode({ ...picture, metadata: { [field]: value } }, {}),
          field,
          values,
          new RegExp(`metadata.${field}`),
          codes,
        );
      await tryAll(
        (value) => encode({ ...picture, metadata: { text: [value] } }, {}),
        'text',
        [],
        /metadata.text/,
        codes,
      );
      for (const field of ['keyword', 'text', 'language', 'translatedKeyword'])
        await tryAll(
          (value) => encode({ ...picture, metadata: { text: [{ keyword: 'Title', text: 'a', [field]: value }] } }, {}),
          field,
          field === 'keyword'
            ? ['string of digits']
            : [
                'string of digits',
                'empty string',
                'long string',
                ...(field === 'language' ? [] : ['string with an end of line']),
              ],
          /metadata.text/,
          codes,
        );
    });

    it('encodeToSizes, sizes', async () => {
      const call = (sizes: unknown) => dcomp.encodeToSizes(picture, sizes as number[], { ...shared, effort: 1 });
      await tryAll(call, 'sizes', ['empty list', 'list of a number'], /size/, ['E_USAGE', 'E_UNREACHABLE']);
      await tryAll((value) => call([200, value]), 'size', ['2^53', '1e300'], /size|bytes/, [
        'E_USAGE',
        'E_UNREACHABLE',
      ]);
    });

    it('options that are none, or of other functions', async () => {
      const right = objects;
      for (const call of [
        (value: unknown) => dcomp.encode(picture, value as object),
        (value: unknown) => dcomp.encodeToSizes(picture, [200], value as object),
        (value: unknown) => dcomp.decode(file, value as object),
        (value: unknown) => new dcomp.ProgressiveDecoder(value as object),
      ]) {
        for (const [name, value] of Object.entries(HOSTILE)) {
          if (right.includes(name)) continue;
          const outcome = await outcomeOf(() => call(value), name);
          assert.ok('refused' in outcome, `${name}: taken without a word`);
          assert.match(outcome.refused.message, /option/, name);
        }
      }
      for (const [option, words] of Object.entries({
        quality: /\{ target: \{ quality/,
        size: /\{ target: \{ size/,
        maxpixels: /there is no option "maxpixels"; encode has target, effort/,
        schedule: /schedule/,
      })) {
        const outcome = await outcomeOf(() => encode(picture, { [option]: 50 }), option);
        assert.ok('refused' in outcome, option);
        assert.match(outcome.refused.message, words);
      }
    });

    it('files and portions', async () => {
      const codes = ['E_USAGE', 'E_NOT_DCZ', 'E_EMPTY', 'E_TRUNCATED'];
      const said = /file|portion/;
      await tryAll((value) => dcomp.decode(value as Uint8Array, shared), 'file', [], said, codes);
      await tryAll((value) => dcomp.info(value as Uint8Array), 'file', [], said, codes);
      await tryAll((value) => dcomp.verify(value as Uint8Array), 'file', [], said, codes);
      const bytes = [
        'Uint8Array',
        'empty Uint8Array',
        'Uint8ClampedArray',
        'ArrayBuffer',
        'SharedArrayBuffer',
        'DataView',
        'Uint8Array out of bounds',
      ];
      await tryAll((value) => dcomp.repair(value as Uint8Array), 'file', bytes, said, codes);
      await tryAll(
        (value) => new dcomp.ProgressiveDecoder(shared).push(value as Uint8Array),
        'portion',
        bytes,
        said,
        codes,
      );
      await tryAll((value) => dcomp.decode(file, { ...shared, model: value as Uint8Array }), 'model', [], /model/, [
        'E_USAGE',
        'E_EMPTY',
        'E_NOT_MODEL',
        'E_TRUNCATED',
      ]);
      const outcome = await outcomeOf(
        () => dcomp.decode(new Blob([new Uint8Array(file)]) as unknown as Uint8Array, shared),
        'Blob',
      );
      assert.ok('refused' in outcome && /await its arrayBuffer/.test(outcome.refused.message));
    });

    it('the small functions', async () => {
      const codes = ['E_USAGE', 'E_PICTURE', 'E_TOO_LARGE'];
      await tryAll((value) => dcomp.psnr(picture, value as Picture), 'psnr', [], /picture|PSNR/, codes);
      await tryAll((value) => dcomp.psnr(value as Picture, picture), 'psnr', [], /picture|PSNR/, codes);
      await tryAll((value) => dcomp.pixelHash(value as Picture), 'pixelHash', [], /picture/, codes);
      await tryAll((value) => dcomp.toRgba(value as Picture), 'toRgba', [], /picture/, codes);
      await tryAll((value) => dcomp.pixelHash(picture, value as 8), 'depth', [], /depth/, codes);
      await tryAll((value) => dcomp.withDepth(value as Picture, 8), 'withDepth', [], /picture/, codes);
      await tryAll((value) => dcomp.withDepth(picture, value as 8), 'depth', [], /depth/, codes);
      await tryAll((value) => dcomp.repairText(value as never), 'repairText', [], /repair/, codes);
      for (const [name, value] of Object.entries(HOSTILE)) assert.equal(dcomp.isMisuse(value as never), false, name);
    });
  });
}

describe('what is as good as bytes', () => {
  const dcomp = nodeEntry;
  const shared = { model, threads: 1 };
  after(() => dcomp.release());

  it('files in any buffer or view decode alike', async () => {
    const { bytes } = await dcomp.encode(picture, { ...shared, effort: 1 });
    const expected = (await dcomp.decode(bytes, shared)).data;
    const padded = new Uint8Array(bytes.length + 7);
    padded.set(bytes, 3);
    const common = new SharedArrayBuffer(bytes.length);
    new Uint8Array(common).set(bytes);
    for (const same of [
      bytes.slice().buffer,
      new Uint8ClampedArray(bytes),
      new DataView(padded.buffer, 3, bytes.length),
      padded.subarray(3, 3 + bytes.length),
      common,
      new Uint8Array(common),
      Buffer.from(bytes),
    ] as Uint8Array[]) {
      assert.deepEqual((await dcomp.decode(same, shared)).data, expected);
      assert.equal(dcomp.info(same).byteLength, bytes.length);
      assert.equal((await dcomp.verify(same)).state, 'intact');
      const decoder = new dcomp.ProgressiveDecoder(shared);
      decoder.push(same);
      assert.deepEqual((await decoder.picture())!.data, expected);
    }
  });

  it('a file may be changed or transferred away once it has been handed over', async () => {
    const { bytes } = await dcomp.encode(picture, { ...shared, effort: 1 });
    const expected = (await dcomp.decode(bytes, shared)).data;
    for (const harm of [
      (copy: Uint8Array) => copy.fill(0),
      (copy: Uint8Array) => structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] }),
    ]) {
      const copy = bytes.slice();
      const decoding = dcomp.decode(copy, shared);
      harm(copy);
      assert.deepEqual((await decoding).data, expected);
    }
  });

  it('samples in any buffer or view encode alike; an ImageData has four channels', async () => {
    const { width, height, channels, data } = picture;
    const expected = (await dcomp.encode(picture, { ...shared, effort: 1 })).bytes;
    for (const of of [
      { ...picture, data: data.slice().buffer },
      { ...picture, data: new Uint8ClampedArray(data) },
      { ...picture, data: new DataView(data.slice().buffer) },
      { width, height, channels, data: Buffer.from(data) },
      { width, height, data: new Uint8ClampedArray(data), colorSpace: 'srgb' },
    ] as unknown as Picture[])
      assert.deepEqual((await dcomp.encode(of, { ...shared, effort: 1 })).bytes, expected);
    const wide = { ...picture, depth: 16, data: Uint16Array.from(data, (v) => v * 257) } as const;
    const expectedWide = (await dcomp.encode(wide, { ...shared, effort: 1 })).bytes;
    const odd = new Uint8Array(2 * wide.data.length + 1);
    odd.set(new Uint8Array(wide.data.buffer), 1);
    for (const samples of [wide.data.slice().buffer, new DataView(odd.buffer, 1)])
      assert.deepEqual(
        (await dcomp.encode({ ...wide, data: samples as unknown as Uint16Array }, { ...shared, effort: 1 })).bytes,
        expectedWide,
      );
    await assert.rejects(
      dcomp.encode({ width, height, data: new Uint8ClampedArray(data), colorSpace: 'display-p3' } as never, shared),
      /ImageData of the colour space "display-p3"/,
    );
  });
});
