/** The codecs that dcomp is measured against, each at its slow setting, by whole files: headers count. */
import { readFileSync } from 'node:fs';
import { psnr } from '../src/codec/encoder.js';
import type { Picture } from '../src/picture.js';
import type { CurvePoint } from './bd-rate.js';

export type RivalName = 'avif' | 'webp' | 'jxl';
export const RIVALS: readonly RivalName[] = ['avif', 'webp', 'jxl'];

export interface Rival {
  name: RivalName;
  /** Versions and settings, for reports and for the cache. */
  settings: string;
  /** Ascending; about a quarter of the rate apart, between which PSNR is straight in log rate to about 0.01 dB. */
  qualities: readonly number[];
  /** @param picture of 3 channels. @returns bytes of the file, and what it decodes to */
  code(picture: Picture, quality: number): Promise<{ bytes: number; decoded: Picture }>;
}

/** @throws where the codec is not installed */
export function loadRival(name: RivalName): Promise<Rival> {
  return LOADERS[name]();
}

/** Rate and PSNR at the rival's qualities up to the first whose rate is beyond `maxRate`. */
export async function rivalCurve(rival: Rival, picture: Picture, maxRate: number): Promise<CurvePoint[]> {
  const points: CurvePoint[] = [];
  for (const quality of rival.qualities) {
    const { bytes, decoded } = await rival.code(picture, quality);
    const rate = (8 * bytes) / (picture.width * picture.height);
    points.push({ rate, psnr: psnr(picture, decoded) });
    if (rate > maxRate) break;
  }
  return points;
}

const LOADERS: Record<RivalName, () => Promise<Rival>> = {
  async avif() {
    const { default: sharp } = await import('sharp');
    const { aom = '?', heif = '?', sharp: version = '?' } = sharp.versions as Record<string, string>;
    return {
      name: 'avif',
      settings: `AVIF (sharp ${version}, libheif ${heif}, aom ${aom}, effort 6, 4:4:4)`,
      qualities: [1, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96],
      code: (picture, quality) => throughSharp(sharp, picture, (image) => image.avif({ quality, effort: 6, chromaSubsampling: '4:4:4' })),
    };
  },
  async webp() {
    const { default: sharp } = await import('sharp');
    const { webp = '?', sharp: version = '?' } = sharp.versions as Record<string, string>;
    return {
      name: 'webp',
      settings: `WebP (sharp ${version}, libwebp ${webp}, method 6, smart subsampling)`,
      qualities: [1, 4, 8, 12, 16, 20, 26, 32, 40, 48, 56, 64, 70, 75, 80, 84, 88, 92, 96, 100],
      code: (picture, quality) => throughSharp(sharp, picture, (image) => image.webp({ quality, effort: 6, smartSubsample: true })),
    };
  },
  async jxl() {
    const [encoder, decoder] = await Promise.all([import('@jsquash/jxl/encode.js'), import('@jsquash/jxl/decode.js')]);
    // The package would fetch its WebAssembly by URL, which Node's fetch cannot do for a file.
    const compiled = (path: string): WebAssembly.Module => new WebAssembly.Module(readFileSync(new URL(import.meta.resolve(path))));
    type Init = (module: WebAssembly.Module) => Promise<unknown>;
    await (encoder.init as unknown as Init)(compiled('@jsquash/jxl/codec/enc/jxl_enc.wasm'));
    await (decoder.init as unknown as Init)(compiled('@jsquash/jxl/codec/dec/jxl_dec.wasm'));
    const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.resolve('@jsquash/jxl/encode.js')), 'utf8')) as { version: string };
    return {
      name: 'jxl',
      settings: `JPEG XL (@jsquash/jxl ${version}, effort 7)`,
      // Below 0 the distance goes on to grow.
      qualities: [-20, -10, -5, 0, 4, 8, 12, 16, 20, 30, 40, 50, 60, 66, 72, 77, 82, 86, 89, 92, 94, 96, 98],
      async code({ width, height, data }, quality) {
        const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
        for (let i = 0, o = 0; i < data.length; i += 3, o += 4) for (let c = 0; c < 3; c++) rgba[o + c] = data[i + c]!;
        const file = await encoder.default({ width, height, data: rgba } as unknown as ImageData, { quality, effort: 7 });
        const decoded = await decoder.default(file);
        return { bytes: file.byteLength, decoded: { width, height, channels: 4, data: new Uint8Array(decoded.data) } };
      },
    };
  },
};

type SharpModule = (typeof import('sharp'))['default'];

async function throughSharp(sharp: SharpModule, picture: Picture, encode: (image: ReturnType<SharpModule>) => ReturnType<SharpModule>): Promise<{ bytes: number; decoded: Picture }> {
  const { width, height, data } = picture;
  const file = await encode(sharp(data, { raw: { width, height, channels: 3 } })).toBuffer();
  const decoded = await sharp(file).removeAlpha().toColourspace('srgb').raw().toBuffer();
  return { bytes: file.length, decoded: { width, height, channels: 3, data: decoded } };
}
