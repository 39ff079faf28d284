/**
 * The shaders, in WGSL. All arithmetic is in 32-bit integers, which WGSL defines to the last bit (sums and products wrap, shifts of
 * negative numbers are arithmetic); floats only pass through, as the words that they are stored in.
 */
import { COEFFICIENTS, INPUT_CHANNELS, OUTPUT_CHANNELS, type Layer } from '../architecture.js';
import { INPUT_FRACTION, INPUT_VALUE_LIMIT, OUTPUT_UNIT } from '../integer/arithmetic.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN } from '../inputs.js';
import { UNKNOWN } from '../sigma.js';
import { BLOCK, CONSTANTS_EACH, CONSTANTS_HEAD, FEATURES, LANES, vectorsOf } from './layout.js';

/** Pixels of a workgroup each way; a thread has FOUR of them side by side, and one vector of outputs of each. */
export const TILE = 8;
const FOUR = 4;
/** Threads of a workgroup: BLOCK vectors for each four pixels. */
const THREADS = (TILE * TILE * BLOCK) / FOUR;

/** int32 fields of what a convolution is told besides its buffers. Rows are counted on the whole grid, `…Rows` are those kept. */
export const CONVOLUTION_FIELDS = [
  /** Rows of the grid that it walks (that of `from` for the transposed one, else that of `to`), and its width. */
  'first',
  'end',
  'width',
  'fromWidth',
  'fromHeight',
  'fromRows',
  'toWidth',
  'toRows',
  'skipRows',
  /** Vectors of a pixel of `from`, and of `to`. */
  'chunks',
  'outputs',
  /** Vectors at which its weights and constants begin. */
  'weights',
  'constants',
] as const;

/** int32 fields of what the making of the input is told. */
export const INPUT_FIELDS = [
  'first',
  'end',
  /** Of the picture, and how many columns and rows the tensor has. */
  'width',
  'height',
  'toWidth',
  'toRows',
  'limit',
  'shift',
  'half',
] as const;

function structOf(fields: readonly string[]): string {
  return `struct Task {\n${fields.map((field) => `  ${field}: i32,\n`).join('')}}\n@group(0) @binding(0) var<uniform> task: Task;\n`;
}

/** Lower and upper halves of words as signed numbers, and two numbers as the halves of a word. */
const HALVES = `
fn low(words: vec4<u32>) -> vec4<i32> { return (bitcast<vec4<i32>>(words) << vec4(16u)) >> vec4(16u); }
fn high(words: vec4<u32>) -> vec4<i32> { return bitcast<vec4<i32>>(words) >> vec4(16u); }
fn joined(lows: vec4<i32>, highs: vec4<i32>) -> vec4<u32> {
  return bitcast<vec4<u32>>((lows & vec4(0xffff)) | (highs << vec4(16u)));
}
`;

/** ⌊a · m / 2^16⌋, see `scaledProduct` of integer/arithmetic.ts. */
const SCALED = `
fn scaled(a: vec4<i32>, m: vec4<i32>) -> vec4<i32> {
  let upper = (a + vec4(0x8000)) >> vec4(16u);
  let lower = a - (upper << vec4(16u));
  return upper * m + ((lower * m) >> vec4(16u));
}
`;

/** Shape of a kind of layer: kernel's sides, distance of input pixels, border, parts. */
interface Shape {
  side: number;
  stride: number;
  border: number;
  parts: number;
}

const SHAPES: Record<Layer['kind'], Shape> = {
  conv3x3: { side: 3, stride: 1, border: 1, parts: 1 },
  down2x2: { side: 2, stride: 2, border: 0, parts: 1 },
  up2x2: { side: 1, stride: 1, border: 0, parts: 4 },
};

/** What is one for all layers that share a shader. */
export interface ConvolutionVariant {
  kind: Layer['kind'];
  /** Has it a skip connection? */
  skip: boolean;
  /** Is its result that of the network, floats of the rows from `first` on without the padding? */
  last: boolean;
}

