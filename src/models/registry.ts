/** The models of the package, by name and by id. Nothing is read or fetched here. */
import { mustBe } from '../options.js';
import { MODEL_FILES } from './files.js';

export { DISCRETE_FILE } from './files.js';

/** Name of a model of the package. */
export type ModelName = keyof typeof MODEL_FILES;

/** A model of the package. */
export interface PackageModel {
  /** What files name it by: 8 hexadecimal digits. */
  readonly id: string;
  /** Where its file is, in Node and in a bundle. */
  readonly url: URL;
  /** Id of the model whose path it has, if that is not its own: it shows the files of that one, too. */
  readonly path?: string;
  /** Where its class file is, if it has one. */
  readonly classes?: URL;
}

/**
 * The models of the package: a small and fast one; a medium one, which measures level 0 as that does, coarser levels and what
 * is shown with larger networks of its own, in about twice the time; and a large one that takes fewer bits.
 */
export const MODELS: Readonly<Record<ModelName, PackageModel>> = MODEL_FILES;

/** The model that `encode` uses unless it is given another: seven times as fast as the large one, and more. */
export const DEFAULT_MODEL: ModelName = 'small';
/** The model of messages, whose pictures are tiny, and of what makes pictures anew, unless they are given another. */
export const THOROUGH_MODEL: ModelName = 'large';

/** The model of what makes pictures anew, where a class is wanted: the one that knows classes. */
export const CLASS_MODEL: ModelName = 'small';

/** Whether it is a name of the package's models. */
export function isModelName(value: unknown): value is ModelName {
  return typeof value === 'string' && Object.hasOwn(MODELS, value);
}

/** The name of the model of an id, undefined where the package has no such model. */
export function modelNameOf(id: string): ModelName | undefined {
  return (Object.keys(MODELS) as ModelName[]).find((name) => MODELS[name].id === id);
}

/** The name of a model that shows the files of the model of an id, undefined where the package has none. */
export function showerOf(id: string): ModelName | undefined {
  return (Object.keys(MODELS) as ModelName[]).find((name) => MODELS[name].path === id);
}

/** Where the class file of a model of the package is; undefined where it has none. @throws DcompError E_USAGE */
export function classFileOf(model: ModelName): URL | undefined {
  if (!isModelName(model)) throw mustBe('the model', model, Object.keys(MODELS).join(' or '));
  return MODELS[model].classes;
}
