/** Rate-distortion curves: interpolation, and the Bjøntegaard difference of two of them. */

/** One point of a curve: bits per pixel, and dB. */
export interface CurvePoint {
  rate: number;
  psnr: number;
}

/** The points by rising rate, without those that cost more and are no better than one before. */
export function rising(points: readonly CurvePoint[]): CurvePoint[] {
  const curve: CurvePoint[] = [];
  for (const point of [...points].sort((a, b) => a.rate - b.rate || b.psnr - a.psnr)) {
    const last = curve[curve.length - 1];
    if (last === undefined || (point.psnr > last.psnr && point.rate > last.rate)) curve.push(point);
  }
  return curve;
}

/** PSNR at a rate, linear in the logarithm of the rate. undefined outside the curve. */
export function psnrAt(points: readonly CurvePoint[], rate: number): number | undefined {
  const curve = rising(points);
  return interpolate(
    curve.map((p) => Math.log(p.rate)),
    curve.map((p) => p.psnr),
    Math.log(rate),
  );
}

/** Rate at a PSNR, its logarithm linear in the PSNR. undefined outside the curve. */
export function rateAt(points: readonly CurvePoint[], psnr: number): number | undefined {
  const curve = rising(points);
  const logarithm = interpolate(
    curve.map((p) => p.psnr),
    curve.map((p) => Math.log(p.rate)),
    psnr,
  );
  return logarithm === undefined ? undefined : Math.exp(logarithm);
}

/** The part of a curve between two rates, with its ends interpolated where the curve goes beyond them. */
export function between(points: readonly CurvePoint[], low: number, high: number): CurvePoint[] {
  const inside = points.filter((p) => p.rate > low && p.rate < high);
  for (const rate of [low, high]) {
    const psnr = psnrAt(points, rate);
    if (psnr !== undefined) inside.push({ rate, psnr });
  }
  return rising(inside);
}

function interpolate(xs: readonly number[], ys: readonly number[], x: number): number | undefined {
  // Rounding may put the end of a curve just beside itself.
  const slack = 1e-9 * Math.max(1, Math.abs(x));
  for (let i = 0; i < xs.length; i++) if (Math.abs(xs[i]! - x) <= slack) return ys[i]!;
  for (let i = 0; i + 1 < xs.length; i++) {
    if (x >= xs[i]! && x <= xs[i + 1]!) return ys[i]! + ((ys[i + 1]! - ys[i]!) * (x - xs[i]!)) / (xs[i + 1]! - xs[i]!);
  }
  return undefined;
}

export interface BdRate {
  /** Mean difference in rate of the test curve at equal PSNR, in percent of the reference's; negative: test is better. */
  percent: number;
  /** The overlap of both curves in PSNR, over which the mean is taken. */
  from: number;
  to: number;
}

/**
 * Bjøntegaard's difference in rate (VCEG-M33) with the piecewise cubic Hermite interpolation (PCHIP) of JCTVC's later
 * practice: the logarithm of the rate as a function of PSNR, integrated over the PSNR that both curves have.
 * @param reference, test at least two points each, of which those are used that rise (see `rising`)
 * @returns undefined where the curves do not overlap in PSNR, or one of them has less than two points
 */
export function bdRate(reference: readonly CurvePoint[], test: readonly CurvePoint[]): BdRate | undefined {
  const curves = [rising(reference), rising(test)] as const;
  if (curves.some((curve) => curve.length < 2)) return undefined;
  const from = Math.max(...curves.map((curve) => curve[0]!.psnr));
  const to = Math.min(...curves.map((curve) => curve[curve.length - 1]!.psnr));
  if (!(to > from)) return undefined;
  const [a, b] = curves.map((curve) => {
    const x = curve.map((p) => p.psnr);
    return pchipIntegral(
      x,
      curve.map((p) => Math.log(p.rate)),
      from,
      to,
    );
  }) as [number, number];
  return { percent: 100 * (Math.exp((b - a) / (to - from)) - 1), from, to };
}

/** Integral from..to of the PCHIP interpolant through (x, y), x rising. */
function pchipIntegral(x: readonly number[], y: readonly number[], from: number, to: number): number {
  const slopes = pchipSlopes(x, y);
  let sum = 0;
  for (let i = 0; i + 1 < x.length; i++) {
    const low = Math.max(from, x[i]!);
    const high = Math.min(to, x[i + 1]!);
    if (high <= low) continue;
    const h = x[i + 1]! - x[i]!;
    const secant = (y[i + 1]! - y[i]!) / h;
    const square = (3 * secant - 2 * slopes[i]! - slopes[i + 1]!) / h;
    const cube = (slopes[i]! + slopes[i + 1]! - 2 * secant) / (h * h);
    const primitive = (t: number): number => t * (y[i]! + t * (slopes[i]! / 2 + t * (square / 3 + (t * cube) / 4)));
    sum += primitive(high - x[i]!) - primitive(low - x[i]!);
  }
  return sum;
}

/** Slopes of Fritsch and Butland (1984), with the three-point rule at the ends, as SciPy's and MATLAB's pchip have them. */
function pchipSlopes(x: readonly number[], y: readonly number[]): number[] {
  const n = x.length;
  const h = Array.from({ length: n - 1 }, (_, i) => x[i + 1]! - x[i]!);
  const d = h.map((step, i) => (y[i + 1]! - y[i]!) / step);
  if (n === 2) return [d[0]!, d[0]!];
  const slopes = [endSlope(h[0]!, h[1]!, d[0]!, d[1]!)];
  for (let i = 1; i < n - 1; i++) {
    const [before, after] = [d[i - 1]!, d[i]!];
    const w1 = 2 * h[i]! + h[i - 1]!;
    const w2 = h[i]! + 2 * h[i - 1]!;
    slopes.push(before * after <= 0 ? 0 : (w1 + w2) / (w1 / before + w2 / after));
  }
  slopes.push(endSlope(h[n - 2]!, h[n - 3]!, d[n - 2]!, d[n - 3]!));
  return slopes;
}

function endSlope(h0: number, h1: number, d0: number, d1: number): number {
  const slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
  if (Math.sign(slope) !== Math.sign(d0)) return 0;
  return Math.sign(d0) !== Math.sign(d1) && Math.abs(slope) > 3 * Math.abs(d0) ? 3 * d0 : slope;
}
