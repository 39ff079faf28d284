/** What samples mean outside ICC profiles: kept in the .dcz, and given back to every format in its own way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import type Sharp from 'sharp';
import { heifFacts } from '../formats/heif.js';
import { greyProfileAsRgb, profileOf } from '../formats/icc.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { writePicture } from '../formats/write.js';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { psnr } from '../src/index.js';
import { withDepth, type Chromaticities, type Metadata, type Picture } from '../src/picture.js';
import { inKind } from './helpers/arbitrary.js';
import { chunk, ihdr, png, rows } from './helpers/make-png.js';
import { emptyProfile } from './helpers/profiles.js';

const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);
const skip = loaded === undefined ? 'sharp does not load on this machine' : false;
const sharp = loaded!;

const u32 = (...values: number[]): Buffer => {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeUInt32BE(value, 4 * i));
  return out;
};

const P3: Chromaticities = { white: [31270, 32900], red: [68000, 32000], green: [26500, 69000], blue: [15000, 6000] };
const PQ = { primaries: 9, transfer: 16 };
const cicp = chunk('cICP', Buffer.of(9, 16, 0, 1));
const iccp = chunk('iCCP', Buffer.concat([Buffer.from('p\0\0'), deflateSync(emptyProfile('RGB '))]));
const srgb = chunk('sRGB', Buffer.of(0));
const gamma = chunk('gAMA', u32(100000));
const chrm = chunk('cHRM', u32(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000));

const data = chunk('IDAT', deflateSync(rows(2, 1, 3, 8, [176, 124, 0, 16, 235, 255])));
function metadataOf(...chunks: Buffer[]): Metadata | undefined {
  const { picture, notices } = readPng(png(ihdr(2, 1, 8, 2), ...chunks, data));
  assert.deepEqual(notices, []);
  return picture.metadata;
}

const SIZE = { width: 48, height: 32 };
/** 16 bits, with values that 10 bits do not have. */
function hdr(): Picture {
  const { data: samples } = corpusPicture('gradient', SIZE);
  return {
    ...SIZE,
    channels: 3,
    depth: 16,
    data: Uint16Array.from(samples, (v, i) => Math.min(65535, v * 257 + (i % 64))),
  };
}

