/** `dcomp/formats`: pictures from files and into files, for Node; PNG by itself, the others through `sharp`. */
export { readPicture, type PictureRead } from './read.js';
export { writePicture, type PictureWritten } from './write.js';
export { FORMAT_NAMES, formatOfBytes, formatOfName, PICTURE_FORMATS, type PictureFormat } from './formats.js';
export { METADATA_CHOICES, type MetadataChoice } from './metadata.js';
