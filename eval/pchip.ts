/** Piecewise cubic Hermite interpolation that keeps monotonic data monotonic (PCHIP), as SciPy and MATLAB have it. */

/** A cubic on [from, from + width]: value = c[0] + t·(c[1] + t·(c[2] + t·c[3])), t from the left end. */
interface Piece {
  from: number;
  width: number;
  c: readonly [number, number, number, number];
}

export interface Interpolant {
  /** undefined outside of the data. */
  at(x: number): number | undefined;
  /** Integral over a range, which is cut to the data's. */
  integral(from: number, to: number): number;
}

/** @param x rising, at least two values; y of the same length */
export function pchip(x: readonly number[], y: readonly number[]): Interpolant {
  const slopes = slopesOf(x, y);
  const pieces = slopes.slice(1).map((_, i): Piece => {
    const width = x[i + 1]! - x[i]!;
    const secant = (y[i + 1]! - y[i]!) / width;
    const square = (3 * secant - 2 * slopes[i]! - slopes[i + 1]!) / width;
    const cube = (slopes[i]! + slopes[i + 1]! - 2 * secant) / (width * width);
    return { from: x[i]!, width, c: [y[i]!, slopes[i]!, square, cube] };
  });
  return {
    at(value) {
      const piece = pieces.find(({ from, width }) => value >= from && value <= from + width);
      if (piece === undefined) return undefined;
      const t = value - piece.from;
      const [a, b, c, d] = piece.c;
      return a + t * (b + t * (c + t * d));
    },
    integral(from, to) {
      let sum = 0;
      for (const piece of pieces) {
        const low = Math.max(0, from - piece.from);
        const high = Math.min(piece.width, to - piece.from);
        if (high > low) sum += primitive(piece, high) - primitive(piece, low);
      }
      return sum;
    },
  };
}

function primitive({ c: [a, b, c, d] }: Piece, t: number): number {
  return t * (a + t * (b / 2 + t * (c / 3 + (t * d) / 4)));
}

/** Fritsch and Butland (1984), with the three-point rule at the ends. */
function slopesOf(x: readonly number[], y: readonly number[]): number[] {
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
