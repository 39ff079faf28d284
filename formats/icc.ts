/**
 * ICC profiles (ICC.1:2022) for what files say of colour in other ways: gamma and chromaticities, code points of H.273,
 * and profiles of grey for formats that have no grey.
 */
import type { Chromaticities, Cicp, Metadata } from '../src/picture.js';
import { HLG, PQ, SRGB_CHROMATICITIES, SRGB_TRANSFER } from './colour-meaning.js';

type Triple = [number, number, number];
type Matrix = [Triple, Triple, Triple];

/** The white of profiles, D50, as XYZ: ICC.1 section 7.2.16. */
const D50: Triple = [0.9642, 1, 0.8249];

/** Cone responses of the Bradford transform: ICC.1 annex E. */
const BRADFORD: Matrix = [
  [0.8951, 0.2664, -0.1614],
  [-0.7502, 1.7135, 0.0367],
  [0.0389, -0.0685, 1.0296],
];

/** A curve from samples to light: an exponent, a parametric one (ICC.1 table 68, function 3), or values at equal steps. */
type Curve = { exponent: number } | { parameters: number[] } | { values: number[] };

const SRGB_CURVE: Curve = { parameters: [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045] };
const BT709_CURVE: Curve = { parameters: [1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081] };

const primaries = (
  red: [number, number],
  green: [number, number],
  blue: [number, number],
  white: [number, number] = [31270, 32900],
): Chromaticities => ({ white, red, green, blue });

/** Primaries of H.273 table 2. */
const PRIMARIES: Record<number, Chromaticities> = {
  1: SRGB_CHROMATICITIES,
  4: primaries([67000, 33000], [21000, 71000], [14000, 8000], [31000, 31600]),
  5: primaries([64000, 33000], [29000, 60000], [15000, 6000]),
  6: primaries([63000, 34000], [31000, 59500], [15500, 7000]),
  7: primaries([63000, 34000], [31000, 59500], [15500, 7000]),
  9: primaries([70800, 29200], [17000, 79700], [13100, 4600]),
  11: primaries([68000, 32000], [26500, 69000], [15000, 6000], [31400, 35100]),
  12: primaries([68000, 32000], [26500, 69000], [15000, 6000]),
};

/** Values of a curve that is stored as such. */
const CURVE_VALUES = 1024;
/** BT.2408: light of a diffuse white, in cd/m², and the HLG signal for it. */
const REFERENCE_WHITE = 203;
const HLG_REFERENCE_WHITE = 0.75;

/** H.273 table 3, and SMPTE ST 2084: light by signal, in cd/m². */
function pqLight(signal: number): number {
  const [m1, m2, c1, c2, c3] = [2610 / 16384, 2523 / 32, 107 / 128, 2413 / 128, 2392 / 128];
  const power = signal ** (1 / m2);
  return 10000 * (Math.max(0, power - c1) / (c2 - c3 * power)) ** (1 / m1);
}

/** BT.2100: scene light by signal, 0 to 1, and the display's exponent over it. */
function hlgLight(signal: number): number {
  const [a, b, c] = [0.17883277, 0.28466892, 0.55991073];
  const scene = signal <= 0.5 ? (signal * signal) / 3 : (Math.exp((signal - c) / a) + b) / 12;
  return scene ** 1.2;
}

/** What is brighter than a diffuse white is cut off: a profile has no place for it. */
function curveOfValues(light: (signal: number) => number, white: number): Curve {
  return { values: Array.from({ length: CURVE_VALUES }, (_, i) => Math.min(1, light(i / (CURVE_VALUES - 1)) / white)) };
}

/** Transfers of H.273 table 3; undefined for those that are rare. */
function curveOf(transfer: number): Curve | undefined {
  switch (transfer) {
    case 1:
    case 6:
    case 14:
    case 15:
      return BT709_CURVE;
    case 4:
      return { exponent: 2.2 };
    case 5:
      return { exponent: 2.8 };
    case 8:
      return { exponent: 1 };
    case SRGB_TRANSFER:
      return SRGB_CURVE;
    case PQ:
      return curveOfValues(pqLight, REFERENCE_WHITE);
    case HLG:
      return curveOfValues(hlgLight, hlgLight(HLG_REFERENCE_WHITE));
    default:
      return undefined;
  }
}

