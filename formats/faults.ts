/** What is wrong with a picture file: told and passed over, or the end of reading. */
import { DcompError } from '../src/errors.js';

/**
 * Two kinds of faults. What every other reader passes over is a notice; what the pixels need is an error, or, where the
 * caller allows damage, damage that is told of.
 */
export class Faults {
  private readonly told = new Set<string>();
  private readonly broken = new Set<string>();

  /** @param error makes the error of a fault that is not allowed */
  constructor(
    readonly allowDamaged: boolean,
    private readonly error: (what: string, options?: ErrorOptions) => DcompError,
  ) {}

  /** Something that costs no pixels. */
  notice(what: string): void {
    this.told.add(what);
  }

  /** Something that may cost pixels. @throws DcompError unless damage is allowed */
  damage(what: string, options?: ErrorOptions): void {
    if (!this.allowDamaged) {
      const { code, message } = this.error(what, options);
      throw new DcompError(code, `${message}, or read what is there of it (--allow-damaged)`, options);
    }
    this.broken.add(what);
  }

  get notices(): string[] {
    return [...this.told];
  }

  get damages(): string[] {
    return [...this.broken];
  }
}
