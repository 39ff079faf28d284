/** Files of other codecs that fit into a size. */

/** The file of the best quality, a whole number from 1 to 100, that fits; undefined where none does. @param encode takes more bytes the better */
export async function bestWithin(
  size: number,
  encode: (quality: number) => Promise<Uint8Array>,
): Promise<Uint8Array | undefined> {
  let best: Uint8Array | undefined;
  for (let [low, high] = [1, 100]; low <= high;) {
    const quality = (low + high) >> 1;
    const file = await encode(quality);
    if (file.length > size) {
      high = quality - 1;
    } else {
      best = file;
      low = quality + 1;
    }
  }
  return best;
}
