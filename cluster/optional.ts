/** Packages that only work across machines needs: loaded when asked for, and their absence said. */
import { DcompError } from '../src/errors.js';

/**
 * @param load imports the package
 * @param use what it is needed for
 * @param install the names to install
 * @throws DcompError E_MISSING_DEPENDENCY
 */
export async function optional<T>(load: () => Promise<T>, use: string, install: string): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const [, missing] =
      /Cannot find (?:package|module) '([^']+)'/.exec(cause instanceof Error ? cause.message : '') ?? [];
    const what = missing === undefined ? 'a package does not load here' : `the package ${missing} is not installed`;
    throw new DcompError('E_MISSING_DEPENDENCY', `${use}: ${what}; npm install ${install}`, { cause });
  }
}
