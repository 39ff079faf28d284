/** `dcomp/model` in Node: models of the package, read from their files. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DcompError } from '../errors.js';
import { bytesOf, mustBe, shown } from '../options.js';
import { classFileOf, DEFAULT_MODEL, DISCRETE_FILE, isModelName, MODELS, type ModelName } from './registry.js';

export { DEFAULT_MODEL, MODELS, type ModelName, type PackageModel } from './registry.js';

/**
 * Reads a model file, for the option `model`.
 * @param model a name of the package's models, or a file's URL or path
 * @throws DcompError E_IO, E_USAGE
 */
export async function loadModel(model: URL | string = DEFAULT_MODEL): Promise<Uint8Array> {
  const url = isModelName(model) ? MODELS[model].url : model;
  if (typeof url !== 'string' && !(url instanceof URL))
    throw mustBe('the model', model, `${Object.keys(MODELS).join(', ')}, a path or a URL`);
  try {
    return await readFile(url);
  } catch (cause) {
    const path = shown(url instanceof URL ? url.pathname : url);
    throw new DcompError('E_IO', `cannot read the model ${path}; install the package anew or give a model`, { cause });
  }
}

/**
 * Reads the class file of a model of the package; undefined where it has none.
 * @throws DcompError E_IO, E_USAGE
 */
export async function loadClasses(model: ModelName): Promise<Uint8Array | undefined> {
  const classes = classFileOf(model);
  return classes === undefined ? undefined : loadModel(classes);
}

/** Reads the discrete model of the package. @throws DcompError E_IO */
export async function loadDiscrete(): Promise<Uint8Array> {
  return loadModel(DISCRETE_FILE);
}

/** SHA-256 by Node's own code, some ten times as fast as JavaScript. */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return createHash('sha256').update(bytesOf(bytes, 'the data')).digest();
}
