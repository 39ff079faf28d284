/** Readers of the containers of pictures other than PNG: what dcomp itself looks at in a BMP, JPEG, GIF, TIFF, AVIF or EXIF. */
import { readBmp } from '../../formats/bmp.js';
import { exifOf, isAdobeRgb, saysMore, withOrientation } from '../../formats/exif.js';
import { gifComments } from '../../formats/gif.js';
import { codedItems, heifFacts } from '../../formats/heif.js';
import { greyProfileAsRgb, profileOf } from '../../formats/icc.js';
import { iptcOf, photoshopOf } from '../../formats/iptc.js';
import { jpegFacts, withJpegMetadata } from '../../formats/jpeg.js';
import { readDirectories } from '../../formats/tiff.js';
import { DcompError } from '../../src/errors.js';
import { checkPicture } from '../../src/picture.js';
import type { Target } from '../target.js';

/** A BMP of 3×2 pixels: 24 bits, or run lengths of 8. */
function bmp(bits: number, compression: number, data: number[]): Uint8Array {
  const out = Buffer.alloc(54 + data.length);
  out.write('BM', 'latin1');
  out.writeUInt32LE(54, 10);
  out.writeUInt32LE(40, 14);
  out.writeInt32LE(3, 18);
  out.writeInt32LE(2, 22);
  out.writeUInt16LE(bits, 28);
  out.writeUInt32LE(compression, 30);
  out.set(data, 54);
  return out;
}

const box = (type: string, ...parts: number[][]): number[] => {
  const body = parts.flat();
  const length = body.length + 8;
  return [0, 0, length >> 8, length & 255, ...Buffer.from(type, 'latin1'), ...body];
};

/** The boxes of an AVIF of one picture, as far as they are looked at. */
const boxes = (): Uint8Array =>
  Uint8Array.from([
    ...box('ftyp', [...Buffer.from('avif\0\0\0\0avif', 'latin1')]),
    ...box(
      'meta',
      [0, 0, 0, 0],
      box('pitm', [0, 0, 0, 0, 0, 1]),
      box('iloc', [0, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 4]),
      box('iref', [0, 0, 0, 0], box('prem', [0, 1, 0, 1, 0, 2])),
      box(
        'iprp',
        box(
          'ipco',
          box('av1C', [0x81, 0, 0x1c, 0]),
          box('colr', [...Buffer.from('nclx'), 0, 9, 0, 16, 0, 9, 0x80]),
          box('irot', [3]),
        ),
        box('ipma', [0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 3, 0x81, 2, 0x83]),
      ),
    ),
  ]);

export const pictureFiles: Target = {
  name: 'picture-files',
  share: 4,
  seeds() {
    const exif = exifOf(undefined, 6, { x: 11811, y: 5906, unit: 'metre' })!;
    const iptc = Uint8Array.of(0x1c, 2, 5, 0, 1, 65);
    const start = Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2);
    const icc = profileOf({ gamma: 100000 }, true)!;
    const metadata = { density: undefined, exif, xmp: undefined, icc, iptc, comments: ['a comment'] };
    return [
      bmp(24, 0, new Array<number>(24).fill(7)),
      bmp(8, 1, [3, 1, 0, 0, 0, 3, 2, 1, 2, 0, 0, 1]),
      exif,
      photoshopOf(iptc, true),
      icc,
      withJpegMetadata(start, metadata, () => undefined),
      Uint8Array.from([...Buffer.from('GIF89a', 'latin1'), 1, 0, 1, 0, 0, 0, 0, 0x21, 0xfe, 2, 104, 105, 0, 0x3b]),
      boxes(),
    ];
  },
  passes: (bytes) => bytes.length > 4,
  run(bytes) {
    for (const allowDamaged of [false, true]) {
      try {
        checkPicture(readBmp(bytes, 2 ** 16, allowDamaged).picture);
      } catch (error) {
        if (!(error instanceof DcompError) || error.code === 'E_PICTURE') throw error;
      }
    }
    readDirectories(bytes);
    saysMore(bytes);
    isAdobeRgb(bytes);
    withOrientation(bytes, 5);
    exifOf(bytes, 5, { x: 1, y: 2, unit: 'none' });
    iptcOf(bytes);
    jpegFacts(bytes);
    gifComments(bytes);
    heifFacts(bytes);
    codedItems(bytes);
    greyProfileAsRgb(bytes);
  },
};
