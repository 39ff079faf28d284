/** More rectangles than the quick tests have time for. */
import { it } from 'node:test';
import { assertCrops } from '../helpers/crops.js';

it('many rectangles of the picture, decoded alone, are those of the whole', async () => {
  await assertCrops(400);
});