/** Bytes of workgroup memory that the widest variant takes, for a look at the limits of a device. */
export const WORKGROUP_BYTES = Object.values(SHAPES).reduce((most, { side, stride }) => {
  const reach = stride * (TILE - 1) + side;
  return Math.max(most, 4 * LANES * reach * reach + 32 * BLOCK * LANES * side * side);
}, 0);

/**
 * A convolution and all that follows it. A workgroup computes TILE × TILE pixels of BLOCK vectors of outputs; vector by vector of
 * the inputs it brings the receptive field [input][row][column] and the weights, both taken apart, to its own memory, where a thread
 * reads each of them once for four pixels or eight outputs.
 */
export function convolutionShader({ kind, skip, last }: ConvolutionVariant): string {
  const { side, stride, border, parts } = SHAPES[kind];
  const reach = stride * (TILE - 1) + side;
  const area = reach * reach;
  const taps = side * side;
  return `${structOf(CONVOLUTION_FIELDS)}
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> constants: array<vec4<i32>>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4<u32>>;
${skip ? '@group(0) @binding(5) var<storage, read> added: array<vec4<u32>>;' : ''}
var<workgroup> field: array<i32, ${LANES * area}>;
var<workgroup> factors: array<vec4<i32>, ${taps * LANES * BLOCK * 2}>;
${HALVES}${SCALED}${last ? FLOATS : ''}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let thread = i32(index);
  let column = ${FOUR} * (thread % ${TILE / FOUR});
  let row = (thread / ${TILE / FOUR}) % ${TILE};
  let lane = thread / ${(TILE * TILE) / FOUR};
  let left = ${TILE} * i32(group.x);
  let top = task.first + ${TILE} * i32(group.y);
  let block = i32(group.z) / ${parts};
  let part = i32(group.z) % ${parts};
${eachSum((sum) => `  var ${sum} = vec4<i32>();`)}
  for (var chunk = 0; chunk < task.chunks; chunk++) {
    workgroupBarrier();
    for (var i = thread; i < ${area}; i += ${THREADS}) {
      let x = ${stride} * left + i % ${reach} - ${border};
      let y = ${stride} * top + i / ${reach} - ${border};
      var pixel = vec4<u32>();
      if (x >= 0 && y >= 0 && x < task.fromWidth && y < task.fromHeight) {
        pixel = source[((y % task.fromRows) * task.fromWidth + x) * task.chunks + chunk];
      }
      let l = low(pixel);
      let h = high(pixel);
${[0, 1, 2, 3].map((c) => `      field[${c * area} + i] = l[${c}];\n      field[${(c + 4) * area} + i] = h[${c}];`).join('\n')}
    }
    let begin = task.weights + ((block * ${parts} + part) * task.chunks + chunk) * ${taps * LANES * BLOCK};
    for (var i = thread; i < ${taps * LANES * BLOCK}; i += ${THREADS}) {
      let pair = weights[begin + i];
      factors[2 * i] = low(pair);
      factors[2 * i + 1] = high(pair);
    }
    workgroupBarrier();
    for (var i = 0; i < ${side * LANES}; i++) {
${addProducts(side, stride, reach)}
    }
  }
${finishPixels(parts, skip, last)}
}
`;
}

/** Lines for each sum of a thread: s0l is that of pixel 0 and the lower four outputs of its vector. */
function eachSum(line: (sum: string, pixel: number, half: 'l' | 'h') => string): string {
  const lines: string[] = [];
  for (let pixel = 0; pixel < FOUR; pixel++)
    for (const half of ['l', 'h'] as const) lines.push(line(`s${pixel}${half}`, pixel, half));
  return lines.join('\n');
}

