/** The header of a usual file, for what is put together without an encoder. */
import type { Header } from '../src/container/container.js';
import { LAST_CODE } from '../src/format.js';

/** 40×30 pixels of colour, on a path of narrow steps; the model does not exist. */
export const USUAL_HEADER: Header = {
  width: 40,
  height: 30,
  channels: 3,
  depth: 8,
  modelId: '01234567',
  schedule: { coarseWidth: 2, fineWidth: 4, lastCode: LAST_CODE, tail: 0, views: 1, coarseViews: 1 },
  nu: 14,
};
