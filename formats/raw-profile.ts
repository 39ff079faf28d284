/** "Raw profile type …": a text of PNG that holds EXIF, XMP, IPTC or a profile in hexadecimal, as ImageMagick writes it. */
import type { Metadata, Text } from '../src/picture.js';
import { tiffOf } from './exif.js';
import { iptcOf, photoshopOf } from './iptc.js';

const START = 'Raw profile type ';
const XMP_MARKER = 'http://ns.adobe.com/xap/1.0/\0';
/** Digits of a line. */
const LINE = 72;

/** What such a text holds; undefined where it is another text, or cannot be understood. */
export function rawProfileOf({ keyword, text }: Text): Pick<Metadata, 'icc' | 'exif' | 'xmp' | 'iptc'> | undefined {
  if (!keyword.startsWith(START)) return undefined;
  // Name, number of bytes, digits in lines.
  const head = /^\s*(\S+)\s+(\d{1,8})\s+(?=[0-9a-fA-F])/.exec(text);
  if (head === null) return undefined;
  const digits = text.slice(head[0].length).replace(/\s+/g, '');
  if (digits.length !== 2 * Number(head[2]) || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
  const bytes = new Uint8Array(Buffer.from(digits, 'hex'));
  switch (keyword.slice(START.length).toLowerCase()) {
    case 'exif':
    case 'app1': {
      if (Buffer.from(bytes.subarray(0, XMP_MARKER.length)).toString('latin1') === XMP_MARKER)
        return { xmp: bytes.slice(XMP_MARKER.length) };
      const exif = tiffOf(bytes);
      return exif === undefined ? undefined : { exif: new Uint8Array(exif) };
    }
    case 'xmp':
      return { xmp: bytes };
    case 'icc':
    case 'icm':
      return { icc: bytes };
    case 'iptc':
    case '8bim': {
      const iptc = iptcOf(bytes);
      return iptc === undefined ? undefined : { iptc };
    }
    default:
      return undefined;
  }
}

/** IPTC as such a text: PNG has no chunk for it. */
export function rawProfileOfIptc(iptc: Uint8Array): Text {
  const bytes = photoshopOf(iptc, false);
  const lines =
    Buffer.from(bytes)
      .toString('hex')
      .match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return { keyword: `${START}iptc`, text: `\niptc\n${String(bytes.length).padStart(8)}\n${lines.join('\n')}\n` };
}
