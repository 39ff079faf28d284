/** The worker of other codecs: each made to take the same bytes. Their WebAssembly is fetched when it is first asked for. */
import type { Picture } from 'dcomp';
import type { Compared, RivalCalls, RivalName } from './calls.js';
import { bitmapOf, rgbFrom, rgbOf } from './pictures.js';
import { answer, type Context } from './remote.js';
import { scorer } from './scores.js';

interface Rival {
  /** @param quality of its own scale, 0 to 100 */
  encode(image: ImageData, quality: number): Uint8Array;
  decode(bytes: Uint8Array): Promise<Picture>;
}

/** Modules of jSquash: libaom, libjxl and libwebp. One thread each, so that they need no isolation. */
interface Encoder<O> {
  encode(data: BufferSource, width: number, height: number, options: O): Uint8Array | null;
}

interface Decoder {
  decode(data: BufferSource): ImageData | null;
}

/** What their modules export, whose own types name some that are nowhere. */
interface Factory<M> {
  default(options: { noInitialRun: boolean }): Promise<M>;
}

/** Begins a module. Its options are made anew each time: it writes all that it has into them. */
async function begun<M>(module: Promise<unknown>): Promise<M> {
  return ((await module) as Factory<M>).default({ noInitialRun: true });
}

const RIVALS: Record<RivalName, () => Promise<Rival>> = {
  async AVIF() {
    const encoder = await begun<Encoder<object>>(import('@jsquash/avif/codec/enc/avif_enc.js'));
    const { defaultOptions } = await import('@jsquash/avif/meta.js');
    return { encode: encodeBy(encoder, defaultOptions), decode: decodeNatively('image/avif') };
  },
  async 'JPEG XL'() {
    const encoder = await begun<Encoder<object>>(import('@jsquash/jxl/codec/enc/jxl_enc.js'));
    const decoder = await begun<Decoder>(import('@jsquash/jxl/codec/dec/jxl_dec.js'));
    const { defaultOptions } = await import('@jsquash/jxl/meta.js');
    return {
      encode: encodeBy(encoder, defaultOptions),
      decode: async (bytes) => rgbFrom(decoder.decode(bytes as Uint8Array<ArrayBuffer>)!),
    };
  },
  async WebP() {
    const encoder = await begun<Encoder<object>>(import('@jsquash/webp/codec/enc/webp_enc_simd.js'));
    const { defaultOptions } = await import('@jsquash/webp/meta.js');
    return { encode: encodeBy(encoder, { ...defaultOptions, method: 6 }), decode: decodeNatively('image/webp') };
  },
};

function encodeBy(encoder: Encoder<object>, options: object): Rival['encode'] {
  return ({ data, width, height }, quality) => {
    const bytes = encoder.encode(new Uint8Array(data.buffer), width, height, { ...options, quality });
    if (bytes === null) throw new Error('the encoder has failed');
    // Its memory is used again by the next call.
    return bytes.slice();
  };
}

function decodeNatively(type: string): Rival['decode'] {
  return async (bytes) => {
    const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return rgbFrom(context.getImageData(0, 0, context.canvas.width, context.canvas.height));
  };
}

const loaded = new Map<RivalName, Promise<Rival>>();
let image: ImageData | undefined;
let scores: ReturnType<typeof scorer> | undefined;
/** What a quality of the picture takes was found out before. */
let known = new Map<string, Uint8Array>();

/** The rival's best file of at most so many bytes, by halving its scale; its smallest if there is none. */
async function best(
  name: RivalName,
  rival: Rival,
  limit: number,
  { signal, way }: Context,
): Promise<[number, Uint8Array]> {
  const at = (quality: number): Uint8Array => {
    const key = `${name} ${quality}`;
    const bytes = known.get(key) ?? rival.encode(image!, quality);
    known.set(key, bytes);
    return bytes;
  };
  let [low, high] = [0, 101];
  for (let step = 1; high - low > 1; step++) {
    // The next call may have been asked for meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal.throwIfAborted();
    const middle = (low + high) >> 1;
    if (at(middle).length <= limit) low = middle;
    else high = middle;
    way(step / 8);
  }
  return [low, at(low)];
}

answer<RivalCalls>({
  async open(_, file, pixels) {
    const { picture } = await rgbOf(file, pixels);
    const { width, height, data } = picture;
    image = new ImageData(width, height);
    for (let i = 0, o = 0; i < data.length; i += 3, o += 4)
      image.data.set([data[i]!, data[i + 1]!, data[i + 2]!, 255], o);
    scores = scorer(picture);
    known = new Map();
  },
  async compare(context, name, limit): Promise<Compared> {
    let loading = loaded.get(name);
    if (loading === undefined) loaded.set(name, (loading = RIVALS[name]()));
    loading.catch(() => loaded.delete(name));
    const rival = await loading;
    const [quality, bytes] = await best(name, rival, limit, context);
    const picture = await rival.decode(bytes);
    const { width, height } = picture;
    const { length } = bytes;
    const bitmap = await bitmapOf(picture);
    return { bitmap, width, height, scores: scores!(picture), length, quality, reached: length <= limit };
  },
});
