/**
 * Which noise a picture is measured with for a quality. The model's table says what files score on the mean of pictures;
 * what those of a picture will is foreseen from it (ScoreForecast), at a few codes of the table.
 */
import type { Straight } from '../diffusion/schedule.js';
import { MAX_FIRST_CODE } from '../format.js';
import type { QualityTable } from '../model/integer/integer-model.js';
import type { Pieces } from '../turns.js';
import { usualScore, type ScoreForecast } from './score-forecast.js';

/** Codes below have scores that differ little from picture to picture: the table's are taken. */
const FINEST_FORESEEN = 112;
/** Steps of codes above the table's highest. */
const STEP = 8;
/**
 * So far from the table's code it may be, of what that is above the finest foreseen: for what is no photograph, which is
 * foreseen less well.
 */
const MOST_SHARE = 1 / 6;

/** A score, where the table knows it, and the code of it. */
type Node = readonly [score: number, code: number];

export class QualitySearch {
  /** From the noisiest on. */
  private readonly nodes: readonly Node[];
  /** No code that is foreseen scores more. */
  private readonly highest: number;
  /** The noisiest of the table. */
  private readonly first: readonly [score: number, code: number];
  private readonly foreseen = new Map<number, number>();

  /** @param straightAt how levels are measured by a code of level 0 */
  constructor(
    table: QualityTable,
    private readonly forecast: ScoreForecast,
    private readonly straightAt: (code: number) => Straight,
  ) {
    this.nodes = nodesOf(table);
    this.first = table[0]!;
    this.highest = this.nodes.find(([, code]) => code < FINEST_FORESEEN)?.[0] ?? 100;
  }

  /**
   * @param quality from 1 to 100 @param usual the code of the table for it
   * @returns the code for this picture: the higher the quality, the lower
   */
  *codeOf(quality: number, usual: number): Pieces<number> {
    const most = Math.floor(Math.max(0, usual - FINEST_FORESEEN) * MOST_SHARE);
    if (most === 0) return usual;
    const { nodes } = this;
    const isNear = (i: number): boolean => Math.abs(nodes[i]![1] - usual) < most;
    // The quality lies between nodes i − 1 and i.
    let i = Math.max(
      1,
      nodes.findIndex(([, code]) => code <= usual),
    );
    while (i + 1 < nodes.length && isNear(i) && (yield* this.scoreAt(i)) < quality) i++;
    while (i > 1 && isNear(i - 1) && (yield* this.scoreAt(i - 1)) > quality) i--;
    const [low, high] = [yield* this.scoreAt(i - 1), yield* this.scoreAt(i)];
    const [from, to] = [nodes[i - 1]![1], nodes[i]![1]];
    const share = high > low ? (quality - low) / (high - low) : 0.5;
    const code = Math.floor(from + Math.max(0, Math.min(1, share)) * (to - from) + 0.5);
    return Math.max(usual - most, Math.min(usual + most, code));
  }

  private *scoreAt(i: number): Pieces<number> {
    const [score, code] = this.nodes[i]!;
    if (code < FINEST_FORESEEN) return score;
    let foreseen = this.foreseen.get(code);
    if (foreseen === undefined) {
      // Of the picture beside usual ones, and of the model's files beside what is foreseen of them.
      const [known, at] = code > this.first[1] ? this.first : [score, code];
      const scored = (yield* this.forecast.score(this.straightAt(code))) + known - usualScore(at);
      foreseen = Math.min(this.highest, scored);
      this.foreseen.set(code, foreseen);
    }
    return foreseen;
  }
}

/** The table's codes, those of several qualities once, and still noisier ones. */
function nodesOf(table: QualityTable): Node[] {
  const nodes: Node[] = table.filter(([, code], i) => i === 0 || code < table[i - 1]![1]);
  for (let code = nodes[0]![1] + STEP; code <= MAX_FIRST_CODE; code += STEP) nodes.unshift([0, code]);
  return nodes;
}
