/** What model files and class files begin and end with: magic, format version and length, and a digest of all before it. */
import { DcompError } from '../errors.js';

/** Bytes of the SHA-256 that a file ends with. */
export const DIGEST = 32;
/** Bytes of magic, version and length. */
const BEGINNING = 16;

/** A kind of file. */
export interface FileKind {
  /** As errors begin. */
  name: string;
  /** As in "not a dcomp model file (.dcm)". */
  file: string;
  magic: Uint8Array;
  version: number;
  /** Bytes at fixed places, at least those of magic, version and length. */
  fixed: number;
}

/** Behind the three letters of a magic. As in PNG: line ends that a transfer changes, and 0x1A, which ends the output of `type` on old systems. */
export function magicOf(letters: string): Uint8Array {
  return Uint8Array.of(0x89, ...new TextEncoder().encode(letters), 0x0d, 0x0a, 0x1a, 0x0a);
}

/** Puts magic, version and length where they belong. */
export function writeFrame({ magic, version }: FileKind, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, BEGINNING);
  bytes.set(magic);
  view.setUint32(8, version, true);
  view.setUint32(12, bytes.length, true);
}

/** @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED; E_DAMAGED_MODEL by `damaged` */
export function checkFrame(
  { name, file, magic, version: known, fixed }: FileKind,
  bytes: Uint8Array,
  damaged: (problem: string) => never,
): void {
  if (bytes.length === 0) throw new DcompError('E_NOT_MODEL', `${name}: the file is empty`);
  for (let i = 0; i < Math.min(magic.length, bytes.length); i++) {
    if (bytes[i] !== magic[i])
      throw new DcompError('E_NOT_MODEL', `${name}: not a dcomp ${file}: it begins with other bytes`);
  }
  const truncated = (needed: number): DcompError =>
    new DcompError('E_TRUNCATED', `${name}: the file ends at byte ${bytes.length} of ${needed}; get it again`);
  if (bytes.length < fixed) throw truncated(fixed);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version !== known)
    throw new DcompError(
      'E_VERSION',
      `${name}: format version ${version}, but this release reads version ${known}; use a release of dcomp that fits the file`,
    );
  const length = view.getUint32(12, true);
  if (length > bytes.length) throw truncated(length);
  if (length < bytes.length) damaged(`the file has ${bytes.length} bytes, but says ${length}`);
}
