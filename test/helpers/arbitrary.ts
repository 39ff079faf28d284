/** What the property tests of the codec draw from. */
import fc from 'fast-check';
import { CORPUS, corpusPicture } from '../../corpus/pictures.js';
import type { EncodingOptions, LossyTarget } from '../../src/codec/encoder-options.js';
import { LAST_CODE, MAX_FIRST_CODE } from '../../src/format.js';
import {
  FINEST_FIRST_CODE,
  MAX_AHEAD,
  MAX_LAST_LEVEL,
  MAX_TAIL,
  CHROMA_UNIT,
  MAX_CHROMA,
  MAX_MASKING,
  NOT_SETTLED,
  SETTLE_UNIT,
  type Schedule,
} from '../../src/diffusion/schedule.js';
import { TOP_CODE } from '../../src/model/sigma.js';
import { hash32 } from '../../src/math/hash.js';
import { depthOf, newSamples, rangeOf, withDepth, type Channels, type Depth, type Picture } from '../../src/picture.js';

/** A picture of a corpus name in any of the four kinds: missing colour is grey, missing alpha opaque. */
export function inKind(picture: Picture, channels: Channels): Picture {
  const n = picture.width * picture.height;
  const depth = depthOf(picture);
  const data = newSamples(n * channels, depth);
  const grey = picture.channels <= 2;
  for (let i = 0; i < n; i++) {
    const at = i * picture.channels;
    const colour = [0, 1, 2].map((c) => picture.data[grey ? at : at + c]!);
    const alpha = picture.channels % 2 === 0 ? picture.data[at + picture.channels - 1]! : rangeOf(depth);
    const samples = channels <= 2 ? [colour[1]!, alpha] : [...colour, alpha];
    for (let c = 0; c < channels; c++) data[i * channels + c] = samples[c]!;
  }
  return { width: picture.width, height: picture.height, channels, data };
}

/** Independent samples that are 0, 255 or anything: the worst that a picture can be. */
export function extremeNoise(width: number, height: number, channels: Channels, seed: number): Picture {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const h = hash32(seed, i);
    return (h & 3) === 0 ? 0 : (h & 3) === 1 ? 255 : h >>> 24;
  });
  return { width, height, channels, data };
}

export function constantPicture(width: number, height: number, channels: Channels, value: number): Picture {
  return { width, height, channels, data: new Uint8Array(width * height * channels).fill(value) };
}

/** Channels and depths that go together. */
export const sampleKinds: fc.Arbitrary<{ channels: Channels; depth: Depth }> = fc.oneof(
  fc.record({ channels: fc.constantFrom<Channels>(1, 2, 3, 4), depth: fc.constantFrom<Depth>(8, 16) }),
  fc.record({ channels: fc.constant<Channels>(1), depth: fc.constantFrom<Depth>(1, 2, 4) }),
);

const kinds = fc.constantFrom<Channels>(1, 2, 3, 4);
const names = CORPUS.map(({ name }) => name);

/** Sizes 1×1 to maxSide, thin ones and odd ones too, all kinds, several contents. */
export function pictures(maxSide = 70): fc.Arbitrary<Picture> {
  const side = fc.oneof(fc.integer({ min: 1, max: maxSide }), fc.integer({ min: 1, max: 5 }));
  const content = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.constant('extreme') },
    { weight: 1, arbitrary: fc.constant('constant') },
  );
  return fc
    .record({ width: side, height: side, channels: kinds, content, seed: fc.nat({ max: 255 }) })
    .map(({ width, height, channels, content, seed }) => {
      if (content === 'extreme') return extremeNoise(width, height, channels, seed);
      if (content === 'constant') return constantPicture(width, height, channels, seed);
      return inKind(corpusPicture(content, { width, height }, seed), channels);
    });
}

