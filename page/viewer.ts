/** Two pictures, one over the other, with a line where they meet; zoom, and what is drawn on them. */
import { element } from './dom.js';

export type Side = 'left' | 'right';
/** What a pointer does: look about, draw a rectangle, or paint. */
export type Mode = 'look' | 'rectangle' | 'brush';

export interface Point {
  x: number;
  y: number;
}

/** What a pointer draws, in pixels of the picture. */
export interface Strokes {
  begin(at: Point): void;
  go(from: Point, to: Point): void;
  end(): void;
}

const MOST_ZOOM = 32;
const STEP = 1.5;
/** Zoom of a double click. */
const CLOSE = 4;
/** Pixels of the screen for a pixel of the picture from which on they are shown as squares. */
const SQUARES = 3;
/** Pixels that a picture is moved by with a key. */
const NUDGE = 60;
/** Share of the width that the line is moved by with a key. */
const LINE_STEP = 0.02;

export class Viewer {
  readonly overlay = element<HTMLCanvasElement>('overlay');
  strokes: Strokes | undefined;
  private readonly view = element('view');
  private readonly world = element('world');
  private readonly split = element('split');
  private readonly zoomText = element<HTMLOutputElement>('zoom-value');
  private size = { width: 1, height: 1 };
  private scale = 1;
  private at: Point = { x: 0, y: 0 };
  private isFit = true;
  private line = 0.5;
  private single = false;
  private readonly pointers = new Map<number, Point>();
  private drawing: Point | undefined;

  constructor() {
    new ResizeObserver(() => (this.isFit ? this.fit() : this.place())).observe(this.view);
    this.listenToPointers();
    this.listenToKeys();
    this.listenToLine();
    element('zoom-in').addEventListener('click', () => this.zoom(STEP));
    element('zoom-out').addEventListener('click', () => this.zoom(1 / STEP));
    element('zoom-fit').addEventListener('click', () => this.fit());
  }

  /** The size that pictures are shown in, whatever pixels they have. */
  frame(width: number, height: number): void {
    if (this.size.width === width && this.size.height === height) return;
    this.size = { width, height };
    this.world.style.width = `${width}px`;
    this.world.style.height = `${height}px`;
    this.overlay.width = width;
    this.overlay.height = height;
    this.fit();
  }

  paint(side: Side, bitmap: ImageBitmap): void {
    const canvas = element<HTMLCanvasElement>(side);
    if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
    if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
  }

  /** Whether the right picture covers all. */
  setSingle(single: boolean): void {
    this.single = single;
    this.split.hidden = single;
    this.view.toggleAttribute('data-single', single);
    this.place();
  }

  setMode(mode: Mode): void {
    this.view.dataset.mode = mode;
    // Nothing is drawn on it then, and a large one costs time in every frame.
    this.overlay.hidden = mode === 'look';
  }

  clearOverlay(): void {
    this.overlay.getContext('2d')?.clearRect(0, 0, this.size.width, this.size.height);
  }

  fit(): void {
    const { width, height } = this.view.getBoundingClientRect();
    this.scale = Math.min(width / this.size.width, height / this.size.height);
    this.at = {
      x: (width - this.size.width * this.scale) / 2,
      y: (height - this.size.height * this.scale) / 2,
    };
    this.isFit = true;
    this.place();
  }

  /** @param around a place of the view that stays where it is; default: its middle */
  private zoom(factor: number, around?: Point): void {
    const { width, height } = this.view.getBoundingClientRect();
    const { x, y } = around ?? { x: width / 2, y: height / 2 };
    const least = Math.min(width / this.size.width, height / this.size.height);
    const scale = Math.min(MOST_ZOOM, this.scale * factor);
    if (scale <= least) return this.fit();
    const ratio = scale / this.scale;
    this.at = { x: x - (x - this.at.x) * ratio, y: y - (y - this.at.y) * ratio };
    this.scale = scale;
    this.isFit = false;
    this.place();
  }

  private move(dx: number, dy: number): void {
    if (this.isFit) return;
    this.at = { x: this.at.x + dx, y: this.at.y + dy };
    this.place();
  }

