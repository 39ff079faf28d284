/** Writes discrete models: see discrete-file.ts for the format. */
import { sha256 } from '@noble/hashes/sha2.js';
import { DISCRETE_FILE_KIND, tableBytes, type TokenTables } from './discrete-file.js';
import { DIGEST, writeFrame } from './file-frame.js';

/** The bytes of a discrete model. @param network a model file */
export function writeDiscreteFile(
  { tokens, centres, codes, matrix, biases }: TokenTables,
  network: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { fixed } = DISCRETE_FILE_KIND;
  const bytes = new Uint8Array(fixed + tableBytes(tokens) + network.length + DIGEST);
  const view = new DataView(bytes.buffer);
  writeFrame(DISCRETE_FILE_KIND, bytes);
  view.setUint32(fixed - 4, tokens, true);
  let at = fixed;
  const put = (values: Float64Array): void => {
    for (let i = 0; i < values.length; i++, at += 4) view.setFloat32(at, values[i]!, true);
  };
  put(centres);
  bytes.set(codes, at);
  at += codes.length;
  put(matrix);
  put(biases);
  bytes.set(network, at);
  at += network.length;
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}
