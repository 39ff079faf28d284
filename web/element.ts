/**
 * `dcomp/element`: `<dcz-image src="photo.dcz" alt="…">`, an `<img>` for dcomp pictures. It is decoded by a worker while it
 * arrives, each better picture takes the place of the one before, and nothing around it moves.
 */
import { DcompError } from '../src/errors.js';
import { picturesOf } from './decoding.js';
import { layoutOf, STYLE } from './layout.js';
import type { Shown } from './shown.js';
import { lengthOf, scaleFor } from './sizes.js';

export { configure, type ElementOptions } from './decoding.js';
export { registerServiceWorker } from './register.js';
export { DcompError } from '../src/errors.js';

/** Of a page that is prepared on a server, where there are no elements: importing must not fail there. */
const Base = (globalThis as { HTMLElement?: typeof HTMLElement }).HTMLElement ?? (class {} as typeof HTMLElement);

/** How far from the screen a picture with `loading="lazy"` begins to load. */
const NEAR = '400px';

/** Attributes that are followed, as of an `<img>`. */
const ATTRIBUTES = ['src', 'alt', 'sizes', 'loading', 'width', 'height', 'title'] as const;

/**
 * An image element. Attributes and properties: `src`, `alt`, `width` and `height` (in pixels of CSS, which keep its place),
 * `sizes` (how wide it will be shown, as of an `<img>`, or `auto`: less is fetched and decoded where less does),
 * `loading="lazy"`, `fetchpriority`.
 *
 * Events, none of which bubbles: `progress` (a `ProgressEvent`) when a better picture is shown, `load` with the last one,
 * `error` (an `ErrorEvent` whose `error` says what is wrong, mostly a `DcompError`).
 */
export class DczImage extends Base {
  static readonly observedAttributes: readonly string[] = ATTRIBUTES;

