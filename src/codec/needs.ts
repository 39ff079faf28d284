/**
 * What a part of the picture needs: the groups that have to be run, and the positions that each step must know. A group's
 * step depends on its own positions and, through the network, on those around it as far as the receptive field reaches, as
 * they were before the step. So from the last step back, step by step, the part grows to whole groups and by that context.
 */
import { gridMultiple, type Architecture } from '../model/architecture.js';
import { dependence } from '../model/strips.js';
import { groupsOf } from '../format.js';
import {
  around,
  between,
  gridOf,
  intersect,
  positionsOf,
  wholeOf,
  type Rectangle,
  type Size,
} from '../math/rectangle.js';
import { entersLevel, isHandedOn, type Step } from '../diffusion/schedule.js';

export interface StepNeeds {
  /** Positions that have to be known after the step: the groups that reach into them are run, others left out. */
  wanted: Rectangle;
  /** Positions that have to be known before it. They hold `wanted`, and the windows of all later steps of the level. */
  window: Rectangle;
}

/** Positions to be known for the network's output at those of `wanted` to be that of an evaluation of the whole grid, bit for bit. */
export function windowOf(architecture: Architecture, wanted: Rectangle, grid: Size): Rectangle {
  const x = eitherWay(architecture, wanted.x, wanted.x + wanted.width, grid.width);
  const y = eitherWay(architecture, wanted.y, wanted.y + wanted.height, grid.height);
  return between(x.first, y.first, x.end, y.end);
}

/** Along one axis, as the grid is and mirrored: both ends are those of the grid or whole multiples away from one of its ends. */
function eitherWay(
  architecture: Architecture,
  first: number,
  end: number,
  length: number,
): { first: number; end: number } {
  const multiple = gridMultiple(architecture);
  const straight = dependence(architecture, first, end, length);
  const back = dependence(architecture, length - end, length - first, length);
  const distance = length - Math.max(straight.end, length - back.first);
  return {
    first: Math.floor(Math.min(straight.first, length - back.end) / multiple) * multiple,
    end: length - Math.floor(distance / multiple) * multiple,
  };
}

/**
 * Positions that pixels of a level are shown by. @param isLed whether a coarser level has been settled, and leads to it:
 * then the positions beside count, too
 */
export function shownPositions(pixels: Rectangle, grid: Size, isLed: boolean): Rectangle {
  const { x, y, width, height } = positionsOf(pixels);
  const more = isLed ? 1 : 0;
  return between(
    Math.max(0, x - more),
    Math.max(0, y - more),
    Math.min(grid.width, x + width + more),
    Math.min(grid.height, y + height + more),
  );
}

/**
 * @param sizes of u₀, u₁, …
 * @param units that the file holds, at least 1; only where it ends within a step with a single group it may hold fewer
 * @param pixels wanted, of u_shown
 * @returns by the index of the step, up to the last that the file holds
 */
export function needsOf(
  architecture: Architecture,
  sizes: readonly Size[],
  steps: readonly Step[],
  units: number,
  pixels: Rectangle,
  shown: number,
): StepNeeds[] {
  const grid = (level: number): Size => gridOf(sizes[level]!);
  let last = 0;
  let done = units;
  const count = ({ level }: Step): number => groupsOf(grid(level).width, grid(level).height).length;
  while (last + 1 < steps.length && done > count(steps[last]!)) done -= count(steps[last++]!);
  const { level, kind, from, to } = steps[last]!;
  const groupCount = count(steps[last]!);
  // Of a single group the number of units does not tell whether the step is whole.
  const code = groupCount > 1 && done >= groupCount ? to : from;
  let wanted = wholeOf(grid(level));
  if (level === shown) {
    wanted = windowOf(architecture, positionsOf(pixels), grid(level));
  } else if (level === shown + 1 && (kind === 'settle' || isHandedOn(kind, code))) {
    const positions = shownPositions(pixels, grid(shown), kind === 'settle');
    wanted = positionsOf(windowOf(architecture, positions, grid(shown)));
  } // else what is handed on depends on the variance of the whole level

  const needs: StepNeeds[] = [];
  for (let index = last; index >= 0; index--) {
    const step = steps[index]!;
    const { width, height } = grid(step.level);
    const groups = groupsOf(width, height).filter((group, i) => (index < last || i < done) && intersect(group, wanted));
    const run = around(groups);
    const window = run === undefined ? wanted : around([wanted, windowOf(architecture, run, { width, height })])!;
    needs[index] = { wanted, window };
    wanted = entersLevel(step) && index > 1 ? positionsOf(window) : window;
  }
  return needs;
}
