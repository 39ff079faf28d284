/** From a checkpoint of a discrete model to its file: the network is calibrated on tokens of photographs and quantised. */
import { bitsOfToken, MASKED } from '../diffusion/absorbing.js';
import { nearestToken, observedTokens, tokenDenoiser } from '../diffusion/token-network.js';
import { DcompError } from '../errors.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { readDiscreteFile, type TokenTables } from '../model/discrete-file.js';
import type { Evaluator } from '../model/evaluator.js';
import type { Condition } from '../model/inputs.js';
import { floatForward, type Request } from '../model/float-forward.js';
import { quantise } from '../model/integer/quantise.js';
import { writeModelFile } from '../model/integer/model-file.js';
import { UNKNOWN } from '../model/sigma.js';
import { createEvaluator } from '../model/wasm/engine.js';
import { writeDiscreteFile } from '../model/write-discrete-file.js';
import type { FloatModel } from '../model/weights.js';
import { haar } from '../pixels/pyramid.js';
import { withoutTurns } from '../turns.js';
import { floatModelOf, type CheckpointState } from './checkpoint.js';
import { cut, levelSize, type Dataset, type Photograph } from './dataset.js';
import { Random } from './random.js';

/** The level of tokens, and the most of their grid that is looked at a time, in pixels of the level. */
const LEVEL = 3;
const SIDE = 48;
/** Evaluations that the scales of activations are found with, and the share of them that is told a class. */
const CALIBRATION = 60;
const TOLD = 0.4;
/** Shares of tokens that are masked where it is measured. */
const MEASURED = [0.1, 0.3, 0.5, 0.7, 0.9, 0.99];

/** What the file foresees tokens of photographs with that were held back. */
export interface DiscreteReport {
  step: number;
  seconds: number;
  /** Id of the network. */
  network: string;
  photographs: number;
  /** Bits of a masked token, mean over shares of the masked, in floats and in integers. */
  float: number;
  integer: number;
}

/** Tokens of a part of a photograph. */
interface Tokens {
  width: number;
  height: number;
  tokens: Uint16Array;
}

/** @throws DcompError E_DAMAGED_CHECKPOINT for one of no discrete model */
export async function exportDiscrete(
  state: CheckpointState,
  { training, validation }: Dataset,
): Promise<{ bytes: Uint8Array; report: DiscreteReport }> {
  const tables = tablesOf(state);
  const model = floatModelOf(state);
  const random = new Random(0x746f6b, 0);
  const requests: Request[] = [];
  for (let i = 0; i < CALIBRATION; i++) {
    const part = tokensOf(training[random.below(training.length)]!, tables, random);
    const { classes = 0 } = model.architecture.conditioning;
    const told = classes > 0 && random.chance(TOLD) ? { class: random.below(classes) } : {};
    requests.push(await requestOf(tables, masked(part, (i + 0.5) / CALIBRATION, random), told));
  }
  const bytes = writeDiscreteFile(tables, writeModelFile(quantise(model, requests)));
  const evaluator = await createEvaluator(readDiscreteFile(bytes).model);
  try {
    const float = await bitsOf(floatEvaluator(model), tables, validation);
    const integer = await bitsOf(evaluator, tables, validation);
    const { step, seconds } = state;
    const network = evaluator.model.id;
    return { bytes, report: { step, seconds, network, photographs: validation.length, float, integer } };
  } finally {
    await evaluator.close();
  }
}

/** @throws DcompError E_DAMAGED_CHECKPOINT */
function tablesOf({ discrete }: CheckpointState): TokenTables {
  const tokens = discrete?.centres.length ?? 0;
  const flat = (rows: readonly (readonly number[])[] | undefined, scale = 1): Float64Array =>
    Float64Array.of(...(rows ?? []).flat()).map((value) => Math.fround(value * scale));
  const [matrix, biases] = discrete?.average ?? [];
  const tables = {
    tokens,
    centres: flat(discrete?.centres),
    codes: Uint8Array.of(...(discrete?.codes ?? []).flat()),
    // Natural logits become those of base 2.
    layer: {
      inputs: OUTPUT_CHANNELS,
      outputs: tokens,
      weights: flat(matrix, Math.LOG2E),
      bias: flat(biases === undefined ? [] : [biases], Math.LOG2E),
    },
  };
  const arrays = [tables.centres, tables.codes, tables.layer.weights, tables.layer.bias];
  if (arrays.map(({ length }) => length / tokens).join() !== [COEFFICIENTS, COEFFICIENTS, OUTPUT_CHANNELS, 1].join())
    throw new DcompError(
      'E_DAMAGED_CHECKPOINT',
      'the checkpoint is of no discrete model; make one with `python3 src/train/pytorch discrete`',
    );
  return tables;
}

/** Of the middle of a photograph, or of any part of it. */
function tokensOf(photograph: Photograph, tables: TokenTables, random?: Random): Tokens {
  const size = levelSize(photograph, LEVEL);
  const place = (length: number): number => {
    const room = Math.max(0, length - SIDE);
    return random === undefined ? room >> 1 : random.below(room + 1);
  };
  const { width, height, data } = haar(cut(photograph, LEVEL, place(size.width), place(size.height), SIDE, SIDE));
  const tokens = new Uint16Array(width * height).map((_, i) => nearestToken(tables, data, i * COEFFICIENTS));
  return { width, height, tokens };
}

function masked({ tokens, ...grid }: Tokens, share: number, random: Random): Tokens {
  return { ...grid, tokens: tokens.map((token) => (random.chance(share) ? MASKED : token)) };
}

async function requestOf(
  tables: TokenTables,
  { tokens, width, height }: Tokens,
  told: Pick<Condition, 'class'>,
): Promise<Request> {
  const condition = { level: 0, sigma: UNKNOWN, mode: 'enter' as const, ...told };
  return { ...(await observedTokens(tables, tokens, withoutTurns())), width, height, condition };
}

/** As far as `tokenDenoiser` asks of one. */
function floatEvaluator(model: FloatModel): Pick<Evaluator, 'evaluate'> {
  return {
    evaluate: async (z, codes, width, height, condition) => floatForward(model, { z, codes, width, height, condition }),
  };
}

async function bitsOf(
  evaluator: Pick<Evaluator, 'evaluate'>,
  tables: TokenTables,
  photographs: readonly Photograph[],
): Promise<number> {
  const random = new Random(0x62697473, 0);
  let [bits, count] = [0, 0];
  for (const photograph of photographs) {
    const part = tokensOf(photograph, tables);
    const denoiser = tokenDenoiser(evaluator, tables, part);
    for (const share of MEASURED) {
      const { tokens } = masked(part, share, random);
      const logits = await denoiser(tokens, withoutTurns());
      tokens.forEach((token, place) => {
        if (token !== MASKED) return;
        bits += bitsOfToken(logits(place), part.tokens[place]!) / share;
        count += 1 / share;
      });
    }
  }
  return bits / count;
}
