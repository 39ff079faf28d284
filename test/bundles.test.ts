/** The pages of the guide, with the package as it is installed, through bundlers into a browser. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build as esbuild } from 'esbuild';
import type { Browser } from 'playwright-core';
import { build as vite } from 'vite';
import { decode, encode, release, toRgba } from '../src/node.js';
import { readPng } from '../formats/png-reader.js';
import { noBrowser, serveFolder, startBrowser } from './helpers/chromium.js';
import { blocksOf } from './helpers/code-blocks.js';
import { install, type Installed } from './helpers/installed.js';

const ofNode = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](?:node:|fs|path|os|worker_threads)/;

describe('bundles', { skip: noBrowser }, () => {
  let app: Installed;
  let browser: Browser;
  let file: Uint8Array;
  /** What a canvas has to show. */
  let expected: number[];

  before(async () => {
    app = install();
    browser = await startBrowser();
    const { picture } = readPng(readFileSync(join(app.work('picture'), 'photo.png')));
    ({ bytes: file } = await encode(picture, { effort: 1, target: { size: 600 } }));
    expected = [...toRgba(await decode(file))];
  });
  after(async () => {
    await browser?.close();
    app?.remove();
    await release();
  });

  /** A page's blocks as files. */
  function folderOf(page: string, name: string): string {
    const folder = app.work(name);
    for (const { file, text } of blocksOf(`docs/guide/${page}.md`))
      if (file !== undefined) writeFileSync(join(folder, file), text);
    mkdirSync(join(folder, 'public'));
    writeFileSync(join(folder, 'public', 'photo.dcz'), file);
    return folder;
  }

  /** Opens a page, waits until it has done what it is to do, and looks at its canvas and at what it has loaded. */
  async function look(
    folder: string,
    title: string,
    path = '',
  ): Promise<{ canvas: number[] | undefined; loaded: string[] }> {
    const { server, address } = await serveFolder(folder);
    const page = await browser.newPage();
    page.setDefaultTimeout(300_000);
    const complaints: string[] = [];
    const loaded: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('response', (response) => loaded.push(`${response.status()} ${response.url().slice(address.length)}`));
    try {
      await page.goto(address + path);
      const ended = page.waitForFunction((wanted) => document.title === wanted, title);
      const failed = new Promise<never>((_, reject) => page.on('pageerror', (error) => reject(error)));
      await Promise.race([ended, failed]);
      const canvas = await page.evaluate(() => {
        const shown = document.querySelector('canvas');
        const data = shown?.getContext('2d')?.getImageData(0, 0, shown.width, shown.height).data;
        return data === undefined ? undefined : Array.from(data);
      });
      assert.deepEqual(complaints, []);
      return { canvas, loaded };
    } finally {
      await page.close();
      server.closeAllConnections();
      server.close();
    }
  }

  async function viteBuild(folder: string): Promise<string> {
    await vite({
      root: folder,
      base: './',
      configFile: false,
      logLevel: 'error',
      build: { outDir: 'out', emptyOutDir: true },
    });
    return join(folder, 'out');
  }

  it('vite: the page of the first steps shows the very pixels that Node decodes', async () => {
    const { canvas, loaded } = await look(await viteBuild(folderOf('first-steps', 'vite-first')), '96 × 64');
    assert.deepEqual(canvas, expected);
    const models = loaded.filter((line) => line.includes('.dcm'));
    assert.equal(models.length, 1, `the model should be fetched once, as a file of the bundle: ${loaded.join(', ')}`);
    assert.match(models[0]!, /^200 assets\//);
  });

  it('vite: a page whose picture gets better while it arrives', async () => {
    const { canvas } = await look(await viteBuild(folderOf('page', 'vite-stream')), '96 × 64');
    assert.deepEqual(canvas, expected);
  });

  it('vite: an element beside plain images, which a service worker shows', async () => {
    const folder = folderOf('page', 'vite-element');
    const page = readFileSync(join(folder, 'album.html'), 'utf8');
    writeFileSync(
      join(folder, 'album.html'),
      `${page}<img src="photo.dcz" alt=""><script type="module" src="./register.js"></script>
       <script type="module">
         const image = document.querySelector('img');
         const small = document.querySelector('[sizes]');
         addEventListener('error', ({ message }) => (document.title = message));
         image.addEventListener('load', async () => {
           await small.decode();
           document.title = [image.naturalWidth, image.naturalHeight, small.width].join();
         });
       </script>`,
    );
    await vite({
      root: folder,
      configFile: join(folder, 'vite.config.js'),
      logLevel: 'error',
      build: { outDir: 'out' },
    });
    await look(join(folder, 'out'), '96,64,24', 'album.html');
  });

  it('esbuild: model and worker by name; a picture is encoded too', async () => {
    const folder = folderOf('page', 'esbuild');
    const out = join(folder, 'out');
    const { warnings } = await esbuild({
      absWorkingDir: folder,
      entryPoints: ['by-name.js', 'worker.js'],
      bundle: true,
      format: 'esm',
      loader: { '.dcm': 'file' },
      outdir: 'out',
      logLevel: 'silent',
    });
    assert.deepEqual(warnings, []);
    writeFileSync(
      join(out, 'index.html'),
      '<!doctype html><meta charset="utf-8"><script type="module" src="by-name.js"></script>',
    );
    cpSync(join(folder, 'public', 'photo.dcz'), join(out, 'photo.dcz'));
    const { loaded } = await look(out, '96 × 64');
    assert.ok(
      loaded.some((line) => /^200 dcomp-small-\w+\.dcm/.test(line)),
      loaded.join(', '),
    );
    // Only what a browser has, and all of it inside.
    for (const name of ['by-name.js', 'worker.js'])
      assert.ok(!ofNode.test(readFileSync(join(out, name), 'utf8')), `${name} imports a module of Node`);
  });

  it('vite: a page encodes what is on its canvas to the bytes that Node makes', async () => {
    const folder = folderOf('page', 'vite-upload');
    writeFileSync(
      join(folder, 'page.js'),
      `import { coded } from './upload.js';
       const image = new ImageData(24, 16);
       for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : (i * 7) & 255;
       const bytes = await coded(image);
       document.title = [...bytes].join();`,
    );
    const data = Uint8Array.from({ length: 24 * 16 * 4 }, (_, i) => (i % 4 === 3 ? 255 : (i * 7) & 255));
    const { bytes } = await encode({ width: 24, height: 16, channels: 4, data }, { target: { size: 1500 } });
    await look(await viteBuild(folder), [...bytes].join());
  });

  it('nothing of Node is in what is bundled for browsers', async () => {
    const folder = app.work('names');
    for (const name of ['', '/browser', '/model', '/worker', '/element', '/element-worker', '/service-worker'].map(
      (path) => `dcomp${path}`,
    )) {
      const { outputFiles } = await esbuild({
        absWorkingDir: folder,
        stdin: { contents: `import * as all from '${name}'; console.log(all)`, resolveDir: folder },
        bundle: true,
        write: false,
        format: 'esm',
        logLevel: 'silent',
      });
      assert.ok(!ofNode.test(outputFiles[0]!.text), `${name} imports a module of Node`);
    }
  });
});
