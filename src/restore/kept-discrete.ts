/** The discrete model of a call: that which was given, or that of the package. */
import { readDiscreteFileInPieces, type DiscreteFile } from '../model/discrete-file.js';
import { inTurns, type Pause } from '../turns.js';

/** Where the discrete model comes from. */
export interface DiscreteSource {
  /** Reads the discrete model of the package. */
  loadDiscrete(): Promise<Uint8Array>;
}

/** That of the package, and the one that was given last. */
export class KeptDiscrete {
  private own: DiscreteFile | undefined;
  private last: { given: Uint8Array; file: DiscreteFile } | undefined;

  constructor(private readonly source: DiscreteSource) {}

  /** @throws DcompError E_NOT_MODEL and the like for bytes that are no discrete model; E_IO, E_ABORTED */
  async file(given: Uint8Array | true, pause: Pause): Promise<DiscreteFile> {
    if (given === true)
      return (this.own ??= await inTurns(readDiscreteFileInPieces(await this.source.loadDiscrete()), pause));
    // By its bytes, as the caller's may have changed since.
    const same = this.last?.given.length === given.length && this.last.given.every((value, i) => value === given[i]);
    if (same) return this.last!.file;
    const copy = given.slice();
    const file = await inTurns(readDiscreteFileInPieces(copy), pause);
    this.last = { given: copy, file };
    return file;
  }
}
