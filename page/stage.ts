/** Which pictures there are, and which of them are shown. */
import type { Scores, Shown } from './calls.js';
import { element, select } from './dom.js';
import { Viewer, type Side } from './viewer.js';

/** Of a picture: what it is called, and what is said about it. */
interface Kept {
  bitmap: ImageBitmap;
  label: string;
}

export const NAMES = ['Original', 'dcomp', 'AVIF', 'JPEG XL', 'WebP'] as const;
export type Name = (typeof NAMES)[number];

export function scoresText({ psnr, ssimulacra2 }: Scores): string {
  const decibels = Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : 'exact';
  return ssimulacra2 === undefined ? decibels : `${decibels} · ${perceivedText(ssimulacra2, 0)}`;
}

/** Below 0 it says no more than that it is bad. */
export function perceivedText(ssimulacra2: number, digits: number): string {
  return ssimulacra2 < 0 ? 'below 0' : ssimulacra2.toFixed(digits);
}

export class Stage {
  readonly viewer = new Viewer();
  private readonly kept = new Map<Name, Kept>();
  private readonly remembered = new Map<Name, Kept>();
  private readonly choices: Record<Side, HTMLSelectElement> = {
    left: select('left-choice'),
    right: select('right-choice'),
  };

  constructor() {
    for (const side of ['left', 'right'] as const) {
      const choice = this.choices[side];
      choice.append(...NAMES.map((name) => new Option(name, name)));
      choice.value = side === 'left' ? 'Original' : 'dcomp';
      choice.addEventListener('change', () => this.draw(side));
    }
    this.offer();
  }

  /** Keeps a picture under a name, and shows it where that name is shown. */
  put(name: Name, { bitmap }: Shown, label: string): void {
    this.kept.get(name)?.bitmap.close();
    this.kept.set(name, { bitmap, label });
    this.offer();
    this.draw('left');
    this.draw('right');
  }

  /** Keeps a copy of what is under a name, for `recall`: tools put what they make in its place. */
  async remember(name: Name): Promise<void> {
    const kept = this.kept.get(name);
    if (kept === undefined) return this.forget(name);
    const bitmap = await createImageBitmap(kept.bitmap);
    this.forget(name);
    this.remembered.set(name, { ...kept, bitmap });
  }

  /** Shows again what was remembered. */
  async recall(name: Name): Promise<void> {
    const kept = this.remembered.get(name);
    if (kept === undefined || this.kept.get(name)?.label === kept.label) return;
    const { width, height } = kept.bitmap;
    const before = this.kept.get(name);
    const bitmap = await createImageBitmap(kept.bitmap);
    // A tool may have been quicker.
    if (this.kept.get(name) === before) this.put(name, { bitmap, width, height }, kept.label);
    else bitmap.close();
  }

  forget(name: Name): void {
    this.remembered.get(name)?.bitmap.close();
    this.remembered.delete(name);
  }

  /** What the right side shows, as a file. */
  right(): Promise<Blob | null> {
    return new Promise((resolve) => element<HTMLCanvasElement>('right').toBlob(resolve, 'image/png'));
  }

  drop(...names: Name[]): void {
    for (const name of names) {
      this.kept.get(name)?.bitmap.close();
      this.kept.delete(name);
    }
    if (!this.kept.has(this.choices.left.value as Name)) this.choices.left.value = 'Original';
    this.offer();
    this.draw('left');
  }

  /** Shows a picture on a side. */
  choose(side: Side, name: Name): void {
    this.choices[side].value = name;
    this.draw(side);
  }

  private offer(): void {
    for (const choice of Object.values(this.choices))
      for (const option of choice.options)
        option.disabled =
          !this.kept.has(option.value as Name) && option.value !== 'Original' && option.value !== 'dcomp';
  }

  private draw(side: Side): void {
    const name = this.choices[side].value as Name;
    // Until there is something else, the original is shown on both sides.
    const found = this.kept.get(name) ?? this.kept.get('Original');
    if (found === undefined) return;
    this.viewer.paint(side, found.bitmap);
    // A new one, as one that grows towards the left would count as moved.
    const label = element(`${side}-label`);
    if (label.textContent === found.label) return;
    const fresh = label.cloneNode() as HTMLElement;
    fresh.textContent = found.label;
    label.replaceWith(fresh);
  }
}
