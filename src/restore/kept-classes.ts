/** Which classes the model of a call is told apart, by the file that was given or that of the package. */
import { checkClassFile, readClassFile, type ClassFile } from '../model/class-file.js';
import type { Evaluator } from '../model/evaluator.js';
import { CLASS_MODEL, modelNameOf, THOROUGH_MODEL, type ModelName } from '../models/registry.js';
import type { RestoreOptions, Told } from './restore-options.js';

/** Where class files come from. */
export interface ClassSource {
  /** Reads the class file of a model of the package; undefined where it has none. */
  loadClasses(name: ModelName): Promise<Uint8Array | undefined>;
}

/** The model of what makes pictures anew, unless another is chosen: where a class is wanted, one that knows classes. */
export function modelFor({ class: wanted }: RestoreOptions): ModelName {
  return wanted === undefined ? THOROUGH_MODEL : CLASS_MODEL;
}

/** The classes of models of the package, once they have been read. */
export class KeptClasses {
  private readonly kept = new Map<ModelName, ClassFile>();

  constructor(private readonly source: ClassSource) {}

  /**
   * What a call is told: nothing, unless a class is wanted.
   * @throws DcompError E_OTHER_MODEL and model errors for a file that was given; E_IO
   */
  async told({ model }: Evaluator, { class: wanted, classes: given }: RestoreOptions): Promise<Told> {
    if (wanted === undefined) return {};
    const name = given === undefined ? modelNameOf(model.id) : undefined;
    const known = name === undefined ? undefined : this.kept.get(name);
    if (known !== undefined) return { told: known };
    const bytes = given ?? (name === undefined ? undefined : await this.source.loadClasses(name));
    if (bytes === undefined) return {};
    const told = readClassFile(bytes);
    checkClassFile(model, told);
    if (name !== undefined) this.kept.set(name, told);
    return { told };
  }
}
