/** The end of a file that leads to the samples themselves: bands that are coded against what all its steps tell. */
import type { Container, Header, Segment } from '../container/container.js';
import { BandReader } from '../container/plain-samples.js';
import { unitCount } from '../diffusion/units.js';
import { DcompError } from '../errors.js';
import type { Picture, Samples } from '../picture.js';
import type { Depth } from '../picture.js';
import { isGrey } from '../pixels/picture-planes.js';
import type { Pieces } from '../turns.js';
import type { Session } from './session.js';
import { samplesOfSide } from './side.js';

/** The segments of a file that are bands: those behind all steps. */
export function bandsOf({ header, segments }: Container): Segment[] {
  let left = unitCount(header.schedule, header);
  return segments.filter(({ units }) => (left -= units) < 0);
}

/** A picture whose rows become exact, one band after the other. */
export class ExactPicture {
  private taken = 0;
  /** The band that is being taken: where its reading was ended, by a signal or an error of the caller's, it goes on. */
  private band: Pieces<void> | undefined;
  /** What is wrong with the next band: that stays so. */
  private fault: DcompError | undefined;

  private constructor(
    private readonly header: Header,
    private readonly samples: Samples,
    private readonly reader: BandReader,
  ) {}

  /**
   * @param session that has run all steps; it is forgotten
   * @param maxError of the samples
   */
  static async of(session: Session, header: Header, maxError: number): Promise<ExactPicture> {
    const { width, height, channels, depth, ends } = header;
    const side = await session.side();
    session.forget();
    const samples = samplesOfSide(side, depth, ends);
    const colours = isGrey(channels) ? 1 : 3;
    return new ExactPicture(
      header,
      samples,
      new BandReader({ width, height, colours, depth, samples }, maxError, side),
    );
  }

  /**
   * Takes the bands that are there and were not.
   * @param damage told of what is damaged; throws, or what comes before is shown
   * @param tell told of the fraction of the rows that is there
   */
  *takeInPieces(
    bytes: Uint8Array,
    bands: readonly Segment[],
    damage: (message: string) => void,
    tell: (fraction: number) => void,
  ): Pieces<void> {
    while (this.taken < bands.length) {
      const { state, fault, offset, payloadOffset, payloadLength } = bands[this.taken]!;
      if (state === 'cut') return;
      try {
        if (this.fault !== undefined) throw this.fault;
        if (state === 'damaged') throw new DcompError('E_DAMAGED_SEGMENT', fault!);
        this.band ??= this.reader.takeInPieces(bytes.subarray(payloadOffset, payloadOffset + payloadLength));
        while (this.band.next().done !== true) yield;
      } catch (error) {
        if (!(error instanceof DcompError)) throw error;
        this.fault = error;
        damage(`the band at byte offset ${offset} is damaged beyond repair: ${error.message}`);
        return;
      }
      this.band = undefined;
      this.taken++;
      tell(this.reader.rows / this.header.height);
    }
  }

  /** Whether all rows are there. */
  get complete(): boolean {
    return this.reader.rows === this.header.height;
  }

  /** The colours as they are now. */
  get colours(): Picture & { depth: Depth } {
    const { width, height, channels, depth } = this.header;
    return { width, height, channels: isGrey(channels) ? 1 : 3, depth, data: this.samples.slice() };
  }
}
