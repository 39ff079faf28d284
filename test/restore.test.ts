/** Pictures denoised, enlarged, painted anew and drawn, with a small model: what holds for any model. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { tinyModelFile } from '../corpus/tiny-model.js';
import {
  denoisePicture,
  estimateSigma,
  inpaintPicture,
  release,
  resultOf,
  samplePicture,
  type SampleOptions,
  SAMPLERS,
  upscalePicture,
  type RestoreState,
} from '../src/diffusion-node.js';
import { normalAt } from '../src/math/normal.js';
import type { Channels, Picture } from '../src/picture.js';
import { levelOf } from '../src/restore/noise-level.js';
import { assertLimited } from './helpers/limited.js';
import { DECODING } from './helpers/tiny.js';

const common = { ...DECODING, steps: 3 };
after(() => release());

/** Smooth, with some texture; under noise of this sigma. */
function picture(width: number, height: number, channels: Channels = 3, depth: 8 | 16 = 8, sigma = 0): Picture {
  const range = 2 ** depth - 1;
  const data = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const [c, p] = [i % channels, Math.floor(i / channels)];
    const [x, y] = [p % width, Math.floor(p / width)];
    const value = 120 + 60 * Math.sin(x / 7 + c) + 40 * Math.cos(y / 9) + sigma * normalAt(5, i);
    data[i] = Math.min(range, Math.max(0, Math.round((value * range) / 255)));
  }
  return { width, height, channels, depth, data };
}

const metadata = {
  icc: Uint8Array.of(1, 2, 3),
  density: { x: 2000, y: 3000, unit: 'metre' as const },
  text: [{ keyword: 'Title', text: 'x' }],
};

/** Means of blocks, rounded. */
function reduced({ width, height, channels, data }: Picture, factor: number): number[] {
  const out: number[] = [];
  for (let y = 0; y < height; y += factor)
    for (let x = 0; x < width; x += factor)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let j = 0; j < factor; j++)
          for (let i = 0; i < factor; i++) sum += data[((y + j) * width + x + i) * channels + c]!;
        out.push(Math.round(sum / factor ** 2));
      }
  return out;
}

/** Mean over the colours. */
function squaredError(a: Picture, b: Picture): number {
  let sum = 0;
  const alpha = a.channels === 2 || a.channels === 4;
  for (let i = 0; i < a.data.length; i++)
    if (!alpha || (i + 1) % a.channels !== 0) sum += (a.data[i]! - b.data[i]!) ** 2;
  return sum;
}

describe('denoising', () => {
  it('brings a picture nearer to what it was, for every kind of picture, and keeps alpha and metadata', async () => {
    for (const [channels, depth] of [
      [1, 8],
      [2, 8],
      [3, 8],
      [4, 8],
      [3, 16],
    ] as const) {
      const clean = picture(37, 29, channels, depth);
      const noisy = { ...picture(37, 29, channels, depth, 20), metadata };
      const colours = channels === 2 || channels === 4 ? channels - 1 : channels;
      const denoised = await resultOf(denoisePicture(noisy, { ...common, sigma: 20 }));
      assert.deepEqual(
        [denoised.width, denoised.height, denoised.channels, denoised.depth, denoised.metadata],
        [37, 29, channels, depth, metadata],
      );
      assert.ok(
        squaredError(denoised, clean) < 0.7 * squaredError(noisy, clean),
        `${channels} channels, ${depth} bits`,
      );
      if (colours < channels)
        for (let i = colours; i < noisy.data.length; i += channels) assert.equal(denoised.data[i], noisy.data[i]);
    }
  });

  it('with no noise to be found a picture stays as it is', async () => {
    const flat: Picture = { width: 40, height: 40, channels: 3, data: new Uint8Array(4800).fill(77) };
    assert.deepEqual((await resultOf(denoisePicture(flat, common))).data, flat.data);
    assert.deepEqual((await resultOf(denoisePicture(picture(1, 1), common))).data, picture(1, 1).data);
  });

  it('the noise is estimated within a tenth, in colour and in grey', async () => {
    for (const channels of [1, 3] as const)
      for (const sigma of [5, 15, 25, 50]) {
        const found = await estimateSigma(picture(120, 120, channels, 8, sigma));
        assert.ok(Math.abs(found / sigma - 1) < 0.1, `${found} for ${sigma}, ${channels} channels`);
      }
  });

  it('noise is found where content lies in all directions, and their eigenvalues fall ever more slowly', () => {
    for (let k = 1; k <= 100; k++) {
      const values = Array.from({ length: 75 }, (_, i) => 25 + (i === 0 ? 1 : k ** 2 / (3 * i ** 2)));
      assert.ok(Math.abs(levelOf(values) - 5) < 0.1, `${levelOf(values)} for ${k}`);
    }
  });
});

