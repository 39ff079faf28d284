import assert from 'node:assert/strict';
import { DcompError, type DcompErrorCode } from '../../src/errors.js';

/** The result, or the code of the DcompError; any other error is a failure of the test. */
export async function outcome<T>(make: () => T | Promise<T>): Promise<T | DcompErrorCode> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof DcompError) return error.code;
    throw error;
  }
}

/** The code of the DcompError that is thrown, with a message of one line that says something. */
export async function codeOfError(make: () => unknown): Promise<DcompErrorCode> {
  try {
    await make();
  } catch (error) {
    assert.ok(error instanceof DcompError, `not a DcompError: ${String(error)}`);
    assert.ok(error.message.length > 10 && !error.message.includes('\n'), error.message);
    return error.code;
  }
  return assert.fail('no error');
}
