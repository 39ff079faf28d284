/** The options --tune and --show: what a picture is for. */
import { SHOWS, type Show } from '../src/codec/decoder-options.js';
import { TUNES, type Tune } from '../src/codec/encoder-options.js';
import { DcompError } from '../src/errors.js';
import { textOption, type RawArgs } from './options.js';

/** @throws DcompError E_USAGE */
export function tuneOption(args: RawArgs): Tune | undefined {
  return oneOf(args, 'tune', TUNES);
}

/** @throws DcompError E_USAGE */
export function showOption(args: RawArgs): Show | undefined {
  return oneOf(args, 'show', SHOWS);
}

function oneOf<T extends string>(args: RawArgs, name: string, allowed: readonly T[]): T | undefined {
  const given = textOption(args, name);
  const found = allowed.find((each) => each === given);
  if (given !== undefined && found === undefined)
    throw new DcompError('E_USAGE', `--${name} is ${given}; it must be ${allowed.join(' or ')}`);
  return found;
}