describe('upscaling', () => {
  it('reduced again, the result is what was given, exactly, whatever the picture', async () => {
    const samples = fc.uint8Array({ minLength: 300, maxLength: 300 });
    const cases: [Uint8Array, 2 | 4][] = [];
    for (const data of fc.sample(samples, { numRuns: 6, seed: 3 })) cases.push([data, 2], [data, 4]);
    for (const [data, factor] of cases) {
      const given: Picture = {
        width: 10,
        height: 10,
        channels: 3,
        data: data.map((v) => (v > 200 ? 255 : v < 40 ? 0 : v)),
      };
      const large = await resultOf(upscalePicture(given, { ...common, factor }));
      assert.deepEqual([large.width, large.height], [10 * factor, 10 * factor]);
      assert.deepEqual(reduced(large, factor), [...given.data]);
    }
    const deep = picture(9, 5, 1, 16);
    assert.deepEqual(reduced(await resultOf(upscalePicture(deep, { ...common, sampler: 'heun' })), 2), [...deep.data]);
  });

  it('alpha is interpolated, and the picture stays as large on paper', async () => {
    const given = { ...picture(6, 7, 4), metadata };
    const large = await resultOf(upscalePicture(given, common));
    assert.equal(large.data[3], given.data[3]);
    assert.deepEqual(large.metadata, { ...metadata, density: { x: 4000, y: 6000, unit: 'metre' } });
  });
});

describe('inpainting', () => {
  const given = { ...picture(45, 33, 4), metadata };
  const hole = new Uint8Array(45 * 33);
  for (let y = 10; y < 20; y++) hole.fill(255, y * 45 + 12, y * 45 + 24);

  it('known pixels are unchanged, painted ones come out of the rest', async () => {
    for (const sampler of ['mean', ...SAMPLERS] as const) {
      const done = await resultOf(inpaintPicture(given, hole, { ...common, sampler }));
      assert.deepEqual(done.metadata, metadata);
      let error = 0;
      for (let i = 0; i < hole.length; i++)
        for (let c = 0; c < 4; c++) {
          const [was, is] = [given.data[4 * i + c]!, done.data[4 * i + c]!];
          if (hole[i] === 0 || c === 3) assert.equal(is, was);
          else error += (is - was) ** 2 / (3 * 120);
        }
      // A tiny model knows no texture; chance would be some 10 000.
      assert.ok(error < 7000, `${sampler}: ${error}`);
    }
  });

  it('what is hidden under the mask has no influence', async () => {
    const other = {
      ...given,
      data: given.data.map((value, i) => (hole[i >> 2] !== 0 && (i & 3) < 3 ? 255 - value : value)),
    };
    const [a, b] = [
      await resultOf(inpaintPicture(given, hole, common)),
      await resultOf(inpaintPicture(other as Picture, hole, common)),
    ];
    assert.deepEqual(a.data, b.data);
  });

  it('an empty mask changes nothing, one that is all white draws a picture', async () => {
    assert.deepEqual((await resultOf(inpaintPicture(given, new Uint8Array(hole.length), common))).data, given.data);
    const all = await resultOf(inpaintPicture(given, new Uint8Array(hole.length).fill(255), common));
    assert.notDeepEqual(all.data, given.data);
    assert.equal(all.data[3], given.data[3]);
  });
});

