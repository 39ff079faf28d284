/** The one entry of EXIF that is needed: the orientation (CIPA DC-008, tag 0x0112 of the first directory). */

const ORIENTATION = 0x0112;
const SHORT = 3;

/** EXIF without the marker that JPEG puts before it; undefined if it is none. */
export function tiffOf(exif: Uint8Array): Uint8Array | undefined {
  const marker = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif\0\0"
  const tiff = marker.every((byte, i) => exif[i] === byte) ? exif.subarray(marker.length) : exif;
  return byteOrder(tiff) === undefined ? undefined : tiff;
}

/** Little-endian? undefined if the bytes are no TIFF structure. */
function byteOrder(exif: Uint8Array): boolean | undefined {
  const start = String.fromCharCode(...exif.subarray(0, 4));
  return start === 'II*\0' ? true : start === 'MM\0*' ? false : undefined;
}

/** Where the value of the orientation stands, and what it is. */
function find(exif: Uint8Array): { at: number; little: boolean; value: number } | undefined {
  const little = byteOrder(exif);
  if (little === undefined || exif.length < 8) return undefined;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.length);
  const directory = view.getUint32(4, little);
  if (directory + 2 > exif.length) return undefined;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    if (at + 12 > exif.length) return undefined;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const fits = view.getUint16(at + 2, little) === SHORT && view.getUint32(at + 4, little) === 1;
    return fits ? { at: at + 8, little, value: view.getUint16(at + 8, little) } : undefined;
  }
  return undefined;
}

/** 1 to 8, undefined if there is none. */
export function orientationOf(exif: Uint8Array): number | undefined {
  const value = find(exif)?.value;
  return value !== undefined && value >= 1 && value <= 8 ? value : undefined;
}

/** The same EXIF with another orientation, if it has one. */
export function withOrientation(exif: Uint8Array, orientation: number): Uint8Array {
  const found = find(exif);
  if (found === undefined || found.value === orientation) return exif;
  const copy = new Uint8Array(exif); // `slice` of a Buffer would be the same memory
  new DataView(copy.buffer).setUint16(found.at, orientation, found.little);
  return copy;
}

/** The shortest EXIF that says an orientation. */
export function exifOfOrientation(orientation: number): Uint8Array {
  const directory = [0, 1, 0x01, 0x12, 0, SHORT, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  return Uint8Array.of(0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, ...directory);
}
