/** JPEG, WebP and AVIF through sharp, each at its slow setting. */
import type { Picture } from '../../src/picture.js';
import type { Codec, CodecEntry } from './codec.js';
import { optional } from './optional.js';

type Sharp = (typeof import('sharp'))['default'];
export type Pipeline = ReturnType<Sharp>;

export interface Format {
  name: string;
  label: string;
  /** Of the versions that sharp tells, those that matter. */
  libraries: readonly string[];
  about: string;
  settings: readonly number[];
  encode(image: Pipeline, setting: number): Pipeline;
}

export const SHARP_FORMATS: readonly Format[] = [
  {
    name: 'jpeg',
    label: 'JPEG (mozjpeg)',
    libraries: ['mozjpeg'],
    about: 'trellis quantisation, optimised progressive scans, 4:4:4',
    settings: [4, 9, 15, 23, 34, 48, 62, 74, 83, 90, 94, 97],
    encode: (image, quality) => image.jpeg({ quality, mozjpeg: true, chromaSubsampling: '4:4:4' }),
  },
  {
    name: 'webp',
    label: 'WebP',
    libraries: ['webp'],
    // The format has no 4:4:4; smart subsampling is its best.
    about: 'method 6, smart subsampling',
    settings: [1, 8, 20, 34, 50, 64, 75, 83, 89, 94, 97, 100],
    encode: (image, quality) => image.webp({ quality, effort: 6, smartSubsample: true }),
  },
  avif('avif', 'iq'),
  avif('avif-psnr', 'psnr'),
  avif('avif-ssim', 'ssim'),
];

/** Each of libaom's tunings is the strongest for some metric: iq, the default, for what the eye sees, psnr and ssim for squared errors. */
function avif(name: string, tune: 'iq' | 'psnr' | 'ssim'): Format {
  return {
    name,
    label: `AVIF, tune ${tune}`,
    libraries: ['heif', 'aom'],
    about: `effort 6, 4:4:4, tune ${tune}`,
    settings: [1, 16, 30, 43, 55, 66, 76, 85, 92, 97, 100],
    encode: (image, quality) => image.avif({ quality, effort: 6, chromaSubsampling: '4:4:4', tune }),
  };
}

export const SHARP_CODECS: readonly CodecEntry[] = SHARP_FORMATS.map((format) => ({
  name: format.name,
  label: format.label,
  load: () => loadFormat(format),
}));

/** @throws DcompError E_MISSING_DEPENDENCY */
export async function loadFormat(format: Format): Promise<Codec> {
  const { default: sharp } = await optional('sharp', format.label, () => import('sharp'));
  // One thread: the pictures are shared out among processes.
  sharp.concurrency(1);
  sharp.cache(false);
  const versions = sharp.versions as Record<string, string | undefined>;
  const libraries = ['sharp', ...format.libraries].map((name) => `${name} ${versions[name] ?? '?'}`);
  return {
    about: `${libraries.join(', ')}; ${format.about}`,
    parameter: 'quality',
    settings: format.settings,
    encode: ({ width, height, data }, quality) =>
      format.encode(sharp(data, { raw: { width, height, channels: 3 } }), quality).toBuffer(),
    async decode(file): Promise<Picture> {
      const { data, info } = await sharp(file)
        .removeAlpha()
        .toColourspace('srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
      return { width: info.width, height: info.height, channels: 3, data };
    },
  };
}
