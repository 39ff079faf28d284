/** A picture as PNG (ISO/IEC 15948), with what its colours mean, by what browsers have: for the browser's own decoder. */
import { crc32 } from '../src/container/crc32.js';
import { depthOf, type Picture } from '../src/picture.js';

/** PNG colour types of 1 to 4 channels: grey, grey + alpha, RGB, RGB + alpha. */
const COLOUR_TYPE: Record<Picture['channels'], number> = { 1: 0, 2: 4, 3: 2, 4: 6 };
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** PNG section 9.2: each sample less that to its left, which is cheap and takes most of what there is to be had. */
const SUB = 1;

/**
 * Samples, depth and alpha as they are; of the metadata, what the colours mean. The picture is not turned.
 * @returns a Blob of the type image/png
 */
export async function pngOf(picture: Picture): Promise<Blob> {
  const { width, height, channels, metadata = {} } = picture;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  const depth = Math.max(8, depthOf(picture));
  header.set([depth, COLOUR_TYPE[channels], 0, 0, 0], 8);
  const { cicp, icc, gamma, chromaticities } = metadata;
  const chunks: Uint8Array<ArrayBuffer>[] = [SIGNATURE, chunk('IHDR', header)];
  if (cicp !== undefined) chunks.push(chunk('cICP', Uint8Array.of(cicp.primaries, cicp.transfer, 0, 1)));
  if (icc !== undefined) {
    const profile = await deflated(icc);
    const body = new Uint8Array(3 + profile.length);
    body.set([0x69, 0, 0]); // a name of one letter, and method 0
    body.set(profile, 3);
    chunks.push(chunk('iCCP', body));
  }
  if (gamma !== undefined) chunks.push(chunk('gAMA', words([gamma])));
  if (chromaticities !== undefined) {
    const { white, red, green, blue } = chromaticities;
    chunks.push(chunk('cHRM', words([...white, ...red, ...green, ...blue])));
  }
  chunks.push(chunk('IDAT', await deflated(filtered(picture))), chunk('IEND', new Uint8Array(0)));
  return new Blob(chunks, { type: 'image/png' });
}

/** Each row with its filter before it; samples of less than 8 bits are stretched to 8. */
function filtered(picture: Picture): Uint8Array {
  const { width, height, channels, data } = picture;
  const depth = depthOf(picture);
  const bytes = depth === 16 ? 2 : 1;
  const stretch = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  const step = channels * bytes;
  const rowBytes = width * step;
  const out = new Uint8Array((rowBytes + 1) * height);
  const row = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    const from = y * width * channels;
    for (let i = 0; i < width * channels; i++) {
      const sample = data[from + i]! * stretch;
      if (bytes === 1) row[i] = sample;
      else {
        row[2 * i] = sample >> 8;
        row[2 * i + 1] = sample;
      }
    }
    const to = y * (rowBytes + 1);
    out[to] = SUB;
    for (let i = 0; i < rowBytes; i++) out[to + 1 + i] = i < step ? row[i]! : row[i]! - row[i - step]!;
  }
  return out;
}

function words(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value));
  return bytes;
}

function chunk(name: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = name.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

/** With the head and checksum of zlib (RFC 1950), which is what the web calls deflate. */
async function deflated(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const packed = stream.pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}
