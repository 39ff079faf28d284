/** How many units (one step of one group each) a picture has: the most that its file may hold. */
import { GROUP_SIDE } from '../format.js';
import { gridOf, type Size } from '../math/rectangle.js';
import { codedSizes, stepsOf, type Schedule } from './schedule.js';

/** Groups of a level. @param size of the level's picture */
export function groupCount(size: Size): number {
  const { width, height } = gridOf(size);
  return Math.ceil(width / GROUP_SIDE) * Math.ceil(height / GROUP_SIDE);
}

/** Units of all steps of a schedule. */
export function unitCount(schedule: Schedule, size: Size): number {
  const sizes = codedSizes(size);
  return stepsOf(schedule, sizes.length - 1).reduce((sum, { level }) => sum + groupCount(sizes[level]!), 0);
}
