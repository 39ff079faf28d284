/** The best guess in thin holes: one way leads there, nothing is drawn, and what is known stays. */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { inpaintPicture, release, resultOf, type RestoreState } from '../src/diffusion-node.js';
import type { Picture } from '../src/picture.js';
import { isThin } from '../src/restore/best-guess.js';
import { finish } from '../src/turns.js';
import { DECODING } from './helpers/tiny.js';

after(() => release());
const options = { ...DECODING, sampler: 'mean' as const };
const [width, height] = [40, 30];
const picture: Picture = {
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => 90 + 2 * (Math.floor(i / 3) % width) + 20 * (i % 3)),
};

/** 255 from one column to before another. */
const striped = (from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: width * height }, (_, i) => (i % width >= from && i % width < to ? 255 : 0));

const thin = (mask: Uint8Array): boolean =>
  finish(
    isThin({
      plane: { width, height, data: new Float32Array(0) },
      share: Float32Array.from(mask, (value) => 1 - value / 255),
    }),
  );

it('strokes of up to four pixels are thin, at an edge of two', () => {
  for (const [from, to, is] of [
    [10, 11, true],
    [10, 14, true],
    [10, 15, false],
    [0, 2, true],
    [0, 3, false],
  ] as const)
    assert.equal(thin(striped(from, to)), is, `${from} to ${to}`);
  assert.equal(thin(new Uint8Array(width * height).fill(255)), false);
});

it('a thin hole is filled as what is around it, whatever the seed, and known pixels stay', async () => {
  const mask = striped(10, 13);
  const given = { ...picture, data: picture.data.map((value, i) => (mask[Math.floor(i / 3)] === 0 ? value : 0)) };
  const states: RestoreState[] = [];
  for await (const state of inpaintPicture(given, mask, options)) states.push(state);
  assert.ok(states.length > 4 && states.at(-1)!.fraction === 1 && states.every(({ level }) => level === 0));
  const made = await states.at(-1)!.picture();
  made.data.forEach((value, i) => {
    const far = Math.abs(value - picture.data[i]!);
    assert.ok(mask[Math.floor(i / 3)] === 0 ? far === 0 : far < 30, `${i}: ${value} for ${picture.data[i]}`);
  });
  assert.deepEqual((await resultOf(inpaintPicture(given, mask, { ...options, seed: 7 }))).data, made.data);
});

it('a wide hole is filled alike, by way of coarser levels', async () => {
  const mask = striped(10, 20);
  const given = { ...picture, data: picture.data.map((value, i) => (mask[Math.floor(i / 3)] === 0 ? value : 0)) };
  const states: RestoreState[] = [];
  for await (const state of inpaintPicture(given, mask, { ...options, steps: 4 })) states.push(state);
  assert.ok(states.some(({ level }) => level > 0));
  states.reduce((before, state) => {
    assert.ok(state.fraction >= before.fraction && state.level <= before.level);
    return state;
  });
  const made = await states.at(-1)!.picture();
  made.data.forEach((value, i) => {
    if (mask[Math.floor(i / 3)] === 0) assert.equal(value, picture.data[i]);
    else assert.ok(value > 90 && value < 220, `${i}: ${value}`);
  });
  const other = await resultOf(inpaintPicture(given, mask, { ...options, steps: 4, seed: 7 }));
  assert.deepEqual(other.data, made.data);
});
