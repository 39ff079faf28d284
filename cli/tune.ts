/** What errors are spread for, as an option of commands. */
import { TUNES, type Tune } from '../src/codec/encoder-options.js';
import { DcompError } from '../src/errors.js';
import { textOption, type RawArgs } from './options.js';

/** @throws DcompError E_USAGE */
export function tuneOption(args: RawArgs): Tune | undefined {
  const given = textOption(args, 'tune');
  const tune = TUNES.find((each) => each === given);
  if (given !== undefined && tune === undefined)
    throw new DcompError('E_USAGE', `--tune is ${given}; it must be ${TUNES.join(' or ')}`);
  return tune;
}
