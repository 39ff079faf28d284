/**
 * A trained network inside a larger one that computes the same: the larger one's training goes on from there (Chen et al.
 * 2016, "Net2Net", with fresh weights for what is new instead of copies).
 */
import { DcompError } from '../errors.js';
import { conditioningFeatures, tensorOf, type Architecture } from '../model/architecture.js';
import { parameterPlaces } from '../model/weights.js';
import type { CheckpointState } from './checkpoint.js';
import { initialise } from './initialise.js';

/**
 * What is new reads the old channels and is read by no old one: weights from new channels into old ones are nought, those into
 * new channels are drawn anew, new residual blocks add nought at first. Moments of what is new are nought.
 * @param architecture the same U-Net with more channels or more residual blocks
 * @throws DcompError E_USAGE when the old network is not a part of it
 */
export function grow(state: CheckpointState, architecture: Architecture): CheckpointState {
  check(state.architecture, architecture);
  const fresh = initialise(architecture, state.seed);
  const weights = (old: Float32Array): Float32Array => overlay(state.architecture, old, architecture, fresh);
  const nought = new Float32Array(fresh.length);
  const moments = (old: Float32Array): Float32Array => overlay(state.architecture, old, architecture, nought);
  return {
    ...state,
    architecture,
    parameters: weights(state.parameters),
    average: weights(state.average),
    firstMoment: moments(state.firstMoment),
    secondMoment: moments(state.secondMoment),
  };
}

function check(old: Architecture, architecture: Architecture): void {
  const refuse = (problem: string): never => {
    throw new DcompError(
      'E_USAGE',
      `cannot grow ${old.name} to ${architecture.name}: ${problem}; channels and blocks may only become more`,
    );
  };
  const { levels, hidden } = architecture.conditioning;
  const same =
    old.conditioning.levels === levels &&
    old.conditioning.hidden === hidden &&
    conditioningFeatures(old.conditioning) === conditioningFeatures(architecture.conditioning);
  if (!same) refuse('the conditioning differs');
  for (const layer of old.layers) {
    const grown = architecture.layers.find((l) => l.name === layer.name);
    if (grown === undefined) return refuse(`layer '${layer.name}' is missing`);
    if (grown.kind !== layer.kind) refuse(`layer '${layer.name}' is another`);
    const [a, b] = [tensorOf(old, layer.to), tensorOf(architecture, grown.to)];
    if (b.channels < a.channels || b.scale !== a.scale)
      refuse(`layer '${layer.name}' has fewer channels or another scale`);
  }
  for (const layer of architecture.layers) {
    if (!old.layers.some((l) => l.name === layer.name) && !/-\d+\.[12]$|^mid\d+\.[12]$/.test(layer.name))
      refuse(`layer '${layer.name}' is new`);
  }
}

/** The flat parameters of the larger network: those of the old one where it has them, `fresh` elsewhere, nought where new would reach old. */
function overlay(
  old: Architecture,
  values: Float32Array,
  architecture: Architecture,
  fresh: Float32Array,
): Float32Array {
  const result = fresh.slice();
  const places = placesByName(old);
  for (const { name, shape, offset, length } of parameterPlaces(architecture)) {
    if (name.startsWith('cond.')) continue;
    const part = result.subarray(offset, offset + length);
    const place = places.get(name);
    if (place === undefined) {
      if (name.endsWith('.2.w')) part.fill(0); // the sum that a new block ends in
      continue;
    }
    const [cin, cout] = [shape[shape.length - 2] ?? 1, shape[shape.length - 1]!];
    const [oldIn, oldOut] = [place.shape[place.shape.length - 2] ?? 1, place.shape[place.shape.length - 1]!];
    for (let i = 0; i < length; i++) {
      const o = i % cout;
      const c = Math.floor(i / cout) % cin;
      const k = Math.floor(i / cout / cin);
      if (o < oldOut) part[i] = c < oldIn ? values[place.offset + (k * oldIn + c) * oldOut + o]! : 0;
    }
  }
  overlayConditioning(old, values, architecture, result);
  return result;
}

/** The hidden layer is the same; gamma and beta of old channels keep their columns, those of new ones are nought. */
function overlayConditioning(
  old: Architecture,
  values: Float32Array,
  architecture: Architecture,
  result: Float32Array,
): void {
  const [from, to] = [placesByName(old), placesByName(architecture)];
  for (const name of ['cond.w1', 'cond.b1']) {
    const { offset, length } = from.get(name)!;
    result.set(values.subarray(offset, offset + length), to.get(name)!.offset);
  }
  const columns = conditionedColumns(old);
  for (const name of ['cond.w2', 'cond.b2']) {
    const [a, b] = [from.get(name)!, to.get(name)!];
    const [oldWidth, width] = [a.shape[a.shape.length - 1]!, b.shape[b.shape.length - 1]!];
    const rows = name === 'cond.w2' ? b.shape[0]! : 1;
    result.fill(0, b.offset, b.offset + rows * width);
    for (const [layer, { column, channels }] of conditionedColumns(architecture)) {
      const source = columns.get(layer);
      if (source === undefined) continue;
      for (let row = 0; row < rows; row++) {
        for (let half = 0; half < 2; half++) {
          const at = a.offset + row * oldWidth + source.column + half * source.channels;
          result.set(values.subarray(at, at + source.channels), b.offset + row * width + column + half * channels);
        }
      }
    }
  }
}

/** Where gamma of each conditioned layer begins; beta follows it. */
function conditionedColumns(architecture: Architecture): Map<string, { column: number; channels: number }> {
  const columns = new Map<string, { column: number; channels: number }>();
  let column = 0;
  for (const layer of architecture.layers.filter((l) => l.conditioned)) {
    const { channels } = tensorOf(architecture, layer.to);
    columns.set(layer.name, { column, channels });
    column += 2 * channels;
  }
  return columns;
}

function placesByName(architecture: Architecture): Map<string, ReturnType<typeof parameterPlaces>[number]> {
  return new Map(parameterPlaces(architecture).map((place) => [place.name, place]));
}
