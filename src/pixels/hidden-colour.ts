/**
 * The colour under alpha 0, which nobody sees: replaced by one that costs next to nothing. Push and pull over a pyramid (Gortler et
 * al., "The Lumigraph", 1996, section 3.4): going up, a block of 2×2 has the mean of what is seen in it; going down, what is hidden
 * is interpolated between the blocks around it.
 */
import { depthOf, newSamples, rangeOf, type Picture, type Samples } from '../picture.js';
import { rowsOfPiece, type Pieces } from '../turns.js';
import { hasAlpha } from './picture-planes.js';

/** Samples that are gone over in a piece, where there is little to do with each. */
const PIECE = 2 ** 19;

/** A picture of which some pixels have no colour yet. */
interface Layer {
  width: number;
  height: number;
  /** Samples of a pixel, and their array, interleaved. */
  colours: number;
  samples: Samples;
  /** 1 where a pixel has a colour. */
  seen: Uint8Array;
}

/**
 * The picture with a smooth continuation of its colours where alpha is 0; mid-grey where everything is hidden. In whole
 * numbers, in time proportional to the pixels.
 * @param alpha that the file will hold, a sample a pixel; undefined where it has none
 * @returns the picture itself where nothing is hidden, else a copy
 */
export function* withoutHiddenColourInPieces(picture: Picture, alpha: Samples | undefined): Pieces<Picture> {
  const { width, height, channels, data } = picture;
  if (!hasAlpha(channels) || alpha === undefined || !alpha.includes(0)) return picture;
  const colours = channels - 1;
  const depth = depthOf(picture);
  const samples = newSamples(width * height * colours, depth);
  for (let i = 0, o = 0; i < data.length; i += channels) {
    for (let c = 0; c < colours; c++) samples[o++] = data[i + c]!;
    if (i % (channels * PIECE) === 0) yield;
  }
  const seen = new Uint8Array(alpha.length);
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i]! > 0) seen[i] = 1;
    if (i % PIECE === 0) yield;
  }
  if (seen.includes(1)) yield* fill({ width, height, colours, samples, seen });
  else samples.fill((rangeOf(depth) + 1) >> 1);
  const filled = data.slice();
  for (let i = 0, o = 0; i < data.length; i += channels) {
    for (let c = 0; c < colours; c++) filled[i + c] = samples[o++]!;
    if (i % (channels * PIECE) === 0) yield;
  }
  return { ...picture, data: filled };
}

/** Gives all pixels that have none a colour. At least one must have one. */
function* fill(layer: Layer): Pieces<void> {
  const { width, height, colours, samples, seen } = layer;
  if (!seen.includes(0)) return;
  const half = yield* halve(layer);
  yield* fill(half);
  const piece = rowsOfPiece(width);
  for (let y = 0, p = 0; y < height; y++) {
    if (y % piece === piece - 1) yield;
    const row = (y >> 1) * half.width;
    const otherRow = Math.min(half.height - 1, Math.max(0, (y >> 1) + (y & 1 ? 1 : -1))) * half.width;
    for (let x = 0; x < width; x++, p++) {
      if (seen[p] === 1) continue;
      // Bilinear between the block that the pixel is in and the nearest three: weights 9, 3, 3, 1.
      const column = x >> 1;
      const otherColumn = Math.min(half.width - 1, Math.max(0, column + (x & 1 ? 1 : -1)));
      for (let c = 0; c < colours; c++) {
        const own = half.samples[(row + column) * colours + c]!;
        const beside =
          half.samples[(row + otherColumn) * colours + c]! + half.samples[(otherRow + column) * colours + c]!;
        const across = half.samples[(otherRow + otherColumn) * colours + c]!;
        samples[p * colours + c] = (9 * own + 3 * beside + across + 8) >> 4;
      }
    }
  }
}

/** Means over 2×2 of the pixels that have a colour. */
function* halve({ width, height, colours, samples, seen }: Layer): Pieces<Layer> {
  const size = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
  const half = newSamples(size.width * size.height * colours, samples instanceof Uint16Array ? 16 : 8);
  const halfSeen = new Uint8Array(size.width * size.height);
  const sums = new Float64Array(colours);
  const piece = rowsOfPiece(size.width, 2 ** 14);
  for (let y = 0, o = 0; y < size.height; y++) {
    if (y % piece === piece - 1) yield;
    for (let x = 0; x < size.width; x++, o++) {
      sums.fill(0);
      let count = 0;
      for (let j = 2 * y; j < Math.min(height, 2 * y + 2); j++) {
        for (let i = 2 * x; i < Math.min(width, 2 * x + 2); i++) {
          const p = j * width + i;
          if (seen[p] === 0) continue;
          count++;
          for (let c = 0; c < colours; c++) sums[c]! += samples[p * colours + c]!;
        }
      }
      if (count === 0) continue;
      halfSeen[o] = 1;
      for (let c = 0; c < colours; c++) half[o * colours + c] = Math.floor(sums[c]! / count + 0.5);
    }
  }
  return { ...size, colours, samples: half, seen: halfSeen };
}
