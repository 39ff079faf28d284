/** The worker that does all that dcomp does in the page: the picture stays here, and what is shown goes over as bitmaps. */
import type { Picture } from 'dcomp';
import type { CoderCalls, Decoded, Made, Scores, Shown } from './calls.js';
import { bitmapOf, rgbOf, withFlips, withNoise } from './pictures.js';
import { answer, type Context } from './remote.js';

type Engine = typeof import('./engine.js');

/** So that the first picture is there before the codec is. */
let loading: Promise<Engine> | undefined;
const engine = (): Promise<Engine> => (loading ??= import('./engine.js'));

/** What was opened, and the same with noise if some was put in. */
let original: Picture | undefined;
let noisy: Picture | undefined;
let scores: ((picture: Picture) => Scores) | undefined;
/** What was coded last. */
let file: Uint8Array<ArrayBuffer> | undefined;

/** @throws Error if nothing was opened */
function opened(): Picture {
  if (original === undefined) throw new Error('Open a picture first.');
  return original;
}

function coded(): Uint8Array<ArrayBuffer> {
  if (file === undefined) throw new Error('Code a picture first.');
  return file;
}

async function scored(picture: Picture): Promise<Scores> {
  scores ??= (await engine()).scorer(opened());
  return scores(picture);
}

async function shown(picture: Picture): Promise<Shown> {
  return { bitmap: await bitmapOf(picture), width: picture.width, height: picture.height };
}

async function decoded(context: Context, bytes: Uint8Array, length: number): Promise<Decoded> {
  const damage: string[] = [];
  const picture = await (await engine()).decoded(context, bytes, (message) => void damage.push(message));
  return { ...(await shown(picture)), scores: await scored(picture), length, damage };
}

async function finished(picture: Picture, isScored = false): Promise<Made> {
  return { ...(await shown(picture)), fraction: 1, ...(isScored ? { scores: await scored(picture) } : {}) };
}

answer<CoderCalls>(
  {
    async open(_, blob, pixels) {
      const { picture, from } = await rgbOf(blob, pixels);
      original = picture;
      noisy = file = scores = undefined;
      return { ...(await shown(picture)), from };
    },
    async encode(context, target, region) {
      const { bytes, form, back, seconds } = await (await engine()).coded(context, opened(), target, region);
      file = bytes;
      return { ...(await shown(back)), scores: await scored(back), bytes: bytes.slice(), form, seconds };
    },
    beginning: (context, length) => decoded(context, coded().subarray(0, length), length),
    damaged: (context, flips, seed) => decoded(context, withFlips(coded(), flips, seed), coded().length),
    async addNoise(_, sigma, seed) {
      noisy = sigma > 0 ? withNoise(opened(), sigma, seed) : undefined;
      return shown(noisy ?? opened());
    },
    async denoise(context) {
      return finished(await (await engine()).denoised(context, noisy ?? opened()), noisy !== undefined);
    },
    async upscale(context, factor) {
      return finished(await (await engine()).upscaled(context, opened(), factor));
    },
    async inpaint(context, mask, seed) {
      return finished(await (await engine()).inpainted(context, opened(), mask, seed));
    },
    async sample(context, drawing) {
      return finished(await (await engine()).drawn(context, drawing));
    },
    threads: async () => (await engine()).threadsHere(),
  },
  (message) => {
    if ((message as { kind?: string }).kind !== 'help') return false;
    void engine().then(({ helpIfAsked }) => helpIfAsked(message));
    return true;
  },
);