describe('colour outside profiles', () => {
  it('of PNG: cICP counts before iCCP, iCCP before sRGB, sRGB before gAMA and cHRM', () => {
    const icc = emptyProfile('RGB ');
    assert.deepEqual(metadataOf(gamma, chrm, srgb, iccp, cicp), { icc, cicp: PQ });
    assert.deepEqual(metadataOf(gamma, chrm, srgb, iccp), { icc });
    assert.equal(metadataOf(gamma, chrm, srgb), undefined);
    assert.deepEqual(metadataOf(gamma, chrm), { gamma: 100000, chromaticities: P3 });
    assert.deepEqual(metadataOf(gamma), { gamma: 100000 });
    assert.deepEqual(metadataOf(chrm), { chromaticities: P3 });
    assert.deepEqual(metadataOf(chunk('gAMA', u32(45455)), chrm), { gamma: 45455, chromaticities: P3 });
  });

  it('that is sRGB in other words needs no saying', () => {
    const own = chunk('cHRM', u32(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000));
    for (const chunks of [
      [chunk('gAMA', u32(45455))],
      [own],
      [chunk('gAMA', u32(45450)), own],
      [chunk('cICP', Buffer.of(1, 13, 0, 1))],
    ])
      assert.equal(metadataOf(...chunks), undefined);
    // But where a profile says something else, cICP counts.
    assert.deepEqual(metadataOf(iccp, chunk('cICP', Buffer.of(1, 13, 0, 1)))?.cicp, { primaries: 1, transfer: 13 });
  });

  it('of PNG that is damaged is left out, with a notice', () => {
    for (const [bad, notice] of [
      [chunk('cICP', Buffer.of(9, 16, 0)), /cICP.*damaged/],
      [chunk('cICP', Buffer.of(9, 16, 9, 1)), /cICP.*damaged/],
      [chunk('gAMA', u32(0)), /gamma is damaged/],
      [chunk('gAMA', Buffer.of(1)), /gamma is damaged/],
      [chunk('cHRM', Buffer.alloc(31)), /chromaticities are damaged/],
      [chunk('cLLI', Buffer.alloc(8)), /light of its screen .* is not kept/],
      [chunk('mDCV', Buffer.alloc(24)), /light of its screen .* is not kept/],
      [chunk('cHRM', Buffer.alloc(32, 255)), /chromaticities are damaged/],
    ] as const) {
      const { picture, notices } = readPng(png(ihdr(2, 1, 8, 2), bad, data));
      assert.equal(picture.metadata, undefined);
      assert.match(notices.join(), notice);
    }
  });

  it('of PNG in narrow range is spread over all of it, with a notice', () => {
    const { picture, notices } = readPng(png(ihdr(2, 1, 8, 2), chunk('cICP', Buffer.of(1, 13, 0, 0)), data));
    assert.deepEqual(
      [...picture.data],
      [176, 124, 0, 16, 235, 255].map((v) => Math.min(255, Math.max(0, Math.round(((v - 16) * 255) / 219)))),
    );
    assert.match(notices.join(), /narrow range/);
  });

  it('goes through the codec and back into a PNG as it was', async () => {
    const evaluator = tinyEvaluator();
    for (const chunks of [[cicp], [gamma, chrm], [chrm], [cicp, iccp]]) {
      const { picture } = readPng(png(ihdr(2, 1, 8, 2), ...chunks, data));
      const { bytes } = await encodePicture(picture, evaluator, { effort: 1, target: { quality: 50 } });
      const decoded = await decodePicture(bytes, evaluator);
      assert.deepEqual(decoded.metadata, picture.metadata);
      const file = Buffer.from(writePng(decoded));
      for (const each of chunks) if (each !== iccp) assert.ok(file.includes(each), each.toString('latin1', 4, 8));
      assert.deepEqual(readPng(file).picture.metadata, picture.metadata);
    }
  });

  it('of PQ in 16 bits comes back from a PNG and an AVIF as it was', { skip }, async () => {
    for (const [format, worst] of [
      ['png', Infinity],
      ['avif', 38],
    ] as const) {
      for (const transfer of [16, 18]) {
        const source: Picture = { ...hdr(), metadata: { cicp: { primaries: 9, transfer } } };
        const { bytes, notices } = await writePicture(source, format);
        assert.deepEqual(
          notices,
          format === 'png' ? [] : ["AVIF has 10 bits per sample; the picture's 16 are rounded"],
        );
        const { picture } = await readPicture(bytes);
        assert.deepEqual(picture.metadata, source.metadata);
        assert.equal(picture.depth, 16);
        assert.ok(psnr(withDepth(source, 8), withDepth(picture, 8)) >= worst);
      }
    }
  });

  it('white of 10 bits in an AVIF is white of 16, and black black', { skip }, async () => {
    for (const value of [0, 65535]) {
      const source: Picture = { ...SIZE, channels: 3, depth: 16, data: new Uint16Array(48 * 32 * 3).fill(value) };
      const { picture } = await readPicture((await writePicture(source, 'avif')).bytes);
      assert.deepEqual(new Set(picture.data), new Set([value]));
    }
  });

  it('of AVIF is nclx, which sharp and its decoder understand', { skip }, async () => {
    for (const channels of [1, 3, 4] as const) {
      const source: Picture = {
        ...inKind(corpusPicture('gradient', SIZE), channels),
        metadata: { cicp: { primaries: 12, transfer: 13 } },
      };
      const { bytes, notices } = await writePicture(source, 'avif');
      assert.deepEqual(notices, []);
      assert.deepEqual(heifFacts(bytes)?.nclx, { primaries: 12, transfer: 13, matrix: 6, fullRange: true });
      const raw = await sharp(bytes).toColourspace('srgb').raw().toBuffer();
      const back: Picture = { ...SIZE, channels: channels === 4 ? 4 : 3, data: Uint8Array.from(raw) };
      assert.ok(psnr(inKind(source, channels === 4 ? 4 : 3), back) > 36);
    }
    // What is unspecified, or sRGB, says nothing.
    const { bytes } = await writePicture(corpusPicture('gradient', SIZE), 'avif');
    assert.equal((await readPicture(bytes)).picture.metadata, undefined);
  });

  it('a profile counts in AVIF before code points; a picture with both is written with these', { skip }, async () => {
    const icc = profileOf({ cicp: { primaries: 12, transfer: 13 } }, false)!;
    const source = corpusPicture('gradient', SIZE);
    const plain = await readPicture((await writePicture({ ...source, metadata: { icc } }, 'avif')).bytes);
    assert.deepEqual(plain.picture.metadata?.icc, icc);
    const both = await writePicture({ ...source, metadata: { icc, cicp: PQ } }, 'avif');
    assert.match(both.notices.join(), /code points .* and not the profile/);
    assert.deepEqual((await readPicture(both.bytes)).picture.metadata, { cicp: PQ });
  });
});

