/** The file of a joined model: a model file whose header has `networks`, ids by role, and nothing behind it. */
import { damaged, fieldsOf } from './integer/check-model.js';
import {
  digestInPieces,
  headerInPieces,
  idOfModelFile,
  modelId,
  readModelFileInPieces,
  settingsOf,
  writeParts,
} from './integer/model-file.js';
import type { IntegerModel } from './integer/integer-model.js';
import { NETWORK_ROLES, type ByRole, type JoinedModel } from './joined-model.js';
import type { Pieces } from '../turns.js';

/** @returns the file @throws DcompError E_DAMAGED_MODEL for what could not be read back */
export function writeJoinedModelFile({ networks, quality, straight }: Omit<JoinedModel, 'id'>): Uint8Array {
  const settings = settingsOf({ quality, straight });
  return writeParts({ networks: networksFrom(networks), ...settings }, []);
}

/**
 * Reads a model file of either kind.
 * @param digest as of `readModelFileInPieces`
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL
 */
export function* readAnyModelInPieces(bytes: Uint8Array, digest?: Uint8Array): Pieces<IntegerModel | JoinedModel> {
  idOfModelFile(bytes);
  const found = digest ?? (yield* digestInPieces(bytes));
  const header = yield* headerInPieces(bytes, found);
  if (header['networks'] === undefined) return yield* readModelFileInPieces(bytes, found);
  return { id: modelId(bytes), networks: networksFrom(header['networks']), ...settingsOf(header) };
}

export function isJoined(model: IntegerModel | JoinedModel): model is JoinedModel {
  return 'networks' in model;
}

function networksFrom(value: unknown): ByRole<string> {
  const fields = fieldsOf(value, 'the list of networks');
  const idOf = (role: string): string => {
    const id = fields[role];
    if (typeof id !== 'string' || !/^[0-9a-f]{8}$/.test(id))
      damaged(`its network '${role}' is no id of 8 hexadecimal digits`);
    return id as string;
  };
  const [coarse, fine, shown] = NETWORK_ROLES.map(idOf);
  return { coarse: coarse!, fine: fine!, shown: shown! };
}
