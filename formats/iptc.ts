/** IPTC (IIM): as records alone, and as Photoshop wraps them in JPEG and PNG. */

const PHOTOSHOP = 'Photoshop 3.0\0';
const SIGNATURE = '8BIM';
/** The resource that holds IPTC. */
const RESOURCE = 0x0404;
/** Each record begins with it. */
const RECORD = 0x1c;

const ascii = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length));

/** The records, out of their wrapping if they have one; undefined where there are none. */
export function iptcOf(bytes: Uint8Array): Uint8Array | undefined {
  const body = ascii(bytes, 0, PHOTOSHOP.length) === PHOTOSHOP ? bytes.subarray(PHOTOSHOP.length) : bytes;
  if (body[0] === RECORD) return withoutPadding(body);
  for (let at = 0; at + 12 <= body.length && ascii(body, at, 4) === SIGNATURE;) {
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const id = view.getUint16(at + 4);
    const name = 2 * Math.ceil((1 + body[at + 6]) / 2); // its length before it, and padded
    const start = at + 6 + name + 4;
    if (start > body.length) return undefined;
    const length = view.getUint32(start - 4);
    if (id === RESOURCE) {
      const records = body.subarray(start, start + length);
      return records.length === length && records[0] === RECORD ? new Uint8Array(records) : undefined;
    }
    at = start + 2 * Math.ceil(length / 2);
  }
  return undefined;
}

/** TIFF pads them to whole numbers of 4 bytes. */
function withoutPadding(records: Uint8Array): Uint8Array {
  let end = 0;
  while (records[end] === RECORD && end + 5 <= records.length) {
    const length = (records[end + 3] << 8) | records[end + 4];
    if (length >= 0x8000 || end + 5 + length > records.length) break; // extended records are left as they are
    end += 5 + length;
  }
  const padding = records.subarray(end);
  return new Uint8Array(padding.length < 4 && padding.every((byte) => byte === 0) ? records.subarray(0, end) : records);
}

/** As a resource of Photoshop. @param named with the name that JPEG puts before */
export function photoshopOf(iptc: Uint8Array, named: boolean): Uint8Array {
  const start = Buffer.alloc(12);
  start.write(SIGNATURE, 'latin1');
  start.writeUInt16BE(RESOURCE, 4);
  start.writeUInt32BE(iptc.length, 8);
  return Buffer.concat([Buffer.from(named ? PHOTOSHOP : '', 'latin1'), start, iptc, Buffer.alloc(iptc.length % 2)]);
}