describe('drawing', () => {
  const size = { width: 21, height: 17 };

  it('every sampler draws the same from the same seed, with any number of threads, and another from another', async () => {
    for (const sampler of SAMPLERS) {
      const draw = async (seed: number, threads: number): Promise<Picture> =>
        resultOf(samplePicture({ ...common, ...size, sampler, seed, threads }));
      const first = await draw(1, 1);
      assert.deepEqual([first.width, first.height, first.channels], [21, 17, 3]);
      assert.deepEqual((await draw(1, 2)).data, first.data);
      assert.notDeepEqual((await draw(2, 1)).data, first.data);
    }
  });

  it('grey is grey, and without noise nothing is drawn', async () => {
    assert.equal((await resultOf(samplePicture({ ...common, ...size, channels: 1 }))).channels, 1);
    const draw = (seed: number): Promise<Picture> =>
      resultOf(samplePicture({ ...common, ...size, seed, temperature: 0 }));
    assert.deepEqual((await draw(1)).data, (await draw(2)).data);
  });

  it('states go from coarse to fine, and end at 1', async () => {
    const states: RestoreState[] = [];
    for await (const state of samplePicture({ ...common, ...size })) states.push(state);
    states.reduce((before, state) => {
      assert.ok(state.fraction >= before.fraction && state.level <= before.level);
      return state;
    });
    assert.equal(states[states.length - 1]!.fraction, 1);
    assert.ok((await states[0]!.picture()).width < 21);
  });
});

describe('what makes no sense', () => {
  it('is refused by name', async () => {
    const given = picture(8, 8);
    const wrong: [AsyncIterable<RestoreState> | (() => AsyncIterable<RestoreState>), string, RegExp][] = [
      [inpaintPicture(given, new Uint8Array(63), common), 'E_USAGE', /mask has 63 pixels, the picture 8×8/],
      [() => upscalePicture(given, { ...common, factor: 3 as 2 }), 'E_USAGE', /factor is 3; it must be 2 or 4/],
      [samplePicture({ ...common, class: 2 }), 'E_USAGE', /class 2: the model .* knows no classes/],
      [() => denoisePicture(given, { ...common, sigma: -1 }), 'E_USAGE', /sigma is -1/],
      [() => denoisePicture(given, { ...common, sampler: 'best' as 'mean' }), 'E_USAGE', /sampler is "best"/],
      [() => samplePicture({ ...common, width: 3 }), 'E_USAGE', /width is 3/],
      [() => samplePicture({ ...common, temperature: 3 }), 'E_USAGE', /temperature is 3/],
      [() => samplePicture({ ...common, scale: 1 } as object), 'E_USAGE', /no option "scale"/],
      [upscalePicture(given, { ...common, maxPixels: 255 }), 'E_TOO_LARGE', /16×16/],
    ];
    for (const [states, code, message] of wrong)
      await assert.rejects(async () => resultOf(typeof states === 'function' ? states() : states), { code, message });
  });

  it('a signal stops it, before or on the way, and the next call goes on', async () => {
    await assert.rejects(resultOf(samplePicture({ ...common, signal: AbortSignal.abort() })), { code: 'E_ABORTED' });
    const controller = new AbortController();
    const states = samplePicture({ ...common, signal: controller.signal });
    await states.next();
    controller.abort();
    await assert.rejects(resultOf(states), { code: 'E_ABORTED' });
    for await (const _ of samplePicture({ ...common, width: 16 })) break;
    assert.equal((await resultOf(samplePicture({ ...common, width: 16 }))).width, 16);
  });

  it('a class of a model that knows classes guides, by its scale', async () => {
    const classes = tinyModelFile({ classes: 3 });
    const draw = async (guided: Pick<SampleOptions, 'guidanceScale' | 'class'>): Promise<Picture> =>
      resultOf(samplePicture({ ...common, model: classes, width: 12, ...guided }));
    const plain = await draw({});
    assert.deepEqual((await draw({ guidanceScale: 0, class: 2 })).data, plain.data);
    assert.notDeepEqual((await draw({ guidanceScale: 3, class: 2 })).data, plain.data);
    await assert.rejects(draw({ class: 3 }), { code: 'E_USAGE', message: /classes 0 to 2/ });
    await assert.rejects(draw({ guidanceScale: 3 }), { code: 'E_USAGE', message: /name one/ });
  });
});

it('any size is denoised, and enlarged', () => {
  assertLimited(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), async (width, height) => {
      const given = picture(width, height);
      const denoised = await resultOf(denoisePicture(given, { ...common, sigma: 9 }));
      assert.equal(denoised.data.length, given.data.length);
      assert.deepEqual(reduced(await resultOf(upscalePicture(given, common)), 2), [...given.data]);
    }),
    { numRuns: 8, seed: 2 },
  );
});