/** The same in all depths; 16 bits are not just scaled from 8. */
export function picturesOfAnyDepth(maxSide = 70): fc.Arbitrary<Picture> {
  return fc
    .record({ picture: pictures(maxSide), kind: sampleKinds, seed: fc.nat() })
    .map(({ picture, kind: { channels, depth }, seed }) => {
      const result = withDepth(inKind(picture, channels), depth);
      if (depth !== 16) return result;
      return { ...result, data: result.data.map((sample, i) => Math.min(65535, sample + (hash32(seed, i) & 255))) };
    });
}

/** Low ones are as likely as high ones. */
export const qualities = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.double({ min: 1, max: 100, noNaN: true }));

const ahead = fc.integer({ min: 0, max: MAX_AHEAD });
/** Schedules that refine every level from sigma_top down. */
export const refinedSchedules: fc.Arbitrary<Schedule> = fc.record(
  {
    coarseWidth: fc.integer({ min: 1, max: 16 }),
    fineWidth: fc.integer({ min: 1, max: 16 }),
    lastCode: fc.integer({ min: LAST_CODE, max: TOP_CODE }),
    tail: fc.integer({ min: 0, max: MAX_TAIL }),
    views: fc.constantFrom(1, 2, 4),
    coarseViews: fc.constantFrom(1, 2, 4),
  },
  { noNullPrototype: true },
);

/** More often than not. */
const masked = fc.integer({ min: -5, max: MAX_MASKING }).map((masking) => (masking > 0 ? { masking } : {}));

const chroma = fc.integer({ min: 0, max: MAX_CHROMA / CHROMA_UNIT }).map((units) => CHROMA_UNIT * units);
const coloured = fc
  .option(fc.tuple(chroma, chroma))
  .map((chroma) => (chroma === null || Math.max(...chroma) === 0 ? {} : { chroma }));

const settled = fc.integer({ min: 0, max: 15 }).map((units) => NOT_SETTLED + SETTLE_UNIT * units);

/** All that a header can state. */
export const anySchedules: fc.Arbitrary<Schedule> = fc.oneof(
  refinedSchedules,
  fc
    .record({
      schedule: refinedSchedules,
      firstCode: fc.integer({ min: FINEST_FIRST_CODE, max: MAX_FIRST_CODE }),
      ahead: fc.tuple(ahead, ahead, ahead, ahead),
      told: fc.constantFrom({}, { atOnce: true }),
      shown: fc.constantFrom({}, { forEye: true }),
      masked,
      coloured,
    })
    .map(({ schedule, firstCode, ahead, told, shown, masked, coloured }) => ({
      ...schedule,
      ...shown,
      ...masked,
      ...coloured,
      lastCode: Math.min(firstCode, schedule.lastCode),
      straight: { firstCode, ahead, ...told },
    })),
  fc
    .record({
      schedule: refinedSchedules,
      settled: fc.tuple(settled, settled, settled, settled),
      masked,
      last: fc.constantFrom({}, { lastLevel: 1 }, { lastLevel: MAX_LAST_LEVEL }),
    })
    .map(({ schedule, settled, masked, last }) => ({ ...schedule, ...masked, settled, ...last })),
);

/** Those that go on to the end. */
export const schedules = anySchedules.map((schedule) => ({
  ...schedule,
  // Steps of one code are more work than is done without being asked for.
  coarseWidth: Math.max(2, schedule.coarseWidth),
  fineWidth: Math.max(2, schedule.fineWidth),
  lastCode: LAST_CODE,
}));

export const targets: fc.Arbitrary<LossyTarget> = fc.oneof(
  qualities.map((quality) => ({ quality })),
  fc.double({ min: 0.5, max: 20, noNaN: true }).map((bitsPerPixel) => ({ bitsPerPixel })),
  fc.integer({ min: 40, max: 4000 }).map((size) => ({ size })),
  fc.double({ min: 5, max: 45, noNaN: true }).map((psnr) => ({ psnr })),
);

/** Options that make no test slow: the search of low efforts. The plain form has tests of its own. */
export const options: fc.Arbitrary<EncodingOptions & { target: LossyTarget }> = fc.record({
  plain: fc.constant(false),
  target: targets,
  effort: fc.integer({ min: 1, max: 3 }),
  schedule: schedules,
});
