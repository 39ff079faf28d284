/** Rectangles: of pixels of a level's picture u_k, or of positions of its coefficients' grid. */
import { DcompError } from '../errors.js';
import { mustBe, shown } from '../options.js';

export interface Size {
  width: number;
  height: number;
}

/** A rectangle of whole pixels, from the upper left corner. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** All of a picture or grid. */
export function wholeOf({ width, height }: Size): Rectangle {
  return { x: 0, y: 0, width, height };
}

/** A caller's rectangle of pixels, wherever it lies. @throws DcompError E_USAGE */
export function rectangleOf(value: unknown, name: string): Rectangle {
  if (typeof value !== 'object' || value === null)
    throw mustBe(name, value, 'a rectangle: x, y, width and height in whole pixels');
  const { x, y, width, height } = value as Rectangle;
  if (![x, y, width, height].every((side) => Number.isInteger(side)) || width < 1 || height < 1) {
    const sides = [x, y, width, height].map(shown).join(',');
    throw new DcompError(
      'E_USAGE',
      `${name} (${sides}) is no rectangle; that is x, y, width and height in whole pixels, of at least 1×1`,
    );
  }
  return { x, y, width, height };
}

/**
 * @param what it is called in messages
 * @throws DcompError E_USAGE if it is none, or has pixels outside of the picture
 */
export function checkRectangle(what: string, value: Rectangle, picture: Size): void {
  const { x, y, width, height } = rectangleOf(value, what);
  if (x >= 0 && y >= 0 && x + width <= picture.width && y + height <= picture.height) return;
  const rectangle = `${what} (x ${x}, y ${y}, width ${width}, height ${height})`;
  throw new DcompError(
    'E_USAGE',
    `${rectangle} is not within the picture of ${picture.width}×${picture.height} pixels: x and y must be at least 0, x + width at most ${picture.width}, y + height at most ${picture.height}`,
  );
}

/** The grid of the coefficients of a picture. */
export function gridOf({ width, height }: Size): Size {
  return { width: (width + 1) >> 1, height: (height + 1) >> 1 };
}

/** The positions whose coefficients make these pixels. */
export function positionsOf({ x, y, width, height }: Rectangle): Rectangle {
  return between(x >> 1, y >> 1, (x + width + 1) >> 1, (y + height + 1) >> 1);
}

export function intersect(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The smallest that holds them all; undefined for none. */
export function around(rectangles: readonly Rectangle[]): Rectangle | undefined {
  if (rectangles.length === 0) return undefined;
  const least = (f: (rectangle: Rectangle) => number): number =>
    rectangles.reduce((min, rectangle) => Math.min(min, f(rectangle)), Infinity);
  return between(
    least(({ x }) => x),
    least(({ y }) => y),
    -least(({ x, width }) => -x - width),
    -least(({ y, height }) => -y - height),
  );
}

/** Ends are exclusive. */
export function between(x: number, y: number, xEnd: number, yEnd: number): Rectangle {
  return { x, y, width: xEnd - x, height: yEnd - y };
}

function areEqual(a: Rectangle, b: Rectangle): boolean {
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

/**
 * What an array that is laid out by a rectangle, row by row, holds of another one inside of it; the array itself if they are equal.
 * @param length elements of a position
 */
export function cutOut<T extends Float32Array | Uint8Array | Uint16Array>(
  data: T,
  from: Rectangle,
  to: Rectangle,
  length: number,
): T {
  if (areEqual(from, to)) return data;
  const out = data.slice(0, to.width * to.height * length) as T;
  for (let y = 0; y < to.height; y++) {
    const first = ((to.y - from.y + y) * from.width + to.x - from.x) * length;
    out.set(data.subarray(first, first + to.width * length), y * to.width * length);
  }
  return out;
}
