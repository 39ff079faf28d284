/** A line of JSON for each file, and a line for each that says what became of it: for programs that feed others by pipes. */
import { DcompError } from '../src/errors.js';
import { shown, defined } from '../src/options.js';
import { failureOf } from './task.js';

/** What a line asks for. */
export interface Line {
  /** Given back as it is. */
  id: unknown;
  /** A file or an object; undefined where `data` holds the file. */
  in: string | undefined;
  data: Uint8Array | undefined;
  /** Undefined to get the bytes back, in base64. */
  out: string | undefined;
  /** Names of options as the command line has them, and what they are given. */
  options: Record<string, unknown>;
}

/** A result, or why there is none; `in`, `out` and `id` are those of the line. */
export type Told = Record<string, unknown>;

const OWN = ['id', 'in', 'data', 'out'];
/** What can be given several times: a list. */
const SEVERAL = ['roi'];

/** `alpha-quality`, as other languages write it: alphaQuality, alpha_quality. */
function dashed(name: string): string {
  return name.replaceAll('_', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** @param known names of options @throws DcompError E_USAGE */
export function parseLine(text: string, known: ReadonlySet<string>): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DcompError('E_USAGE', `the line is no JSON: ${shown(text)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DcompError(
      'E_USAGE',
      `the line is ${shown(value)}; it must be an object as {"in": "a.png", "out": "a.dcz"}`,
    );
  const given = value as Record<string, unknown>;
  const options: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(given)) {
    const name = dashed(key);
    if (OWN.includes(key) || option === null) continue; // tables have null where there is nothing
    if (!known.has(name))
      throw new DcompError('E_USAGE', `there is no option ${shown(key)}; there are ${[...OWN, ...known].join(', ')}`);
    const several = SEVERAL.includes(name) && Array.isArray(option) && option.every((each) => typeof each === 'string');
    if (typeof option === 'object' && !several)
      throw new DcompError(
        'E_USAGE',
        `${key} is ${shown(option)}; give a number or text${SEVERAL.includes(name) ? ', or a list of texts' : ''}`,
      );
    options[name] = option;
  }
  const { id, in: input, out, data } = given;
  for (const [name, place] of [
    ['in', input],
    ['out', out],
    ['data', data],
  ] as const)
    if (place !== undefined && place !== null && (typeof place !== 'string' || place === ''))
      throw new DcompError('E_USAGE', `"${name}" is ${shown(place)}; it must be text`);
  if ((typeof input === 'string') === (typeof data === 'string'))
    throw new DcompError('E_USAGE', 'the line must have either "in", a file, or "data", the bytes of one in base64');
  return {
    id,
    in: typeof input === 'string' ? input : undefined,
    out: typeof out === 'string' ? out : undefined,
    data: typeof data === 'string' ? Buffer.from(data, 'base64') : undefined,
    options,
  };
}

/** Of a line that may not even be understood. */
function headOf(text: string): Told {
  try {
    const { id, in: input, out } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...defined({ id, in: input, out }),
    };
  } catch {
    return {};
  }
}

/**
 * Does what lines ask for, some at a time, and tells of each in the order of the lines. What fails is told, and does not
 * keep the others from being done.
 * @param work what becomes of a line, without its head
 */
export async function answerLines(
  lines: AsyncIterable<string>,
  atOnce: number,
  work: (text: string) => Promise<Told>,
  tell: (line: string) => void,
): Promise<void> {
  const waiting: Promise<string>[] = [];
  const answer = async (text: string): Promise<string> => {
    try {
      return JSON.stringify({ ...headOf(text), status: 'done', ...(await work(text)) });
    } catch (error) {
      return JSON.stringify({ ...headOf(text), status: 'failed', error: failureOf(error) });
    }
  };
  for await (const text of lines) {
    if (text.trim() === '') continue;
    waiting.push(answer(text));
    if (waiting.length >= atOnce) tell(await waiting.shift()!);
  }
  for (const told of waiting) tell(await told);
}
