/** Pictures that dcomp is not for are coded, and not without a word. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { wrongTool } from '../cli/worth.js';
import { writePng } from '../formats/png-writer.js';
import { createCli } from './helpers/cli.js';

describe('where dcomp is the wrong tool', () => {
  const cli = createCli();
  after(() => cli.remove());

  it('a file larger than its picture is told of, whatever was asked for', () => {
    const larger = { inputBytes: 3724, outputBytes: 31482, bitsPerPixel: 8.4 };
    for (const target of [{ quality: 50 }, { quality: 100 }, { bitsPerPixel: 9 }, { psnr: 60 }])
      assert.match(wrongTool(larger, target).join(), /larger than this one \(31482 bytes, not 3724\)/);
  });

  it('so are more bits than a photograph takes, unless very high quality was asked for', () => {
    const noise = { inputBytes: 9332, outputBytes: 4375, bitsPerPixel: 11.3 };
    assert.match(wrongTool(noise, { quality: 50 }).join(), /11\.3 bits per pixel/);
    assert.deepEqual(wrongTool(noise, { quality: 95 }), []);
    assert.deepEqual(wrongTool(noise, { size: 5000 }), []);
  });

  it('what is coded without loss, though that was not asked for, is told of unless it is small, or fits the size', () => {
    const screenshot = { inputBytes: 12195, outputBytes: 3149, bitsPerPixel: 0.5 };
    assert.match(wrongTool(screenshot, { quality: 50 }, true).join(), /coded without loss/);
    assert.match(wrongTool(screenshot, { psnr: 35 }, true).join(), /no photograph: coded without loss/);
    // With so much asked for, a photograph may come to that, too.
    for (const target of [{ quality: 100 }, { psnr: 90 }])
      assert.match(wrongTool(screenshot, target, true).join(), /^coded without loss/);
    for (const target of ['lossless', { size: 4000 }, { bitsPerPixel: 1 }] as const)
      assert.deepEqual(wrongTool(screenshot, target, true), []);
    assert.deepEqual(wrongTool({ inputBytes: 69, outputBytes: 24, bitsPerPixel: 192 }, { quality: 50 }, true), []);
  });

  it('photographs and very small files are not', () => {
    assert.deepEqual(wrongTool({ inputBytes: 14831, outputBytes: 2500, bitsPerPixel: 1.6 }, { quality: 50 }), []);
    assert.deepEqual(wrongTool({ inputBytes: 60, outputBytes: 90, bitsPerPixel: 300 }, { quality: 50 }), []);
  });

  it('the program says it of a pattern of squares, which its own file holds in less', () => {
    const [width, height] = [96, 64];
    const data = Uint8Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return (x * 7 + y * 13 + ((x * y) % 5)) % 3 === 0 ? 255 : 0;
    });
    writeFileSync(cli.file('dots.png'), writePng({ width, height, channels: 1, data }));
    const { stderr } = cli.works('encode', 'dots.png', '-q', '90');
    assert.ok(statSync(cli.file('dots.dcz')).size > statSync(cli.file('dots.png')).size);
    assert.match(stderr, /^dots\.png: the coded file is larger than this one/);
  });
});
