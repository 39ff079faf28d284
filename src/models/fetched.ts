/** `dcomp/model` in browsers: models of the package, fetched. */
import { DcompError } from '../errors.js';
import { mustBe, shown } from '../options.js';
import { classFileOf, DEFAULT_MODEL, DISCRETE_FILE, isModelName, MODELS, type ModelName } from './registry.js';

export { DEFAULT_MODEL, MODELS, type ModelName, type PackageModel } from './registry.js';

/**
 * Fetches a model file, for the option `model`.
 * @param model a name of the package's models, which is fetched from where the bundler has put it, or an address
 * @throws DcompError E_IO, E_USAGE
 */
export async function loadModel(model: URL | string = DEFAULT_MODEL): Promise<Uint8Array> {
  const url = isModelName(model) ? MODELS[model].url : model;
  if (typeof url !== 'string' && !(url instanceof URL))
    throw mustBe('the model', model, `${Object.keys(MODELS).join(', ')} or an address`);
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new DcompError(
      'E_IO',
      `cannot fetch the model from ${shown(url instanceof URL ? url.href : url)}; serve it there or give its bytes as the option 'model'`,
      { cause },
    );
  }
}

/**
 * Fetches the class file of a model of the package; undefined where it has none.
 * @throws DcompError E_IO, E_USAGE
 */
export async function loadClasses(model: ModelName): Promise<Uint8Array | undefined> {
  const classes = classFileOf(model);
  return classes === undefined ? undefined : loadModel(classes);
}

/** Fetches the discrete model of the package. @throws DcompError E_IO */
export async function loadDiscrete(): Promise<Uint8Array> {
  return loadModel(DISCRETE_FILE);
}

/** SHA-256 by the browser's own code; undefined on pages that are not secure, where there is none. */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined;
  return subtle === undefined ? undefined : new Uint8Array(await subtle.digest('SHA-256', bytes as BufferSource));
}
