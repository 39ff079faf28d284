/** The kernels of a step (kernels/step.ts) and the TypeScript beside them make the same of any group, whole or cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertLimited } from './helpers/limited.js';
import { Receiver } from '../src/codec/receiver.js';
import { colourCorrelationInPieces } from '../src/codec/colour-correlation.js';
import type { Channel } from '../src/codec/channel.js';
import { codeGroupStep } from '../src/codec/group-step.js';
import { putCurrentMeans } from '../src/codec/update.js';
import { Stream } from '../src/codec/stream.js';
import { Workspace } from '../src/codec/workspace.js';
import type { Observation } from '../src/diffusion/observation.js';
import type { Step } from '../src/diffusion/schedule.js';
import { BitReader } from '../src/entropy/bits.js';
import { EXACT, TOP_CODE, UNKNOWN, sigmaOf } from '../src/model/sigma.js';
import { finish } from '../src/turns.js';
import { gaussian, uniform } from '../corpus/random-model.js';

const PRIOR = Float32Array.from([220, 54, 77, 26, 5, 6, 26, 5, 6, 13, 2.5, 3]);

interface Case {
  seed: number;
  width: number;
  height: number;
  kind: 'root' | 'enter' | 'refine';
  part: 'whole' | 'first' | 'rest';
  /** How many different codes there are. */
  codes: number;
  /** Whether blocks lag behind, and whether they are masked. */
  lags: boolean;
  masking: boolean;
  /** Codes that colours have more. */
  chroma: number;
  /** Whether details are told in stages. */
  inStages: boolean;
  cut: number;
}

const cases = fc.record<Case>({
  seed: fc.integer(),
  width: fc.integer({ min: 1, max: 36 }),
  height: fc.integer({ min: 1, max: 28 }),
  kind: fc.constantFrom('root', 'enter', 'refine'),
  part: fc.constantFrom('whole', 'first', 'rest'),
  codes: fc.constantFrom(1, 3, 60),
  lags: fc.boolean(),
  masking: fc.boolean(),
  chroma: fc.constantFrom(0, 2, 6),
  inStages: fc.boolean(),
  cut: fc.double({ min: 0, max: 1.2, noNaN: true }),
});

test('encoding, decoding and decoding a part are the same with and without kernels', () => {
  assertLimited(
    fc.property(
      cases,
      ({ seed, width, height, kind, part, codes: different, lags, masking, chroma, inStages, cut }) => {
        const [next, normal] = [uniform(seed), gaussian(seed)];
        const grid = { width: width + 3, height: height + 1 };
        const length = grid.width * grid.height * 12;
        const x = new Float32Array(length).map((_, i) => PRIOR[i % 12]! * normal());
        const codes = new Uint8Array(length).map(() =>
          next() < 0.1 ? UNKNOWN : next() < 0.1 ? EXACT : TOP_CODE - Math.floor(different * next()),
        );
        const z = x.map((value, i) => (codes[i] === UNKNOWN ? 0 : value + sigmaOf(codes[i]!) * normal()));
        const output = new Float32Array(2 * length).map((_, i) => (i % 24 < 12 ? normal() : normal() - 2));
        const group = { x: 2, y: 1, width, height };
        const to = kind === 'refine' ? TOP_CODE - 1 - Math.floor(60 * next()) : TOP_CODE;
        const parts = part === 'whole' ? {} : { part };
        const flags = { corrected: true, leavesOut: next() < 0.5, inStages: inStages && kind === 'enter' };
        const step: Step = { index: 5, level: 0, kind, from: TOP_CODE, to, ...flags, ...parts };
        const blocks = { columns: 6, rows: 5, side: 8 };
        const blockwise = (of: () => number): number[] => Array.from({ length: 30 }, of);
        const byBlock = {
          chroma,
          ...(lags ? { lags: { ...blocks, codes: Uint8Array.from(blockwise(() => 8 * Math.floor(3 * next()))) } } : {}),
          ...(masking
            ? { masking: { ...blocks, offsets: Int8Array.from(blockwise(() => 2 * Math.floor(17 * next()) - 16)) } }
            : {}),
        };
        const run = (channel: Channel, kernels: boolean, truth?: { x: Float32Array }): unknown => {
          const observation: Observation = {
            size: { width: 2 * grid.width, height: 2 * grid.height },
            x: 0,
            y: 0,
            ...grid,
            z: z.slice(),
            codes: codes.slice(),
          };
          const workspace = new Workspace();
          const correlation = step.inStages ? { correlation: finish(colourCorrelationInPieces(observation)) } : {};
          const scales = new Int8Array(1);
          const prior = PRIOR;
          const given = {
            step,
            observation,
            group,
            groupIndex: 0,
            output: kind === 'root' ? undefined : output,
            prior,
            ...byBlock,
            ...correlation,
          };
          const options = { ...given, channel, nu: channel.nu, scales, ...(truth === undefined ? {} : { truth }) };
          const ideal = finish(codeGroupStep(options, workspace, kernels));
          const means = new Float32Array(length);
          finish(putCurrentMeans(workspace, observation, group, means));
          return { z: observation.z, codes: observation.codes, scales, ideal, means, ended: channel.ended };
        };
        const streams = [true, false].map((kernels) => {
          const stream = new Stream(8);
          stream.begin();
          const result = run(stream, kernels, { x });
          stream.end(0, true);
          return { result, bytes: stream.cut(Infinity).bytes };
        });
        assert.deepEqual(streams[0], streams[1]);
        // A segment's header: length, units, rate, checksum.
        const { bytes } = streams[0]!;
        const payload = bytes.subarray(Math.min(bytes.length, bytes[0]! < 128 ? 7 : 8));
        const bits = Math.floor(cut * 8 * payload.length);
        const decoded = [true, false].map((kernels) => run(new Receiver(new BitReader(payload, 0, bits), 8), kernels));
        assert.deepEqual(decoded[0], decoded[1]);
        const { z: sent, codes: told } = streams[0]!.result as Observation;
        if (cut >= 1)
          assert.deepEqual([(decoded[0] as Observation).z, (decoded[0] as Observation).codes], [sent, told]);
      },
    ),
    { numRuns: 60 },
  );
});
