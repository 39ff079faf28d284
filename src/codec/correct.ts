/** Corrections: single coefficients that a step left too far off. */
import { MAX_SIZE_DIGITS, type Corrections } from '../entropy/corrections.js';
import { sigmaOf, UNKNOWN } from '../model/sigma.js';
import { CORRECTION_STEP, VARIANCE_COUNT } from '../format.js';
import type { Pieces } from '../turns.js';
import { forEachRow, gridIndex, type GroupWork, type Truth } from './group-work.js';

/** Errors of so many sigma and more are corrected: about where the bits of a correction are worth it. The decoder does not care. */
const CORRECTION_THRESHOLD = 5;
const MOST = 2 ** MAX_SIZE_DIGITS - 1;

/**
 * Moves single coefficients whose observation is too far off to come right by itself: points reach anywhere, but a pass
 * moves a coefficient by at most √(v · gain). So what the model is so sure of that it is told in passes, and wrong about,
 * would stay wrong for ever, and the network would take it for true. Needed for text and drawings; photographs hardly use it.
 */
export function* correct(work: GroupWork): Pieces<void> {
  const { channel, observation, group, truth, n } = work;
  const { row } = work.workspace;
  const { z, codes } = observation;
  const chosen = truth === undefined ? undefined : yield* chooseCorrections(work, truth);
  const corrections = yield* channel.corrections(n, () => chosen!);
  if (corrections === undefined) return;
  for (const [k, p] of corrections.indices.entries()) {
    if (row[p]! < 0) continue; // no encoder writes that
    const i = gridIndex(observation, group, p);
    codes[i] = codeAfter(work, p, i);
    z[i] = z[i]! + corrections.steps[k]! * CORRECTION_STEP * sigmaOf(codes[i]!);
  }
}

function codeAfter({ observation: { codes }, workspace: { row }, classes }: GroupWork, p: number, i: number): number {
  return codes[i] === UNKNOWN ? classes[Math.floor(row[p]! / VARIANCE_COUNT)]!.to : codes[i]!;
}

function* chooseCorrections(work: GroupWork, { x }: Truth): Pieces<Corrections> {
  const { row } = work.workspace;
  const { z, codes } = work.observation;
  const indices: number[] = [];
  const steps: number[] = [];
  const limits = Float64Array.from({ length: 256 }, (_, code) =>
    code === UNKNOWN ? 0 : CORRECTION_THRESHOLD * sigmaOf(code),
  );
  yield* forEachRow(work.observation, work.group, (p, i, length) => {
    for (const end = p + length; p < end; p++, i++) {
      const error = x[i]! - z[i]!;
      if (row[p]! < 0 || Math.abs(error) < limits[codes[i]!]!) continue;
      const sigma = sigmaOf(codeAfter(work, p, i));
      if (Math.abs(error) < CORRECTION_THRESHOLD * sigma) continue;
      indices.push(p);
      steps.push(Math.max(-MOST, Math.min(MOST, Math.round(error / (CORRECTION_STEP * sigma)))));
    }
  });
  return { indices: Uint32Array.from(indices), steps: Int32Array.from(steps) };
}
