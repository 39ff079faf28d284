/** The golden files decode in a browser to the very pixels that Node gives, and a picture codes to the same bytes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { corpusPicture } from '../corpus/pictures.js';
import { decode, encode, type EngineName } from '../src/node.js';
import { withDepth } from '../src/picture.js';
import { smallModelFile } from '../corpus/small-model.js';
import { noBrowser } from './helpers/chromium.js';
import { root } from './helpers/cli.js';
import { hasAdapter, openModulePage, type ModulePage } from './helpers/module-page.js';

const golden = join(root, 'test', 'golden');

const MODEL = 'models/dcomp-1.dcm';

interface Golden {
  picture: { width: number; height: number };
  /** SHA-256 of the .dcz file. */
  dcz: string;
  /** SHA-256 of the decoded samples. */
  pixels: string;
}

/** What is called inside of the page. */
type BrowserEntry = typeof import('../src/browser.js');

/** The files of test/golden, and what they have to become. @throws AssertionError unless they are what is listed */
function goldenFiles(): { name: string; pixels: string; area: number }[] {
  const hashes = JSON.parse(readFileSync(join(golden, 'hashes.json'), 'utf8')) as Record<string, Golden>;
  const names = readdirSync(golden)
    .filter((name) => name.endsWith('.dcz'))
    .map((name) => name.slice(0, -4));
  assert.ok(names.length > 0, 'test/golden has no .dcz file');
  assert.deepEqual(names.sort(), Object.keys(hashes).sort());
  return names.map((name) => {
    const file = readFileSync(join(golden, `${name}.dcz`));
    assert.equal(createHash('sha256').update(file).digest('hex'), hashes[name].dcz, `${name}.dcz itself`);
    const { picture, pixels } = hashes[name];
    return { name, pixels, area: picture.width * picture.height };
  });
}

const noGolden = existsSync(golden) ? false : 'no golden files (test/golden)';

/** What a page makes of a golden file: the hash of its samples, and on what its network was computed. */
function decodedIn(page: Page, name: string, engine: EngineName): Promise<{ pixels: string; engine?: string }> {
  return page.evaluate(
    async ({ name, modelPath, engine }) => {
      const entry = '/dist/src/browser.js';
      const { decode } = (await import(entry)) as BrowserEntry;
      const load = async (path: string) => new Uint8Array(await (await fetch(path)).arrayBuffer());
      const picture = await decode(await load(`/test/golden/${name}.dcz`), { model: await load(modelPath), engine });
      const { data } = picture;
      const bytes =
        data instanceof Uint8Array
          ? data
          : Uint8Array.from({ length: 2 * data.length }, (_, i) => (i & 1 ? data[i >> 1] : data[i >> 1] >> 8));
      const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
      const pixels = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
      return { pixels, engine: picture.engine };
    },
    { name, modelPath: `/${MODEL}`, engine },
  );
}

describe('browser with WebGPU', { skip: noBrowser || noGolden }, () => {
  it('the smaller golden files decode to their hashes', async (test) => {
    const { page, close } = await openModulePage(true);
    try {
      if (!(await hasAdapter(page))) return test.skip('this browser has no WebGPU');
      // What plays a GPU computes some 0.2 GFLOP/s; the larger ones take minutes.
      for (const { name, pixels } of goldenFiles().filter(({ area }) => area <= 400)) {
        const found = await decodedIn(page, name, 'webgpu');
        assert.equal(found.pixels, pixels, `${name}: other pixels on a GPU`);
        assert.match(found.engine ?? 'none needed', /^(WebGPU, .*|none needed)$/, name);
      }
    } finally {
      await close();
    }
  });
});

describe('browser', { skip: noBrowser }, () => {
  let opened: ModulePage;
  before(async () => {
    opened = await openModulePage();
  });
  after(() => opened?.close());

  it('golden files decode to their hashes', { skip: noGolden }, async () => {
    const { page, complaints } = opened;
    for (const { name, pixels } of goldenFiles())
      assert.equal((await decodedIn(page, name, 'wasm')).pixels, pixels, `${name}: other pixels in the browser`);
    assert.deepEqual(complaints, []);
  });

  it('a picture codes to the same bytes as in Node, and decodes to the same pixels and metadata', async () => {
    const { page, complaints } = opened;
    const xmp = Array.from(Buffer.from('<x:xmpmeta>'.repeat(20)));
    for (const depth of [8, 16] as const) {
      const picture = withDepth(corpusPicture('rgba-balls', { width: 75, height: 41 }), depth);
      const model = smallModelFile();
      const expected = await encode(
        { ...picture, metadata: { xmp: Uint8Array.from(xmp), orientation: 6 } },
        { target: { quality: 40 }, model },
      );
      const pixels = await decode(expected.bytes, { model });
      const found = await page.evaluate(
        async ({ width, height, channels, depth, data, model, xmp }) => {
          const entry = '/dist/src/browser.js';
          const { encode, decode, info, ProgressiveDecoder } = (await import(entry)) as BrowserEntry;
          const options = { model: Uint8Array.from(model) };
          const metadata = { xmp: Uint8Array.from(xmp), orientation: 6 };
          const source = {
            width,
            height,
            channels,
            data: depth === 16 ? Uint16Array.from(data) : Uint8Array.from(data),
            metadata,
          };
          const { bytes } = await encode(source, { target: { quality: 40 }, ...options });
          const back = await decode(bytes, options);
          // The same from a stream.
          const decoder = new ProgressiveDecoder(options);
          let last: ArrayLike<number> | undefined;
          for await (const portion of new Blob([
            bytes as Uint8Array<ArrayBuffer>,
          ]).stream() as unknown as AsyncIterable<Uint8Array>) {
            for (let at = 0; at < portion.length; at += 900) {
              decoder.push(portion.subarray(at, at + 900));
              last = (await decoder.picture({ latest: true }))?.data;
            }
          }
          return {
            bytes: Array.from(bytes),
            streamed: Array.from(last ?? []),
            data: Array.from(back.data),
            width: info(bytes).width,
            depth: back.depth,
            xmp: Array.from(back.metadata?.xmp ?? []),
          };
        },
        { ...picture, depth, data: Array.from(picture.data), model: Array.from(model), xmp },
      );
      assert.deepEqual([found.width, found.depth], [picture.width, depth]);
      assert.ok(Buffer.compare(Buffer.from(found.bytes), expected.bytes) === 0, 'other bytes in the browser');
      assert.deepEqual(found.data, Array.from(pixels.data), 'other pixels in the browser');
      assert.deepEqual(found.streamed, found.data, 'other pixels from a stream');
      assert.deepEqual(found.xmp, xmp);
    }
    assert.deepEqual(complaints, []);
  });
});
