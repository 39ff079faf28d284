/**
 * Floats as a model file holds them: the first bytes of all, which repeat, then the second, third and fourth ones, deflated.
 * Networks come from checkpoints of 16 bits a number; then the last two are zeros, and cost nothing.
 */
import { deflated, inflated } from '../../deflated.js';
import { finish, type Pieces } from '../../turns.js';
import { damaged } from './check-model.js';

const BYTES = Float32Array.BYTES_PER_ELEMENT;

export function packFloats(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(BYTES));
  const planes = new Uint8Array(BYTES * values.length);
  values.forEach((value, i) => {
    // By DataView, as the order of bytes of the machine is unknown.
    view.setFloat32(0, value);
    for (let b = 0; b < BYTES; b++) planes[b * values.length + i] = view.getUint8(b);
  });
  return finish(deflated(planes));
}

/** @param count of the floats @throws DcompError E_DAMAGED_MODEL unless the bytes are those of so many */
export function* unpackFloats(bytes: Uint8Array, count: number): Pieces<Float32Array> {
  const planes = yield* inflated(bytes, BYTES * count, (what) => damaged(`its arrays: ${what}`));
  const view = new DataView(new ArrayBuffer(BYTES));
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < BYTES; b++) view.setUint8(b, planes[b * count + i]!);
    values[i] = view.getFloat32(0);
  }
  return values;
}
