/** Packages that only `dcomp eval` needs, and that may be missing. */
import { DcompError } from '../../src/errors.js';

/** @param load imports the package. @throws DcompError E_MISSING_DEPENDENCY */
export async function optional<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const what = missing ? 'is not installed' : `cannot be loaded (${(cause as Error).message.split('\n')[0]})`;
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      `${purpose} needs the package ${name}, which ${what}: npm install ${name}`,
      { cause },
    );
  }
}
