/** Hostile values for every function of every entry that has no table of its own: each is a `DcompError`, or it works. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tinyModelFile } from '../corpus/tiny-model.js';
import * as evaluation from '../eval/index.js';
import * as formats from '../formats/index.js';
import * as diffusion from '../src/diffusion-node.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import * as models from '../src/models/read-node.js';
import * as node from '../src/node.js';
import * as packets from '../src/packets/index.js';
import { HOSTILE, OWN_ERROR } from './helpers/hostile.js';

const settings = { model: tinyModelFile(), threads: 1 };
const quick = { ...settings, effort: 1 };
const grey: node.Picture = { width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(90) };
const rgb: node.Picture = { width: 8, height: 8, channels: 3, data: new Uint8Array(192).fill(90) };
const z = new Float32Array(12);
const tokens: diffusion.TokenDenoiser = async () => () => Float64Array.of(1, 2);
const denoiser: diffusion.Denoiser = async (of) => Promise.resolve({ mean: of.slice(), variance: of.slice() });

/** @param right names of what works */
async function tryAll(about: string, right: readonly string[], call: (value: never) => unknown): Promise<void> {
  for (const [name, value] of Object.entries({ ...HOSTILE, '2': 2 })) {
    let works = true;
    try {
      await call(value as never);
    } catch (error) {
      works = error === OWN_ERROR;
      if (!works) {
        assert.ok(error instanceof node.DcompError, `${about}, ${name}: ${String((error as Error).stack)}`);
        assert.doesNotMatch(error.message, /\n|\[object|undefined is/, `${about}, ${name}`);
        assert.ok(!right.includes(name), `${about}, ${name}: ${error.message}`);
      }
    }
    if (works) assert.ok(right.includes(name), `${about}, ${name}: taken without a word`);
  }
}

const drain = async (states: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of states) continue;
};

const BYTES = ['Uint8Array', 'Uint8ClampedArray', 'ArrayBuffer', 'SharedArrayBuffer', 'DataView'];
const OBJECTS = ['empty object', 'object without prototype', 'Proxy'];
const UNITS = ['-0', '0.5', '1.5', '1e-320', '2'];
const AMOUNTS = [...UNITS, '2^53', '1e300'];
const EMPTY = ['empty Uint8Array', 'Uint8Array out of bounds'];

const { karrasSigmas, geometricSigmas, ddpmSigmas, ancestral, ode, sde, langevin } = diffusion;

