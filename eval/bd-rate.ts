/** The Bjøntegaard difference of two rate-distortion curves. */
import { rising, type CurvePoint } from './curve.js';
import { pchip } from './pchip.js';

/** How the reports name it. */
export const BD_METHOD =
  'Bjøntegaard difference in rate (VCEG-M33), piecewise cubic Hermite interpolation (PCHIP) of log rate over quality';

/** A mean difference in rate, and where it was taken. */
export interface BdRate {
  /** Mean difference in rate of the test curve at equal quality, in percent of the reference's; negative: test is better. */
  percent: number;
  /** The overlap of both curves in quality, over which the mean is taken. */
  from: number;
  to: number;
}

/**
 * Bjøntegaard's difference in rate (VCEG-M33) with the PCHIP of JCTVC's later practice: the logarithm of the rate as a
 * function of quality, integrated over the quality that both curves have.
 * @param reference, test at least two points each, of which those are used that rise (see `rising`)
 * @returns undefined where the curves do not overlap in quality, or one of them has less than two points
 */
export function bdRate(reference: readonly CurvePoint[], test: readonly CurvePoint[]): BdRate | undefined {
  const curves = [rising(reference), rising(test)] as const;
  if (curves.some((curve) => curve.length < 2)) return undefined;
  const from = Math.max(...curves.map((curve) => curve[0]!.quality));
  const to = Math.min(...curves.map((curve) => curve[curve.length - 1]!.quality));
  if (!(to > from)) return undefined;
  const [a, b] = curves.map((curve) =>
    pchip(
      curve.map((p) => p.quality),
      curve.map((p) => Math.log(p.rate)),
    ).integral(from, to),
  ) as [number, number];
  return { percent: 100 * (Math.exp((b - a) / (to - from)) - 1), from, to };
}
