/** What distributions and contexts of samples are made of (docs/format.md, section 13). */

const CDF_LIMIT: f64 = 24;
const CDF_STEPS: f64 = 64;

/** f64 of the logistic distribution; u8 of the levels of magnitudes below 128. */
let cdf: usize = 0;
let levels: usize = 0;

export function beginDistributions(cdf_: usize, levels_: usize): void {
  cdf = cdf_;
  levels = levels_;
}

/** About 4 · log2(v), for v ≥ 1: exponent and two bits of the mantissa of a float32. */
export function quarterOctaves(v: f64): i32 {
  return <i32>(reinterpret<u32>(<f32>v) >>> 21) - 508;
}

/** Sign and about the logarithm of a rounded number: −14..14. */
export function level(value: f64): i32 {
  const v = floor<f64>(value + 0.5);
  const m = abs<f64>(v);
  const size = m < 128 ? <i32>load<u8>(levels + <usize>(<i32>m)) : m < 512 ? 11 : m < 2048 ? 12 : m < 8192 ? 13 : 14;
  return v < 0 ? -size : size;
}

/** Joins a number to a hash of 32 bits. */
export function hash(h: i32, value: i32): i32 {
  const v = (h ^ value) * <i32>0x9e3779b1;
  return v ^ <i32>(<u32>v >>> 15);
}

/** Probability of a logistic variable below t, by straight lines between the steps of a table. */
export function logistic(t: f64): f64 {
  const u = (t + CDF_LIMIT) * CDF_STEPS;
  if (u <= 0) return 0;
  if (u >= 2 * CDF_LIMIT * CDF_STEPS) return 1;
  const i = floor<f64>(u);
  const at = cdf + 8 * <usize>(<i32>i);
  return load<f64>(at) + (u - i) * (load<f64>(at, 8) - load<f64>(at));
}
