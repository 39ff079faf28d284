/** A model file with a small random network: codes badly, but quickly, and by the same rules as any other. */
import { uNet } from '../src/model/architecture.js';
import { writeModelFile } from '../src/model/integer/model-file.js';
import { randomModel } from './random-model.js';

export function smallModelFile(): Uint8Array {
  return writeModelFile(randomModel(uNet([8, 8, 8, 8]), 1));
}
