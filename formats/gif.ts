/** The comments of a GIF (GIF89a, sections 18 to 26), which libvips does not pass on. */
import type { Text } from '../src/picture.js';

const EXTENSION = 0x21;
const COMMENT = 0xfe;
const IMAGE = 0x2c;
/** Most bytes of comments. */
const MOST = 2 ** 18;

/** Bytes of a table of colours, by the field that says so. */
const tableBytes = (field: number): number => ((field & 0x80) === 0 ? 0 : 3 * 2 ** ((field & 7) + 1));

export function gifComments(bytes: Uint8Array): Text[] {
  const comments: Text[] = [];
  let at = 13 + tableBytes(bytes[10]);
  let total = 0;
  const blocks = (): Uint8Array[] => {
    const found: Uint8Array[] = [];
    while (at < bytes.length && bytes[at] !== 0) {
      found.push(bytes.subarray(at + 1, at + 1 + bytes[at]));
      at += 1 + bytes[at];
    }
    at++;
    return found;
  };
  while (at < bytes.length) {
    const kind = bytes[at];
    if (kind === EXTENSION) {
      const comment = bytes[at + 1] === COMMENT;
      at += 2;
      const text = Buffer.concat(blocks());
      total += text.length;
      if (comment && total <= MOST)
        comments.push({ keyword: 'Comment', text: text.toString('latin1').replaceAll('\0', '') });
    } else if (kind === IMAGE) {
      at += 11 + tableBytes(bytes[at + 9]);
      blocks();
    } else break;
  }
  return comments;
}