  private place(): void {
    const { view, world, size, scale } = this;
    const { width, height } = view.getBoundingClientRect();
    // Some of the picture is always in sight.
    const held = (at: number, room: number, length: number): number =>
      length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at));
    this.at = { x: held(this.at.x, width, size.width * scale), y: held(this.at.y, height, size.height * scale) };
    world.style.transform = `translate(${this.at.x}px, ${this.at.y}px) scale(${scale})`;
    const cut = this.single ? 0 : Math.max(0, (this.line * width - this.at.x) / scale);
    element('right').style.clipPath = `inset(0 0 0 ${cut}px)`;
    this.split.style.left = `${100 * this.line}%`;
    this.split.setAttribute('aria-valuenow', String(Math.round(100 * this.line)));
    view.toggleAttribute('data-zoomed', !this.isFit);
    view.toggleAttribute('data-pixels', scale >= SQUARES);
    this.zoomText.value = this.isFit ? 'fit' : `${Math.round(100 * scale)} %`;
  }

  private setLine(line: number): void {
    this.line = Math.min(1, Math.max(0, line));
    this.place();
  }

  private placeOf(event: MouseEvent): Point {
    const { left, top } = this.view.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /** In pixels of the picture, on it. */
  private inPicture({ x, y }: Point): Point {
    const within = (value: number, most: number): number => Math.min(most, Math.max(0, value));
    return {
      x: within((x - this.at.x) / this.scale, this.size.width),
      y: within((y - this.at.y) / this.scale, this.size.height),
    };
  }

  private listenToPointers(): void {
    const { view, pointers } = this;
    view.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || this.split.contains(event.target as Node)) return;
      view.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, this.placeOf(event));
      const isDrawn = view.dataset.mode !== undefined && view.dataset.mode !== 'look';
      if (!isDrawn || pointers.size > 1) return void (this.drawing = undefined);
      this.drawing = this.inPicture(this.placeOf(event));
      this.strokes?.begin(this.drawing);
    });
    view.addEventListener('pointermove', (event) => {
      const before = pointers.get(event.pointerId);
      if (before === undefined) return;
      const now = this.placeOf(event);
      if (pointers.size === 2) this.pinch(event.pointerId, before, now);
      else if (this.drawing !== undefined) {
        const to = this.inPicture(now);
        this.strokes?.go(this.drawing, to);
        this.drawing = to;
      } else this.move(now.x - before.x, now.y - before.y);
      pointers.set(event.pointerId, now);
    });
    const end = (event: PointerEvent): void => {
      if (!pointers.delete(event.pointerId)) return;
      if (this.drawing !== undefined) this.strokes?.end();
      this.drawing = undefined;
    };
    view.addEventListener('pointerup', end);
    view.addEventListener('pointercancel', end);
    view.addEventListener('dblclick', (event) =>
      this.isFit ? this.zoom(Math.max(2, CLOSE / this.scale), this.placeOf(event)) : this.fit(),
    );
    view.addEventListener(
      'wheel',
      (event) => {
        // A wheel alone goes on through the page.
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 200), this.placeOf(event));
      },
      { passive: false },
    );
  }

  private pinch(id: number, before: Point, now: Point): void {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, point]) => point);
    if (other === undefined) return;
    const far = (a: Point, b: Point): number => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
    this.zoom(far(now, other) / far(before, other), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    this.move((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  private listenToKeys(): void {
    this.view.addEventListener('keydown', (event) => {
      if (event.target !== this.view) return;
      const moves: Record<string, () => void> = {
        '+': () => this.zoom(STEP),
        '=': () => this.zoom(STEP),
        '-': () => this.zoom(1 / STEP),
        '0': () => this.fit(),
        ArrowLeft: () => this.move(NUDGE, 0),
        ArrowRight: () => this.move(-NUDGE, 0),
        ArrowUp: () => this.move(0, NUDGE),
        ArrowDown: () => this.move(0, -NUDGE),
      };
      const move = moves[event.key];
      if (move === undefined || (this.isFit && event.key.startsWith('Arrow'))) return;
      event.preventDefault();
      move();
    });
  }

  private listenToLine(): void {
    const { split, view } = this;
    split.addEventListener('pointerdown', (event) => {
      split.setPointerCapture(event.pointerId);
      const move = (moved: PointerEvent): void => this.setLine(this.placeOf(moved).x / view.clientWidth);
      split.addEventListener('pointermove', move);
      split.addEventListener('lostpointercapture', () => split.removeEventListener('pointermove', move), {
        once: true,
      });
    });
    split.addEventListener('keydown', ({ key }) => {
      if (key === 'ArrowLeft') this.setLine(this.line - LINE_STEP);
      else if (key === 'ArrowRight') this.setLine(this.line + LINE_STEP);
      else if (key === 'Home') this.setLine(0);
      else if (key === 'End') this.setLine(1);
    });
  }
}