/** Is it brighter than a profile can say? */
export function isHdr({ transfer }: Cicp): boolean {
  return transfer === PQ || transfer === HLG;
}

/**
 * A profile for what the metadata say of colour beside a profile of their own.
 * @returns undefined where they say nothing, or nothing that a profile can say
 */
export function profileOf({ cicp, gamma, chromaticities }: Metadata, grey: boolean): Uint8Array | undefined {
  let curve: Curve | undefined;
  let colours: Chromaticities | undefined;
  if (cicp !== undefined) {
    curve = curveOf(cicp.transfer);
    colours = PRIMARIES[cicp.primaries];
  } else if (gamma !== undefined || chromaticities !== undefined) {
    curve = gamma === undefined ? SRGB_CURVE : { exponent: 100000 / gamma };
    colours = chromaticities ?? SRGB_CHROMATICITIES;
  }
  if (curve === undefined || colours === undefined) return undefined;
  if ('exponent' in curve && curve.exponent >= 32768) return undefined;
  const bytes = curveTag(curve);
  if (grey) return writeProfile('GRAY', [['kTRC', bytes]], undefined);
  const found = matrixOf(colours);
  if (found === undefined) return undefined;
  return writeProfile('RGB ', colourTags(found.matrix, bytes, found.adaptation), cicp);
}

/** The same for colours that are all grey, where the profile is of one curve; undefined where it is another one. */
export function greyProfileAsRgb(icc: Uint8Array): Uint8Array | undefined {
  const curve = tagOf(icc, 'kTRC');
  const found = matrixOf(SRGB_CHROMATICITIES);
  return curve === undefined || found === undefined
    ? undefined
    : writeProfile('RGB ', colourTags(found.matrix, curve, found.adaptation), undefined);
}

/** The content of a tag: ICC.1 section 7.3. */
function tagOf(icc: Uint8Array, signature: string): Uint8Array | undefined {
  const view = new DataView(icc.buffer, icc.byteOffset, icc.length);
  if (icc.length < 132) return undefined;
  const count = Math.min(view.getUint32(128), Math.floor((icc.length - 132) / 12));
  for (let i = 0; i < count; i++) {
    const at = 132 + 12 * i;
    if (String.fromCharCode(...icc.subarray(at, at + 4)) !== signature) continue;
    const [offset, length] = [view.getUint32(at + 4), view.getUint32(at + 8)];
    return offset + length <= icc.length && length >= 12 ? icc.subarray(offset, offset + length) : undefined;
  }
  return undefined;
}

const multiply = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => [0, 1, 2].map((k) => row[0] * b[0][k] + row[1] * b[1][k] + row[2] * b[2][k])) as Matrix;

const apply = (m: Matrix, [x, y, z]: Triple): Triple => m.map((row) => row[0] * x + row[1] * y + row[2] * z) as Triple;

function invert(m: Matrix): Matrix | undefined {
  const [[a, b, c], [d, e, f], [g, h, i]] = m;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  if (!(Math.abs(determinant) > 1e-9)) return undefined;
  const cofactors: Matrix = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  return cofactors.map((row) => row.map((value) => value / determinant)) as Matrix;
}

const diagonal = ([a, b, c]: Triple): Matrix => [
  [a, 0, 0],
  [0, b, 0],
  [0, 0, c],
];

/** Columns are the XYZ of red, green and blue, their white adapted to D50; undefined where they span no colours. */
function matrixOf({ white, red, green, blue }: Chromaticities): { matrix: Matrix; adaptation: Matrix } | undefined {
  const xyz = ([x, y]: [number, number]): Triple => [x / y, 1, (100000 - x - y) / y];
  if ([white, red, green, blue].some(([, y]) => y === 0)) return undefined;
  const [r, g, b] = [red, green, blue].map(xyz) as [Triple, Triple, Triple];
  const columns: Matrix = [
    [r[0], g[0], b[0]],
    [r[1], g[1], b[1]],
    [r[2], g[2], b[2]],
  ];
  const inverse = invert(columns);
  const back = invert(BRADFORD);
  if (inverse === undefined || back === undefined) return undefined;
  const whiteXyz = xyz(white);
  const from = apply(BRADFORD, whiteXyz);
  const to = apply(BRADFORD, D50);
  const adaptation = multiply(back, multiply(diagonal(to.map((value, i) => value / from[i]) as Triple), BRADFORD));
  const matrix = multiply(adaptation, multiply(columns, diagonal(apply(inverse, whiteXyz))));
  // Numbers of a profile are below 32768 in size.
  return [...matrix, ...adaptation].flat().every((value) => Math.abs(value) < 32768)
    ? { matrix, adaptation }
    : undefined;
}

