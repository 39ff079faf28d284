/**
 * SSIMULACRA 2.1 (J. Sneyers, Cloudinary; libjxl's tools/ssimulacra2): in a perceptual colour space, at six scales, maps
 * of structural error, of edges that only the decoded picture has (ringing, blocks) and of edges that it has lost (blur),
 * each by its mean and its 4-norm, in one weighted sum. 100 is identical, 90 visually lossless, 70 good, 50 fair, 30 poor.
 */
import { cbrt, power } from '../math/exact.js';
import type { Picture } from '../picture.js';
import { finish, type Pieces } from '../turns.js';
import { plane, type FloatPlane } from './float-plane.js';
import { recursiveGaussian } from './recursive-gaussian.js';
import { rgbOf } from './rgb.js';

const SCALES = 6;
/** A smaller picture has no scale at all. */
const SSIMULACRA2_MIN_SIDE = 8;
const C2 = 0.0009;

/** Absorbance of the long, middle and short cones, linear RGB to LMS, and their bias (libjxl's opsin parameters). */
const L = [0.3, 0.622, 0.078] as const;
const M = [0.23, 0.692, 0.078] as const;
const S = [0.24342268924547819, 0.20476744424496821, 0.5518098665095536] as const;
const BIAS = 0.0037930732552754493;
const BIAS_ROOT = cbrt(BIAS);

/** By channel, scale, norm, then the three maps: structure, artefacts, lost detail. */
// prettier-ignore
const WEIGHTS = [
  0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
  0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
  0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
  0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
  0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
  0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
  0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
  0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
  225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
  176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
  0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
  0, 0, 0, 0, 0, 0,
  0, 0.0008680556573291698, 0, 0, 0, 0,
  0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
  0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
  0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
  95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
  0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
];

const LINEAR = Float32Array.from({ length: 256 }, (_, v) =>
  v <= 0.04045 * 255 ? v / 255 / 12.92 : power((v / 255 + 0.055) / 1.055, 2.4),
);

/** One channel of the reference at one scale. */
interface Reference {
  x: FloatPlane;
  mean: FloatPlane;
  square: FloatPlane;
}

/** Prepares the reference's side. @returns the score of a decoded RGB picture, undefined where a side is below 8 @throws DcompError E_PICTURE */
export function ssimulacra2(source: Picture): (decoded: Picture) => number | undefined {
  const reference = finish(Ssimulacra2.of(source));
  return (decoded) => (reference === undefined ? undefined : finish(reference.score(decoded)));
}

/** The reference's side of the metric. */
export class Ssimulacra2 {
  private constructor(
    private readonly source: Picture,
    private readonly scales: readonly (readonly Reference[])[],
  ) {}

  /** @returns undefined where a side is below 8 @throws DcompError E_PICTURE */
  static *of(source: Picture): Pieces<Ssimulacra2 | undefined> {
    const picture = rgbOf(source);
    if (Math.min(picture.width, picture.height) < SSIMULACRA2_MIN_SIDE) return undefined;
    const scales: Reference[][] = [];
    for (const channels of yield* pyramid(picture)) {
      const references: Reference[] = [];
      for (const x of channels) {
        references.push({ x, mean: blurProduct(x), square: blurProduct(x, x) });
        yield;
      }
      scales.push(references);
    }
    return new Ssimulacra2(picture, scales);
  }

  /** The score of a decoded RGB picture. @throws DcompError E_PICTURE */
  *score(decoded: Picture): Pieces<number> {
    const norms: number[][][][] = [];
    for (const [scale, channels] of (yield* pyramid(rgbOf(decoded, this.source))).entries()) {
      const ofScale: number[][][] = [];
      for (const [c, y] of channels.entries()) {
        ofScale.push(compare(this.scales[scale]![c]!, y));
        yield;
      }
      norms.push(ofScale);
    }
    return score(norms);
  }
}

/** The picture's channels at each scale; as in the reference, halving is in linear light. */
function* pyramid({ width, height, data }: Picture): Pieces<FloatPlane[][]> {
  let linear = [0, 1, 2].map((c) => {
    const out = plane(width, height);
    for (let i = 0, j = c; i < out.data.length; i++, j += 3) out.data[i] = LINEAR[data[j]!]!;
    return out;
  });
  const scales: FloatPlane[][] = [];
  for (let scale = 0; scale < SCALES; scale++) {
    yield;
    const { width: w, height: h } = linear[0]!;
    if (w < SSIMULACRA2_MIN_SIDE || h < SSIMULACRA2_MIN_SIDE) break;
    if (scale > 0) linear = linear.map(halve);
    scales.push(positiveXyb(linear));
  }
  return scales;
}

