/**
 * Which noise a straight file of a given size is measured with. What coarse levels take tells what finer ones will, so
 * these get as much noise as fits; where that is too far from it the walk begins anew.
 */
import { FINEST_FIRST_CODE, straightCode, type Straight } from '../diffusion/schedule.js';
import { groupCount } from '../diffusion/units.js';
import { MAX_FIRST_CODE } from '../format.js';
import { NEARLY, type Encoding } from './encoding.js';
import type { RateForecast } from './rate-estimate.js';

/** The share of a size that is aimed at, where the end may be cut off and where it may not. */
const AIM = 0.985;
const AIM_UNCUT = 0.97;
/** So many times the size may be cut to it: single coefficients that have least to tell. */
const MOST_CUT = 1.02;
/** A walk begins with so many codes more than are foreseen, as coarse levels cannot be much further ahead of finer ones. */
const MARGIN = 2;
/** Levels from here on tell enough of finer ones to change their noise. */
const TELLING_LEVEL = 2;
/** By so many codes at most the noise of finer levels becomes less or more on the way, or errors would be spread badly. */
const MOST_LESS = 4;
const MOST_MORE = 2;
/** A file that ends before all details are measured begins anew with so many codes more, the next time with twice as many. */
const STEP_BACK = 3;
/** Walks, and those of them that come to the finest level; more only where the last one is too large. */
const MOST_WALKS = 6;
const MOST_ENDS = 3;

/** How levels are measured. */
export interface Straights {
  /** With a higher sigma code than this a level is not worth measuring. */
  faintest: number;
  /** @param code of level 0 */
  at(code: number): Straight;
  /** As that; but levels from `reached` on have been measured by another one. @returns undefined where no header can state it */
  from(code: number, measured: Straight, reached: number): Straight | undefined;
}

/** One search: walks are begun with `code` until one is near the size. */
export class SizeSearch {
  code: number;
  /** The finest level that is measured: the finest that is worth its noise, if not the coarsest. */
  end = 0;
  private readonly tried = new Set<number>();
  private ends = 0;
  private back = STEP_BACK / 2;
  private rootBits = 0;
  private readonly header: number;
  private readonly aim: number;
  /** Bytes at which a file is given up. Of several groups the last would lose most of what is cut. */
  private readonly most: number;

  /** @param encoding of the picture, of which nothing has been measured @param size of the file in bytes */
  constructor(
    private readonly forecast: RateForecast,
    private readonly straights: Straights,
    private readonly size: number,
    { bytes, sizes }: Encoding,
  ) {
    this.header = bytes;
    const cuts = groupCount(sizes[0]!) === 1;
    this.aim = (cuts ? AIM : AIM_UNCUT) * size;
    this.most = (cuts ? MOST_CUT : 1) * size;
    this.code = this.wanted();
    for (; this.end < sizes.length - 2 && this.isFaint(); this.end++) this.code = this.wanted(this.end + 1);
  }

  /**
   * Measures the details of all levels straight, as long as the file may come near the size.
   * @param encoding begun with `code`
   * @returns whether it is to be gone on with; if not, `code` is another one
   */
  async walk(encoding: Encoding): Promise<boolean> {
    this.tried.add(this.code);
    const top = encoding.sizes.length - 1;
    let straight = this.straights.at(this.code);
    for (let level = top; level > this.end; level--) {
      const bits = await this.measured(encoding, level);
      if (level === top) {
        this.rootBits = bits;
        continue;
      }
      this.forecast.learn(level, straightCode(straight, level), bits);
      if (level > TELLING_LEVEL) continue;
      const better = this.better(8 * encoding.bytes, straight, level);
      if (better === undefined) return false;
      if (better !== straight) encoding.aim(better);
      straight = better;
    }
    const bits = await this.measured(encoding, this.end, this.most);
    this.ends++;
    const { bytes } = encoding;
    const isEntered = encoding.entered === this.end;
    if (isEntered && (this.isNear(bytes) || (this.isSpent && bytes <= this.most))) return true;
    if (!isEntered || this.isSpent) return !this.begins(this.backwards());
    this.forecast.learn(this.end, straightCode(straight, this.end), bits);
    return !this.begins(this.wanted());
  }

  private async measured(encoding: Encoding, level: number, limit = Infinity): Promise<number> {
    const before = encoding.bytes;
    await encoding.enter(level, this.size, limit);
    return 8 * (encoding.bytes - before);
  }

  /**
   * How finer levels are best measured.
   * @param bits of the file so far @param straight how levels down to `level` have been
   * @returns undefined where a walk from the beginning is better; `code` is its
   */
  private better(bits: number, straight: Straight, level: number): Straight | undefined {
    const taken = (other: Straight): number => (bits + this.forecast.bitsWithin(this.end, level, other)) / 8;
    const distance = (other: Straight): number => Math.abs(taken(other) - this.aim);
    let best = straight;
    for (let code = this.code - MOST_LESS; code <= this.code + MOST_MORE; code++) {
      const other = this.straights.from(code, straight, level);
      if (other !== undefined && distance(other) < distance(best)) best = other;
    }
    if (this.isNear(taken(best)) || this.isSpent) return best;
    return this.begins(this.wanted()) ? undefined : best;
  }

  private backwards(): number {
    this.back *= 2;
    let code = this.code + this.back;
    while (this.tried.has(code)) code++;
    return code;
  }

  /** @returns whether there is to be a walk with a code, which has not been tried */
  private begins(code: number): boolean {
    if (code > MAX_FIRST_CODE || this.tried.has(code)) return false;
    this.code = code;
    return true;
  }

  private isNear(bytes: number): boolean {
    return bytes >= NEARLY * this.size && bytes <= this.most;
  }

  private get isSpent(): boolean {
    return this.tried.size >= MOST_WALKS || this.ends >= MOST_ENDS;
  }

  /** Whether the finest level is not worth its noise. */
  private isFaint(): boolean {
    const { straights, code, end } = this;
    return straightCode(straights.at(code - MARGIN), end) > straights.faintest;
  }

  private wanted(end = this.end): number {
    const { forecast, straights, aim, header, rootBits } = this;
    const bits = 8 * (aim - header) - rootBits;
    let [low, high] = [FINEST_FIRST_CODE, MAX_FIRST_CODE];
    while (low < high) {
      const code = (low + high) >> 1;
      if (forecast.bitsWithin(end, Infinity, straights.at(code)) > bits) low = code + 1;
      else high = code;
    }
    return Math.min(MAX_FIRST_CODE, low + MARGIN);
  }
}