/** Adds what an input of a row of the kernel gives. */
function addProducts(side: number, stride: number, reach: number): string {
  const pixels = stride * (FOUR - 1) + side;
  const lines = [
    `let tap = i / ${LANES};`,
    `let input = i % ${LANES};`,
    `let at = (input * ${reach} + ${stride} * row + tap) * ${reach} + ${stride} * column;`,
    `let begin = (tap * ${side * LANES} + input) * ${2 * BLOCK} + 2 * lane;`,
  ];
  for (let p = 0; p < pixels; p++) lines.push(`let a${p} = field[at + ${p}];`);
  for (let k = 0; k < side; k++) {
    const factor = k * LANES * 2 * BLOCK;
    lines.push(`let l${k} = factors[begin + ${factor}];`, `let h${k} = factors[begin + ${factor + 1}];`);
    for (let p = 0; p < FOUR; p++) {
      const value = `a${stride * p + k}`;
      lines.push(`s${p}l += ${value} * l${k};`, `s${p}h += ${value} * h${k};`);
    }
  }
  return lines.map((line) => `      ${line}`).join('\n');
}

/** From sums to what is stored. */
function finishPixels(parts: number, skip: boolean, last: boolean): string {
  const lines = [
    `let vector = ${BLOCK} * block + lane;`,
    'let y = top + row;',
    'if (vector >= task.outputs || y >= task.end) { return; }',
    `let head = constants[task.constants];`,
    `let limit = vec4(constants[task.constants + 1].x);`,
    `let lowest = vec4(head.w);`,
    `let shift = vec4(u32(head.x));`,
    `let each = task.constants + ${CONSTANTS_HEAD} + ${CONSTANTS_EACH} * vector;`,
    'let ml = constants[each];',
    'let mh = constants[each + 1];',
    'let bl = constants[each + 2];',
    'let bh = constants[each + 3];',
    parts === 1 ? 'let toY = y;' : 'let toY = 2 * y + part / 2;',
  ];
  for (let p = 0; p < FOUR; p++) lines.push(...finishPixel(p, parts, skip, last));
  return lines.map((line) => `  ${line}`).join('\n');
}

function finishPixel(p: number, parts: number, skip: boolean, last: boolean): string[] {
  const x = `(left + column + ${p})`;
  const lines = [`if (${x} < task.width) {`, `  let toX = ${parts === 1 ? x : `2 * ${x} + part % 2`};`];
  for (const half of ['l', 'h'] as const) lines.push(`  var y${half} = scaled(s${p}${half}, m${half}) + b${half};`);
  if (skip) {
    lines.push('  let old = added[((toY % task.skipRows) * task.toWidth + toX) * task.outputs + vector];');
    lines.push('  yl += (low(old) * head.y) >> vec4(u32(head.z));');
    lines.push('  yh += (high(old) * head.y) >> vec4(u32(head.z));');
  }
  for (const half of ['l', 'h'] as const) lines.push(`  y${half} = clamp(y${half} >> shift, lowest, limit);`);
  if (last) {
    lines.push(`  let to = ((toY - task.first) * task.toWidth + toX) * ${OUTPUT_CHANNELS / 4} + 2 * vector;`);
    lines.push('  result[to] = floats(yl, 2 * vector);', '  result[to + 1] = floats(yh, 2 * vector + 1);');
  } else {
    lines.push('  result[((toY % task.toRows) * task.toWidth + toX) * task.outputs + vector] = joined(yl, yh);');
  }
  return [...lines, '}'];
}

/** Bits behind the point of the network's results; the inverse of OUTPUT_UNIT. */
const OUTPUT_FRACTION = 31 - Math.clz32(1 / OUTPUT_UNIT);

