/** What stands around a place of a picture of which the last three rows are kept, as doubles one behind the other. */

/** Where a row and the two above it begin, less where the rows of its channel do. */
export let row0: usize = 0;
export let row1: usize = 0;
export let row2: usize = 0;

export function beginNeighbours(here: usize, above: usize, highest: usize): void {
  row0 = here;
  row1 = above;
  row2 = highest;
}

/** @param at address of the rows of the channel, and the column */
@inline
export function left(at: usize): f64 {
  return load<f64>(at + row0 - 8);
}

/** Two to the left. */
@inline
export function leftmost(at: usize): f64 {
  return load<f64>(at + row0 - 16);
}

@inline
export function above(at: usize): f64 {
  return load<f64>(at + row1);
}

@inline
export function aboveLeft(at: usize): f64 {
  return load<f64>(at + row1 - 8);
}

@inline
export function aboveRight(at: usize): f64 {
  return load<f64>(at + row1, 8);
}

/** Two above. */
@inline
export function highest(at: usize): f64 {
  return load<f64>(at + row2);
}
