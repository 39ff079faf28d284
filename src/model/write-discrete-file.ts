/** Writes discrete models: see discrete-file.ts for the format. */
import { DISCRETE_FILE_KIND, type TokenTables } from './discrete-file.js';
import { bytesOfNumbers, framed, layerParts, shortParts } from './write-numbers.js';

/** The bytes of a discrete model; numbers are rounded as the format has them. @param network a model file */
export function writeDiscreteFile(
  { tokens, centres, codes, layer }: TokenTables,
  network: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = bytesOfNumbers(Uint16Array, [tokens]);
  return framed(DISCRETE_FILE_KIND, [head, ...shortParts(centres), codes, ...layerParts(layer), network]);
}