/** Integers in units of 2^-OUTPUT_FRACTION as the words of floats: they have 16 bits, so nothing is rounded. */
const FLOATS = `
fn floats(values: vec4<i32>, quarter: i32) -> vec4<u32> {
  var bounded = values;
  if (quarter >= ${COEFFICIENTS / 4}) {
    bounded = clamp(values, vec4(${LOG_VARIANCE_MIN * 2 ** OUTPUT_FRACTION}), vec4(${LOG_VARIANCE_MAX * 2 ** OUTPUT_FRACTION}));
  }
  let magnitude = bitcast<vec4<u32>>(abs(bounded));
  let top = vec4(31u) - countLeadingZeros(magnitude | vec4(1u));
  let mantissa = (magnitude << (vec4(23u) - top)) & vec4(0x7fffffu);
  let exponent = (top + vec4(${127 - OUTPUT_FRACTION}u)) << vec4(23u);
  let sign = bitcast<vec4<u32>>(bounded) & vec4(0x80000000u);
  return select(sign | exponent | mantissa, vec4(0u), magnitude == vec4(0u));
}
`;

/** The network's input of observations and codes; a thread makes a pixel. */
export function inputShader(): string {
  const vectors = vectorsOf(INPUT_CHANNELS);
  const store: string[] = [];
  for (let vector = 0; vector < vectors; vector++) {
    const four = (from: number): string => `vec4(${[0, 1, 2, 3].map((i) => `values[${from + i}]`).join(', ')})`;
    store.push(`  result[to + ${vector}] = joined(${four(LANES * vector)}, ${four(LANES * vector + 4)});`);
  }
  return `${structOf(INPUT_FIELDS)}
@group(0) @binding(1) var<storage, read> observed: array<u32>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> tables: array<i32>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4<u32>>;
${HALVES}${SCALED}${FIXED}
@compute @workgroup_size(${TILE}, ${TILE})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let x = i32(id.x);
  let y = task.first + i32(id.y);
  if (x >= task.toWidth || y >= task.end) { return; }
  let inside = x < task.width && y < task.height;
  let pixel = ${COEFFICIENTS} * ((y - task.first) * task.width + x);
  var values: array<i32, ${INPUT_CHANNELS}>;
  for (var c = 0; c < ${COEFFICIENTS}; c++) {
    var value = 0;
    var code = ${UNKNOWN};
    if (inside) {
      value = fixed(observed[pixel + c]);
      code = i32((codes[(pixel + c) / 4] >> (8u * u32((pixel + c) % 4))) & 255u);
    }
    let product = scaled(vec4(value), vec4(tables[code * ${COEFFICIENTS} + c])).x;
    values[c] = clamp((product + task.half) >> u32(task.shift), -task.limit, task.limit);
    values[c + ${COEFFICIENTS}] = tables[${FEATURES} + code];
  }
  let to = ((y % task.toRows) * task.toWidth + x) * ${vectors};
${store.join('\n')}
}
`;
}

/**
 * A float, as the word that it is stored in, in units of 2^-INPUT_FRACTION: nearest, ties to even, clamped; NaN is 0. A float is
 * m · 2^(e − 150), and so m · 2^(e − 150 + INPUT_FRACTION) of them, with m below 2^24.
 */
const FIXED = `
fn fixed(word: u32) -> i32 {
  let exponent = i32((word >> 23u) & 255u);
  let fraction = word & 0x7fffffu;
  if (exponent == 0 || (exponent == 255 && fraction != 0u)) { return 0; }
  let mantissa = fraction | 0x800000u;
  let up = exponent - ${150 - INPUT_FRACTION};
  var magnitude = ${INPUT_VALUE_LIMIT}u;
  if (up < -24) {
    magnitude = 0u;
  } else if (up < 0) {
    let down = u32(-up);
    let rest = mantissa & ((1u << down) - 1u);
    let half = 1u << (down - 1u);
    magnitude = mantissa >> down;
    if (rest > half || (rest == half && (magnitude & 1u) == 1u)) { magnitude += 1u; }
  } else if (up < ${31 - Math.clz32(INPUT_VALUE_LIMIT) - 23}) {
    magnitude = mantissa << u32(up);
  }
  return select(i32(magnitude), -i32(magnitude), (word >> 31u) == 1u);
}
`;
