/**
 * Test pictures that the project makes itself: each is a pure function of its name, size and seed, in whole-number
 * arithmetic and the project's own hash, so that it has the same pixels on every machine, and no picture of others has
 * to be shipped.
 */
import { hash32 } from '../src/math/hash.js';
import type { Channels, Picture } from '../src/picture.js';

export interface CorpusEntry {
  name: string;
  width: number;
  height: number;
  /** What a codec finds hard or easy about it. */
  about: string;
}

/** The corpus: small enough to be coded whole in a test, and with odd sizes, as sizes are where codecs go wrong. */
export const CORPUS: readonly CorpusEntry[] = [
  { name: 'scene', width: 384, height: 256, about: 'photograph-like: sky, hills, shaded balls, mild sensor noise' },
  { name: 'hills', width: 193, height: 131, about: 'fractal noise alone, the spectrum of a landscape' },
  { name: 'gradient', width: 128, height: 96, about: 'slow colour ramps, where banding shows' },
  { name: 'edges', width: 127, height: 95, about: 'discs and bars of flat colours, sharp edges of every direction' },
  { name: 'glyphs', width: 160, height: 80, about: 'shapes like text, dark on paper' },
  { name: 'bricks', width: 128, height: 128, about: 'fine regular texture of high contrast' },
  { name: 'noise', width: 64, height: 64, about: 'independent random samples: nothing to predict' },
  { name: 'flat', width: 97, height: 33, about: 'one colour: nothing to send' },
  { name: 'grey-scene', width: 192, height: 128, about: 'the scene in grey' },
  { name: 'grey-alpha-disc', width: 75, height: 75, about: 'grey with a soft disc as alpha mask' },
  { name: 'rgba-balls', width: 120, height: 90, about: 'the balls of the scene cut out by an alpha mask' },
];

/** Colour and opacity of one pixel, 0..255 each. */
type Rgba = readonly [r: number, g: number, b: number, a: number];
type Shader = (x: number, y: number) => Rgba;

const SHADERS: Record<string, { channels: Channels; make: (width: number, height: number, seed: number) => Shader }> = {
  scene: { channels: 3, make: scene },
  hills: { channels: 3, make: hills },
  gradient: { channels: 3, make: gradient },
  edges: { channels: 3, make: edges },
  glyphs: { channels: 3, make: glyphs },
  bricks: { channels: 3, make: bricks },
  noise: { channels: 3, make: noise },
  flat: { channels: 3, make: flat },
  'grey-scene': { channels: 1, make: scene },
  'grey-alpha-disc': { channels: 2, make: alphaDisc },
  'rgba-balls': { channels: 4, make: cutOutBalls },
};

/**
 * The picture of a name at any size.
 * @param name one of `CORPUS`
 * @param size default: as in `CORPUS`
 * @param seed whole number; another seed is another picture of the same sort
 */
export function corpusPicture(name: string, size?: { width: number; height: number }, seed = 1): Picture {
  const entry = CORPUS.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new RangeError(`no corpus picture is called ${name}`);
  const { width, height } = size ?? entry;
  const { channels, make } = SHADERS[name];
  const shade = make(width, height, seed);
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [r, g, b, a] = shade(x, y);
      if (channels >= 3) {
        data[to++] = r;
        data[to++] = g;
        data[to++] = b;
      } else {
        data[to++] = (r * 77 + g * 150 + b * 29) >> 8;
      }
      if (channels % 2 === 0) data[to++] = a;
    }
  }
  return { width, height, channels, data };
}

function clamp(v: number): number {
  return v < 0 ? 0 : v > 255 ? 255 : v;
}

/** Truncated whole-number division, as `/` alone leaves the whole numbers. */
function div(a: number, b: number): number {
  return Math.trunc(a / b);
}

function mix(a: number, b: number, share: number): number {
  return (a * (256 - share) + b * share) >> 8;
}

/** Whole square root, from below. Math.sqrt is exact in IEEE 754, so its floor is the same everywhere. */
function isqrt(v: number): number {
  return Math.floor(Math.sqrt(v));
}

/** 0..255, independent for every point. */
function grain(seed: number, x: number, y: number): number {
  return hash32(seed, (y << 16) ^ x) & 255;
}

/** About Gaussian, variance 256 · 256 / 3: the sum of four uniform bytes around 0. */
function bellGrain(seed: number, x: number, y: number): number {
  const h = hash32(seed, (y << 16) ^ x);
  return (h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24) - 510;
}

