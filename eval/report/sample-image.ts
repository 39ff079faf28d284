/** Pictures for the report: a crop as a small file that a browser shows. */
import { writePng } from '../../formats/png-writer.js';
import type { Picture } from '../../src/picture.js';
import type { Crop } from '../measurement.js';

const QUALITY = 93;

/** As WebP of high quality where sharp is installed, else as PNG. @returns base64 and media type */
export async function sampleImage(picture: Picture, crop: Crop): Promise<{ image: string; type: string }> {
  const part = cropOf(picture, crop);
  try {
    const { default: sharp } = await import('sharp');
    const { width, height, data } = part;
    const file = await sharp(data, { raw: { width, height, channels: 3 } })
      .webp({ quality: QUALITY, effort: 6, smartSubsample: true })
      .toBuffer();
    return { image: file.toString('base64'), type: 'image/webp' };
  } catch {
    return { image: Buffer.from(writePng(part)).toString('base64'), type: 'image/png' };
  }
}

function cropOf({ width, channels, data }: Picture, crop: Crop): Picture {
  const out = new Uint8Array(crop.width * crop.height * channels);
  for (let y = 0; y < crop.height; y++) {
    const from = ((crop.y + y) * width + crop.x) * channels;
    out.set(data.subarray(from, from + crop.width * channels), y * crop.width * channels);
  }
  return { width: crop.width, height: crop.height, channels, data: out };
}
