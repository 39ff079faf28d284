/** What is fuzzed: every reader of bytes that come from outside. */
import type { Target } from './target.js';
import { corrections, gains, plane } from './targets/coders.js';
import { alpha, container, metadata } from './targets/container.js';
import { crops, decoder, progressive, regions } from './targets/decoder.js';
import { message } from './targets/message.js';
import { discrete, model } from './targets/model.js';
import { packets } from './targets/packets.js';
import { pictureFiles } from './targets/picture-files.js';
import { png, pngRows } from './targets/png.js';

export const TARGETS: readonly Target[] = [
  container,
  metadata,
  alpha,
  decoder,
  regions,
  crops,
  progressive,
  plane,
  gains,
  corrections,
  message,
  model,
  discrete,
  packets,
  png,
  pngRows,
  pictureFiles,
];