/** Colours as another implementation (lcms, in sharp) shows them with a profile: 8 bits of sRGB. */
async function shown(profile: Uint8Array, colours: number[][], channels: 1 | 3): Promise<number[][]> {
  const samples = Uint8Array.from(colours.flatMap((each) => each));
  const { bytes } = await writePicture(
    { width: colours.length, height: 1, channels, data: samples, metadata: { icc: profile } },
    'tiff',
  );
  const { data: raw } = await sharp(bytes).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return colours.map((_, i) => [...raw.subarray(3 * i, 3 * i + 3)]);
}

const linear = (v: number): number => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const encoded = (v: number): number =>
  255 * (v <= 0.0031308 ? 12.92 * Math.max(0, v) : 1.055 * Math.min(1, v) ** (1 / 2.4) - 0.055);

describe('profiles for colour outside profiles', { skip }, () => {
  const greys = [0, 20, 60, 128, 200, 255];

  it('of a gamma show what the gamma says, in colour and in grey', async () => {
    for (const gamma of [100000, 55556, 45455, 35000]) {
      const expected = greys.map((v) => Math.round(encoded((v / 255) ** (100000 / gamma))));
      for (const channels of [1, 3] as const) {
        const profile = profileOf({ gamma }, channels === 1)!;
        const seen = await shown(
          profile,
          greys.map((v) => new Array<number>(channels).fill(v)),
          channels,
        );
        seen.forEach((rgb, i) => {
          for (const v of rgb)
            assert.ok(Math.abs(v - expected[i]) <= 2, `gamma ${gamma}, ${greys[i]}: ${v}, not ${expected[i]}`);
        });
      }
    }
  });

  it('of primaries show their colours: Display P3 by cHRM and by code points, BT.2020, and sRGB itself', async () => {
    const colours = [
      [176, 124, 60],
      [90, 160, 110],
      [120, 110, 170],
      [255, 255, 255],
      [0, 0, 0],
    ];
    // From linear P3 to linear sRGB; both have the same white.
    const toSrgb = [
      [1.2249402, -0.2249402, 0],
      [-0.0420569, 1.0420569, 0],
      [-0.0196376, -0.0786361, 1.0982735],
    ];
    const expected = colours.map((rgb) =>
      toSrgb.map((row) => Math.round(encoded(row.reduce((sum, m, c) => sum + m * linear(rgb[c] / 255), 0)))),
    );
    for (const metadata of [{ chromaticities: P3 }, { cicp: { primaries: 12, transfer: 13 } }]) {
      const seen = await shown(profileOf(metadata, false)!, colours, 3);
      seen.forEach((rgb, i) =>
        rgb.forEach((v, c) =>
          assert.ok(
            Math.abs(v - expected[i][c]) <= 2,
            `${colours[i].join()}: ${rgb.join()}, not ${expected[i].join()}`,
          ),
        ),
      );
    }
    const wide = await shown(
      profileOf({ cicp: { primaries: 9, transfer: 1 } }, false)!,
      [
        [120, 120, 120],
        [140, 120, 110],
      ],
      3,
    );
    assert.ok(Math.max(...wide[0]) - Math.min(...wide[0]) <= 2, 'grey is grey');
    assert.ok(wide[1][0] - wide[1][2] > 30, 'and colours are stronger');
  });

  it('of HDR show white at the light of a white sheet, and say what they are', async () => {
    for (const [transfer, white] of [
      [16, 0.5806888],
      [18, 0.75],
    ] as const) {
      const profile = profileOf({ cicp: { primaries: 9, transfer } }, false)!;
      assert.ok(Buffer.from(profile).includes(Buffer.of(...Buffer.from('cicp'), 0, 0, 0, 0, 9, transfer, 0, 1)));
      const [low, high, middle] = await shown(
        profile,
        [0, Math.round(white * 255) + 1, 0.6 * white * 255].map((v) => [v, v, v]),
        3,
      );
      assert.ok(
        low[0] <= 1 && high[0] >= 254 && middle[0] > 40 && middle[0] < 200,
        `${low[0]}, ${middle[0]}, ${high[0]}`,
      );
      const { notices } = await writePicture({ ...hdr(), metadata: { cicp: { primaries: 9, transfer } } }, 'tiff');
      assert.match(notices.join(), /no HDR.*write PNG or AVIF/);
    }
  });

  it('that cannot be made are not, and that is said', async () => {
    const flat: Chromaticities = {
      white: [31270, 32900],
      red: [30000, 30000],
      green: [30000, 30000],
      blue: [30000, 30000],
    };
    for (const metadata of [
      { chromaticities: flat },
      { chromaticities: { ...P3, white: [1, 0] as [number, number] } },
      { cicp: { primaries: 9, transfer: 10 } },
      { cicp: { primaries: 200, transfer: 13 } },
    ]) {
      assert.equal(profileOf(metadata, false), undefined);
      const { notices } = await writePicture({ ...corpusPicture('gradient', SIZE), metadata }, 'jpeg');
      assert.match(notices.join(), /no place for the picture's colour space/);
    }
    assert.equal(profileOf({}, false), undefined);
  });

  it('go into JPEG, WebP and TIFF, and sharp finds them there', async () => {
    const metadata: Metadata = { gamma: 100000, chromaticities: P3 };
    for (const format of ['jpeg', 'webp', 'tiff'] as const) {
      const { bytes, notices } = await writePicture({ ...corpusPicture('gradient', SIZE), metadata }, format);
      assert.deepEqual(notices, []);
      assert.deepEqual(
        Uint8Array.from((await sharp(bytes).metadata()).icc!),
        Uint8Array.from(profileOf(metadata, false)!),
      );
    }
  });

  it('for grey become those of colour where a format has no grey, with the same greys', async () => {
    const grey = profileOf({ gamma: 100000 }, true)!;
    const colour = greyProfileAsRgb(grey)!;
    const expected = await shown(
      grey,
      greys.map((v) => [v]),
      1,
    );
    const seen = await shown(
      colour,
      greys.map((v) => [v, v, v]),
      3,
    );
    seen.flat().forEach((v, i) => assert.ok(Math.abs(v - expected.flat()[i]) <= 2));
    const source = inKind(corpusPicture('gradient', SIZE), 1);
    for (const format of ['jpeg', 'tiff', 'webp', 'avif'] as const) {
      const { bytes, notices } = await writePicture({ ...source, metadata: { icc: grey } }, format);
      assert.deepEqual(notices, []);
      const { picture } = await readPicture(bytes);
      assert.deepEqual(picture.metadata?.icc, Uint8Array.from(picture.channels === 1 ? grey : colour), format);
    }
    // One without a curve of its own has nothing to convert.
    const { notices } = await writePicture({ ...source, metadata: { icc: emptyProfile('GRAY') } }, 'webp');
    assert.match(notices.join(), /profile, which is for grey, is not kept/);
  });
});
