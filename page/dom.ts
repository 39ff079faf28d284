/** Elements of the page by their id, and figures as people read them. */

/** @throws Error if the page has none of that kind */
export function element<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found as Element as T;
}

export const input = (id: string): HTMLInputElement => element<HTMLInputElement>(id);
export const button = (id: string): HTMLButtonElement => element<HTMLButtonElement>(id);
export const select = (id: string): HTMLSelectElement => element<HTMLSelectElement>(id);

/** `12 345`, with narrow spaces. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export function bytesText(count: number): string {
  return `${grouped(count)} bytes`;
}

export function secondsText(seconds: number): string {
  return seconds < 10
    ? `${seconds.toFixed(1)} s`
    : seconds < 90
      ? `${Math.round(seconds)} s`
      : `${Math.round(seconds / 60)} minutes`;
}

export function megapixels({ width, height }: { width: number; height: number }): string {
  const millions = (width * height) / 1e6;
  return `${millions < 1 ? millions.toFixed(2) : millions.toFixed(1)} megapixels`;
}

/** A slider that tells its value, in words too. */
export function slider(id: string, words: (value: number) => string, changed: (value: number) => void): () => number {
  const control = input(id);
  const shown = element<HTMLOutputElement>(`${id}-value`);
  const tell = (): void => {
    const text = words(control.valueAsNumber);
    shown.value = text;
    control.setAttribute('aria-valuetext', text);
  };
  control.addEventListener('input', () => {
    tell();
    changed(control.valueAsNumber);
  });
  tell();
  return () => control.valueAsNumber;
}

/** Calls once the calls have been quiet for so many milliseconds. */
export function rested(milliseconds: number, task: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(task, milliseconds);
  };
}

/** Gives a file to whoever looks at the page. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