/** Value noise on a lattice of `cell` pixels (a power of two), smoothly interpolated: 0..255. */
function valueNoise(seed: number, x: number, y: number, cell: number): number {
  const smooth = (t: number): number => (t * t * (768 - 2 * t)) >> 16; // 3t² − 2t³ on 0..256
  const cx = Math.floor(x / cell);
  const cy = Math.floor(y / cell);
  const u = smooth(div((x - cx * cell) * 256, cell));
  const v = smooth(div((y - cy * cell) * 256, cell));
  const top = mix(grain(seed, cx, cy), grain(seed, cx + 1, cy), u);
  const bottom = mix(grain(seed, cx, cy + 1), grain(seed, cx + 1, cy + 1), u);
  return mix(top, bottom, v);
}

/** Octaves of value noise, each of half the size and half the height: the 1/f spectrum of landscapes. 0..255 */
function fractal(seed: number, x: number, y: number, largest: number): number {
  let sum = 0;
  let weight = 128;
  for (let cell = largest; cell >= 1 && weight >= 1; cell >>= 1, weight >>= 1) {
    sum += valueNoise(seed + cell, x, y, cell) * weight;
  }
  return clamp(sum >> 8);
}

interface Ball {
  x: number;
  y: number;
  radius: number;
  colour: readonly [number, number, number];
}

function balls(width: number, height: number, seed: number): Ball[] {
  const most = Math.max(2, div(Math.min(width, height), 5));
  return Array.from({ length: 5 }, (_, i) => {
    const h = hash32(seed ^ 0xba11, i);
    const g = hash32(seed ^ 0xc01, i);
    return {
      x: div(width * (i * 2 + 1), 10) + (h % (div(width, 10) + 1)),
      y: div(height * 6, 10) + ((h >>> 8) % (div(height, 4) + 1)),
      radius: div(most, 2) + ((h >>> 16) % (div(most, 2) + 1)),
      colour: [60 + (g & 127), 40 + ((g >>> 8) & 127), 50 + ((g >>> 16) & 127)],
    };
  });
}

/** A ball lit from the upper left: diffuse and specular light on the normal, in whole numbers. */
function shadeBall({ x: bx, y: by, radius, colour }: Ball, x: number, y: number): Rgba | undefined {
  const dx = x - bx;
  const dy = y - by;
  const depth2 = radius * radius - dx * dx - dy * dy;
  if (depth2 <= 0) return undefined;
  const facing = div(256 * (-dx - dy + isqrt(depth2)), Math.max(1, radius * 2)); // −256·.. to about 220
  const diffuse = 60 + Math.max(0, facing);
  const specular = facing > 190 ? (facing - 190) * 4 : 0;
  return [
    clamp(((colour[0] * diffuse) >> 7) + specular),
    clamp(((colour[1] * diffuse) >> 7) + specular),
    clamp(((colour[2] * diffuse) >> 7) + specular),
    255,
  ];
}

function scene(width: number, height: number, seed: number): Shader {
  const all = balls(width, height, seed);
  const horizon = div(height * 2, 5);
  const ridge = Array.from(
    { length: width },
    (_, x) => horizon - div((fractal(seed ^ 0x51, x, 0, 64) - 90) * height, 900),
  );
  const behind = (x: number, y: number): Rgba => {
    if (y < ridge[x]) {
      const cloud = Math.max(0, fractal(seed ^ 0xc1, x, y * 2, 64) - 120);
      const down = div(y * 90, Math.max(1, horizon));
      return [clamp(70 + down + cloud), clamp(120 + down + cloud), clamp(200 + (down >> 2) + (cloud >> 1)), 255];
    }
    const soil = fractal(seed ^ 0x50, x, y * 3, 32);
    const near = div((y - ridge[x]) * 128, Math.max(1, height - horizon)); // haze: the far is pale
    return [
      clamp(mix(150, (soil * 5) >> 3, near + 100)),
      clamp(mix(165, 30 + ((soil * 3) >> 2), near + 100)),
      clamp(mix(175, soil >> 1, near + 100)),
      255,
    ];
  };
  return (x, y) => {
    let pixel = behind(x, y);
    for (const ball of all) {
      // A flat shadow to the lower right, then the ball over it.
      const sx = x - ball.x - div(ball.radius, 2);
      const sy = (y - ball.y - ball.radius) * 4;
      if (sx * sx + sy * sy < ball.radius * ball.radius)
        pixel = [(pixel[0] * 5) >> 3, (pixel[1] * 5) >> 3, (pixel[2] * 11) >> 4, 255];
      pixel = shadeBall(ball, x, y) ?? pixel;
    }
    const n = (channel: number): number => (bellGrain(seed ^ channel, x, y) * 3) >> 8; // a standard deviation of about 2
    return [clamp(pixel[0] + n(1)), clamp(pixel[1] + n(2)), clamp(pixel[2] + n(3)), 255];
  };
}