type Row = readonly [about: string, right: readonly string[], call: (value: never) => unknown];
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  messages: [
    ['encodeMessages', [], (value) => node.encodeMessages(value, [40], quick)],
    ['sizes', ['empty list', 'list of a number'], (value) => node.encodeMessages(grey, value, quick)],
    ['check', ['-0'], (check) => node.encodeMessages(grey, [40], { ...quick, check })],
    ['sizeIsTold', ['true', 'false'], (sizeIsTold) => node.encodeMessages(grey, [40], { ...quick, sizeIsTold })],
    ['effort', ['2'], (effort) => node.encodeMessages(grey, [40], { ...settings, effort })],
    ['decodeMessage', [], (value) => node.decodeMessage(value, settings)],
    ['size', [], (size) => node.decodeMessage(Uint8Array.of(0, 0, 0), { ...settings, size })],
    ['maxPixels', [], (maxPixels) => node.decodeMessage(Uint8Array.of(0, 0, 0), { ...settings, maxPixels })],
    ['placeholderText', [...BYTES, ...EMPTY], node.placeholderText],
    ['placeholderBytes', ['string of digits', 'long string'], node.placeholderBytes],
  ],
  packets: [
    ['joinPackets', ['empty list'], packets.joinPackets],
    ['makePackets', BYTES, (value) => packets.makePackets(value, { bytes: 20 })],
    ['options', [], (value) => packets.makePackets(new Uint8Array(9), value)],
    ['planPackets', [], packets.planPackets],
    ['bytes', [], (bytes) => packets.planPackets({ bytes })],
    ['count', ['2'], (count) => packets.planPackets({ bytes: 20, count })],
    ['redundancy', UNITS, (redundancy) => packets.planPackets({ bytes: 20, redundancy })],
    ['preview', [], (preview) => packets.planPackets({ bytes: 20, preview })],
  ],
  'samplers and schedules': [
    ['karrasSigmas', ['2'], (steps) => karrasSigmas(steps, 10, 1)],
    ['most', ['1.5', '2^53', '1e300', '2'], (most) => karrasSigmas(3, most, 1)],
    ['least', ['0.5', '1.5', '1e-320', '2'], (least) => karrasSigmas(3, 10, least)],
    ['rho', ['0.5', '1.5', '1e-320', '2^53', '1e300', '2'], (rho) => karrasSigmas(3, 10, 1, rho)],
    ['geometricSigmas', ['2'], (steps) => geometricSigmas(steps, 10, 1)],
    ['ddpmSigmas', ['2'], (steps) => ddpmSigmas(steps)],
    ['first', ['1e-320'], (first) => ddpmSigmas(4, first)],
    ['last', ['0.5'], (last) => ddpmSigmas(4, 0.01, last)],
    ['sigmas', ['list of a number'], (sigmas) => drain(ancestral(denoiser, z, sigmas))],
    ['options of ancestral', OBJECTS, (options) => drain(ancestral(denoiser, z, [2, 1], options))],
    ['z', ['Float32Array'], (of) => drain(ancestral(denoiser, of, [2, 1]))],
    ['temperature', AMOUNTS, (temperature) => drain(ancestral(denoiser, z, [2, 1], { temperature }))],
    ['method', [], (method) => drain(ode(denoiser, z, [2, 1], { method }))],
    ['churn', AMOUNTS, (churn) => drain(sde(denoiser, z, [2, 1], { churn }))],
    ['repeats', ['2'], (repeats) => drain(langevin(denoiser, z, [2, 1], { repeats }))],
    ['stepSize', ['0.5', '1.5', '1e-320', '2'], (stepSize) => drain(langevin(denoiser, z, [2, 1], { stepSize }))],
    ['guided', AMOUNTS, (scale) => diffusion.guided(denoiser, denoiser, scale)],
    ['score', [], (of) => diffusion.score(of, z, 1)],
    ['blankObservation', [], (size) => diffusion.blankObservation(size, false)],
    ['estimateSigma', [], diffusion.estimateSigma],
    ['resultOf', [], diffusion.resultOf],
    ['readModelFile', [], diffusion.readModelFile],
    ['readClassFile', [], diffusion.readClassFile],
    ['readDiscreteFile', [], diffusion.readDiscreteFile],
    ['absorbing', ['function that throws'], (of) => drain(diffusion.absorbing(of, 3))],
    ['length', ['2'], (length) => drain(diffusion.absorbing(tokens, length))],
    ['steps', ['2'], (steps) => drain(diffusion.absorbing(tokens, 3, { steps }))],
    ['temperature', AMOUNTS, (temperature) => drain(diffusion.absorbing(tokens, 3, { temperature }))],
    ['options of absorbing', OBJECTS, (options) => drain(diffusion.absorbing(tokens, 3, options))],
    ['guidedTokens', AMOUNTS, (scale) => diffusion.guidedTokens(tokens, tokens, scale)],
    ['createEvaluator', [], diffusion.createEvaluator],
  ],
  'restored and drawn pictures': [
    ['denoisePicture', [], (value) => drain(diffusion.denoisePicture(value, settings))],
    ['sigma', ['0.5', '1.5', '2'], (sigma) => drain(diffusion.denoisePicture(grey, { ...settings, sigma }))],
    ['upscalePicture', [], (value) => drain(diffusion.upscalePicture(value, settings))],
    ['factor', ['2'], (factor) => drain(diffusion.upscalePicture(grey, { ...settings, factor }))],
    ['mask', [], (mask) => drain(diffusion.inpaintPicture(grey, mask, settings))],
    ...(
      [
        ['sampler', []],
        ['steps', ['2']],
        ['seed', ['-0', '2']],
        ['temperature', UNITS],
        ['class', []],
        ['classes', [...BYTES, ...EMPTY]],
        ['guidanceScale', []],
        ['classifier', ['function that throws', 'false']],
        ['views', ['2']],
        ['maxPixels', []],
        ['signal', []],
        ['width', []],
        ['height', []],
        ['channels', []],
        ['discrete', ['true', 'false']],
        ['model', []],
        ['threads', ['2']],
      ] as const
    ).map(([option, right]): Row => {
      const how = { ...settings, width: 8, height: 8, steps: 1 };
      return [option, right, (value) => drain(diffusion.samplePicture({ ...how, [option]: value }))];
    }),
  ],
  'models and evaluation': [
    ['loadModel', [], models.loadModel],
    ['loadClasses', [], models.loadClasses],
    // Of nothing: it is told nothing.
    ['loadDiscrete', Object.keys({ ...HOSTILE, '2': 2 }), models.loadDiscrete],
    ['sha256', [...BYTES, ...EMPTY], models.sha256],
    ['bdRate', ['empty list'], (points) => evaluation.bdRate(points, [])],
    ['qualityAt', ['empty list'], (points) => evaluation.qualityAt(points, 1)],
    ['rateAt', ['empty list'], (points) => evaluation.rateAt(points, 1)],
    ['psnrRgb', [], (of) => evaluation.psnrRgb(of, rgb)],
    ['psnrRgb, decoded', [], (of) => evaluation.psnrRgb(rgb, of)],
    ['psnrLuma', [], (of) => evaluation.psnrLuma(rgb, of)],
    ['msSsim', [], (of) => evaluation.msSsim(of)(rgb)],
    ['ssimulacra2', [], (of) => evaluation.ssimulacra2(of)(rgb)],
    ['ssimulacra2, decoded', [], (of) => evaluation.ssimulacra2(rgb)(of)],
    ['metricOf', [], evaluation.metricOf],
    ['evaluate', [], evaluation.evaluate],
    ['summarise', [], evaluation.summarise],
    ['writeReport', [], (folder) => evaluation.writeReport(folder, {} as never, {} as never, null as never)],
  ],
};

