/** Metrics that programs compute, where they are installed: each comparison starts one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePng } from '../../formats/png-writer.js';
import { DcompError } from '../../src/errors.js';
import type { Picture } from '../../src/picture.js';

/** Whether programs can be started, and how they come onto a machine. */
export interface Installed {
  command: readonly string[];
  how: string;
}

/** ButterAugli of libjxl (J. Alakuijala et al., "Guetzli", 2017). */
export const BUTTERAUGLI: Installed = {
  command: ['butteraugli_main'],
  how: 'it is in libjxl-devtools of Debian',
};

/** ColorVideoVDP (R. Mantiuk et al., 2024), on a full-HD display seen from 0.6 m. */
export const CVVDP: Installed = {
  command: ['python3', '-c', 'import pycvvdp'],
  how: 'pip install cvvdp',
};

const CVVDP_SCRIPT = `
import sys, numpy, torch, pycvvdp
w, h = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
a, b = (numpy.fromfile(f, numpy.uint8).reshape(h, w, 3) for f in sys.argv[3:5])
metric = pycvvdp.cvvdp(display_name="standard_fhd", device=torch.device("cpu"))
print("JOD", metric.predict(b, a, dim_order="HWC")[0].item())
`;

/** Longest that a comparison may take. */
const LIMIT_MS = 300_000;

/** Whether what a metric needs is there. */
export function isInstalled({ command: [program, ...words] }: Installed): boolean {
  const { error, status } = spawnSync(program!, words, { timeout: LIMIT_MS, stdio: 'ignore' });
  // A program that is given nothing to do may call that an error; a module that cannot be loaded is one.
  return error === undefined && (words.length === 0 || status === 0);
}

/** The 3-norm of Butteraugli, less is better, with its sign turned; 0 for the same picture. */
export function butteraugli(reference: Picture): (decoded: Picture) => number | undefined {
  return (decoded) =>
    inFolder((folder) => {
      const files = [reference, decoded].map((picture, i) => {
        const file = join(folder, `${i}.png`);
        writeFileSync(file, writePng(picture));
        return file;
      });
      return -numberOf('butteraugli_main', files, /3-norm: *([\d.]+)/);
    });
}

/** Just objectionable differences of ColorVideoVDP: 10 for the same picture. */
export function cvvdp(reference: Picture): (decoded: Picture) => number | undefined {
  const { width, height } = reference;
  return (decoded) =>
    inFolder((folder) => {
      const files = [reference, decoded].map(({ data }, i) => {
        const file = join(folder, `${i}.rgb`);
        writeFileSync(file, data);
        return file;
      });
      const words = ['-c', CVVDP_SCRIPT, String(width), String(height), ...files];
      return numberOf('python3', words, /JOD ([\d.]+)/);
    });
}

function inFolder<T>(body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-metric-'));
  try {
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws DcompError E_ENVIRONMENT where the program says no number */
function numberOf(program: string, words: readonly string[], pattern: RegExp): number {
  const { stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8', timeout: LIMIT_MS });
  const found = pattern.exec(stdout ?? '')?.[1];
  if (found !== undefined) return Number(found);
  const said = error?.message ?? stderr.trim().split('\n').slice(-1)[0] ?? 'nothing';
  throw new DcompError('E_ENVIRONMENT', `${program} gave no score; it says: ${said}`);
}
