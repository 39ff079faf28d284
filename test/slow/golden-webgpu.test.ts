/** All golden files on a GPU in Node, or on what plays one, which takes minutes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GpuHost } from '../../src/model/gpu/program.js';
import { decode, release } from '../../src/node.js';
import { testedGpu } from '../helpers/gpu.js';

const folder = fileURLToPath(new URL('../../../test/golden', import.meta.url));
const list = join(folder, 'hashes.json');
const gpu = existsSync(list) ? await testedGpu() : 'there are no golden files: npm run golden';

describe('golden files, on a GPU or what plays one', { skip: typeof gpu === 'string' ? gpu : false }, () => {
  after(() => Promise.all([release(), (gpu as GpuHost).close()]));

  it('decode to their pixels', async () => {
    const hashes = JSON.parse(readFileSync(list, 'utf8')) as Record<string, { pixels: string }>;
    for (const [name, { pixels }] of Object.entries(hashes)) {
      const { data, engine } = await decode(readFileSync(join(folder, `${name}.dcz`)), { engine: 'webgpu' });
      // 16 bits count most significant byte first.
      const bytes =
        data instanceof Uint8Array ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength).swap16();
      assert.equal(createHash('sha256').update(bytes).digest('hex'), pixels, name);
      assert.match(engine ?? 'none needed', /^(WebGPU, .*|none needed)$/, name);
    }
  });
});
