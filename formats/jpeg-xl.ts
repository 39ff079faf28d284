/** JPEG XL through the optional package wasm-vips: loaded only when it is needed. */
import type Vips from 'wasm-vips';
import { DcompError } from '../src/errors.js';
import { MAX_METADATA_BYTES, type Channels, type Metadata, type Picture, type Samples } from '../src/picture.js';
import { finish } from '../src/turns.js';
import { exifDensity, tiffOf, withOrientation } from './exif.js';
import { Faults } from './faults.js';
import { profileFault } from './metadata.js';
import { checkSize } from './png-header.js';
import type { PngRead } from './png-reader.js';
import { fromFloat } from './samples.js';
import { reasonOf } from './sharp.js';

export function damagedJpegXl(reason: string, options?: ErrorOptions): DcompError {
  return new DcompError(
    'E_DAMAGED_PICTURE',
    `this JPEG XL cannot be read (${reason}); get the file again from its source, or convert it to PNG`,
    options,
  );
}

async function load(): Promise<typeof Vips> {
  try {
    const { default: start } = await import('wasm-vips');
    const vips = await start({
      dynamicLibraries: ['vips-jxl.wasm'],
      print: () => undefined,
      printErr: () => undefined,
    });
    vips.concurrency(1);
    return vips;
  } catch (cause) {
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      'JPEG XL needs the package wasm-vips, which is not installed or does not load here: npm install wasm-vips, or use PNG',
      { cause },
    );
  }
}

/** At a stretch. @throws DcompError E_MISSING_DEPENDENCY, E_DAMAGED_PICTURE, E_NOT_PICTURE, E_TOO_LARGE */
export async function readJpegXl(bytes: Uint8Array, maxPixels: number): Promise<PngRead> {
  const vips = await load();
  const faults = new Faults(false, damagedJpegXl);
  try {
    const image = vips.Image.newFromBuffer(bytes);
    try {
      checkSize(image.width, image.height, maxPixels);
      const bare = pictureOf(image);
      const metadata = metadataOf(image, bare.channels <= 2, faults);
      const picture = Object.keys(metadata).length === 0 ? bare : { ...bare, metadata };
      return { picture, notices: faults.notices, damage: [] };
    } finally {
      image.delete();
    }
  } catch (error) {
    throw error instanceof DcompError ? error : damagedJpegXl(reasonOf(error), { cause: error });
  } finally {
    vips.shutdown();
  }
}

/** @throws DcompError E_NOT_PICTURE */
function pictureOf(image: Vips.Image): Picture {
  const { width, height, bands, format } = image;
  if (bands > 4) throw new DcompError('E_NOT_PICTURE', `the JPEG XL has ${bands} channels; dcomp reads up to 4`);
  const memory = image.writeToMemory(); // of the type of its samples, in WebAssembly's memory: hence a copy
  const data = new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength).slice().buffer;
  let samples: Samples;
  if (format === 'uchar') samples = new Uint8Array(data);
  else if (format === 'ushort') samples = new Uint16Array(data);
  else samples = finish(fromFloat(new Float32Array(data)));
  return { width, height, channels: bands as Channels, depth: format === 'uchar' ? 8 : 16, data: samples };
}

/** The decoder has turned the picture already. */
function metadataOf(image: Vips.Image, grey: boolean, faults: Faults): Metadata {
  const fields = new Set(image.getFields());
  const blob = (name: string): Uint8Array | undefined => {
    if (!fields.has(name)) return undefined;
    const bytes = Uint8Array.from(image.getBlob(name));
    if (bytes.length <= MAX_METADATA_BYTES) return bytes;
    faults.notice(`its metadata (${name}) is too long and not kept`);
    return undefined;
  };
  const metadata: Metadata = {};
  const icc = blob('icc-profile-data');
  const fault = icc === undefined ? undefined : profileFault(icc, grey);
  if (fault !== undefined) faults.notice(fault);
  else if (icc !== undefined) metadata.icc = icc;
  const exif = tiffOf(blob('exif-data') ?? new Uint8Array(0));
  if (exif !== undefined) {
    metadata.exif = withOrientation(exif, 1);
    const density = exifDensity(exif);
    if (density !== undefined) metadata.density = density;
  }
  const xmp = blob('xmp-data');
  if (xmp !== undefined) metadata.xmp = xmp;
  return metadata;
}
