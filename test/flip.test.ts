/** The page to flip between codecs by eye, in a real browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { flipHtml } from '../eval/report/flip.js';
import { sampleImage } from '../eval/report/sample-image.js';
import { noBrowser, startBrowser } from './helpers/chromium.js';

async function samplesOf(codecs: readonly string[]): Promise<Parameters<typeof flipHtml>[0]> {
  const picture = corpusPicture('scene', { width: 40, height: 30 });
  const shown = await Promise.all(
    codecs.map(async (codec, i) => {
      const data = picture.data.map((v) => Math.min(255, v + 9 * i));
      const image = await sampleImage({ ...picture, data }, { x: 0, y: 0, width: 40, height: 30 });
      return { codec, label: codec.toUpperCase(), sample: { bytes: 100 + i, psnr: 30, ...image } };
    }),
  );
  return [{ picture: '<scene>', width: 40, height: 30, bytes: 120, bitsPerPixel: 0.8, shown }];
}

test('there is none where there are not two codecs', async () => {
  assert.equal(flipHtml([], 'title'), undefined);
  assert.equal(flipHtml(await samplesOf(['original', 'dcomp']), 'title'), undefined);
});

test(
  'flips, counts and keeps choices, and hides names until asked',
  { skip: noBrowser, timeout: 600_000 },
  async () => {
    const html = flipHtml(await samplesOf(['original', 'dcomp', 'avif']), 'title')!;
    const browser = await startBrowser();
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      await page.route('http://localhost/**', (route) => route.fulfill({ contentType: 'text/html', body: html }));
      await page.goto('http://localhost/flip.html');
      const source = (): Promise<string> => page.evaluate(() => document.querySelector('img')!.src);
      const text = (): Promise<string> => page.evaluate(() => document.body.innerText);
      const [a, b, original] = [
        await source(),
        await page.click('#b').then(source),
        await page.click('#o').then(source),
      ];
      assert.equal(new Set([a, b, original]).size, 3);
      assert.ok(!/DCOMP|AVIF/.test(await text()), 'names are hidden');
      await page.click('#better-a');
      await page.click('#same');
      assert.match(await text(), /2 choices/);
      await page.click('#names');
      assert.match(await text(), /DCOMP, 101 bytes/);
      assert.match(await text(), /dcomp or avif/);
      await page.reload();
      assert.match(await text(), /2 choices/);
      const kept = await page.evaluate(() => localStorage.getItem('dcomp-flip title'));
      const [first, second] = JSON.parse(kept!) as { better: string | null; blind: boolean }[];
      assert.ok(['dcomp', 'avif'].includes(first!.better!) && first!.blind);
      assert.equal(second!.better, null);
      assert.deepEqual(errors, []);
    } finally {
      await browser.close();
    }
  },
);
