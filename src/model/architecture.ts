/**
 * The network as data. The training graph and the integer engine are both built from this description.
 *
 * Tensors are pictures of feature vectors; their grid is that of the coefficients (half the resolution of the level's
 * picture) divided by 2^scale. The network input has 24 channels (12 normalised observations, 12 log-sigmas), the
 * output 24 (12 corrections of the posterior mean, 12 log2 variances), both at scale 0.
 */

/** Channels of one level: 4 Haar subbands (LL, LH, HL, HH) of 3 colours, subband-major: channel = 3 · subband + colour. */
export const COEFFICIENTS = 12;
export const BANDS = 4;
export const INPUT_CHANNELS = 2 * COEFFICIENTS;
export const OUTPUT_CHANNELS = 2 * COEFFICIENTS;

export interface TensorSpec {
  name: string;
  channels: number;
  /** Grid is that of the coefficients divided by 2^scale. */
  scale: number;
}

/**
 * One convolution with all that follows it:
 *   to = act( conv(from) + bias [then · (1 + gamma) + beta when conditioned] [+ add] ), act = ReLU or identity.
 * Weights are indexed [row][column][in][out]:
 *   conv3x3  zero padding 1, same grid;
 *   down2x2  stride 2 without overlap, half the grid;
 *   up2x2    the transposed one: out[2y+r][2x+c][o] = sum_i in[y][x][i] · w[r][c][i][o], twice the grid.
 */
export interface Layer {
  name: string;
  kind: 'conv3x3' | 'down2x2' | 'up2x2';
  from: string;
  to: string;
  relu: boolean;
  conditioned: boolean;
  add?: string;
}

/** Conditioning by what is one for a picture: features -> ReLU(hidden) -> gamma, beta of every conditioned layer in order. */
export interface ConditioningSpec {
  /** Levels told apart; coarser ones share the last. */
  levels: number;
  hidden: number;
  /**
   * Whether the condition says sigma and mode too; default true. A network without takes them from its log-sigma inputs
   * alone, which differ from coefficient to coefficient: then one evaluation serves any mixture of them.
   */
  sigma?: boolean;
  /** Classes of pictures told apart, default 0. What is of no class has all their features 0. */
  classes?: number;
}

export interface Architecture {
  name: string;
  tensors: TensorSpec[];
  layers: Layer[];
  conditioning: ConditioningSpec;
}

/** Whether the condition says sigma and mode. */
export function isToldSigma(spec: ConditioningSpec): boolean {
  return spec.sigma ?? true;
}

/** Features fed to the conditioning: log-sigma, mode and their product unless it is without; one-hot level; class. */
export function conditioningFeatures(spec: ConditioningSpec): number {
  return (isToldSigma(spec) ? 3 : 0) + spec.levels + (spec.classes ?? 0);
}

/**
 * The U-Net of models that are trained here.
 * @param channels by scale
 * @param blocks residual blocks by scale: each way, at the last scale in all
 * @param told what the condition says besides the level, see `ConditioningSpec`
 */
