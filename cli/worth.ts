/** Whether dcomp is the tool for a picture: it is for photographs, and more bytes than they take are not without a word. */
import type { Target } from '../src/node.js';

/** Of smaller files it does not matter which tool makes them. */
const WORTH_A_WORD = 2000;
/** Bits per pixel that photographs stay far below, up to quality 75. */
const MOST_BITS = 6;
const MOST_QUALITY = 75;
/** Up to that, photographs take fewer bytes with the network than without loss. */
const MOST_PSNR = 40;

export interface Sizes {
  /** Bytes of the picture's own file, and of dcomp's. */
  inputBytes: number;
  outputBytes: number;
  /** Bits of the segments for each pixel of the picture, without header, metadata and alpha. */
  bitsPerPixel: number;
}

/** Notices where a file is coded without loss because no photograph is in it, is larger than the picture's own, or than a photograph would be. */
export function wrongTool({ inputBytes, outputBytes, bitsPerPixel }: Sizes, target: Target, plain = false): string[] {
  if (outputBytes < WORTH_A_WORD) return [];
  const lossless = target === 'lossless';
  const notices: string[] = [];
  if (plain && !lossless && ('quality' in target || 'psnr' in target)) {
    const modest = 'quality' in target ? target.quality <= MOST_QUALITY : target.psnr <= MOST_PSNR;
    const why = modest ? 'few colours or sharp edges, no photograph: ' : '';
    notices.push(`${why}coded without loss, which takes no more bytes here`);
  }
  if (outputBytes > inputBytes)
    notices.push(
      `the coded file is larger than this one (${outputBytes} bytes, not ${inputBytes}); dcomp is for photographs: ` +
        'keep this one, or ask for less (--quality, --size)',
    );
  else if (!plain && !lossless && 'quality' in target && target.quality <= MOST_QUALITY && bitsPerPixel > MOST_BITS)
    notices.push(
      `this takes ${bitsPerPixel.toFixed(1)} bits per pixel, which no photograph does; dcomp is for photographs: ` +
        'for noise and drawings other formats do as well or better',
    );
  return notices;
}