/** s15Fixed16Number. */
function fixed(values: number[]): Buffer {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeInt32BE(Math.round(value * 65536), 4 * i));
  return out;
}

const typed = (type: string, ...rest: Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from(type, 'latin1'), Buffer.alloc(4), ...rest]);

function curveTag(curve: Curve): Buffer {
  if ('exponent' in curve) return typed('para', Buffer.alloc(4), fixed([curve.exponent]));
  if ('parameters' in curve) return typed('para', Buffer.from([0, 3, 0, 0]), fixed(curve.parameters));
  const out = Buffer.alloc(4 + 2 * curve.values.length);
  out.writeUInt32BE(curve.values.length, 0);
  curve.values.forEach((value, i) => out.writeUInt16BE(Math.round(65535 * value), 4 + 2 * i));
  return typed('curv', out);
}

type Tags = [string, Uint8Array][];

function colourTags(m: Matrix, curve: Uint8Array, adaptation: Matrix): Tags {
  const column = (i: number): Buffer => typed('XYZ ', fixed([m[0][i], m[1][i], m[2][i]]));
  return [
    ['chad', typed('sf32', fixed(adaptation.flat()))],
    ...['rXYZ', 'gXYZ', 'bXYZ'].map((name, i): Tags[number] => [name, column(i)]),
    ...['rTRC', 'gTRC', 'bTRC'].map((name): Tags[number] => [name, curve]),
  ];
}

/** multiLocalizedUnicodeType of one text. */
function words(text: string): Buffer {
  const utf16 = Buffer.from(text, 'utf16le').swap16();
  const head = Buffer.alloc(20);
  head.writeUInt32BE(1, 0);
  head.writeUInt32BE(12, 4);
  head.write('enUS', 8, 'latin1');
  head.writeUInt32BE(utf16.length, 12);
  head.writeUInt32BE(28, 16);
  return typed('mluc', head, utf16);
}

/** ICC.1 sections 7.2 and 7.3: header, table of tags, tags, each of whole words; equal ones once. */
function writeProfile(space: 'RGB ' | 'GRAY', tags: Tags, cicp: Cicp | undefined): Uint8Array {
  const all: Tags = [
    ['desc', words('dcomp')],
    ['cprt', words('CC0')],
    ['wtpt', typed('XYZ ', fixed(D50))],
    ...tags,
    ...(cicp === undefined
      ? []
      : [['cicp', typed('cicp', Uint8Array.of(cicp.primaries, cicp.transfer, 0, 1))] as Tags[number]]),
  ];
  const table = Buffer.alloc(4 + 12 * all.length);
  table.writeUInt32BE(all.length, 0);
  const bodies: Buffer[] = [];
  const places = new Map<Uint8Array, number>();
  let at = 128 + table.length;
  all.forEach(([name, body], i) => {
    let place = places.get(body);
    if (place === undefined) {
      place = at;
      places.set(body, place);
      bodies.push(Buffer.concat([body, Buffer.alloc(-body.length & 3)]));
      at += bodies[bodies.length - 1].length;
    }
    table.write(name, 4 + 12 * i, 'latin1');
    table.writeUInt32BE(place, 8 + 12 * i);
    table.writeUInt32BE(body.length, 12 + 12 * i);
  });
  const header = Buffer.alloc(128);
  header.writeUInt32BE(at, 0);
  header.writeUInt32BE(0x04400000, 8); // version 4.4, which has cicp
  header.write(`mntr${space}XYZ `, 12, 'latin1');
  for (const [i, n] of [2026, 1, 1].entries()) header.writeUInt16BE(n, 24 + 2 * i); // no clock: the same profile always
  header.write('acsp', 36, 'latin1');
  fixed(D50).copy(header, 68);
  return new Uint8Array(Buffer.concat([header, table, ...bodies]));
}
