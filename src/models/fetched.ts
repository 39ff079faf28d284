/** `dcomp/model` in browsers: the model of the package, fetched. */
import { DcompError } from '../errors.js';
import { modelUrl } from './standard.js';

export { modelUrl };

/**
 * Fetches a model file, for the option `model`.
 * @param url default: the model of the package, where the bundler has put it
 * @throws DcompError E_IO
 */
export async function loadModel(url: URL | string = modelUrl): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new DcompError(
      'E_IO',
      `cannot fetch the model from ${String(url)}; serve it there or give its bytes as the option 'model'`,
      { cause },
    );
  }
}
