/** All codecs that can be compared with dcomp. */
import type { CodecEntry } from './codec.js';
import { JPEG_XL, JPEG_XL_SLOW } from './jpeg-xl.js';
import { PROGRAM_CODECS } from './programs.js';
import { SHARP_CODECS } from './sharp.js';

export const RIVALS: readonly CodecEntry[] = [...SHARP_CODECS, JPEG_XL, JPEG_XL_SLOW, ...PROGRAM_CODECS];

/** dcomp itself, and what it would need with an ideal channel: the model's KL. */
export const OWN_CODECS = [
  { name: 'dcomp', label: 'dcomp' },
  { name: 'ideal', label: 'dcomp, ideal channel' },
] as const;

export const DEFAULT_CODECS = ['dcomp', 'ideal', 'jpeg', 'webp', 'avif', 'avif-psnr', 'avif-ssim', 'jxl'];

export function codecNames(): string[] {
  return [...OWN_CODECS, ...RIVALS].map(({ name }) => name);
}

export function labelOf(name: string): string {
  return [...OWN_CODECS, ...RIVALS].find((entry) => entry.name === name)?.label ?? name;
}
