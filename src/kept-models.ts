/** Which model a call is computed with, and the evaluators of those that were used last. */
import { DcompError } from './errors.js';
import { turnIfDue } from './event-loop.js';
import { Evaluators } from './evaluators.js';
import { ENGINES, type EngineName, type Evaluator } from './model/evaluator.js';
import type { IntegerModel } from './model/integer/integer-model.js';
import { digestedPart, idOfModelFile, readModelFileInPieces } from './model/integer/model-file.js';
import { MAX_THREADS } from './model/wasm/chunks.js';
import { JoinedEvaluator } from './model/joined-evaluator.js';
import { DEFAULT_MODEL, isModelName, modelNameOf, MODELS, showerOf, type ModelName } from './models/registry.js';
import { advice, bytesOf, isOneOf, isWhole, mustBe, type Check, type Checks } from './options.js';
import { inTurns } from './turns.js';

/** A model as callers give it: a name of the package's, or the contents of a model file (.dcm). */
export type GivenModel = ModelName | Uint8Array;

/** What is computed with the network. */
export interface ModelOptions {
  /**
   * A name of the package's models, `small`, `medium` or `large`, or the contents of a model file (.dcm). Default of encoding:
   * `DEFAULT_MODEL`; of messages, and of what makes pictures anew, `THOROUGH_MODEL`. Files name their model and find it by
   * themselves if it is the package's: for decoding only the contents of another one need to be given.
   */
  model?: GivenModel;
  /** Threads for the network; the result is the same for any number. Default: all cores in Node, 1 in a browser. */
  threads?: number;
  /**
   * What computes the network; the result is the same with any. `wasm`: the processor, in WebAssembly. `webgpu`: a GPU, or what
   * plays one, through WebGPU, in Node by the optional package `webgpu`; E_ENVIRONMENT where it cannot be had. `auto`, the default: a
   * real GPU where there is one and the picture has 2^18 pixels or more, or else the processor. Where a GPU fails on the way, the
   * processor goes on.
   */
  engine?: EngineName;
}

/** Where models and threads come from. */
export interface Platform {
  /** Reads a model of the package. */
  loadModel(name: ModelName): Promise<Uint8Array>;
  /** As fast as the platform has it; undefined where it has none. */
  sha256(bytes: Uint8Array): Promise<Uint8Array | undefined>;
  createEvaluator(model: IntegerModel, threads: number | undefined, engine: EngineName): Promise<Evaluator>;
}

/** Most models, each with its threads and engine, whose evaluators are kept: those of the package and two of the caller's. */
const KEPT_MODELS = 5;

/** Below, opening a GPU is taken to last longer than it saves. An estimate: no GPU has been at hand to measure it. */
const GPU_PIXELS = 2 ** 18;

interface Kept {
  model: GivenModel;
  threads: number | undefined;
  engine: EngineName;
  /** Whether the files of the model whose path it has are to be shown by it. */
  shows: boolean;
  evaluators: Evaluators;
}

/** Models by need: nothing is read before something is computed with it. */
export class KeptModels {
  /** The one used last comes first. */
  private kept: Kept[] = [];

  constructor(private readonly platform: Platform) {}

  /**
   * Of the model that was chosen: to encode, and for what names none.
   * @param pixels of the picture
   * @param otherwise where none was chosen
   */
  chosen(options: ModelOptions, pixels: number, otherwise = DEFAULT_MODEL): Evaluators {
    return this.evaluatorsOf(options.model ?? otherwise, options, pixels);
  }

  /**
   * Of the model that a file was made with: the one that was given, or else one of the package.
   * @param id of the model that the file names
   * @param pixels of the picture
   * @param shows whether one of the package that has its path shall show it, where there is one
   * @throws DcompError E_OTHER_MODEL; E_NOT_MODEL, E_VERSION, E_TRUNCATED, E_DAMAGED_MODEL for what was given
   */
  forFile(id: string, options: ModelOptions, pixels: number, shows = false): Evaluators {
    const { model } = options;
    const given = model === undefined || isModelName(model) ? undefined : { model, id: idOfModelFile(model) };
    const shower = shows ? showerOf(id) : undefined;
    const found = shower ?? (given?.id === id ? given.model : modelNameOf(id));
    if (found === undefined) throw otherModel(id, given?.id);
    return this.evaluatorsOf(found, options, pixels, shower !== undefined);
  }

  /** Ends all evaluators, each once nobody uses it. */
  async release(): Promise<void> {
    await Promise.all(this.kept.splice(0).map(({ evaluators }) => evaluators.close()));
  }

