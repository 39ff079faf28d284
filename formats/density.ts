/** Pixel densities of other formats as PNG has them: x and y apart, nothing where nothing is said. */
import type { Density } from '../src/picture.js';

export const METRES_PER_INCH = 0.0254;

const MOST = 2 ** 31 - 1;
/** Shapes of pixels are kept as fractions of this much. */
const SHAPE = 10000;

/**
 * @param x pixels per unit, y alike
 * @param metres of the unit; undefined where there is none: then the shape of a pixel, and nothing where it is square
 */
export function densityOf(x: number, y: number, metres: number | undefined): Density | undefined {
  if (!(x > 0) || !(y > 0)) return undefined;
  if (metres === undefined) {
    if (x === y) return undefined;
    const whole = Number.isInteger(x) && Number.isInteger(y);
    const [a, b] = whole ? [x, y] : [SHAPE, Math.round((SHAPE * y) / x)];
    return a >= 1 && b >= 1 && a <= MOST && b <= MOST ? { x: a, y: b, unit: 'none' } : undefined;
  }
  const [a, b] = [Math.round(x / metres), Math.round(y / metres)];
  return a >= 1 && b >= 1 && a <= MOST && b <= MOST ? { x: a, y: b, unit: 'metre' } : undefined;
}
