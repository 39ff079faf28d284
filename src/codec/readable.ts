/** How far a file can be read: up to its end, or to damage that what is wanted depends on. */
import type { Container } from '../container/container.js';
import { codedSizes, stepsOf, type Step } from '../diffusion/schedule.js';
import { groupsOf, stripsOf, type Group } from '../format.js';
import { gridOf, intersect, type Size } from '../math/rectangle.js';
import type { Architecture } from '../model/architecture.js';
import type { Pieces } from '../turns.js';
import type { DecoderOptions } from './decoder-options.js';
import { needsOf, type StepNeeds } from './needs.js';
import { codedView, refuseRepairable, type Source } from './source.js';

/**
 * How much of a file can be read, and what of that is needed.
 * @returns needs for `Session`, undefined where all is needed; of the segments that can be read whether they are, and their units
 * @throws DcompError E_DAMAGED_SEGMENT, where `damage` throws
 */
export function* readable(
  { bytes, container, view }: Source,
  architecture: Architecture,
  { allowDamaged, crop: wanted }: DecoderOptions,
  damage: (message: string) => void,
): Pieces<{ needs: StepNeeds[] | undefined; needed: boolean[]; units: number }> {
  const { header, segments } = container;
  const { level: shown, pixels } = codedView(header, view);
  const crop = stripsOf(header) === 1 ? wanted : undefined;
  const sizes = codedSizes(header);
  const steps = stepsOf(header.schedule, sizes.length - 1);
  const units = unitsOf(
    sizes,
    steps.filter(({ level }) => level >= shown),
  );
  const trusted = passable(container);
  let count = 0;
  const firsts = segments.map((segment) => (count += segment.units) - segment.units);
  // Of a segment with several units none can be left out.
  const apart = segments.every(
    (segment, i) =>
      segment.units === 1 || units.slice(firsts[i], firsts[i]! + segment.units).every(({ alone }) => alone),
  );
  for (let end = segments.length; ;) {
    const held = Math.min(units.length, end === segments.length ? count : firsts[end]!);
    const needs =
      crop === undefined || !apart || held === 0 ? undefined : needsOf(architecture, sizes, steps, held, pixels, shown);
    const needed = segments.slice(0, end).map((segment, i) => {
      const unit = units[firsts[i]!];
      return (
        needs === undefined ||
        unit === undefined ||
        segment.units !== 1 ||
        intersect(unit.group, needs[unit.step]!.wanted)
      );
    });
    const reached = (i: number): boolean => shown === 0 || firsts[i]! < units.length;
    const lost = needed.findIndex((use, i) => segments[i]!.state === 'damaged' && reached(i) && (use || !trusted[i]));
    if (lost < 0) return { needs, needed, units: held };
    if (crop !== undefined && allowDamaged !== true) yield* refuseRepairable(bytes);
    damage(
      `segment ${lost + 1} of ${segments.length} (byte offset ${segments[lost]!.offset}) is damaged beyond repair: ${segments[lost]!.fault}`,
    );
    end = lost;
  }
}

/** The units of some steps, by step and group. */
function unitsOf(sizes: readonly Size[], steps: readonly Step[]): { step: number; group: Group; alone: boolean }[] {
  return steps.flatMap(({ index, level }) => {
    const { width, height } = gridOf(sizes[level]!);
    const groups = groupsOf(width, height);
    return groups.map((group) => ({ step: index, group, alone: groups.length === 1 }));
  });
}

/** Of each segment, whether its length can be trusted even if it is damaged: the next that is not is intact, or the file ends there. */
function passable({ segments, truncated }: Container): boolean[] {
  let behind = !truncated;
  const result: boolean[] = [];
  for (let i = segments.length - 1; i >= 0; i--) {
    result[i] = behind;
    if (segments[i]!.state !== 'damaged') behind = segments[i]!.state === 'complete';
  }
  return result;
}
