/** The worker's side: answers calls with the codec of its platform. */
import type { Codec, EncodeOptions } from '../api.js';
import type { DecodeResult } from '../codec/decoder.js';
import type { Progress } from '../codec/encoder-options.js';
import { DcompError } from '../errors.js';
import type { Picture } from '../picture.js';
import type { ProgressiveDecodeOptions, ProgressiveDecoder } from '../progressive-decoder.js';
import { parcelOf, type Call, type FromWorker, type Handed, type StreamPart, type ToWorker } from './messages.js';

/** What a worker needs of a codec. */
export type Served = Pick<Codec, 'encode' | 'encodeToSizes' | 'decode' | 'ProgressiveDecoder'>;

/**
 * @param present what is made of each decoded picture before it is handed over; default: nothing
 * @returns what takes the messages that come in
 */
export function serve(
  codec: Served,
  post: (message: FromWorker, transfer: Handed[]) => void,
  present: (picture: DecodeResult) => unknown = (picture) => picture,
): (message: ToWorker) => void {
  const models = new Map<number, Uint8Array>();
  const streams = new Map<number, ProgressiveDecoder>();

  /** The picture of a stream's bytes so far. */
  async function pictureOf(part: StreamPart, options: ProgressiveDecodeOptions): Promise<unknown> {
    if (part.last) return void streams.delete(part.stream);
    let decoder = part.fresh ? undefined : streams.get(part.stream);
    if (decoder === undefined) streams.set(part.stream, (decoder = new codec.ProgressiveDecoder(options)));
    decoder.push(part.bytes);
    const picture = await decoder.picture({ latest: part.latest });
    return picture === undefined ? undefined : present(picture);
  }

  function answer({ method, args, options: given, model }: Call): Promise<unknown> {
    const options = {
      ...given,
      ...(model === undefined ? {} : { model: models.get(model)! }),
      onProgress: (progress: Progress) => post({ kind: 'progress', progress }, []),
    };
    const onDamage = (message: string): void => post({ kind: 'damage', message }, []);
    switch (method) {
      case 'encode':
        return codec.encode(args[0] as Picture, options as EncodeOptions);
      case 'encodeToSizes':
        return codec.encodeToSizes(args[0] as Picture, args[1] as number[], options);
      case 'decode':
        return codec.decode(args[0] as Uint8Array, { ...options, onDamage }).then(present);
      case 'picture':
        return pictureOf(args[0] as StreamPart, { ...options, onDamage });
    }
  }

  async function take(call: Call): Promise<void> {
    try {
      const { value, transfer } = parcelOf(await answer(call), true);
      post({ kind: 'result', value }, transfer);
    } catch (error) {
      if (error instanceof DcompError) post({ kind: 'failure', code: error.code, message: error.message }, []);
      else {
        const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
        post({ kind: 'fault', message, stack }, []);
      }
    }
  }

  return (message) => {
    if (message.kind === 'model') models.set(message.number, message.bytes);
    else void take(message);
  };
}
