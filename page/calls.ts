/** What the page and its workers say to each other. */
import type { Rectangle } from 'dcomp';

/** How near a picture is to the original; undefined where that was not measured. */
export interface Scores {
  /** Of RGB, in dB. */
  psnr: number;
  /** SSIMULACRA 2; undefined for pictures that are too large to wait for it. */
  ssimulacra2: number | undefined;
}

/** A picture to be shown; whoever gets it closes the bitmap. */
export interface Shown {
  bitmap: ImageBitmap;
  width: number;
  height: number;
}

export interface Opened extends Shown {
  /** As it was before it was reduced. */
  from: { width: number; height: number };
}

export interface Coded extends Shown {
  scores: Scores;
  bytes: Uint8Array<ArrayBuffer>;
  /** plain: without loss, and without the network. */
  form: string;
  seconds: number;
}

export interface Decoded extends Shown {
  scores: Scores;
  /** Bytes that were decoded. */
  length: number;
  /** What the decoder has to say about damage. */
  damage: string[];
}

/** What has been made of a picture on the way, or at the end. */
export interface Made extends Shown {
  fraction: number;
  scores?: Scores;
}

export interface Drawing {
  side: number;
  steps: number;
  seed: number;
  temperature: number;
  sampler: 'ancestral' | 'heun' | 'sde' | 'langevin';
}

/** Calls that the coder answers. The last picture that was opened is what they are about. */
export interface CoderCalls {
  open(file: Blob, pixels: number): Promise<Opened>;
  encode(target: { size: number } | { quality: number }, region?: Rectangle & { weight: number }): Promise<Coded>;
  /** A beginning of the file that was coded last. */
  beginning(length: number): Promise<Decoded>;
  /** The file that was coded last, with so many bytes of it wrong. */
  damaged(flips: number, seed: number): Promise<Decoded>;
  addNoise(sigma: number, seed: number): Promise<Shown>;
  denoise(): Promise<Made>;
  upscale(factor: 2 | 4): Promise<Made>;
  inpaint(mask: Uint8Array, seed: number): Promise<Made>;
  sample(drawing: Drawing): Promise<Made>;
  threads(): Promise<number>;
}

export type RivalName = 'AVIF' | 'JPEG XL' | 'WebP';

export interface Compared extends Shown {
  scores: Scores;
  length: number;
  /** Of the codec's own scale, 0 to 100. */
  quality: number;
  /** Whether it is within the bytes; else it is as small as the codec makes it. */
  reached: boolean;
}

/** Calls that the worker of other codecs answers. */
export interface RivalCalls {
  /** The same picture as the coder's. */
  open(file: Blob, pixels: number): Promise<void>;
  /** The best picture of at most so many bytes. */
  compare(name: RivalName, bytes: number): Promise<Compared>;
}

/** Told on the way: a share of the work that is done, and a picture where there is one. */
export type Way = (fraction: number, made?: Made) => void;

export interface Question {
  id: number;
  method: string;
  args: unknown[];
}

export type ToWorker = Question | { cancel: number };

export type FromWorker =
  | { id: number; way: { fraction: number; made?: Made } }
  | { id: number; result: unknown }
  | { id: number; error: { code: string; message: string } };
