/** `<dcz-image>` and the service worker in a real browser: what they show, when, and what they leave alone. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { corpusPicture } from '../corpus/pictures.js';
import { decode, encode, release, toRgba } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import type { DczImage } from '../web/element.js';
import { noBrowser, startBrowser } from './helpers/chromium.js';
import { MODULES, startWebApp, type WebApp } from './helpers/web-app.js';

const LIMIT = { timeout: 300_000 };
const SIZE = { width: 192, height: 128 };

/** A page of the site: what is said to it, and what it has heard. */
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>pictures</title>
<style>body { margin: 0; font: 16px/1.5 sans-serif }</style>
<p>Before</p><div id="place"></div><p id="after">After</p>
<script type="module">
  import * as dcomp from '${MODULES}/element.js';
  globalThis.dcomp = dcomp;
  globalThis.heard = [];
  globalThis.shifts = 0;
  globalThis.since = Infinity;
  new PerformanceObserver((list) => {
    for (const { value, startTime } of list.getEntries()) if (startTime > since) shifts += value;
  }).observe({ type: 'layout-shift' });
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  // What an element moves when it is put into the page does not count.
  globalThis.settle = async () => {
    await frame();
    await frame();
    since = performance.now();
  };
  globalThis.watch = (image) => {
    for (const type of ['progress', 'load', 'error'])
      image.addEventListener(type, (event) => heard.push({ type, id: image.id, loaded: event.loaded, total: event.total,
        code: event.error?.code, message: event.message }));
    return image;
  };
  globalThis.add = (html) => {
    since = Infinity;
    const holder = document.createElement('template');
    holder.innerHTML = html;
    const image = watch(holder.content.firstElementChild);
    document.querySelector('#place').append(image);
    return image;
  };
  globalThis.pixelsOf = (image) => {
    const canvas = document.createElement('canvas');
    const source = image.shadowRoot?.querySelector('canvas') ?? image;
    canvas.width = source.naturalWidth ?? source.width;
    canvas.height = source.naturalHeight ?? source.height;
    const context = canvas.getContext('2d');
    context.drawImage(source, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
  };
  globalThis.ready = true;
</script>`;

interface Heard {
  type: string;
  id: string;
  loaded?: number;
  total?: number;
  code?: string;
  message?: string;
}

/** What the page has. */
declare const heard: Heard[];
declare const shifts: number;
declare function settle(): Promise<void>;
declare function add(html: string): DczImage;
declare function pixelsOf(image: Element): number[];

describe('in a page', { skip: noBrowser }, () => {
  let app: WebApp;
  let browser: Browser;
  let page: Page;
  let photo: Uint8Array;
  let drawing: Uint8Array;
  let complaints: string[];

  before(async () => {
    app = await startWebApp();
    browser = await startBrowser();
    const coded = (picture: Picture, size: number) => encode(picture, { model: 'small', effort: 1, target: { size } });
    photo = (await coded(corpusPicture('scene', SIZE), 4000)).bytes;
    const turned = { ...corpusPicture('scene', { width: 96, height: 64 }), metadata: { orientation: 6 } };
    drawing = (await encode(turned, { target: 'lossless' })).bytes;
    app.files.set('/', PAGE).set('/photo.dcz', photo).set('/other.dcz', photo).set('/drawing.dcz', drawing);
    app.files.set('/broken.dcz', 'no picture at all');
  });
  after(async () => {
    await browser?.close();
    app?.close();
    await release();
  });
  beforeEach(async () => {
    await page?.context().close();
    app.isolated = app.down = false;
    app.asked.length = app.broken.length = 0;
    await open();
  });

  async function open(): Promise<void> {
    page = await (await browser.newContext({ viewport: { width: 800, height: 600 } })).newPage();
    page.setDefaultTimeout(120_000);
    complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(app.address);
    await page.waitForFunction('globalThis.ready');
  }

  const load = (html: string): Promise<void> =>
    page.evaluate(async (html) => {
      const image = add(html);
      await settle();
      await image.decode();
    }, html);
  const events = (): Promise<Heard[]> => page.evaluate(() => heard);
  const shown = (selector = 'dcz-image'): Promise<number[]> =>
    page.evaluate((selector) => pixelsOf(document.querySelector(selector)!), selector);

  it('shows the very pixels that Node decodes, in the place that was kept for them', LIMIT, async () => {
    await load('<dcz-image src="photo.dcz" alt="A scene" width="192" height="128"></dcz-image>');
    assert.deepEqual(await shown(), [...toRgba(await decode(photo))]);
    const found = await page.evaluate(() => {
      const image = document.querySelector('dcz-image')!;
      const { width, height, naturalWidth, naturalHeight, complete, currentSrc } = image;
      return { width, height, naturalWidth, naturalHeight, complete, currentSrc, shifts };
    });
    assert.deepEqual(found, {
      ...{ ...SIZE, naturalWidth: 192, naturalHeight: 128, complete: true, shifts: 0 },
      currentSrc: `${app.address}photo.dcz`,
    });
    const types = (await events()).map(({ type }) => type);
    assert.equal(types.at(-1), 'load');
    assert.equal(types.filter((type) => type === 'load').length, 1);
    assert.deepEqual(complaints, []);
  });

  it('gets better while it comes, and moves nothing', LIMIT, async () => {
    await load('<dcz-image src="drawing.dcz" alt="" hidden></dcz-image>'); // the worker is there
    await load(
      '<dcz-image src="photo.dcz?slow" id="slow" alt="" style="width: 50%; height: auto" width="192" height="128"></dcz-image>',
    );
    const heard = await events();
    const progress = heard.filter(({ type, id }) => type === 'progress' && id === 'slow');
    assert.ok(progress.length >= 3, `${progress.length} pictures on the way`);
    assert.ok(progress[0]!.loaded! < photo.length / 2, 'the first one should not wait for the whole');
    assert.ok(progress.every(({ total }) => total === photo.length));
    assert.deepEqual(await shown('#slow'), [...toRgba(await decode(photo))]);
    const { box, moved } = await page.evaluate(() => {
      const { width, height } = document.querySelector('#slow')!.getBoundingClientRect();
      return { box: [width, height], moved: shifts };
    });
    assert.deepEqual(box.map(Math.round), [400, 267]);
    assert.equal(moved, 0);
  });

  it('is laid out as an <img>, whatever the page says about its size', LIMIT, async () => {
    const styles = ['', 'width: 300px', 'height: 64px', 'max-width: 100px', 'width: 90px; height: 90px', 'width: 50%'];
    const attributes = ['', 'width="96"', 'height="32"', 'width="64" height="32"'];
    app.files.set('/plain.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="192" height="128"/>');
    for (const attribute of attributes) {
      for (const style of styles) {
        const boxes = await page.evaluate(
          async ({ attribute, style }) => {
            const place = document.querySelector('#place')!;
            place.innerHTML = `<div><img src="plain.png" ${attribute} style="${style}" alt="A"></div>
              <div><dcz-image src="photo.dcz" ${attribute} style="${style}" alt="A"></dcz-image></div>`;
            const image = place.querySelector('img')!;
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [192, 128];
            image.src = canvas.toDataURL();
            await Promise.all([image.decode(), place.querySelector('dcz-image')!.decode()]);
            return [...place.querySelectorAll('img, dcz-image')].map((each) => {
              const { width, height, bottom } = each.getBoundingClientRect();
              return [width, height, each.parentElement!.getBoundingClientRect().bottom - bottom].map((side) =>
                Math.round(side * 10),
              );
            });
          },
          { attribute, style },
        );
        assert.deepEqual(boxes[1], boxes[0], `<… ${attribute} style="${style}">`);
      }
    }
  });

  it('is to a screen reader and to the keyboard what an <img> is', LIMIT, async () => {
    await page.evaluate(() => {
      add('<dcz-image src="photo.dcz" alt="A scene" width="9" height="9"></dcz-image>');
      add('<dcz-image src="photo.dcz" alt="" width="9" height="9"></dcz-image>');
    });
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const pictures = nodes.filter(({ ignored, role }) => !ignored && /image|img/i.test(String(role?.value)));
    assert.deepEqual(
      pictures.map(({ name }): unknown => name?.value),
      ['A scene'],
    );
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.localName), 'body');
  });

  it('stops when it leaves the page, and begins anew when it comes back', LIMIT, async () => {
    await page.evaluate(async () => {
      const image = add('<dcz-image id="gone" src="photo.dcz?slow" alt="A"></dcz-image>');
      await new Promise((resolve) => image.addEventListener('progress', resolve, { once: true }));
      image.remove();
    });
    while (!app.broken.includes('/photo.dcz')) await page.waitForTimeout(20);
    assert.ok((await events()).every(({ type }) => type === 'progress'));
    await page.evaluate(() => {
      const other = add('<dcz-image src="drawing.dcz" alt="A"></dcz-image>');
      return other.decode();
    });
    const again = await page.evaluate(async () => {
      const image = add('<dcz-image id="gone" src="photo.dcz" alt="A"></dcz-image>');
      const promise = image.decode();
      image.remove();
      const reason = await promise.then(String, (error: { code: string }) => error.code);
      document.querySelector('#place')!.append(image);
      await image.decode();
      return reason;
    });
    assert.equal(again, 'E_ABORTED');
    assert.deepEqual(complaints, []);
  });

  it('with another src it is another picture, and the old one is not heard of again', LIMIT, async () => {
    await page.evaluate(async () => {
      const image = add('<dcz-image src="photo.dcz?slow" alt="A"></dcz-image>');
      await new Promise((resolve) => image.addEventListener('progress', resolve, { once: true }));
      image.src = 'drawing.dcz';
      await image.decode();
    });
    // Lying on its side, as its orientation says.
    assert.deepEqual(
      await page.evaluate(() => {
        const { naturalWidth, naturalHeight } = document.querySelector('dcz-image')!;
        return [naturalWidth, naturalHeight];
      }),
      [64, 96],
    );
    assert.equal((await events()).filter(({ type }) => type === 'load').length, 1);
    assert.equal((await shown()).length, 4 * 64 * 96);
  });

  it('loading="lazy" waits until it is near', LIMIT, async () => {
    await page.evaluate(() => {
      document.querySelector<HTMLElement>('#after')!.style.height = '4000px';
      const image = add('<dcz-image src="photo.dcz" loading="lazy" alt="A" width="192" height="128"></dcz-image>');
      document.body.append(image);
    });
    await page.waitForTimeout(300);
    assert.ok(!app.asked.includes('/photo.dcz'));
    await page.evaluate(() => {
      const image = document.querySelector('dcz-image')!;
      image.scrollIntoView();
      return image.decode();
    });
    assert.ok(app.asked.includes('/photo.dcz'));
  });

  it('with sizes, of a small picture but the beginning is decoded', LIMIT, async () => {
    await load('<dcz-image src="photo.dcz" sizes="(max-width: 10px) 90vw, 40px" alt="A"></dcz-image>');
    const expected = await decode(photo, { scale: 1 / 4 });
    assert.deepEqual(await shown(), [...toRgba(expected)]);
    const widths = await page.evaluate(() => {
      const { width, naturalWidth } = document.querySelector('dcz-image')!;
      return [width, naturalWidth];
    });
    assert.deepEqual(widths, [192, 192]);
    // Of a long file on a slow line, the rest is not fetched.
    const bytes = await encode(corpusPicture('scene', SIZE), { model: 'small', effort: 1, target: { quality: 95 } });
    app.files.set('/long.dcz', bytes.bytes);
    await load('<dcz-image id="long" src="long.dcz?slow" sizes="20px" alt="A"></dcz-image>');
    const { loaded, total } = (await events()).filter(({ id, type }) => id === 'long' && type === 'progress').at(-1)!;
    assert.ok(loaded! < 0.55 * total!, `${loaded} of ${total} bytes`);
    assert.equal((await events()).at(-1)!.type, 'load');
  });

  it('says what is wrong, and shows its alt', LIMIT, async () => {
    await page.evaluate(() =>
      Promise.allSettled(
        ['missing.dcz', 'broken.dcz'].map((src) =>
          add(`<dcz-image id="${src}" src="${src}" alt="A scene"></dcz-image>`).decode(),
        ),
      ),
    );
    const codes = Object.fromEntries((await events()).map(({ id, type, code }) => [id, `${type} ${code}`]));
    assert.deepEqual(codes, { 'missing.dcz': 'error E_IO', 'broken.dcz': 'error E_NOT_DCZ' });
    assert.equal(await page.locator('dcz-image span[part=alt]:visible').count(), 2);
  });

  it('two at once: both get better, and threads change no pixel', LIMIT, async () => {
    app.isolated = true;
    await page.context().close();
    await open();
    await page.evaluate(() =>
      Promise.all(
        ['photo', 'other'].map((name) =>
          add(`<dcz-image id="${name}" src="${name}.dcz?slow" alt="A"></dcz-image>`).decode(),
        ),
      ),
    );
    const order = (await events()).filter(({ type }) => type === 'progress').map(({ id }) => id);
    assert.ok(
      order.lastIndexOf('photo') > order.indexOf('other') && order.lastIndexOf('other') > order.indexOf('photo'),
    );
    const expected = [...toRgba(await decode(photo))];
    for (const id of ['photo', 'other']) assert.deepEqual(await shown(`#${id}`), expected);
    const { isolated, cores } = await page.evaluate(() => ({
      isolated: crossOriginIsolated,
      cores: navigator.hardwareConcurrency,
    }));
    assert.equal(isolated, true);
    const workers = app.asked.filter((path) => path.endsWith('/worker.js')).length;
    assert.ok(cores === 1 || workers > 1, `${workers} workers on ${cores} cores`);
    assert.deepEqual(complaints, []);
  });

  it('service worker: an <img> shows the very pixels, from the cache too, and without a network', LIMIT, async () => {
    const place = `${MODULES}/sw.js`;
    const found = await page.evaluate(async (place) => {
      const { registerServiceWorker } = (globalThis as unknown as { dcomp: typeof import('../web/element.js') }).dcomp;
      document.querySelector('#place')!.innerHTML = '<img src="photo.dcz" alt="A scene">';
      const image = document.querySelector('img')!;
      const before = await image.decode().then(
        () => 'a picture',
        () => 'nothing',
      );
      const loaded = new Promise((resolve) => image.addEventListener('load', resolve, { once: true }));
      await registerServiceWorker(place, { type: 'module', scope: '/' });
      await loaded;
      const type = (await fetch('photo.dcz')).headers.get('content-type');
      return { before, pixels: pixelsOf(image), type };
    }, place);
    assert.equal(found.before, 'nothing');
    assert.deepEqual(found.pixels, [...toRgba(await decode(photo))]);
    assert.equal(found.type, 'application/octet-stream', 'scripts get the file itself');
    const show = (src: string): Promise<{ pixels: number; name: string[] }> =>
      page.evaluate(async (src) => {
        const image = new Image();
        image.src = src;
        await image.decode();
        const store = await caches.open('dcomp-pictures-1');
        return { pixels: image.naturalWidth * image.naturalHeight, name: (await store.keys()).map(({ url }) => url) };
      }, src);
    // Of other bytes another picture; of the same ones the same entry.
    const one = await show('other.dcz');
    assert.equal(one.pixels, 192 * 128);
    assert.equal(one.name.filter((name) => name.includes('/png/')).length, 1);
    assert.equal((await show('drawing.dcz')).pixels, 64 * 96);
    app.down = true;
    assert.equal((await show('other.dcz')).pixels, 192 * 128);
    app.down = false;
    const refused = await page.evaluate(async () => {
      const image = new Image();
      image.src = 'broken.dcz';
      return image.decode().then(
        () => 'shown',
        () => 'not shown',
      );
    });
    assert.equal(refused, 'not shown');
  });
});
