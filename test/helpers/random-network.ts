/** Random networks beyond U-Nets, and observations for them. */
import {
  INPUT_CHANNELS,
  OUTPUT_CHANNELS,
  type Architecture,
  type Layer,
  type TensorSpec,
} from '../../src/model/architecture.js';
import { EXACT, UNKNOWN } from '../../src/model/sigma.js';
import { gaussian, uniform } from '../../corpus/random-model.js';

/** A network of random kinds of layers, grids, channel counts (not only multiples of 8) and skip connections. */
export function randomArchitecture(seed: number, length: number): Architecture {
  const next = uniform(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const tensors: TensorSpec[] = [{ name: 'input', channels: INPUT_CHANNELS, scale: 0 }];
  const layers: Layer[] = [];
  const put = (kind: Layer['kind'], from: TensorSpec, to: TensorSpec, last: boolean): void => {
    const same = tensors.filter((tensor) => tensor.scale === to.scale && tensor.channels === to.channels);
    const name = `layer ${layers.length}`;
    const layer: Layer = {
      name,
      kind,
      from: from.name,
      to: to.name,
      relu: !last && next() < 0.5,
      conditioned: next() < 0.5,
    };
    if (!last && same.length > 0 && next() < 0.7) layer.add = pick(same).name;
    layers.push(layer);
    tensors.push(to);
  };
  for (let i = 0; i < length; i++) {
    const from = pick(tensors);
    const kind = pick([
      'conv3x3',
      from.scale < 2 ? 'down2x2' : 'conv3x3',
      from.scale > 0 ? 'up2x2' : 'conv3x3',
    ] as const);
    const scale = from.scale + (kind === 'down2x2' ? 1 : kind === 'up2x2' ? -1 : 0);
    // Few different counts, so that skip connections find partners.
    put(kind, from, { name: `tensor ${i}`, channels: pick([1, 7, 8, 24]), scale }, false);
  }
  put(
    'conv3x3',
    pick(tensors.filter((tensor) => tensor.scale === 0)),
    { name: 'out', channels: OUTPUT_CHANNELS, scale: 0 },
    true,
  );
  return { name: `random ${seed}`, tensors, layers, conditioning: { levels: 3, hidden: 5 } };
}

export function randomArguments(
  seed: number,
  width: number,
  height: number,
  spread: number,
): { z: Float32Array; codes: Uint8Array } {
  const next = gaussian(seed);
  const z = new Float32Array(width * height * 12).map(() => spread * next());
  const pick = uniform(seed);
  const codes = new Uint8Array(z.length).map(() =>
    pick() < 0.1 ? UNKNOWN : pick() < 0.1 ? EXACT : Math.floor(pick() * 256),
  );
  return { z, codes };
}
