/** Golden files: bytes and pixels that no machine, thread count or release may change (scripts/make-golden.mjs). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { corpusPicture } from '../corpus/pictures.js';
import {
  decode,
  encode,
  release,
  withDepth,
  type Depth,
  type EncodeOptions,
  type Metadata,
  type Samples,
} from '../src/node.js';
import type { GpuHost } from '../src/model/gpu/program.js';
import { testedGpu } from './helpers/gpu.js';

interface Golden {
  picture: { name: string; width: number; height: number; depth?: Depth; metadata?: Metadata };
  options: EncodeOptions;
  /** SHA-256 of the .dcz file, and of the decoded samples. */
  dcz: string;
  pixels: string;
}

const folder = fileURLToPath(new URL('../../test/golden', import.meta.url));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** 16 bits count most significant byte first. */
const asBytes = (samples: Samples): Uint8Array =>
  samples instanceof Uint8Array
    ? samples
    : Uint8Array.from({ length: 2 * samples.length }, (_, i) => (i & 1 ? samples[i >> 1]! : samples[i >> 1]! >> 8));
const missing = existsSync(join(folder, 'hashes.json')) ? false : 'there are no golden files: npm run golden';

describe('golden files', { skip: missing }, () => {
  const hashes = missing
    ? {}
    : (JSON.parse(readFileSync(join(folder, 'hashes.json'), 'utf8')) as Record<string, Golden>);
  after(() => release());

  it('are all listed, and small', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.dcz'));
    assert.deepEqual(
      files.sort(),
      Object.keys(hashes)
        .map((name) => `${name}.dcz`)
        .sort(),
    );
    const total = files.reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0);
    assert.ok(total < 16384, `${total} bytes`);
  });

  for (const threads of [1, 2, 8]) {
    it(`decode to their pixels with ${threads} thread${threads > 1 ? 's' : ''}`, async () => {
      for (const [name, { picture, dcz, pixels }] of Object.entries(hashes)) {
        const file = readFileSync(join(folder, `${name}.dcz`));
        assert.equal(sha256(file), dcz, `${name}.dcz itself`);
        const decoded = await decode(file, { threads });
        assert.equal(sha256(asBytes(decoded.data)), pixels, name);
        assert.deepEqual(decoded.metadata, picture.metadata, name);
      }
    });

    it(`come out of the encoder again with ${threads} thread${threads > 1 ? 's' : ''}`, async () => {
      for (const [name, { picture, options, dcz }] of Object.entries(hashes)) {
        const source = withDepth(corpusPicture(picture.name, picture), picture.depth ?? 8);
        const { bytes } = await encode(
          picture.metadata === undefined ? source : { ...source, metadata: picture.metadata },
          { model: 'large', ...options, threads },
        );
        assert.equal(sha256(bytes), dcz, name);
      }
    });
  }
});

const gpu = missing === false ? await testedGpu() : missing;

describe('golden files, on a GPU or what plays one', { skip: typeof gpu === 'string' ? gpu : false }, () => {
  after(() => Promise.all([release(), (gpu as GpuHost).close()]));

  // The larger ones take minutes: test/slow/golden-webgpu.test.ts.
  it('decode to their pixels: the smallest', async () => {
    const hashes = JSON.parse(readFileSync(join(folder, 'hashes.json'), 'utf8')) as Record<string, Golden>;
    for (const [name, { picture, pixels }] of Object.entries(hashes)) {
      if (picture.width * picture.height > 100) continue;
      const decoded = await decode(readFileSync(join(folder, `${name}.dcz`)), { engine: 'webgpu' });
      assert.equal(sha256(asBytes(decoded.data)), pixels, name);
      assert.match(decoded.engine ?? 'none needed', /^(WebGPU, .*|none needed)$/, name);
    }
  });
});
