/** A rectangle of the picture that counts more. */
import type { App } from './app.js';
import { button, slider } from './dom.js';
import type { Point, Strokes } from './viewer.js';

export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
  weight: number;
}

/** Shorter sides are a slip of the hand. */
const LEAST_SIDE = 4;

export interface RegionTool {
  region(): Region | undefined;
  /** Draws it, in its mode. */
  enter(): void;
}

export function regionTool(app: App, changed: () => void): RegionTool {
  const { viewer } = app.stage;
  let place: Omit<Region, 'weight'> | undefined;
  let begin: Point = { x: 0, y: 0 };
  const weightOf = (value: number): number => 2 ** value;
  const weight = slider(
    'weight',
    (value) => `${weightOf(value)} times`,
    () => {
      if (place !== undefined) changed();
    },
  );

  const set = (to: typeof place, isDone: boolean): void => {
    place = to;
    button('region-clear').disabled = place === undefined;
    draw();
    if (isDone) changed();
  };
  const between = (a: Point, b: Point): typeof place => {
    const [x, y] = [Math.floor(Math.min(a.x, b.x)), Math.floor(Math.min(a.y, b.y))];
    return { x, y, width: Math.ceil(Math.max(a.x, b.x)) - x, height: Math.ceil(Math.max(a.y, b.y)) - y };
  };
  const strokes: Strokes = {
    begin: (at) => (begin = at),
    go: (_, to) => set(between(begin, to), false),
    end() {
      const isSlip = place === undefined || Math.min(place.width, place.height) < LEAST_SIDE;
      set(isSlip ? undefined : place, true);
    },
  };
  function draw(): void {
    viewer.clearOverlay();
    const context = viewer.overlay.getContext('2d');
    if (place === undefined || context === null) return;
    const { x, y, width, height } = place;
    context.lineWidth = Math.max(1, viewer.overlay.width / 350);
    for (const [style, dash] of [
      ['#000', []],
      ['#fff', [6, 6]],
    ] as const) {
      context.strokeStyle = style;
      context.setLineDash([...dash]);
      context.strokeRect(x, y, width, height);
    }
  }
  button('region-middle').addEventListener('click', () => {
    const { width, height } = app.source ?? { width: 0, height: 0 };
    if (width > 0)
      set(
        {
          ...{ x: Math.floor(width / 4), y: Math.floor(height / 4) },
          ...{ width: Math.ceil(width / 2), height: Math.ceil(height / 2) },
        },
        true,
      );
  });
  button('region-clear').addEventListener('click', () => set(undefined, true));
  app.opened.push(() => set(undefined, false));
  return {
    region: () => (place === undefined ? undefined : { ...place, weight: weight() === 0 ? 1 : weightOf(weight()) }),
    enter() {
      viewer.strokes = strokes;
      viewer.setMode('rectangle');
      draw();
    },
  };
}
