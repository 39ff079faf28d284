/** `dcomp/model` in Node: the model of the package, read from its file. */
import { readFile } from 'node:fs/promises';
import { DcompError } from '../errors.js';
import { modelUrl } from './standard.js';

export { modelUrl };

/**
 * Reads a model file, for the option `model`.
 * @param url of a file, or its path; default: the model of the package
 * @throws DcompError E_IO
 */
export async function loadModel(url: URL | string = modelUrl): Promise<Uint8Array> {
  try {
    return await readFile(url);
  } catch (cause) {
    const path = url instanceof URL ? url.pathname : url;
    throw new DcompError('E_IO', `cannot read the model ${path}; install the package anew or give a model`, { cause });
  }
}