/** Means of 2×2; an odd side repeats its last row or column. */
function halve({ width, height, data }: FloatPlane): FloatPlane {
  const out = plane((width + 1) >> 1, (height + 1) >> 1);
  for (let y = 0, to = 0; y < out.height; y++) {
    const above = 2 * y * width;
    const below = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < out.width; x++) {
      const x1 = Math.min(2 * x + 1, width - 1);
      out.data[to++] = (data[above + 2 * x]! + data[above + x1]! + data[below + 2 * x]! + data[below + x1]!) / 4;
    }
  }
  return out;
}

/** XYB, shifted and scaled so that all three are positive, as SSIM expects. */
function positiveXyb([red, green, blue]: FloatPlane[]): FloatPlane[] {
  const { width, height } = red!;
  const [r, g, b] = [red!.data, green!.data, blue!.data];
  const [X, Y, B] = [plane(width, height), plane(width, height), plane(width, height)];
  for (let i = 0; i < r.length; i++) {
    const l = cbrt(L[0] * r[i]! + L[1] * g[i]! + L[2] * b[i]! + BIAS) - BIAS_ROOT;
    const m = cbrt(M[0] * r[i]! + M[1] * g[i]! + M[2] * b[i]! + BIAS) - BIAS_ROOT;
    const s = cbrt(S[0] * r[i]! + S[1] * g[i]! + S[2] * b[i]! + BIAS) - BIAS_ROOT;
    const y = 0.5 * (l + m);
    X.data[i] = 7 * (l - m) + 0.42;
    Y.data[i] = y + 0.01;
    B.data[i] = s - y + 0.55;
  }
  return [X, Y, B];
}

/** Blurs x, or the product of x and y. */
function blurProduct(x: FloatPlane, y?: FloatPlane): FloatPlane {
  const { width, height, data } = x;
  const other = y?.data;
  return recursiveGaussian(width, height, (line, row) => {
    const from = line * width;
    if (other === undefined) for (let i = 0; i < width; i++) row[i] = data[from + i]!;
    else for (let i = 0; i < width; i++) row[i] = data[from + i]! * other[from + i]!;
  });
}

/** @returns mean and 4-norm of the three maps: [norm][map] */
function compare(a: Reference, y: FloatPlane): [number[], number[]] {
  const n = y.data.length;
  const [x1, mean1, square1] = [a.x.data, a.mean.data, a.square.data];
  const x2 = y.data;
  const mean2 = blurProduct(y).data;
  const square2 = blurProduct(y, y).data;
  const product = blurProduct(a.x, y).data;
  let [d1, d4, a1, a4, l1, l4] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const p = mean1[i]!;
    const q = mean2[i]!;
    // The luminance term has no denominator: in a perceptual space the same step is seen alike everywhere.
    const structure = (2 * (product[i]! - p * q) + C2) / (square1[i]! - p * p + (square2[i]! - q * q) + C2);
    const d = Math.max(0, 1 - (1 - (p - q) * (p - q)) * structure);
    d1 += d;
    d4 += d * d * (d * d);
    const e = (1 + Math.abs(x2[i]! - q)) / (1 + Math.abs(x1[i]! - p)) - 1;
    if (e > 0) {
      a1 += e;
      a4 += e * e * (e * e);
    } else {
      l1 -= e;
      l4 += e * e * (e * e);
    }
  }
  return [[d1 / n, a1 / n, l1 / n], [d4, a4, l4].map((sum) => Math.sqrt(Math.sqrt(sum / n)))];
}

/** @param norms by scale, channel, norm, map. With fewer scales the weights close up, as they do in the reference. */
function score(norms: readonly (readonly (readonly (readonly number[])[])[])[]): number {
  let sum = 0;
  let i = 0;
  for (let c = 0; c < 3; c++)
    for (const scale of norms) for (const maps of scale[c]!) for (const value of maps) sum += WEIGHTS[i++]! * value;
  const x = 0.9562382616834844 * sum;
  const y = (2.326765642916932 + (-0.020884521182843837 + 6.248496625763138e-5 * x) * x) * x;
  return y > 0 ? 100 - 10 * power(y, 0.6276336467831387) : 100;
}
