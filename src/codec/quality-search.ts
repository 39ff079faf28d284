/**
 * Which noise a picture is measured with for a quality. The model's table says what files score on the mean of pictures;
 * what those of a picture will is foreseen from it (ScoreForecast), at a few codes of the table.
 */
import type { QualityTable } from '../model/integer/integer-model.js';
import type { Pieces } from '../turns.js';
import type { Known, ScoreForecast } from './score-forecast.js';

/** Files that differ in one number, a code: the higher, the noisier. */
export interface Family {
  /** The noisiest. */
  highest: number;
  /** What is known in the end. */
  known(code: number): Known;
  /** What is foreseen of photographs, on the mean of 18 (dev2), by code. Of lower codes the table is taken: there scores differ little. */
  usual: readonly (readonly [code: number, score: number])[];
}

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
  /** The noisiest of the table. */
  private readonly first: Node;
  private readonly finestForeseen: number;
  /** No code that is foreseen scores more. */
  private readonly most: number;
  private readonly foreseen = new Map<number, number>();

  /** @param table of the model, by codes of the family */
  constructor(
    table: QualityTable,
    private readonly forecast: ScoreForecast,
    private readonly family: Family,
  ) {
    this.nodes = nodesOf(table, family.highest);
    this.first = table[0]!;
    this.finestForeseen = family.usual[0]![0];
    this.most = this.nodes.find(([, code]) => code < this.finestForeseen)?.[0] ?? 100;
  }

  /**
   * @param quality from 1 to 100 @param usual the code of the table for it
   * @returns the code for this picture: the higher the quality, the lower
   */
  *codeOf(quality: number, usual: number): Pieces<number> {
    const most = Math.floor(Math.max(0, usual - this.finestForeseen) * MOST_SHARE);
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
    return Math.max(usual - most, Math.min(this.family.highest, usual + most, code));
  }

  private *scoreAt(i: number): Pieces<number> {
    const [score, code] = this.nodes[i]!;
    if (code < this.finestForeseen) return score;
    let foreseen = this.foreseen.get(code);
    if (foreseen === undefined) {
      // Of the picture beside usual ones, and of the model's files beside what is foreseen of them.
      const [known, at] = code > this.first[1] ? this.first : [score, code];
      const scored = (yield* this.forecast.score(this.family.known(code))) + known - usualScore(this.family, at);
      foreseen = Math.min(this.most, scored);
      this.foreseen.set(code, foreseen);
    }
    return foreseen;
  }
}

/** What files of photographs usually are foreseen to score; beyond the codes that are known as at the nearest of them. */
export function usualScore({ usual }: Pick<Family, 'usual'>, code: number): number {
  const i = usual.findIndex(([known]) => known >= code);
  if (i <= 0) return usual[i < 0 ? usual.length - 1 : 0]![1];
  const [[from, above], [to, below]] = [usual[i - 1]!, usual[i]!];
  return above + ((code - from) / (to - from)) * (below - above);
}

/** The table's codes, those of several qualities once, and still noisier ones. */
function nodesOf(table: QualityTable, highest: number): Node[] {
  const nodes: Node[] = table.filter(([, code], i) => i === 0 || code < table[i - 1]![1]);
  for (let code = nodes[0]![1] + STEP; code <= highest; code += STEP) nodes.unshift([0, code]);
  return nodes;
}
