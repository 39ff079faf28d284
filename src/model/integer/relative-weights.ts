/**
 * Weights of a network that began as another one of the same layers, less what that one's are in its units: two bits a weight
 * shorter, as they lie near by (those of `small` correlate by 0.98).
 */
import { weightShape, type Architecture } from '../architecture.js';
import { roundToEven, WEIGHT_LIMIT } from './arithmetic.js';
import { damaged } from './check-model.js';
import type { IntegerLayer, IntegerModel } from './integer-model.js';

type Network = Pick<IntegerModel, 'architecture' | 'layers'>;

/** Whether the layers of two networks are the same, in name, kind and shape. */
export function haveSameLayers(a: Architecture, b: Architecture): boolean {
  const said = (network: Architecture): string =>
    JSON.stringify(network.layers.map((layer) => [layer.name, layer.kind, weightShape(network, layer)]));
  return said(a) === said(b);
}

/** @returns by layer the differences; undefined where they leave 16 bits @param base of the same layers */
export function relativeWeights(base: Network, { architecture, layers }: Network): Int16Array[] | undefined {
  const lists: Int16Array[] = [];
  for (const { name } of architecture.layers) {
    const own = layers.get(name)!;
    const differences = inUnitsOf(own.weightScale, base.layers.get(name)!);
    for (let i = 0; i < differences.length; i++) {
      const difference = own.weights[i]! - differences[i]!;
      if (Math.abs(difference) > WEIGHT_LIMIT) return undefined;
      differences[i] = difference;
    }
    lists.push(differences);
  }
  return lists;
}

/** The inverse, of one layer. @throws DcompError E_DAMAGED_MODEL for weights beyond 16 bits */
export function absoluteWeights(base: IntegerLayer, weightScale: Float32Array, differences: Int16Array): Int16Array {
  const weights = inUnitsOf(weightScale, base);
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]! + differences[i]!;
    if (Math.abs(weight) > WEIGHT_LIMIT) damaged('a weight that is relative to another leaves 16 bits');
    weights[i] = weight;
  }
  return weights;
}

/** The weights of a layer in other units, by output channel; those are of doubles, rounded to the nearest even. */
function inUnitsOf(scale: Float32Array, { weights, weightScale }: IntegerLayer): Int16Array {
  const ratios = new Float64Array(scale.length);
  for (let o = 0; o < scale.length; o++) ratios[o] = weightScale[o]! / scale[o]!;
  const converted = new Int16Array(weights.length);
  for (let i = 0; i < weights.length;) {
    for (let o = 0; o < scale.length; o++, i++)
      converted[i] = Math.min(WEIGHT_LIMIT, Math.max(-WEIGHT_LIMIT, roundToEven(weights[i]! * ratios[o]!)));
  }
  return converted;
}
