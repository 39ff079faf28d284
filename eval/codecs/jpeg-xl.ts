/** JPEG XL: libjxl as WebAssembly, from the package wasm-vips. Which build of libjxl it is matters: see docs/lab/2026-11-28.md. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Codec, CodecEntry } from './codec.js';
import { optional } from './optional.js';

const EFFORT = 7;
// libjxl's own mapping to a distance: 1 at 90, 6.4 at 30, then up to 25 at 0. 19 is the last before half the resolution.
const QUALITIES = [0, 6, 12, 19, 25, 33, 45, 57, 68, 78, 86, 92, 95, 98];

export const JPEG_XL = entry('jxl', 'JPEG XL', EFFORT);
export const JPEG_XL_SLOW = entry('jxl-9', 'JPEG XL, effort 9', 9);

function entry(name: string, label: string, effort: number): CodecEntry {
  return { name, label, load: () => loadJpegXl('quality', QUALITIES, effort, (quality) => ({ Q: quality })) };
}

/**
 * @param optionsOf a setting, of those that libvips has
 * @throws DcompError E_MISSING_DEPENDENCY
 */
export async function loadJpegXl(
  parameter: string,
  settings: readonly number[],
  effort: number,
  optionsOf: (setting: number) => { Q?: number; distance?: number; lossless?: boolean },
): Promise<Codec> {
  const { default: Vips } = await optional('wasm-vips', 'JPEG XL', () => import('wasm-vips'));
  const vips = await Vips({ dynamicLibraries: ['vips-jxl.wasm'], print: () => undefined, printErr: () => undefined });
  vips.concurrency(1);
  const versions = JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve('wasm-vips/versions'), 'utf8'),
  ) as Record<string, string>;
  return {
    about: `wasm-vips (libvips ${vips.version()}), libjxl ${versions.jxl ?? '?'}; effort ${effort}, no metadata`,
    parameter,
    settings,
    async encode({ width, height, data }, setting) {
      const raw = vips.Image.newFromMemory(data, width, height, 3, vips.BandFormat.uchar);
      const image = raw.copy({ interpretation: vips.Interpretation.srgb });
      try {
        return image.jxlsaveBuffer({ ...optionsOf(setting), effort, keep: vips.ForeignKeep.none });
      } finally {
        image.delete();
        raw.delete();
      }
    },
    async decode(file) {
      const image = vips.Image.newFromBuffer(file);
      try {
        const colour = image.bands > 3 ? image.extractBand(0, { n: 3 }) : image.copy();
        try {
          // A copy, as the memory is WebAssembly's.
          return {
            width: colour.width,
            height: colour.height,
            channels: 3,
            data: Uint8Array.from(colour.writeToMemory()),
          };
        } finally {
          colour.delete();
        }
      } finally {
        image.delete();
      }
    },
  };
}