  private evaluatorsOf(
    model: GivenModel,
    { threads, engine: asked = 'auto' }: ModelOptions,
    pixels: number,
    shows = false,
  ): Evaluators {
    const engine = asked === 'auto' && pixels < GPU_PIXELS ? 'wasm' : asked;
    const isKnown = (each: Kept): boolean =>
      each.threads === threads && each.engine === engine && each.shows === shows && areSame(each.model, model);
    const found = this.kept.find(isKnown) ?? {
      model,
      threads,
      engine,
      shows,
      evaluators: this.newEvaluators({ model, threads, engine, shows }),
    };
    this.kept = [found, ...this.kept.filter((each) => each !== found)];
    for (const { evaluators } of this.kept.splice(KEPT_MODELS)) void evaluators.close();
    return found.evaluators;
  }

  private newEvaluators({ model, threads, engine, shows }: Omit<Kept, 'evaluators'>): Evaluators {
    const { platform } = this;
    let read: Promise<Networks> | undefined;
    return new Evaluators(threads, async (count, spare) => {
      try {
        read ??= readNetworks(model, platform).then((all) => (shows ? { ...all, coarse: undefined } : all));
        const networks = await read;
        await turnIfDue();
        return await evaluatorOf(networks, (network) =>
          platform.createEvaluator(network, count, spare ? 'wasm' : engine),
        );
      } catch (error) {
        read = undefined; // the next call tries again
        throw error;
      }
    });
  }
}

/** An evaluator of a model, for who keeps none. @throws DcompError E_OTHER_MODEL and model errors */
export async function openEvaluator(
  model: GivenModel,
  platform: Pick<Platform, 'loadModel' | 'sha256'>,
  create: (network: IntegerModel) => Promise<Evaluator>,
): Promise<Evaluator> {
  return evaluatorOf(await readNetworks(model, platform), create);
}

async function evaluatorOf(
  { own, path = own, coarse }: Networks,
  create: (network: IntegerModel) => Promise<Evaluator>,
): Promise<Evaluator> {
  const shower = path === own ? own.shows : own;
  const opened: Evaluator[] = [];
  const open = async (network: IntegerModel): Promise<Evaluator> => {
    const evaluator = await create(network);
    opened.push(evaluator);
    return evaluator;
  };
  try {
    const first = await open(path);
    if ((shower ?? coarse) === undefined) return first;
    const others = { coarse: coarse && (await open(coarse)), shower: shower && (await open(shower)) };
    return new JoinedEvaluator(first, others, own);
  } catch (error) {
    await Promise.all(opened.map((each) => each.close()));
    throw error;
  }
}

interface Networks {
  own: IntegerModel;
  /** Of the model whose path it has; undefined where that is its own. */
  path: IntegerModel | undefined;
  /** What measures levels ≥ 1, where that is a network of its own. */
  coarse: IntegerModel | undefined;
}

async function readNetworks(model: GivenModel, platform: Pick<Platform, 'loadModel' | 'sha256'>): Promise<Networks> {
  const read = async (given: GivenModel): Promise<IntegerModel> => {
    // A copy, as the caller's may change between two pieces.
    const file = isModelName(given) ? await platform.loadModel(given) : new Uint8Array(bytesOf(given, 'model'));
    return inTurns(readModelFileInPieces(file, await platform.sha256(digestedPart(file))), turnIfDue);
  };
  const own = await read(model);
  const { coarse } = own;
  if (own.path === undefined) return { own, path: undefined, coarse };
  const name = modelNameOf(own.path);
  const path = name === undefined ? undefined : await read(name);
  if (path === undefined || path.path !== undefined)
    throw new DcompError(
      'E_OTHER_MODEL',
      `the model ${own.id} has the path of model ${own.path}, this release has ${ofThisRelease()}; use the release of dcomp that it is of`,
    );
  return { own, path, coarse };
}

/** @returns the name, or the bytes not copied. @throws DcompError E_USAGE */
const isModel: Check<GivenModel> = (value, name) => {
  if (isModelName(value)) return value;
  if (typeof value !== 'string') return bytesOf(value, name);
  throw mustBe(name, value, `${Object.keys(MODELS).join(', ')} or the contents of a model file${advice(value)}`);
};

/** Checks of `ModelOptions`. */
export const MODEL_CHECKS: Checks<ModelOptions> = {
  model: isModel,
  threads: isWhole(1, MAX_THREADS),
  engine: isOneOf(ENGINES),
};

/** Whether it is one name, or the very same memory. */
function areSame(a: GivenModel, b: GivenModel): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

function otherModel(id: string, given: string | undefined): DcompError {
  const others = given === undefined ? '' : `, given is ${given}`;
  return new DcompError(
    'E_OTHER_MODEL',
    `the file was made with model ${id}${others}, this release has ${ofThisRelease()}; ` +
      'give the file (.dcm) of the model that it was made with, or use the release of dcomp that made it',
  );
}

function ofThisRelease(): string {
  return Object.entries(MODELS)
    .map(([name, model]) => `${name} (${model.id})`)
    .join(', ');
}
