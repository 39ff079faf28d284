/** `dcomp/formats`: pictures from files and into files, for Node; PNG and BMP by itself, the others through `sharp` or `wasm-vips`. */
export { readPicture, type PictureRead } from './read.js';
export { writePicture, type PictureWritten } from './write.js';
export {
  FORMAT_NAMES,
  formatOfBytes,
  formatOfName,
  PICTURE_FORMATS,
  READ_FORMATS,
  type PictureFormat,
  type ReadFormat,
} from './formats.js';
export { METADATA_CHOICES, type MetadataChoice } from './metadata.js';
