/** The container of WebP (RFC 9649): metadata put beside the picture that sharp has coded. */

const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const ICC_FLAG = 0x20;
const ALPHA_FLAG = 0x10;

interface RiffChunk {
  name: string;
  body: Uint8Array;
}

function chunksOf(bytes: Uint8Array): RiffChunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks: RiffChunk[] = [];
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true);
    chunks.push({
      name: String.fromCharCode(...bytes.subarray(at, at + 4)),
      body: bytes.subarray(at + 8, at + 8 + length),
    });
    at += 8 + length + (length & 1);
  }
  return chunks;
}

function chunkBytes({ name, body }: RiffChunk): Uint8Array {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
}

/**
 * @param bytes a WebP without metadata
 * @param alpha has the picture an alpha channel?
 */
export function withWebpMetadata(
  bytes: Uint8Array,
  { width, height, alpha }: { width: number; height: number; alpha: boolean },
  { icc, exif, xmp }: { icc?: Uint8Array; exif?: Uint8Array; xmp?: Uint8Array },
): Uint8Array {
  const picture = chunksOf(bytes).filter(({ name }) => ['ALPH', 'VP8 ', 'VP8L'].includes(name));
  const given = (name: string, body: Uint8Array | undefined): RiffChunk[] =>
    body === undefined ? [] : [{ name, body }];
  const extended = Buffer.alloc(10);
  extended[0] =
    (icc === undefined ? 0 : ICC_FLAG) |
    (exif === undefined ? 0 : EXIF_FLAG) |
    (xmp === undefined ? 0 : XMP_FLAG) |
    (alpha ? ALPHA_FLAG : 0);
  extended.writeUIntLE(width - 1, 4, 3);
  extended.writeUIntLE(height - 1, 7, 3);
  const chunks = [
    // What is no lossy picture with alpha, and has nothing beside it, needs no such head.
    ...(extended[0] === 0 || (extended[0] === ALPHA_FLAG && picture.length === 1)
      ? []
      : [{ name: 'VP8X', body: extended }]),
    ...given('ICCP', icc),
    ...picture,
    ...given('EXIF', exif),
    ...given('XMP ', xmp),
  ].map(chunkBytes);
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 4);
  const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, ...chunks]);
}
