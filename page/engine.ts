/** The codec and what else needs the network, in a piece that is fetched when it is first needed. */
import { estimateSigma, type RestoreState, type States } from 'dcomp/diffusion';
import type { DecodeResult, Picture, Rectangle } from 'dcomp';
import { createCodec } from '../dist/src/api.js';
import { createRestorer } from '../dist/src/restore/restorer.js';
import { createWebEvaluator, helpIfAsked, threadsHere } from '../dist/src/model/wasm/threads-web.js';
import { loadClasses, loadDiscrete, loadModel, sha256 } from '../dist/src/models/fetched.js';
import type { Drawing, Made } from './calls.js';
import { bitmapOf } from './pictures.js';
import type { Context } from './remote.js';

export { scorer } from './scores.js';
export { helpIfAsked, threadsHere };

const MODEL = 'small';
/** Of 9: what coding while somebody waits is worth. */
const EFFORT = 6;
/** Share of the work of coding and decoding that is coding. */
const CODING = 0.8;

const platform = { loadClasses, loadDiscrete, loadModel, sha256, createEvaluator: createWebEvaluator };
const codec = createCodec(platform);
const restorer = createRestorer(platform);

/** RGB, which a drawing in grey is coded as, too. */
function asRgb({ width, height, channels, data }: Picture): Picture {
  if (channels === 3) return { width, height, channels, data };
  const rgb = new Uint8Array(3 * width * height);
  const grey = channels < 3;
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = data[channels * i + (grey ? 0 : c)]!;
  return { width, height, channels: 3, data: rgb };
}

/** @returns the file, the picture that it holds, and the seconds of coding */
export async function coded(
  { signal, way }: Context,
  picture: Picture,
  target: { size: number } | { quality: number },
  region: (Rectangle & { weight: number }) | undefined,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; form: string; back: Picture; seconds: number }> {
  const started = performance.now();
  const { bytes, form } = await codec.encode(picture, {
    ...{ target, signal, model: MODEL, effort: EFFORT },
    ...(region === undefined ? {} : { importance: { regions: [region] } }),
    onProgress: ({ fraction }) => way(CODING * fraction),
  });
  const seconds = (performance.now() - started) / 1000;
  const onProgress = ({ fraction }: { fraction: number }): void => way(CODING + (1 - CODING) * fraction);
  const back = asRgb(await codec.decode(bytes, { signal, onProgress }));
  return { bytes: new Uint8Array(bytes), form, back, seconds };
}

/** Decodes what there is, whatever is wrong with it. @param damage told what that is */
export async function decoded(
  { signal }: Context,
  bytes: Uint8Array,
  damage: (message: string) => void,
): Promise<Picture> {
  const picture: DecodeResult = await codec.decode(bytes, { signal, allowDamaged: true, onDamage: damage });
  return asRgb(picture);
}

/** Follows a picture that is being made; each state is shown. */
async function followed({ signal, way }: Context, states: States): Promise<Picture> {
  let last: RestoreState | undefined;
  for await (const state of states) {
    signal.throwIfAborted();
    last = state;
    if (state.fraction === 1) continue;
    const picture = await state.picture();
    const { width, height } = picture;
    const made: Made = { bitmap: await bitmapOf(picture), width, height, fraction: state.fraction };
    way(state.fraction, made);
  }
  return asRgb(await last!.picture());
}

export async function denoised(context: Context, picture: Picture): Promise<Picture> {
  // Below, there is no noise to be told from the picture.
  const sigma = Math.max(1, await estimateSigma(picture, { signal: context.signal }));
  return followed(context, restorer.denoisePicture(picture, { model: MODEL, sigma, signal: context.signal }));
}

export function upscaled(context: Context, picture: Picture, factor: 2 | 4): Promise<Picture> {
  return followed(context, restorer.upscalePicture(picture, { model: MODEL, factor, signal: context.signal }));
}

export function inpainted(context: Context, picture: Picture, mask: Uint8Array, seed: number): Promise<Picture> {
  return followed(context, restorer.inpaintPicture(picture, mask, { model: MODEL, seed, signal: context.signal }));
}

export function drawn(context: Context, { side, ...drawing }: Drawing): Promise<Picture> {
  const options = { ...drawing, model: MODEL, width: side, height: side, signal: context.signal } as const;
  return followed(context, restorer.samplePicture(options));
}
