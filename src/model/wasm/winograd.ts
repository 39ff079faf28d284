/** Sizes that the kernel of kernels/lib/winograd.ts needs; src/model/wasm/filters.ts is about its filters. */
import { tensorOf, type Architecture } from '../architecture.js';

/** Values of the transformed tile, and of the transformed filter. */
export const POINTS = 16;
/** TILES and LINE of kernels/lib/winograd.ts. */
const TILES = 16;
const LINE = 64;

/** Bytes of scratch memory a thread needs. @param channels stored ones, the most of any layer's input */
export function scratchBytes(channels: number): number {
  return POINTS * (2 * TILES * channels + LINE) + POINTS * (32 * TILES + LINE);
}

/** The most channels that any layer reads. */
export function widestInput(architecture: Architecture): number {
  return architecture.layers.reduce((most, { from }) => Math.max(most, tensorOf(architecture, from).channels), 0);
}