  private readonly canvas: HTMLCanvasElement;
  private readonly text: HTMLElement;
  private readonly probe: HTMLElement;
  private readonly sheet: CSSStyleSheet;
  private readonly internals: ElementInternals;
  private watching: IntersectionObserver | undefined;
  private running: AbortController | undefined;
  /** The address whose picture is shown whole, and that of what is being loaded. */
  private address = '';
  private natural: { width: number; height: number } | undefined;
  private state: 'idle' | 'loading' | 'complete' | 'failed' = 'idle';
  private failure: unknown;
  private waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    this.internals = this.attachInternals();
    this.sheet = new CSSStyleSheet();
    root.adoptedStyleSheets = [commonSheet(), this.sheet];
    const { ownerDocument: page } = this;
    this.canvas = page.createElement('canvas');
    this.canvas.setAttribute('part', 'picture');
    this.canvas.setAttribute('aria-hidden', 'true');
    this.canvas.hidden = true;
    this.text = page.createElement('span');
    this.text.setAttribute('part', 'alt');
    this.text.hidden = true;
    this.probe = page.createElement('span');
    this.probe.className = 'probe';
    const sizer = page.createElement('span');
    sizer.className = 'sizer';
    root.append(sizer, this.probe, this.canvas, this.text);
  }

  /** Address of the picture, absolute; as of an `<img>`. */
  get src(): string {
    const given = this.getAttribute('src');
    return given === null || given === '' ? '' : new URL(given, this.ownerDocument.baseURI).href;
  }
  set src(value: string) {
    this.setAttribute('src', value);
  }
  /** What the picture shows, in words; empty if it says nothing that the page does not say. */
  get alt(): string {
    return this.getAttribute('alt') ?? '';
  }
  set alt(value: string) {
    this.setAttribute('alt', value);
  }
  /** How wide it will be shown: a length, after media conditions, or `auto`. */
  get sizes(): string {
    return this.getAttribute('sizes') ?? '';
  }
  set sizes(value: string) {
    this.setAttribute('sizes', value);
  }
  /** `lazy`: not before it is near the screen. */
  get loading(): 'eager' | 'lazy' {
    return this.getAttribute('loading')?.toLowerCase() === 'lazy' ? 'lazy' : 'eager';
  }
  set loading(value: string) {
    this.setAttribute('loading', value);
  }
  /** In pixels of CSS, as laid out; 0 where it is not. */
  get width(): number {
    return Math.round(this.getBoundingClientRect().width);
  }
  set width(value: number) {
    this.setAttribute('width', String(value));
  }
  get height(): number {
    return Math.round(this.getBoundingClientRect().height);
  }
  set height(value: number) {
    this.setAttribute('height', String(value));
  }
  /** Of the whole picture, upright, whatever has been decoded of it; 0 until its header is there. */
  get naturalWidth(): number {
    return this.natural?.width ?? 0;
  }
  get naturalHeight(): number {
    return this.natural?.height ?? 0;
  }
  /** The address of what is shown or loaded. */
  get currentSrc(): string {
    return this.address;
  }
  /** Whether nothing more is to come: the picture is whole, has failed, or there is none. */
  get complete(): boolean {
    return this.state !== 'loading' && (this.state !== 'idle' || this.src === '');
  }

  /** Resolves when the picture is whole. @throws what the event `error` tells */
  decode(): Promise<void> {
    if (this.state === 'complete') return Promise.resolve();
    if (this.state === 'failed') return Promise.reject(this.failure as Error);
    if (this.src === '') return Promise.reject(new DcompError('E_USAGE', 'the element has no src; give it one'));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  connectedCallback(): void {
    this.describe();
    this.lay();
    this.begin();
  }

  disconnectedCallback(): void {
    this.stop();
  }

  attributeChangedCallback(name: (typeof ATTRIBUTES)[number], old: string | null, value: string | null): void {
    if (old === value && name !== 'src') return;
    if (name === 'alt' || name === 'title') this.describe();
    if (name === 'width' || name === 'height') this.lay();
    if (!this.isConnected) return;
    if (name === 'src') {
      this.stop();
      this.address = '';
      this.begin();
    } else if (name === 'loading') this.begin();
  }

  /** Role and name, as browsers give them to an `<img>`. */
  private describe(): void {
    const { internals } = this;
    const alt = this.getAttribute('alt');
    const name = alt ?? this.getAttribute('title');
    // An empty alt says that there is nothing to be told.
    internals.role = alt === '' ? 'none' : 'img';
    internals.ariaLabel = name === null || name === '' ? null : name;
    this.text.textContent = this.alt;
  }

  private lay(): void {
    const [width, height] = (['width', 'height'] as const).map((name) => lengthIn(this.getAttribute(name)));
    this.sheet.replaceSync(layoutOf({ width, height, natural: this.natural }));
  }

  private begin(): void {
    const { src } = this;
    if (src === '') {
      if (this.running !== undefined) this.stop();
      this.state = 'idle';
      this.show(undefined);
      return;
    }
    if (this.running !== undefined || src === this.address) return;
    if (this.loading === 'lazy' && typeof IntersectionObserver === 'function') {
      this.watching ??= this.watch();
      return;
    }
    void this.load(src);
  }

  private watch(): IntersectionObserver {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        this.unwatch();
        void this.load(this.src);
      },
      { rootMargin: NEAR },
    );
    observer.observe(this);
    return observer;
  }

  private unwatch(): void {
    this.watching?.disconnect();
    this.watching = undefined;
  }

  /** Ends what is under way; what is shown stays. */
  private stop(): void {
    this.unwatch();
    this.running?.abort();
    this.running = undefined;
    if (this.state === 'loading') {
      this.state = 'idle';
      this.address = '';
    }
    this.internals.ariaBusy = null;
    const stopped = new DcompError('E_ABORTED', 'the element was removed, or has another src');
    for (const { reject } of this.waiting.splice(0)) reject(stopped);
  }

  private async load(src: string): Promise<void> {
    this.unwatch();
    const running = new AbortController();
    this.running = running;
    this.address = src;
    this.state = 'loading';
    this.internals.ariaBusy = 'true';
    const bytes: { loaded: number; total?: number } = { loaded: 0 };
    const { signal } = running;
    try {
      const pictures = picturesOf(src, {
        signal,
        priority: priorityIn(this.getAttribute('fetchpriority')),
        scaleOf: ({ width }) => scaleFor(width, this.pixelsWanted()),
        onHeader: ({ width, height, parts }) => {
          // Whether it lies on its side is known with the first picture.
          if (parts.some(({ name }) => name === 'orientation')) return;
          if (signal.aborted) return;
          known = true;
          this.setNatural({ width, height });
        },
        onBytes: (loaded, total) => Object.assign(bytes, { loaded, total }),
      });
      let known = false;
      let last: Shown | undefined;
      for await (const shown of pictures) {
        if (signal.aborted) {
          shown.bitmap.close();
          return;
        }
        if (!known) this.setNatural(shown);
        known = true;
        this.show(shown);
        last = shown;
        const { loaded, total = 0 } = bytes;
        this.dispatchEvent(new ProgressEvent('progress', { loaded, total, lengthComputable: total > 0 }));
        if (signal.aborted) return;
      }
      if (last === undefined) throw new DcompError('E_EMPTY', `${src} is empty`);
      this.end('complete');
      this.dispatchEvent(new Event('load'));
    } catch (error) {
      if (signal.aborted) return;
      this.end('failed', error);
      this.text.hidden = !this.canvas.hidden;
      const message = error instanceof Error ? error.message : String(error);
      this.dispatchEvent(new ErrorEvent('error', { error, message }));
    }
  }

  private end(state: 'complete' | 'failed', error?: unknown): void {
    this.running = undefined;
    this.state = state;
    this.failure = error;
    this.internals.ariaBusy = null;
    for (const { resolve, reject } of this.waiting.splice(0)) {
      if (state === 'complete') resolve();
      else reject(error);
    }
  }

  private setNatural({ width, height }: { width: number; height: number }): void {
    if (this.natural?.width === width && this.natural.height === height) return;
    this.natural = { width, height };
    this.lay();
  }

  private show(shown: Shown | undefined): void {
    const { canvas } = this;
    this.text.hidden = true;
    canvas.hidden = shown === undefined;
    if (shown === undefined) return;
    const { bitmap } = shown;
    if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
    if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
    // Hands the bitmap over: nothing is copied, and nothing is left to be closed.
    canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap);
  }

  /** By `sizes`; 0 where it does not say. */
  private pixelsWanted(): number {
    const { sizes } = this;
    if (sizes === '') return 0;
    const view = this.ownerDocument.defaultView;
    const length = lengthOf(sizes, (condition) => view?.matchMedia(condition).matches === true);
    if (length === undefined || view === null) return 0;
    const auto = length.toLowerCase() === 'auto';
    if (!auto) this.probe.style.width = `calc(${length})`;
    const { width } = (auto ? this : this.probe).getBoundingClientRect();
    return width * view.devicePixelRatio;
  }
}

/** As of HTML: a whole number of pixels. */
function lengthIn(attribute: string | null): number | undefined {
  const found = /^\s*(\d+)/.exec(attribute ?? '');
  return found === null ? undefined : Number(found[1]);
}

function priorityIn(attribute: string | null): 'high' | 'low' | 'auto' {
  return attribute === 'high' || attribute === 'low' ? attribute : 'auto';
}

let common: CSSStyleSheet | undefined;
function commonSheet(): CSSStyleSheet {
  if (common === undefined) {
    common = new CSSStyleSheet();
    common.replaceSync(STYLE);
  }
  return common;
}

if (typeof customElements !== 'undefined' && customElements.get('dcz-image') === undefined)
  customElements.define('dcz-image', DczImage);

declare global {
  interface HTMLElementTagNameMap {
    'dcz-image': DczImage;
  }
}
