/**
 * The one error type of dcomp. Every failure that a caller can cause or meet is a `DcompError` with a stable `code`;
 * the message says what was wrong, where, and what to do.
 */

/** Codes of misuse: the caller asked for something that makes no sense. The CLI exits with 2. */
export type MisuseCode =
  /** Unknown, missing, contradictory or out-of-range option or argument. */
  | 'E_USAGE'
  /** The picture object handed to `encode` is inconsistent (sizes, channels, data length). */
  | 'E_PICTURE';

/** Codes of data and environment. The CLI exits with 1. */
export type DataCode =
  /** A file cannot be read or written. */
  | 'E_IO'
  /** There is a file of the output's name, and it was not said that it may be replaced. */
  | 'E_EXISTS'
  /** The input is empty. */
  | 'E_EMPTY'
  /** The input is no PNG, where only that is read. */
  | 'E_NOT_PNG'
  /** A PNG that cannot be read. */
  | 'E_DAMAGED_PNG'
  /** The input is of no picture format that is read. */
  | 'E_NOT_PICTURE'
  /** A picture file that is no PNG and cannot be read. */
  | 'E_DAMAGED_PICTURE'
  /** More pixels than the format or the stated limit allows. */
  | 'E_TOO_LARGE'
  /** A file that does not begin as a `.dcz` file or a message does. */
  | 'E_NOT_DCZ'
  /** A `.dcz` or model file of a format version that this release does not read. */
  | 'E_VERSION'
  /** The file was made with a model that is not at hand. */
  | 'E_OTHER_MODEL'
  /** The header, or that of a message, is damaged, or says what no encoder writes. */
  | 'E_DAMAGED_HEADER'
  /** Something behind the header is damaged beyond repair: a part, alpha, a segment. */
  | 'E_DAMAGED_SEGMENT'
  /** All checksums hold, but the decoded pixels are not those whose hash the file holds. */
  | 'E_DAMAGED_PIXELS'
  /** The file ends before its header or its side data is complete. */
  | 'E_TRUNCATED'
  /** What was given as a model is no model file. */
  | 'E_NOT_MODEL'
  | 'E_DAMAGED_MODEL'
  /** The rate or quality asked for cannot be reached with this picture. */
  | 'E_UNREACHABLE'
  /** An optional dependency is not installed. */
  | 'E_MISSING_DEPENDENCY'
  /** Nothing, or nothing usable, to train or validate on. */
  | 'E_TRAINING_DATA'
  | 'E_DAMAGED_CHECKPOINT'
  /** The worker that was to compute it has ended, or could not begin. */
  | 'E_WORKER'
  /** The machine or its settings lack what is needed: WebAssembly, memory for it. */
  | 'E_ENVIRONMENT'
  /** Stopped by the caller's AbortSignal. */
  | 'E_ABORTED';

/** What can go wrong: misuse, or data and environment. */
export type DcompErrorCode = MisuseCode | DataCode;

/** Every failure that a caller can cause or meet, with a `code` that stays and a message for people. */
export class DcompError extends Error {
  readonly code: DcompErrorCode;

  constructor(code: DcompErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DcompError';
    this.code = code;
  }
}

/** True for codes of misuse (exit code 2 in the CLI), false for codes of data and environment (exit code 1). */
export function isMisuse(code: DcompErrorCode): code is MisuseCode {
  return code === 'E_USAGE' || code === 'E_PICTURE';
}
