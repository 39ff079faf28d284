/** The attribute `sizes`: how wide a picture will be shown, and so how much of it is worth decoding. */

/** Smallest scale of a decoding is 1/2 to this power. */
const MOST_HALVINGS = 6;

/**
 * The length of the first condition that holds, as of an `<img>`: `(max-width: 600px) 100vw, 50vw`.
 * @param matches whether a media condition holds
 * @returns a length of CSS; undefined if there is none
 */
export function lengthOf(sizes: string, matches: (condition: string) => boolean): string | undefined {
  for (const entry of split(sizes, ',')) {
    const parts = split(entry, ' ');
    const length = parts.pop();
    if (length === undefined) continue;
    const condition = parts.join(' ');
    if (condition === '' || matches(condition)) return length;
  }
  return undefined;
}

/** Cuts at a separator, but not within brackets. */
function split(text: string, separator: ',' | ' '): string[] {
  const pieces: string[] = [];
  let depth = 0;
  let piece = '';
  for (const letter of text) {
    if (letter === '(') depth++;
    if (letter === ')') depth--;
    if (depth === 0 && (letter === separator || (separator === ' ' && /\s/.test(letter)))) {
      pieces.push(piece.trim());
      piece = '';
    } else piece += letter;
  }
  pieces.push(piece.trim());
  return pieces.filter((each) => each !== '');
}

/**
 * The smallest scale of a decoding that still has a pixel for each pixel of the screen.
 * @param width of the whole picture
 * @param wanted pixels of the screen; 0 where it is not known
 * @returns 1, 1/2, 1/4, …
 */
export function scaleFor(width: number, wanted: number): number {
  let scale = 1;
  if (!(wanted > 0)) return scale;
  for (let i = 0; i < MOST_HALVINGS && Math.ceil((width * scale) / 2) >= wanted; i++) scale /= 2;
  return scale;
}
