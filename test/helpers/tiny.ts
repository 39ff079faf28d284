/** How tests decode and encode where any model will do: with the tiny one, on one thread, by the shortest search. */
import { tinyModelFile } from '../../corpus/tiny-model.js';

export const DECODING = { model: tinyModelFile(), threads: 1 } as const;
export const ENCODING = { ...DECODING, effort: 1 } as const;