export function uNet(
  channels: readonly number[],
  hidden = 64,
  levels = 5,
  blocks: readonly number[] = defaultBlocks(channels),
  told: Pick<ConditioningSpec, 'sigma' | 'classes'> = {},
): Architecture {
  const tensors: TensorSpec[] = [{ name: 'input', channels: INPUT_CHANNELS, scale: 0 }];
  const layers: Layer[] = [];
  const put = (layer: Omit<Layer, 'to'>, channelCount: number, scale: number): string => {
    const to = layer.name;
    tensors.push({ name: to, channels: channelCount, scale });
    layers.push({ ...layer, to });
    return to;
  };
  const block = (name: string, from: string, c: number, scale: number): string => {
    const inner = put({ name: `${name}.1`, kind: 'conv3x3', from, relu: true, conditioned: true }, c, scale);
    return put(
      { name: `${name}.2`, kind: 'conv3x3', from: inner, relu: false, conditioned: false, add: from },
      c,
      scale,
    );
  };
  const stage = (name: string, from: string, s: number): string => {
    let x = from;
    for (let b = 0; b < blocks[s]!; b++) x = block(b === 0 ? name : `${name}-${b + 1}`, x, channels[s]!, s);
    return x;
  };
  const depth = channels.length - 1;
  let x = put({ name: 'in', kind: 'conv3x3', from: 'input', relu: false, conditioned: false }, channels[0]!, 0);
  const skips: string[] = [];
  for (let s = 0; s < depth; s++) {
    x = stage(`enc${s}`, x, s);
    skips.push(x);
    x = put({ name: `down${s}`, kind: 'down2x2', from: x, relu: false, conditioned: false }, channels[s + 1]!, s + 1);
  }
  for (let b = 0; b < blocks[depth]!; b++) x = block(`mid${b}`, x, channels[depth]!, depth);
  for (let s = depth - 1; s >= 0; s--) {
    x = put(
      { name: `up${s}`, kind: 'up2x2', from: x, relu: false, conditioned: false, add: skips[s]! },
      channels[s]!,
      s,
    );
    x = stage(`dec${s}`, x, s);
  }
  put({ name: 'out', kind: 'conv3x3', from: x, relu: false, conditioned: false }, OUTPUT_CHANNELS, 0);
  const deeper = blocks.some((n, s) => n !== defaultBlocks(channels)[s]);
  const name = `unet-${channels.join('-')}${deeper ? `-blocks-${blocks.join('-')}` : ''}`;
  return { name, tensors, layers, conditioning: { levels, hidden, ...told } };
}

/** One residual block a scale each way, two at the last. */
function defaultBlocks(channels: readonly number[]): number[] {
  return channels.map((_, s) => (s === channels.length - 1 ? 2 : 1));
}

/**
 * The small network: 69 kFLOP per pixel. Two fifths of them at half resolution, half of them at a quarter, as a
 * coefficient's own neighbours matter most and 64 channels cost there what 32 do above.
 */
export const SMALL_ARCHITECTURE: Architecture = uNet([32, 64, 56, 48], 12, 5, [1, 2, 1, 1], {
  sigma: false,
  classes: 32,
});

/** That of the model in the package. */
const DEFAULT_CHANNELS: readonly number[] = [64, 96, 160, 160];
const DEFAULT_BLOCKS: readonly number[] = [2, 2, 2, 2];
export const DEFAULT_ARCHITECTURE: Architecture = uNet(DEFAULT_CHANNELS, undefined, undefined, DEFAULT_BLOCKS);

/** The tensor of that name. */
export function tensorOf(architecture: Architecture, name: string): TensorSpec {
  const tensor = architecture.tensors.find((t) => t.name === name);
  if (tensor === undefined) throw new Error(`architecture ${architecture.name} has no tensor '${name}'`);
  return tensor;
}

/** Kernel rows and columns of a layer. */
function kernelSide(layer: Layer): number {
  return layer.kind === 'conv3x3' ? 3 : 2;
}

/** Shape [row, column, in, out] of a layer's weights. */
export function weightShape(architecture: Architecture, layer: Layer): [number, number, number, number] {
  const k = kernelSide(layer);
  return [k, k, tensorOf(architecture, layer.from).channels, tensorOf(architecture, layer.to).channels];
}

/** Length of gamma and beta together, all conditioned layers: [gamma of layer 1, beta of layer 1, gamma of layer 2, …]. */
export function conditioningLength(architecture: Architecture): number {
  let n = 0;
  for (const layer of architecture.layers) if (layer.conditioned) n += 2 * tensorOf(architecture, layer.to).channels;
  return n;
}

/** Multiply-adds times two, per pixel of the level's picture and evaluation. */
export function flopsPerPixel(architecture: Architecture): number {
  let flops = 0;
  for (const layer of architecture.layers) {
    const [, , cin, cout] = weightShape(architecture, layer);
    const grid = layer.kind === 'up2x2' ? tensorOf(architecture, layer.from) : tensorOf(architecture, layer.to);
    const k = kernelSide(layer);
    flops += (2 * k * k * cin * cout) / 4 / 4 ** grid.scale;
  }
  return flops;
}

/** Factor of which the evaluated grid must be a multiple, in both directions. */
export function gridMultiple(architecture: Architecture): number {
  return 2 ** architecture.tensors.reduce((most, { scale }) => Math.max(most, scale), 0);
}
