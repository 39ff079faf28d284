/** Colours, Haar steps, sigma codes and observations: what the codec does to a picture before any bit is sent. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { restoreColours, restoreGrey, rotateColours, rotateGrey } from '../src/pixels/colour.js';
import { blankObservation, finerObservation, type Observation } from '../src/diffusion/observation.js';
import { haar, halve, inverseHaar, type Plane } from '../src/pixels/pyramid.js';
import { DEFAULT_SCHEDULE, entersLevel, pyramidSizes, stepsOf, straightCode } from '../src/diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE, ROOT_SIDE } from '../src/format.js';
import { CODES_PER_OCTAVE, codeOf, EXACT, log2SigmaOf, sigmaOf, TOP_CODE, UNKNOWN } from '../src/model/sigma.js';
import { anySchedules, refinedSchedules } from './helpers/arbitrary.js';
import { gaussian } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

const side = fc.integer({ min: 1, max: 40 });

function randomPlane(width: number, height: number, seed: number): Plane {
  const next = gaussian(seed);
  return { width, height, data: new Float32Array(width * height * 3).map(() => 60 * next()) };
}

function energy(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

function assertClose(a: Float32Array, b: Float32Array, tolerance: number): void {
  assert.equal(a.length, b.length);
  const at = a.findIndex((value, i) => !(Math.abs(value - b[i]!) <= tolerance));
  assert.equal(at, -1, `index ${at}: ${a[at]} and ${b[at]}`);
}

describe('colour', () => {
  it('every colour comes back exactly', () => {
    // All pairs of two channels at all values of the third on a coarse grid, and everything at random.
    const rgb = new Uint8Array(3 * 256 * 256);
    for (let third = 0; third < 256; third += 15) {
      for (let i = 0; i < 65536; i++) rgb.set([i & 255, i >> 8, third], 3 * i);
      assert.deepEqual(restoreColours(rotateColours(rgb)), rgb);
    }
    assertLimited(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 3 }), (colour) =>
        assert.deepEqual(restoreColours(rotateColours(colour)), colour),
      ),
      { numRuns: 1000 },
    );
  });

  it('every grey comes back exactly, and has no chroma', () => {
    const grey = Uint8Array.from({ length: 256 }, (_, i) => i);
    const rotated = rotateGrey(grey);
    assert.deepEqual(restoreGrey(rotated), grey);
    for (let i = 0; i < 256; i++) assert.deepEqual([rotated[3 * i + 1], rotated[3 * i + 2]], [0, 0]);
  });

  it('keeps squared error: distances of colours are those of their rotations', () => {
    const colour = fc.uint8Array({ minLength: 3, maxLength: 3 });
    assertLimited(
      fc.property(colour, colour, (a, b) => {
        const difference = rotateColours(a).map((value, i) => value - rotateColours(b)[i]!);
        const expected = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
        assert.ok(Math.abs(energy(difference) - expected) <= 1e-4 * expected + 1e-6);
      }),
    );
  });

  it('values out of range are clamped', () => {
    for (const value of [-1e9, -300, 300, 1e9]) {
      const samples = restoreColours(Float32Array.of(value, 0, 0));
      assert.deepEqual([...samples], Array(3).fill(value < 0 ? 0 : 255));
    }
  });
});

describe('Haar pyramid', () => {
  it('the inverse step gives the picture back, odd sides too', () => {
    assertLimited(
      fc.property(side, side, fc.nat(), (width, height, seed) => {
        const u = randomPlane(width, height, seed);
        const c = haar(u);
        assert.deepEqual([c.width, c.height], [Math.ceil(width / 2), Math.ceil(height / 2)]);
        const back = inverseHaar(c, width, height);
        assert.deepEqual([back.width, back.height], [width, height]);
        assertClose(back.data, u.data, 1e-4);
      }),
    );
  });

  it('is orthonormal: keeps the energy where sides are even', () => {
    assertLimited(
      fc.property(side, side, fc.nat(), (w, h, seed) => {
        const u = randomPlane(2 * w, 2 * h, seed);
        const [before, after] = [energy(u.data), energy(haar(u).data)];
        assert.ok(Math.abs(after / before - 1) < 1e-5);
      }),
    );
  });

  it('LL is twice the next level, which is the mean of four pixels', () => {
    assertLimited(
      fc.property(side, side, fc.nat(), (width, height, seed) => {
        const u = randomPlane(width, height, seed);
        const half = halve(u);
        const { data } = haar(u);
        half.data.forEach((value, i) => assert.equal(2 * value, data[Math.floor(i / 3) * 12 + (i % 3)]));
        const mean = (c: number): number => {
          const at = (x: number, y: number): number =>
            u.data[(Math.min(y, height - 1) * width + Math.min(x, width - 1)) * 3 + c]!;
          return (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4;
        };
        for (let c = 0; c < 3; c++) assert.ok(Math.abs(half.data[c]! - mean(c)) < 1e-4);
      }),
    );
  });

  it('each subband is what its name says', () => {
    const pixels = (f: (x: number, y: number) => number): Plane => ({
      width: 2,
      height: 2,
      data: Float32Array.from({ length: 12 }, (_, i) => f(Math.floor(i / 3) % 2, Math.floor(i / 6))),
    });
    const bands = (plane: Plane): number[] => [0, 3, 6, 9].map((i) => haar(plane).data[i]!);
    assert.deepEqual(bands(pixels(() => 1)), [2, 0, 0, 0]);
    assert.deepEqual(bands(pixels((x) => 1 - 2 * x)), [0, 2, 0, 0]);
    assert.deepEqual(bands(pixels((_x, y) => 1 - 2 * y)), [0, 0, 2, 0]);
    assert.deepEqual(bands(pixels((x, y) => (1 - 2 * x) * (1 - 2 * y))), [0, 0, 0, 2]);
  });
});

describe('schedule', () => {
  it('sizes halve, rounded up, until the longer side is at most the root side; there is always a second', () => {
    assert.deepEqual(pyramidSizes(1, 1), [
      { width: 1, height: 1 },
      { width: 1, height: 1 },
    ]);
    assert.deepEqual(
      pyramidSizes(768, 512).map(({ width }) => width),
      [768, 384, 192, 96, 48, 24, 12, 6],
    );
    assertLimited(
      fc.property(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 }), (width, height) => {
        const sizes = pyramidSizes(width, height);
        assert.deepEqual(sizes[0], { width, height });
        for (let k = 1; k < sizes.length; k++) {
          assert.deepEqual(sizes[k], {
            width: Math.ceil(sizes[k - 1]!.width / 2),
            height: Math.ceil(sizes[k - 1]!.height / 2),
          });
          const longer = Math.max(sizes[k]!.width, sizes[k]!.height);
          assert.equal(longer <= ROOT_SIDE, k === sizes.length - 1, `level ${k} of ${width}×${height}`);
        }
      }),
    );
  });

  it('one that no header can state has no steps, rather than steps without end', () => {
    for (const change of [
      { fineWidth: 0 },
      { fineWidth: 17 },
      { coarseWidth: NaN },
      { coarseWidth: -1 },
      { coarseWidth: 2.5 },
      { lastCode: LAST_CODE - 1 },
      { lastCode: Infinity },
      { tail: 8 },
      { views: 3 as 2 },
    ])
      assert.throws(() => stepsOf({ ...DEFAULT_SCHEDULE, ...change }, 4), { code: 'E_USAGE' }, JSON.stringify(change));
  });

  it('steps lead from the root to the last code without a gap, coarsest level first', () => {
    assertLimited(
      fc.property(
        refinedSchedules.map((schedule) => ({ ...schedule, coarseWidth: Math.max(2, schedule.coarseWidth) })),
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: LAST_CODE, max: TOP_CODE }),
        (schedule, levels, lastCode) => {
          const steps = stepsOf({ ...schedule, lastCode }, levels);
          const { corrected: _, leavesOut: __, inStages: ___, ...root } = steps[0]!;
          assert.deepEqual(root, { index: 0, level: levels - 1, kind: 'root', from: TOP_CODE, to: TOP_CODE });
          steps.forEach((step, i) => assert.equal(step.index, i));
          for (let level = 0; level < levels; level++) {
            const ofLevel = steps.filter((step) => step.level === level && step.kind !== 'root');
            const entering = ofLevel.filter(({ kind }) => kind === 'enter');
            const refinements = ofLevel.slice(entering.length);
            assert.deepEqual(
              entering.map(({ part }) => part),
              level < levels - 2 ? ['first', 'rest'] : [undefined],
            );
            assert.deepEqual(ofLevel.filter(entersLevel), ofLevel.slice(0, 1));
            const end = level === 0 ? lastCode : TOP_CODE - CODES_LEVEL_SPAN;
            let code = TOP_CODE;
            for (const { kind, from, to } of refinements) {
              assert.deepEqual([kind, from], ['refine', code]);
              assert.ok(
                to < from &&
                  from - to <=
                    (level > 0
                      ? schedule.coarseWidth
                      : to === end
                        ? Math.max(schedule.fineWidth, schedule.tail)
                        : schedule.fineWidth),
              );
              code = to;
            }
            assert.equal(code, end);
            if (level === 0 && schedule.tail > 0 && refinements.length > 0) {
              const last = refinements[refinements.length - 1]!;
              assert.equal(last.from, Math.min(TOP_CODE, lastCode + schedule.tail));
            }
          }
          for (let i = 1; i < steps.length; i++) assert.ok(steps[i]!.level <= steps[i - 1]!.level);
        },
      ),
    );
    assert.equal(stepsOf(DEFAULT_SCHEDULE, 7).length, 1 + 2 * 9 + 4 * 10 + 2 + 26);
  });

  it('straight ones finish each level in two parts, or level 0 at once, with noise that is white or falls with the level', () => {
    fc.assert(
      fc.property(
        anySchedules.filter(({ straight }) => straight !== undefined),
        fc.integer({ min: 1, max: 12 }),
        (schedule, levels) => {
          const straight = schedule.straight!;
          const steps = stepsOf(schedule, levels);
          const entering = steps.filter(({ kind }) => kind === 'enter');
          assert.deepEqual(
            entering.map(({ level, part, to }) => [level, part, to]),
            Array.from({ length: levels }, (_, i) => levels - 1 - i).flatMap((level) =>
              (level === 0 && straight.atOnce === true ? [undefined] : ['first', 'rest']).map((part) => [
                level,
                part,
                straightCode(straight, level),
              ]),
            ),
          );
          for (const { level, from } of entering)
            if (level < levels - 1) assert.equal(from, straightCode(straight, level + 1) + CODES_LEVEL_SPAN);
          const refining = steps.filter(({ kind }) => kind === 'refine');
          assert.ok(refining.every(({ level }) => level === 0));
          assert.equal(refining.at(-1)?.to ?? straight.firstCode, schedule.lastCode);
          assert.equal(refining[0]?.from ?? straight.firstCode, straight.firstCode);
        },
      ),
    );
    const white = { firstCode: 144, ahead: [0, 0, 0, 0] } as const;
    assert.deepEqual(
      [0, 1, 2, 6].map((level) => straightCode(white, level)),
      [144, 128, 112, 48],
    );
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((level) => straightCode({ firstCode: 160, ahead: [1, 2, 3, 4] }, level)),
      [160, 143, 126, 109, 92],
    );
  });
});

describe('sigma codes', () => {
  it('a sixteenth of an octave each, and back', () => {
    for (let code = 1; code < UNKNOWN; code++) {
      assert.equal(codeOf(sigmaOf(code)), code);
      assert.equal(log2SigmaOf(code), (code - 80) / CODES_PER_OCTAVE);
      assert.ok(Math.abs(sigmaOf(code) / 2 ** ((code - 80) / 16) - 1) < 1e-14);
      if (code > CODES_PER_OCTAVE)
        assert.equal(sigmaOf(code), 2 * sigmaOf(code - CODES_PER_OCTAVE), 'octaves are exact');
    }
    assert.deepEqual([sigmaOf(EXACT), sigmaOf(UNKNOWN), sigmaOf(80)], [0, Infinity, 1]);
  });

  it('any positive sigma has the nearest code, clamped', () => {
    assertLimited(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (sigma) => {
        const code = codeOf(sigma);
        assert.ok(code >= 1 && code <= 254);
        if (code > 1 && code < 254) assert.ok(Math.abs(Math.log2(sigma / sigmaOf(code))) <= 1 / 32 + 1e-12);
      }),
    );
  });
});

describe('observation', () => {
  it('what needs no telling is exact from the start: chroma of grey, differences across an odd edge', () => {
    assertLimited(
      fc.property(side, side, fc.boolean(), fc.nat(), (width, height, grey, seed) => {
        const { codes, z, ...grid } = blankObservation({ width, height }, grey);
        assert.deepEqual([grid.width, grid.height], [Math.ceil(width / 2), Math.ceil(height / 2)]);
        assert.ok(z.every((value) => value === 0));
        const u = randomPlane(width, height, seed);
        if (grey) u.data.forEach((_, i) => i % 3 !== 0 && (u.data[i] = 0));
        const x = haar(u).data;
        codes.forEach((code, i) => {
          assert.ok(code === EXACT || code === UNKNOWN);
          if (code === EXACT) assert.equal(Math.abs(x[i]!), 0, `coefficient ${i} is said to be known, but is not 0`);
        });
        const told = codes.filter((code) => code === UNKNOWN).length;
        assert.equal(told, width * height * (grey ? 1 : 3), 'as many coefficients are to be told as there are samples');
      }),
    );
  });

  it('the finer level inherits the picture, and its noise twice as large', () => {
    const code = fc.integer({ min: 100, max: TOP_CODE });
    assertLimited(
      fc.property(side, side, fc.boolean(), code, fc.nat(), (width, height, grey, sigma, seed) => {
        const sizes = pyramidSizes(width, height);
        const fineSize = sizes[0]!;
        const coarse: Observation = blankObservation(sizes[1]!, grey);
        const next = gaussian(seed);
        coarse.codes.forEach((c, i) => {
          if (c === EXACT) return;
          coarse.codes[i] = sigma;
          coarse.z[i] = 50 * next();
        });
        const fine = finerObservation(coarse, fineSize, grey);
        const blank = blankObservation(fineSize, grey);
        const u = inverseHaar({ ...coarse, data: coarse.z }, coarse.size.width, coarse.size.height);
        fine.codes.forEach((c, i) => {
          const channel = i % 12;
          if (channel >= 3 || blank.codes[i] === EXACT) return assert.equal(c, blank.codes[i]);
          assert.equal(fine.z[i], Math.fround(2 * u.data[Math.floor(i / 12) * 3 + channel]!));
          // Where nothing is exact an octave more; where an odd edge makes subbands exact, half an octave or one less.
          assert.ok(c === sigma + 16 || c === sigma + 8 || c === sigma, `${c} from ${sigma}`);
          const [x, y] = [Math.floor(i / 12) % fine.width, Math.floor(i / 12 / fine.width)];
          const oddColumn = x === sizes[1]!.width - 1 && x % 2 === 0;
          const oddRow = y === sizes[1]!.height - 1 && y % 2 === 0;
          assert.equal(c, sigma + 16 - 8 * (Number(oddColumn) + Number(oddRow)));
        });
      }),
    );
  });

  it('that is the noise which the values have', () => {
    // Odd sides, so that all four cases occur. The tolerance is five standard deviations.
    const size = { width: 3, height: 3 };
    const next = gaussian(7);
    const sums = new Float64Array(9);
    const draws = 4000;
    let codes: Uint8Array = new Uint8Array(0);
    for (let draw = 0; draw < draws; draw++) {
      const coarse = blankObservation(size, true);
      coarse.codes.forEach((c, i) => {
        if (c === EXACT) return;
        coarse.codes[i] = 120;
        coarse.z[i] = sigmaOf(120) * next();
      });
      const fine = finerObservation(coarse, { width: 6, height: 6 }, true);
      codes = fine.codes;
      for (let p = 0; p < 9; p++) sums[p]! += fine.z[12 * p]! ** 2;
    }
    sums.forEach((sum, p) => {
      const ratio = sum / draws / sigmaOf(codes[12 * p]!) ** 2;
      assert.ok(Math.abs(ratio - 1) < 0.12, `position ${p}: variance is ${ratio} of what the code says`);
    });
  });
});
