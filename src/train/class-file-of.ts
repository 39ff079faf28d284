/** From photographs to a class file: classes, a classifier of them, and what a picture of each begins with. */
import { conditioningLength } from '../model/architecture.js';
import { checkClassFile, readClassFile, type ClassFile, type RootStatistics } from '../model/class-file.js';
import type { IntegerModel } from '../model/integer/integer-model.js';
import { writeClassFile } from '../model/write-class-file.js';
import { COLOURS } from '../pixels/colour.js';
import { haar } from '../pixels/pyramid.js';
import { DcompError } from '../errors.js';
import { planeOfRegion, regionsOf, statisticsOf, type Region } from './class-regions.js';
import { classesOf, clustersOf, type Clusters } from './clusters.js';
import {
  halvedTo,
  trainClassifier,
  validateClassifier,
  type ClassifierOptions,
  type Found,
  type Labelled,
} from './classifier-training.js';
import type { Dataset, Photograph } from './dataset.js';
import { Random } from './random.js';

/** Level that drawn pictures begin with, of 2×2 positions: 2^6 times smaller than a region. */
const ROOT_LEVEL = 6;
/** Stream of random numbers that classes are found with. */
const CLUSTERING = 0x63;

export interface ClassFileOptions extends Pick<ClassifierOptions, 'steps' | 'rate' | 'seed' | 'onProgress' | 'signal'> {
  model: IntegerModel;
  /** Classes that are kept; a number: so many are found. */
  classes: Clusters | number;
  /** A class file of the model, with as many classes, the table of which is kept. Default: the network is told nothing. */
  table?: Uint8Array;
}

/** What has been made. */
export interface MadeClassFile {
  bytes: Uint8Array<ArrayBuffer>;
  clusters: Clusters;
  /** Of the regions, in their order. */
  classes: number[];
  /** On regions of photographs that were held back. */
  found: Found[];
}

interface Described {
  regions: Region[];
  rows: number[][];
}

function described(photographs: readonly Photograph[]): Described {
  const regions = regionsOf(photographs);
  return { regions, rows: regions.map((region) => statisticsOf(planeOfRegion(region))) };
}

/** @throws DcompError E_TRAINING_DATA, E_USAGE; E_OTHER_MODEL and the like for a table of another model */
export async function makeClassFile(dataset: Dataset, options: ClassFileOptions): Promise<MadeClassFile> {
  const { model, seed } = options;
  const [training, held] = [described(dataset.training), described(dataset.validation)];
  if (training.regions.length === 0 || held.regions.length === 0)
    throw new DcompError(
      'E_TRAINING_DATA',
      'no photograph of the training or of the validation part has 256×256 pixels; give larger ones',
    );
  const clusters =
    typeof options.classes === 'number'
      ? clustersOf(training.rows, options.classes, new Random(seed, CLUSTERING))
      : options.classes;
  const count = clusters.centres.length;
  const kept = options.table === undefined ? undefined : keptTable(model, options.table, count);
  const labelled = ({ regions, rows }: Described): Labelled[] => {
    const own = classesOf(clusters, rows);
    return regions.map((region, i) => ({ region, class: own[i]! }));
  };
  const { levels } = model.architecture.conditioning;
  const examples = labelled(training);
  const own = { ...options, levels, classes: count, inputScale: model.statistics.inputScale };
  const layers = await trainClassifier(examples, own);
  const nothing = new Float64Array(conditioningLength(model.architecture));
  const bytes = writeClassFile({
    model: model.id,
    levels,
    roots: Array.from({ length: count }, (_, c) => kept?.root(c) ?? rootOf(examples, c)),
    table: Array.from(
      { length: levels * count },
      (_, place) => kept?.shift(Math.floor(place / count), place % count) ?? nothing,
    ),
    layers,
  });
  const classes = examples.map((each) => each.class);
  return { bytes, clusters, classes, found: validateClassifier(layers, labelled(held), own) };
}

function keptTable(model: IntegerModel, bytes: Uint8Array, count: number): ClassFile {
  const file = readClassFile(bytes);
  checkClassFile(model, file);
  if (file.classes !== count)
    throw new DcompError(
      'E_USAGE',
      `the class file has ${file.classes} classes, and ${count} are to be told apart; give the table of its classes, too`,
    );
  return file;
}

/** LL of a class's regions at the level that drawn pictures begin with; those of all where it has none. */
function rootOf(examples: readonly Labelled[], wanted: number): RootStatistics {
  const own = examples.filter((each) => each.class === wanted);
  const [mean, squares] = [new Float64Array(COLOURS), new Float64Array(COLOURS)];
  let count = 0;
  for (const { region } of own.length === 0 ? examples : own) {
    const { data } = haar(halvedTo(planeOfRegion(region), ROOT_LEVEL));
    for (let i = 0; i < data.length; i += 4 * COLOURS, count++)
      for (let c = 0; c < COLOURS; c++) {
        mean[c]! += data[i + c]!;
        squares[c]! += data[i + c]! ** 2;
      }
  }
  for (let c = 0; c < COLOURS; c++) mean[c]! /= count;
  return { mean, deviation: squares.map((sum, c) => Math.sqrt(Math.max(0, sum / count - mean[c]! ** 2))) };
}
