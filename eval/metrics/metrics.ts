/** The table of metrics: what each is called, in which unit, and how it is computed. */
import { DcompError } from '../../src/errors.js';
import { mustBe } from '../../src/options.js';
import type { Picture } from '../../src/picture.js';
import { BUTTERAUGLI, butteraugli, CVVDP, cvvdp, isInstalled, type Installed } from './installed.js';
import { msSsim, msSsimDecibels } from './ms-ssim.js';
import { psnrLuma, psnrRgb } from './psnr.js';
import { ssimulacra2 } from '../../src/metrics/ssimulacra2.js';

/** Name of a metric. */
export type MetricName = 'psnr' | 'psnr-y' | 'ms-ssim' | 'ssimulacra2' | 'butteraugli' | 'cvvdp';

/** A measure of how near a decoded picture is to its reference. */
export interface Metric {
  name: MetricName;
  /** In tables and on axes. */
  label: string;
  unit: string;
  /** Digits behind the point in tables. */
  digits: number;
  /** Name in CompressAI's JSON, where it has one. */
  compressAi: string | undefined;
  /**
   * Does what depends on the reference alone. All pictures are RGB and of the same size.
   * @returns the metric of a decoded picture; undefined where the picture is too small for it. Higher is better.
   */
  prepare(reference: Picture): (decoded: Picture) => number | undefined;
  /** What has to be installed; such metrics are computed where they are asked for alone. */
  installed?: Installed;
  /** The scale on which curves are drawn, averaged and integrated; the identity if there is none. */
  scale?: (value: number) => number;
}

/** All metrics, in the order of the reports. */
export const METRICS: readonly Metric[] = [
  {
    name: 'psnr',
    label: 'PSNR (RGB)',
    unit: 'dB',
    digits: 2,
    compressAi: 'psnr-rgb',
    prepare: (a) => (b) => psnrRgb(a, b),
  },
  {
    name: 'psnr-y',
    label: 'PSNR (luma)',
    unit: 'dB',
    digits: 2,
    compressAi: undefined,
    prepare: (a) => (b) => psnrLuma(a, b),
  },
  {
    name: 'ms-ssim',
    label: 'MS-SSIM (RGB)',
    unit: 'dB',
    digits: 2,
    compressAi: 'ms-ssim-rgb',
    prepare: msSsim,
    scale: msSsimDecibels,
  },
  { name: 'ssimulacra2', label: 'SSIMULACRA 2', unit: '', digits: 1, compressAi: 'ssimulacra2', prepare: ssimulacra2 },
  {
    name: 'butteraugli',
    label: 'Butteraugli (3-norm, negative)',
    unit: '',
    digits: 3,
    compressAi: undefined,
    prepare: butteraugli,
    installed: BUTTERAUGLI,
  },
  {
    name: 'cvvdp',
    label: 'ColorVideoVDP',
    unit: 'JOD',
    digits: 3,
    compressAi: undefined,
    prepare: cvvdp,
    installed: CVVDP,
  },
];

/** The metrics that need nothing installed. */
export const OWN_METRICS: readonly Metric[] = METRICS.filter(({ installed }) => installed === undefined);

/** @throws DcompError E_ENVIRONMENT where what one of them needs is not installed */
export function checkInstalled(names: readonly MetricName[]): void {
  for (const { name, installed } of METRICS) {
    if (installed === undefined || !names.includes(name) || isInstalled(installed)) continue;
    throw new DcompError('E_ENVIRONMENT', `${name} is not installed: ${installed.how}; or leave it out of the metrics`);
  }
}

/** The metric of a name. @throws DcompError E_USAGE */
export function metricOf(name: MetricName): Metric {
  const found = METRICS.find((metric) => metric.name === name);
  if (found === undefined)
    throw mustBe('the metric', name, `one of ${METRICS.map((metric) => metric.name).join(', ')}`);
  return found;
}

/** Values by metric. */
export type Scores = Partial<Record<MetricName, number>>;
