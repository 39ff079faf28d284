/** The page in a real browser: every control, a large picture, another visit. */
import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Browser, BrowserContext, Download, Page } from 'playwright-core';
import { corpusPicture } from '../corpus/pictures.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { decode, info, release, toRgba } from '../src/node.js';
import { buildPage, type BuiltPage } from './helpers/built-page.js';
import { noBrowser, serveFolder, startBrowser } from './helpers/chromium.js';

const LIMIT = { timeout: 540_000 };
const SIZE = { width: 160, height: 120 };

describe('the page', { skip: noBrowser }, () => {
  let built: BuiltPage;
  let server: Server;
  let address: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    built = await buildPage();
    ({ server, address } = await serveFolder(built.folder));
    browser = await startBrowser();
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    page = await context.newPage();
    page.setDefaultTimeout(240_000);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  });
  after(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    built?.remove();
    await release();
  });

  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? '';

  /** Does something, and waits until the page says that it is done. */
  async function until(said: RegExp, act: () => Promise<unknown>): Promise<string> {
    await page.evaluate(() => (document.querySelector('#status')!.textContent = ''));
    await act();
    await page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector('#status')!.textContent!),
      said.source,
    );
    await page.waitForFunction(() => document.querySelector<HTMLButtonElement>('#stop')!.disabled);
    return text('status');
  }

  async function slide(id: string, value: number): Promise<void> {
    await page.locator(`#${id}`).fill(String(value));
  }

  /** Drags over the picture, from and to in shares of the view. */
  async function drag(from: [number, number], to: [number, number]): Promise<void> {
    const { x, y, width, height } = (await page.locator('#view').boundingBox())!;
    await page.mouse.move(x + from[0] * width, y + from[1] * height);
    await page.mouse.down();
    await page.mouse.move(x + to[0] * width, y + to[1] * height, { steps: 4 });
    await page.mouse.up();
  }

  async function saved(id: string): Promise<Uint8Array> {
    const [download]: [Download, unknown] = await Promise.all([page.waitForEvent('download'), page.click(`#${id}`)]);
    return readFileSync(await download.path());
  }

  /** What the right canvas shows, as a number that other pixels would not have. */
  const shown = (): Promise<number> =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#right')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((hash, value) => (Math.imul(hash, 31) + value) | 0, 7);
    });

  const openSmall = (): Promise<string> =>
    until(/^Coded/, () =>
      page.setInputFiles('#file', {
        name: 'holiday.png',
        mimeType: 'image/png',
        buffer: Buffer.from(writePng(corpusPicture('scene', SIZE))),
      }),
    );

  it('first view: less than 300 kB before the model, and nothing moves', LIMIT, async () => {
    const sizes: Promise<[string, number]>[] = [];
    page.on('response', (response) =>
      sizes.push(response.body().then((body): [string, number] => [response.url(), body.length])),
    );
    await page.addInitScript(() => {
      const shifts = { sum: 0 };
      Object.assign(globalThis, { shifts });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts.sum += (entry as PerformanceEntry & { value: number }).value;
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await page.goto(address + built.path);
    await page.waitForFunction(() => /^Coded/.test(document.querySelector('#status')!.textContent!));
    const all = await Promise.all(sizes);
    const codec = all.findIndex(([url]) => /engine-/.test(url));
    assert.ok(codec > 0 && all.some(([url]) => url.endsWith('.dcm')));
    const first = all.slice(0, codec).reduce((sum, [, length]) => sum + length, 0);
    assert.ok(first < 300_000, `${first} bytes`);
    assert.equal(all.filter(([url]) => url.endsWith('.dcm')).length, 1, 'one model');
    const moved = await page.evaluate(() => (globalThis as unknown as { shifts: { sum: number } }).shifts.sum);
    assert.ok(moved < 0.001, `layout shift ${moved}`);
    assert.deepEqual(complaints, []);
  });

  it('every control does what it says', LIMIT, async () => {
    await openSmall();
    await checkCoding();
    await checkView();
    await checkReplayAndDamage();
    await checkRegion();
    await checkRestoring();
    await checkPainting();
    await checkSampling();
    await checkRest();
    assert.deepEqual(complaints, []);
  });

  async function checkCoding(): Promise<void> {
    await until(/^Coded/, () => slide('amount', 60));
    const limit = Number((await text('amount-value')).replace(/\D/g, ''));
    const file = await saved('save-dcz');
    assert.ok(file.length <= limit && file.length > 0.9 * limit, `${file.length} of ${limit} bytes`);
    // Any dcomp decodes it, and to what the page shows.
    const picture = await decode(file);
    const { picture: fromPage } = readPng(await saved('save-png'));
    assert.deepEqual(toRgba(fromPage), toRgba(picture));
    await page.click('#copy');
    await page.waitForFunction(() => /Copied/.test(document.querySelector('#status')!.textContent!));
    const snippet = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(snippet, /<dcz-image src="(data:|holiday\.dcz)[^>]* width="160" height="120">/);
    await page.check('input[value=quality]', { force: true });
    await until(/^Coded/, () => slide('amount', 30));
    assert.equal(await text('amount-value'), '30');
    await page.check('input[value=size]', { force: true });
    await until(/^Coded/, () => page.click('#code-now'));
    await until(/same bytes/, () => page.check('#compare'));
    const rows = await page.$$eval('#figures tr', (found) =>
      found.map((row) => [...row.children].map((cell) => cell.textContent!.replace(/\s/g, ''))),
    );
    assert.deepEqual(
      rows.map(([name]) => name),
      ['dcomp', 'AVIF', 'JPEG XL'.replace(' ', ''), 'WebP'],
    );
    for (const [name, bytes, psnr] of rows) {
      assert.ok(Number(bytes) <= limit * 1.2, `${name}: ${bytes} bytes`);
      assert.ok(Number(psnr) > 15, `${name}: ${psnr} dB`);
    }
    await page.uncheck('#compare');
  }

  async function checkView(): Promise<void> {
    await page.selectOption('#left-choice', 'AVIF');
    assert.match(await text('left-label'), /^AVIF/);
    await page.selectOption('#right-choice', 'Original');
    assert.equal(await text('right-label'), 'Original');
    await page.selectOption('#right-choice', 'dcomp');
    await page.focus('#split');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.getAttribute('#split', 'aria-valuenow'), '52');
    await page.keyboard.press('Home');
    assert.equal(await page.getAttribute('#split', 'aria-valuenow'), '0');
    const handle = (await page.locator('#split').boundingBox())!;
    await page.mouse.move(handle.x + 22, handle.y + 30);
    await page.mouse.down();
    await page.mouse.move(handle.x + 222, handle.y + 30);
    await page.mouse.up();
    assert.ok(Number(await page.getAttribute('#split', 'aria-valuenow')) > 10);
    await page.click('#zoom-in');
    assert.match(await text('zoom-value'), /%/);
    const place = (): Promise<string> => page.$eval('#world', (world) => world.style.transform);
    const before = await place();
    await drag([0.7, 0.5], [0.6, 0.4]);
    assert.notEqual(await place(), before);
    await page.focus('#view');
    await page.keyboard.press('0');
    assert.equal(await text('zoom-value'), 'fit');
    await page.keyboard.press('+');
    await page.click('#zoom-out');
    await page.click('#zoom-fit');
    await page.locator('#view').dblclick({ position: { x: 300, y: 200 } });
    assert.match(await text('zoom-value'), /%/);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, 4000);
    await page.keyboard.up('Control');
    await page.waitForFunction(() => document.querySelector('#zoom-value')!.textContent === 'fit');
  }

  async function checkReplayAndDamage(): Promise<void> {
    const whole = await shown();
    await page.click('#tab-replay');
    await until(/first 300 bytes/, () => page.click('#stops button:has-text("300")'));
    assert.notEqual(await shown(), whole);
    await until(/^Decoded/, () => slide('arrived', 50));
    await until(/^Decoded the first (.+ bytes) of \1/, () => page.click('#play'));
    assert.equal(await shown(), whole);
    await until(/wrong/, () => page.click('#tab-damage'));
    await until(/^15 of/, () => slide('flips', 15));
    assert.ok((await page.locator('#damage-notes li').count()) > 0);
    assert.notEqual(await shown(), whole);
    await until(/^15 of/, () => page.click('#damage-again'));
    await until(/^20 of/, () => page.click('#damage-play'));
  }

  async function checkRegion(): Promise<void> {
    await page.click('#tab-region');
    await until(/^Coded/, () => drag([0.4, 0.4], [0.6, 0.6]));
    await page.click('#tab-code');
    const { parts } = info(await saved('save-dcz'));
    assert.ok(parts.some(({ name }) => name === 'regions'));
    await page.click('#tab-region');
    await until(/^Coded/, () => slide('weight', 6));
    await until(/^Coded/, () => page.click('#region-middle'));
    await until(/^Coded/, () => page.click('#region-clear'));
  }

  async function checkRestoring(): Promise<void> {
    await page.click('#tab-restore');
    await slide('noise', 30);
    await until(/white noise/, () => page.click('#noise-add'));
    assert.match(await text('left-label'), /sigma 30|AVIF|Original/);
    await until(/right without/, () => page.click('#denoise'));
    assert.match(await text('right-label'), /denoised/);
    await until(/^320 × 240/, () => page.click('#upscale-2'));
    await until(/^640 × 480/, () => page.click('#upscale-4'));
  }

  async function checkPainting(): Promise<void> {
    await page.click('#tab-paint');
    await slide('brush', 12);
    assert.equal(await page.isDisabled('#fill'), true);
    await drag([0.45, 0.5], [0.55, 0.5]);
    await until(/^Filled/, () => page.click('#fill'));
    const first = await shown();
    await until(/^Filled/, () => page.click('#fill-other'));
    assert.notEqual(await shown(), first);
    await page.click('#paint-clear');
    assert.equal(await page.isDisabled('#fill'), true);
  }

  async function checkSampling(): Promise<void> {
    await page.click('#tab-sample');
    await page.selectOption('#side', '64');
    await page.selectOption('#sampler', 'ancestral');
    await page.fill('#steps', '6');
    await page.fill('#seed', '3');
    await slide('temperature', 0.7);
    await until(/^Drawn/, () => page.click('#draw'));
    const drawn = await shown();
    assert.match(await text('film-value'), /^(\d+) of \1$/);
    await slide('film', 0);
    await page.waitForFunction(() => /^state 1$/.test(document.querySelector('#right-label')!.textContent!));
    assert.notEqual(await shown(), drawn);
    const others = new Set([drawn]);
    for (const sampler of ['heun', 'sde', 'langevin']) {
      await page.selectOption('#sampler', sampler);
      await until(/^Drawn/, () => page.click('#draw'));
      others.add(await shown());
    }
    assert.equal(others.size, 4, 'each sampler draws its own');
  }

  async function checkRest(): Promise<void> {
    await page.click('#tab-code');
    await page.focus('#tab-code');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.getAttribute('#tab-replay', 'aria-selected'), 'true');
    await page.keyboard.press('ArrowLeft');
    for (const theme of ['light', 'dark', undefined]) {
      await page.click('#theme');
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
    }
    await page.selectOption('#pixels', '100000');
    await until(/^Coded/, () => page.click('[data-sample=fjord]'));
    assert.equal(await page.getAttribute('[data-sample=fjord]', 'aria-pressed'), 'true');
    await until(/^Coded/, () => page.click('[data-sample=blossom]'));
    await until(/^Coded/, () =>
      page.evaluate(
        (bytes) => {
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([Uint8Array.from(bytes)], 'pasted.png', { type: 'image/png' }));
          document.dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
        },
        [...writePng(corpusPicture('scene', { width: 90, height: 60 }))],
      ),
    );
    assert.equal(await page.evaluate(() => document.querySelector<HTMLCanvasElement>('#left')!.width), 90);
    assert.equal(await page.getAttribute('[data-sample=blossom]', 'aria-pressed'), 'false');
    await until(/^Stopped/, async () => {
      await page.click('[data-sample=tulips]');
      await page.waitForFunction(() => /^Coding/.test(document.querySelector('#status')!.textContent!));
      await page.click('#stop');
    });
    await until(/cannot read/, () =>
      page.setInputFiles('#file', { name: 'a.txt', mimeType: 'image/png', buffer: Buffer.from('no picture') }),
    );
    // What the browser has to say of that file is no fault of the page.
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !/decode/.test(text)));
  }

  it(
    'more than 3 megapixels: reduced unless asked for, and then with a warning before anything is coded',
    LIMIT,
    async () => {
      const png = await page.evaluate(async () => {
        const canvas = new OffscreenCanvas(2400, 1800);
        const drawing = canvas.getContext('2d')!;
        const sky = drawing.createLinearGradient(0, 0, 2400, 1800);
        sky.addColorStop(0, 'teal');
        sky.addColorStop(1, 'orange');
        drawing.fillStyle = sky;
        drawing.fillRect(0, 0, 2400, 1800);
        return [...new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg' })).arrayBuffer())];
      });
      const said: string[] = [];
      await page.exposeFunction('hear', (text: string) => said.push(text));
      await page.evaluate((bytes) => {
        const status = document.querySelector('#status')!;
        const { hear } = globalThis as unknown as { hear: (text: string) => void };
        new MutationObserver(() => hear(status.textContent!)).observe(status, { childList: true });
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(bytes)], 'large.jpg', { type: 'image/jpeg' }));
        const drop = document.querySelector<HTMLElement>('#drop')!;
        const over = (): boolean =>
          !document.dispatchEvent(new DragEvent('dragover', { dataTransfer: transfer, cancelable: true })) &&
          !drop.hidden;
        const offered = [over(), document.dispatchEvent(new DragEvent('dragleave')) && drop.hidden, over()];
        if (offered.includes(false)) throw new Error(`where to drop is shown wrongly: ${offered.join()}`);
        document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
      }, png);
      await page.waitForFunction(() => /^Coded/.test(document.querySelector('#status')!.textContent!));
      assert.ok(
        said.some((text) => /^365 × 274, reduced from 2400 × 1800 \(4\.3 megapixels\)/.test(text)),
        said.join('\n'),
      );
      await until(/^4\.3 megapixels: coding takes about .*“Code it” begins/, () =>
        page.selectOption('#pixels', '16000000'),
      );
      // To be shown, it is reduced all the same.
      assert.equal(await page.evaluate(() => document.querySelector<HTMLCanvasElement>('#left')!.width), 2000);
      await page.selectOption('#pixels', '100000');
      assert.deepEqual(complaints, []);
    },
  );

  it('the next visit has threads', LIMIT, async () => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await page.waitForFunction(() => /^Coded/.test(document.querySelector('#status')!.textContent!));
    const { isolated, cores } = await page.evaluate(() => ({
      isolated: crossOriginIsolated,
      cores: Math.min(8, navigator.hardwareConcurrency),
    }));
    assert.equal(isolated, true);
    assert.equal(await text('machine'), cores === 1 ? 'One thread.' : `${cores} threads.`);
    assert.deepEqual(complaints, []);
  });
});
