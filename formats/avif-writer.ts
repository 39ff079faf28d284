/**
 * The container of an AVIF (ISO/IEC 14496-12, 23008-12, AVIF 1.1) written anew around the pictures that sharp has coded:
 * libvips writes no code points of a colour space, and EXIF not as it is.
 */
import { codedItems, type CodedItem } from './heif.js';

export interface AvifMetadata {
  /** A profile, or else code points. */
  icc: Uint8Array | undefined;
  primaries: number;
  transfer: number;
  orientation: number;
  exif: Uint8Array | undefined;
  xmp: Uint8Array | undefined;
}

/** Matrix of BT.601 and full range: what libheif codes in where nobody says otherwise. */
const MATRIX = 6;
const FULL_RANGE = 0x80;
const ESSENTIAL = 0x80;

/** Quarter turns to the left, and then a mirroring (0: upside down, 1: left to right), by EXIF's orientation. */
const TURNS: Record<number, { quarters: number; mirror: number | undefined }> = {
  1: { quarters: 0, mirror: undefined },
  2: { quarters: 0, mirror: 1 },
  3: { quarters: 2, mirror: undefined },
  4: { quarters: 0, mirror: 0 },
  5: { quarters: 1, mirror: 0 },
  6: { quarters: 3, mirror: undefined },
  7: { quarters: 3, mirror: 0 },
  8: { quarters: 1, mirror: undefined },
};

const uint16 = (...values: number[]): Buffer => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
const uint32 = (value: number): Buffer => Buffer.concat([uint16(value >>> 16), uint16(value & 0xffff)]);

function box(type: string, ...parts: Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 8);
  return Buffer.concat([uint32(length), Buffer.from(type, 'latin1'), ...parts]);
}

const fullBox = (type: string, version: number, flags: number, ...parts: Uint8Array[]): Buffer =>
  box(type, Buffer.of(version, 0, 0, flags), ...parts);

interface Item {
  id: number;
  type: string;
  data: Uint8Array;
  /** Behind the name, in `infe`. */
  content: string;
  reference: string | undefined;
  properties: { bytes: Uint8Array; essential: boolean }[];
}

/** @returns undefined where `bytes` are not what sharp usually writes */
export function withAvifMetadata(bytes: Uint8Array, metadata: AvifMetadata): Uint8Array | undefined {
  const found = codedItems(bytes);
  if (found === undefined) return undefined;
  const { exif, xmp } = metadata;
  const turns = turnsOf(metadata.orientation);
  const picture = (id: number, { data, properties }: CodedItem, more: Uint8Array[], reference?: string): Item => ({
    id,
    type: 'av01',
    data,
    content: '',
    reference,
    properties: [
      ...['ispe', 'pixi'].flatMap((name) => plain(properties.get(name))),
      ...plain(properties.get('av1C')).map((each) => ({ ...each, essential: true })),
      ...more.flatMap(plain),
      ...turns.map((each) => ({ bytes: each, essential: true })),
    ],
  });
  const auxiliary = found.alpha?.properties.get('auxC');
  const beside = (id: number, type: string, data: Uint8Array, content: string): Item => ({
    ...{ id, type, data, content, reference: 'cdsc' },
    properties: [],
  });
  const items = [
    picture(1, found.colour, [colourBox(metadata)]),
    ...(found.alpha === undefined ? [] : [picture(2, found.alpha, auxiliary === undefined ? [] : [auxiliary], 'auxl')]),
    ...(exif === undefined ? [] : [beside(3, 'Exif', Buffer.concat([uint32(0), exif]), '')]),
    ...(xmp === undefined ? [] : [beside(4, 'mime', xmp, 'application/rdf+xml\0')]),
  ];
  const start = box('ftyp', Buffer.from('avif\0\0\0\0avifmif1miaf', 'latin1'));
  // Where the data begins depends on the length of what says so, which does not depend on the numbers.
  const length = metaBox(items, 0).length;
  const meta = metaBox(items, start.length + length + 8);
  return Buffer.concat([start, meta, box('mdat', ...items.map(({ data }) => data))]);
}

const plain = (bytes: Uint8Array | undefined): Item['properties'] =>
  bytes === undefined ? [] : [{ bytes, essential: false }];

function turnsOf(orientation: number): Uint8Array[] {
  const { quarters, mirror } = TURNS[orientation] ?? TURNS[1];
  return [
    ...(quarters === 0 ? [] : [box('irot', Buffer.of(quarters))]),
    ...(mirror === undefined ? [] : [box('imir', Buffer.of(mirror))]),
  ];
}

function colourBox({ icc, primaries, transfer }: AvifMetadata): Uint8Array {
  return icc === undefined
    ? box('colr', Buffer.from('nclx'), uint16(primaries, transfer, MATRIX), Buffer.of(FULL_RANGE))
    : box('colr', Buffer.from('prof'), icc);
}

function metaBox(items: readonly Item[], dataAt: number): Buffer {
  let at = dataAt;
  const places = items.map(({ id, data }) => {
    at += data.length;
    return Buffer.concat([uint16(id, 0, 1), uint32(at - data.length), uint32(data.length)]);
  });
  const entries = items.map(({ id, type, content }) =>
    fullBox('infe', 2, 0, uint16(id, 0), Buffer.from(`${type}\0${content}`, 'latin1')),
  );
  const references = items.flatMap(({ id, reference }) =>
    reference === undefined ? [] : [box(reference, uint16(id, 1, 1))],
  );
  return fullBox(
    'meta',
    0,
    0,
    fullBox('hdlr', 0, 0, uint32(0), Buffer.from('pict'), Buffer.alloc(13)),
    fullBox('pitm', 0, 0, uint16(1)),
    fullBox('iloc', 0, 0, Buffer.of(0x44, 0), uint16(items.length), ...places),
    fullBox('iinf', 0, 0, uint16(items.length), ...entries),
    ...(references.length === 0 ? [] : [fullBox('iref', 0, 0, ...references)]),
    propertiesBox(items),
  );
}

/** Properties, equal ones once, and which item has which. */
function propertiesBox(items: readonly Item[]): Buffer {
  const all: Uint8Array[] = [];
  const indexOf = (bytes: Uint8Array): number => {
    const known = all.findIndex((each) => Buffer.compare(each, bytes) === 0);
    return known < 0 ? all.push(bytes) : known + 1;
  };
  const having = items.filter(({ properties }) => properties.length > 0);
  const associations = having.map(({ id, properties }) =>
    Buffer.concat([
      uint16(id),
      Buffer.of(
        properties.length,
        ...properties.map(({ bytes, essential }) => indexOf(bytes) | (essential ? ESSENTIAL : 0)),
      ),
    ]),
  );
  return box('iprp', box('ipco', ...all), fullBox('ipma', 0, 0, uint32(having.length), ...associations));
}
