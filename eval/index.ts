/** `dcomp/eval`: metrics, Bjøntegaard differences, and whole comparisons of codecs, for Node. */
export { bdRate, type BdRate } from './bd-rate.js';
export { qualityAt, rateAt, type CurvePoint } from './curve.js';
export { METRICS, metricOf, type Metric, type MetricName } from './metrics/metrics.js';
export { msSsim } from './metrics/ms-ssim.js';
export { psnrLuma, psnrRgb } from './metrics/psnr.js';
export { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
export type { CodecInfo, Evaluation, PictureResult } from './evaluation.js';
export { evaluate, type EvaluationOptions, type SampleSet } from './run.js';
export { summarise, type Summary } from './summary.js';
export { writeReport } from './report/write.js';
