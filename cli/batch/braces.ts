/** Braces of patterns that hold folders: `{../a,b}/*.png`. */
import { DcompError } from '../../src/errors.js';
import { inputName } from '../../formats/files.js';

/** Most patterns that are made of one. */
const MOST_PATTERNS = 1000;

/**
 * A pattern for each folder that braces name: it has to be known where they lie, as `..` leads out of what stands before. Braces
 * without folders stay.
 * @throws DcompError E_USAGE for more patterns than anybody means
 */
export function withoutFoldersInBraces(pattern: string): string[] {
  const made: string[] = [];
  const left = [pattern];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const choices = choicesOf(next);
    if (choices === undefined) made.push(next);
    else left.push(...choices);
    if (made.length + left.length > MOST_PATTERNS)
      throw new DcompError(
        'E_USAGE',
        `the braces of ${inputName(pattern)} stand for more than ${MOST_PATTERNS} patterns; name fewer`,
      );
  }
  return made;
}

/** What the first braces with folders in them stand for; undefined where there are none. */
function choicesOf(pattern: string): string[] | undefined {
  for (let at = nextOf(pattern, 0); at < pattern.length; at = nextOf(pattern, at + 1)) {
    if (pattern[at] !== '{') continue;
    const ends = endsOf(pattern, at);
    if (ends === undefined || ends.length < 2) continue; // braces without a comma stand for themselves
    const inside = ends.map((end, i) => pattern.slice(i === 0 ? at + 1 : ends[i - 1]! + 1, end));
    if (!inside.some((choice) => choice.includes('/') || /^\.\.?$/.test(choice))) continue;
    const [before, behind] = [pattern.slice(0, at), pattern.slice(ends.at(-1)! + 1)];
    return inside.map((choice) => before + choice + behind);
  }
  return undefined;
}

/** Places of the commas and of the end of the braces that open there; undefined where they do not close. */
function endsOf(pattern: string, open: number): number[] | undefined {
  const ends: number[] = [];
  let depth = 0;
  for (let at = nextOf(pattern, open + 1); at < pattern.length; at = nextOf(pattern, at + 1)) {
    const found = pattern[at]!;
    if (depth === 0 && found !== '{') ends.push(at);
    if (found === '{') depth++;
    else if (found === '}' && --depth < 0) return ends;
  }
  return undefined;
}

/** The next brace or comma that stands for more than itself. */
function nextOf(pattern: string, from: number): number {
  for (let at = from; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if ('{},'.includes(pattern[at]!)) return at;
  }
  return pattern.length;
}
