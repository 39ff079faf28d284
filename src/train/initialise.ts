/** The first weights of a network. */
import type { Architecture } from '../model/architecture.js';
import { parameterPlaces } from '../model/weights.js';
import { parameterCount } from './checkpoint.js';
import { fillNormal, Random } from './random.js';

/** He initialisation; layers that end in a sum or in the output start small, so that the network starts near the identity. */
export function initialise(architecture: Architecture, seed: number): Float32Array {
  const flat = new Float32Array(parameterCount(architecture));
  const random = new Random(seed, 0xffffffff);
  for (const { name, shape, offset, length } of parameterPlaces(architecture)) {
    const part = flat.subarray(offset, offset + length);
    if (shape.length === 1) continue;
    fillNormal(part, random);
    const layer = architecture.layers.find((l) => `${l.name}.w` === name);
    const rows = layer?.kind === 'up2x2' ? 1 : shape.length === 4 ? shape[0]! * shape[1]! : 1;
    let gain = Math.sqrt((layer?.relu === true || name === 'cond.w1' ? 2 : 1) / (rows * shape[shape.length - 2]!));
    if (name === 'cond.w2' || (layer?.add !== undefined && layer.kind === 'conv3x3')) gain *= 0.3;
    if (name === 'out.w') gain *= 0.1;
    for (let i = 0; i < length; i++) part[i]! *= gain;
  }
  return flat;
}