describe('hostile values', () => {
  before(() => assert.ok(readModelFile(settings.model)));
  after(async () => {
    await node.release();
    await diffusion.release();
  });

  for (const [what, rows] of Object.entries(ROWS))
    it(`for ${what}`, { timeout: 1_800_000 }, async () => {
      for (const row of rows) await tryAll(...row);
    });

  it('what is long is no stack overflow', async () => {
    assert.equal(node.placeholderText(new Uint8Array(300_000)).length, 400_000);
    const sizes = new Array<number>(300_000).fill(2);
    await assert.rejects(node.encodeMessages(grey, sizes, quick), { code: 'E_UNREACHABLE' });
  });

  it('metrics refuse pictures that they would compare wrongly', () => {
    const wide = { ...rgb, width: 16, height: 4 };
    const deep = { ...rgb, depth: 16 as const, data: new Uint16Array(192) };
    for (const other of [grey, wide, deep]) {
      assert.throws(() => evaluation.psnrRgb(rgb, other), { code: 'E_PICTURE' });
      assert.throws(() => evaluation.ssimulacra2(rgb)(other), { code: 'E_PICTURE' });
    }
  });

  it('every function that is exported is in a table', () => {
    // Of numbers, and nothing but numbers come out: `codeOf`, `sigmaOf`, `normalAt`. Functions of functions: `knowing`, `classified`.
    const elsewhere =
      'encode encodeToSizes decode info verify repair ProgressiveDecoder psnr pixelHash toRgba withDepth repairText isMisuse ' +
      'createWorker readPicture writePicture formatOfBytes formatOfName DcompError release modelNameOf codeOf sigmaOf normalAt ' +
      'knowing classified denoise finerObservation encodeMessages';
    const named = `${elsewhere} ${JSON.stringify(Object.values(ROWS))} ${String(Object.values(ROWS).flat(2))}`;
    for (const entry of [node, diffusion, packets, formats, models, evaluation])
      for (const [name, value] of Object.entries(entry))
        if (typeof value === 'function') assert.match(named, new RegExp(`\\b${name}\\b`), name);
  });
});