function hills(_width: number, _height: number, seed: number): Shader {
  return (x, y) => {
    const v = fractal(seed, x, y, 64);
    const tint = valueNoise(seed ^ 0x7177, x, y, 128);
    return [clamp(v + ((tint - 128) >> 3)), v, clamp(v - ((tint - 128) >> 2)), 255];
  };
}

function gradient(width: number, height: number): Shader {
  return (x, y) => {
    const u = div(x * 255, Math.max(1, width - 1));
    const v = div(y * 255, Math.max(1, height - 1));
    return [u, v, (255 - u + v) >> 1, 255];
  };
}

function edges(width: number, height: number, seed: number): Shader {
  const colour = (i: number): Rgba => {
    const h = hash32(seed ^ 0xed9e, i);
    return [h & 255, (h >>> 8) & 255, (h >>> 16) & 255, 255];
  };
  const size = Math.max(4, Math.min(width, height));
  return (x, y) => {
    const dx = x * 2 - width;
    const dy = y * 2 - height;
    const r = isqrt(dx * dx + dy * dy);
    if (r < div(size, 2)) return colour(div(r * 8, size));
    // Bars at four slopes, one for each quarter of the picture.
    const slope = (dx > 0 ? 1 : 0) + (dy > 0 ? 2 : 0);
    return colour(16 + slope * 2 + (((x * (slope + 1) + y * (4 - slope)) >> 4) & 1));
  };
}

/** Rows of 5×7 cells with random strokes, twice as likely vertical as not, as letters have them. */
function glyphs(_width: number, _height: number, seed: number): Shader {
  return (x, y) => {
    const paper = 235 + (grain(seed ^ 0x9a9e, x, y) >> 5);
    const column = div(x, 7);
    const row = div(y, 11);
    const gx = x % 7;
    const gy = y % 11;
    const h = hash32(seed, (row << 12) ^ column);
    const space = h >>> 28 < 3 || gx >= 5 || gy >= 8;
    const vertical = (gx === 0 && (h & 1) === 1) || (gx === 4 && (h & 2) === 2) || (gx === 2 && (h & 12) === 12);
    const level = (gy === 0 && (h & 16) === 16) || (gy === 3 && (h & 32) === 32) || (gy === 7 && (h & 64) === 64);
    const ink = !space && (vertical || level);
    return ink ? [30, 28, 40, 255] : [paper, paper - 3, paper - 12, 255];
  };
}

function bricks(_width: number, _height: number, seed: number): Shader {
  return (x, y) => {
    const row = div(y, 6);
    const shifted = x + (row % 2) * 6;
    const mortar = y % 6 === 0 || shifted % 12 === 0;
    const tone = mortar ? 200 : 70 + (grain(seed, div(shifted, 12), row) >> 2);
    const rough = grain(seed ^ 0x206, x, y) >> 4;
    return [clamp(tone + 40 + rough), clamp(tone + rough), clamp(tone - 10 + rough), 255];
  };
}

function noise(_width: number, _height: number, seed: number): Shader {
  return (x, y) => [grain(seed, x, y), grain(seed + 1, x, y), grain(seed + 2, x, y), 255];
}

function flat(_width: number, _height: number, seed: number): Shader {
  const h = hash32(seed, 0xf1a7);
  const pixel: Rgba = [h & 255, (h >>> 8) & 255, (h >>> 16) & 255, 255];
  return () => pixel;
}

function alphaDisc(width: number, height: number, seed: number): Shader {
  const radius = Math.max(1, Math.min(width, height));
  return (x, y) => {
    const v = fractal(seed, x, y, 32);
    const dx = x * 2 - width;
    const dy = y * 2 - height;
    const from = isqrt(dx * dx + dy * dy);
    return [v, v, v, clamp(div((radius - from) * 1024, radius))]; // the outer quarter is the soft rim
  };
}

function cutOutBalls(width: number, height: number, seed: number): Shader {
  const all = balls(width, height, seed);
  return (x, y) => {
    let pixel: Rgba = [0, 0, 0, 0];
    for (const ball of all) pixel = shadeBall(ball, x, y) ?? pixel;
    return pixel;
  };
}
