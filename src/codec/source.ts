/** What is decoded: a file's bytes, repaired where asked for, their structure, and the part of the picture that is wanted. */
import { readContainerInPieces, type Container, type Extent, type Header } from '../container/container.js';
import { repairFileInPieces, type Repair } from '../container/repair.js';
import { codedSize, stripsOf } from '../format.js';
import { pyramidSizes } from '../diffusion/schedule.js';
import { DcompError } from '../errors.js';
import { checkRectangle, wholeOf, type Rectangle } from '../math/rectangle.js';
import { bytesOf, checkValues } from '../options.js';
import { DEFAULT_MAX_PIXELS } from '../picture.js';
import { finish, type Pieces } from '../turns.js';
import { DECODER_CHECKS, type DecoderOptions } from './decoder-options.js';

/** The part of a file that is to be decoded, its structure, and what was repaired. */
export interface Source {
  bytes: Uint8Array;
  container: Container;
  /** What is asked for. */
  view: View;
  /** What was repaired, where damage is allowed. */
  repairs: Repair[];
}

/**
 * Repairs what can be, where damage is allowed.
 * @throws DcompError as `readContainer`; E_DAMAGED_SEGMENT where damage is not allowed and could be repaired; E_USAGE
 */
export function containerOf(file: Uint8Array, options: DecoderOptions): Source {
  return finish(containerOfInPieces(file, options));
}

/** As `containerOf`. */
export function* containerOfInPieces(file: Uint8Array, options: DecoderOptions): Pieces<Source> {
  const { maxBytes, maxPixels, allowDamaged, crop } = checkValues({ ...options }, DECODER_CHECKS);
  const given = bytesOf(file, 'the file');
  const mended = allowDamaged === true ? yield* repairFileInPieces(given) : { bytes: given, repairs: [] };
  const bytes = maxBytes === undefined ? mended.bytes : mended.bytes.subarray(0, maxBytes);
  const repairs = mended.repairs.filter(({ offset }) => offset < bytes.length);
  let container: Container;
  try {
    container = yield* readContainerInPieces(bytes, maxPixels ?? DEFAULT_MAX_PIXELS);
    if (allowDamaged !== true) yield* refuseRepairableParts(bytes, container, crop !== undefined);
  } catch (error) {
    // Of a header, all other errors may come from a wrong byte.
    if (error instanceof DcompError && error.code !== 'E_TOO_LARGE' && allowDamaged !== true)
      yield* refuseRepairable(bytes, error);
    throw error;
  }
  return { bytes, container, view: viewOf(container.header, options), repairs };
}

/**
 * As `refuseRepairable`, if anything is damaged.
 * @param crop which segments matter is not known yet; but where the file seems to end in one, its length may be wrong
 * @throws DcompError E_DAMAGED_SEGMENT
 */
function* refuseRepairableParts(
  bytes: Uint8Array,
  { parts, alpha, segments, truncated }: Container,
  crop: boolean,
): Pieces<void> {
  const isDamaged = ({ state }: Extent): boolean => state !== 'complete';
  const last = segments[segments.length - 1];
  if ([...parts, ...(alpha === undefined ? [] : [alpha]), ...(crop ? [] : segments)].some(isDamaged))
    yield* refuseRepairable(bytes);
  if (truncated) yield* refuseRepairable(bytes, undefined, crop ? last?.offset : 0);
}

/**
 * @param from byte offset before which damage does not matter
 * @throws DcompError E_DAMAGED_SEGMENT, or of the code found before, if the first damage of a file is a single wrong byte
 */
export function* refuseRepairable(bytes: Uint8Array, error?: DcompError, from = 0): Pieces<void> {
  const { repairs } = yield* repairFileInPieces(bytes);
  const repair = repairs.find(({ offset }) => offset >= from);
  if (repair === undefined || (error !== undefined && repair.part !== 'header')) return;
  const what =
    error?.message ?? `${repair.part} (byte offset ${repair.partOffset}) is damaged: its checksum does not hold`;
  throw new DcompError(
    error?.code ?? 'E_DAMAGED_SEGMENT',
    `${what}; a single wrong byte (byte offset ${repair.offset}) can be repaired: allow damage (allowDamaged, --allow-damaged) to do so`,
    { cause: error },
  );
}

/** What is shown: pixels of a level's picture. */
export interface View {
  level: number;
  pixels: Rectangle;
}

/** @throws DcompError E_USAGE */
export function viewOf(header: Header, { scale, crop, realism }: DecoderOptions): View {
  if (realism !== undefined && realism > 0 && (crop !== undefined || (scale ?? 1) !== 1))
    throw new DcompError('E_USAGE', 'realism is for the whole picture in full size; leave out crop and scale');
  const sizes = pyramidSizes(header.width, header.height);
  const level = levelOf(scale, sizes.length - 2);
  const size = sizes[level]!;
  if (crop === undefined) return { level, pixels: wholeOf(size) };
  checkRectangle(level === 0 ? 'the crop' : `at the scale of 1/${2 ** level} the crop`, crop, size);
  const { x, y, width, height } = crop;
  return { level, pixels: { x, y, width, height } };
}

/** The level whose picture has that scale. @param coarsest the last that there is */
function levelOf(scale: number | undefined, coarsest: number): number {
  for (let level = 0; level <= coarsest; level++) if ((scale ?? 1) === 0.5 ** level) return level;
  const last = coarsest === 0 ? '1' : `1, 1/2, … down to 1/${2 ** coarsest}`;
  throw new DcompError('E_USAGE', `scale is ${scale}; for this picture it can be ${last}`);
}

/** The view of what is coded that a view of the picture takes: all of it, where the picture is folded. */
export function codedView(header: Header, view: View): View {
  return stripsOf(header) === 1 ? view : { level: 0, pixels: wholeOf(codedSize(header)) };
}
