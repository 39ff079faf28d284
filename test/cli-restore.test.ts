/** `dcomp denoise`, `upscale`, `inpaint` and `sample`, as a user runs them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, beforeEach, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyDiscreteFile } from '../corpus/tiny-discrete.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import type { Picture } from '../src/index.js';
import { createCli } from './helpers/cli.js';

const cli = createCli();
const { file, fails, clear, remove } = cli;
const quick = ['--model', cli.model, '--threads', '1', '--steps', '2'];
const works = (command: string, ...args: string[]): string => cli.works(command, ...args, ...quick).stderr;
const read = (name: string): Picture => readPng(readFileSync(file(name))).picture;

after(() => remove());
beforeEach(() => {
  clear();
  const picture = corpusPicture('scene', { width: 24, height: 17 });
  writeFileSync(file('a.png'), writePng({ ...picture, metadata: { text: [{ keyword: 'Title', text: 'kept' }] } }));
  const mask = new Uint8Array(24 * 17);
  for (let y = 5; y < 9; y++) mask.fill(255, y * 24 + 5, y * 24 + 12);
  writeFileSync(file('mask.png'), writePng({ width: 24, height: 17, channels: 1, data: mask }));
  writeFileSync(file('white.png'), writePng({ width: 24, height: 17, channels: 1, data: mask.fill(255) }));
});

describe('restoring on the command line', () => {
  it('denoise: with a sigma or without, several answers, metadata kept', () => {
    assert.match(works('denoise', 'a.png', 'b.png', '--sigma', '10'), /b\.png: 24×17 pixels/);
    assert.deepEqual(read('b.png').metadata?.text, [{ keyword: 'Title', text: 'kept' }]);
    assert.match(works('denoise', 'a.png', 'c.png'), /noise/);
    works('denoise', 'a.png', 'd.png', '--sigma', '20', '--samples', '2');
    assert.notDeepEqual(read('d-1.png').data, read('d-2.png').data);
    fails(1, /b\.png exists already/, 'denoise', 'a.png', 'b.png', '--sigma', '10', ...quick);
    works('denoise', 'a.png', 'b.png', '--force', '--sigma', '10');
  });

  it('upscale and inpaint: sizes, known pixels, films', () => {
    works('upscale', 'a.png', 'b.png', '--factor', '4');
    assert.equal(read('b.png').width, 96);
    works('inpaint', 'a.png', 'c.png', '--mask', 'mask.png', '--film', 'film.webp', '--sampler', 'heun');
    assert.equal(read('c.png').data[0], read('a.png').data[0]);
    assert.equal(readFileSync(file('film.webp')).toString('latin1', 8, 16), 'WEBPVP8X');
    assert.match(works('inpaint', 'a.png', 'd.png', '--mask', 'white.png'), /the mask is white/);
  });

  it('sample: the same seed the same picture, a sheet, a film as a strip', () => {
    works('sample', 'a1.png', '--size', '16x12', '--seed', '3');
    works('sample', 'a2.png', '--size', '16x12', '--seed', '2', '--count', '2');
    assert.deepEqual(read('a2-2.png').data, read('a1.png').data);
    works('sample', 'sheet.png', '--size', '16', '--count', '3', '--grid', '--grey');
    assert.deepEqual([read('sheet.png').width, read('sheet.png').channels], [34, 1]);
    works('sample', 'a3.png', '--size', '16', '--film', 'strip.png');
    assert.equal(read('strip.png').width % 16, 0);
  });

  it("sample --discrete: sizes, sheets and films, and a discrete model of one's own", () => {
    writeFileSync(file('own.dcd'), tinyDiscreteFile());
    const own = ['--discrete-model', 'own.dcd', '--size', '24x16'];
    works('sample', 'a1.png', ...own, '--seed', '3');
    works('sample', 'a2.png', ...own, '--seed', '2', '--count', '2');
    assert.deepEqual(read('a2-2.png').data, read('a1.png').data);
    works('sample', 'sheet.png', ...own, '--count', '2', '--grid', '--grey');
    assert.deepEqual([read('sheet.png').width, read('sheet.png').channels], [50, 1]);
    works('sample', 'a3.png', ...own, '--film', 'strip.png');
    assert.equal(read('strip.png').width % 24, 0);
    works('sample', 'a4.png', '--discrete', '--size', '32');
    works('sample', 'a5.png', '--size', '32');
    assert.notDeepEqual(read('a4.png').data, read('a5.png').data);
    fails(2, /best guess .* grey/, 'sample', 'x.png', '--discrete', '--mean', ...quick);
    fails(1, /not a dcomp discrete model/, 'sample', 'x.png', '--discrete-model', 'a.png', ...quick);
    fails(1, /there is no such file/, 'sample', 'x.png', '--discrete-model', 'none.dcd', ...quick);
  });

  it('what makes no sense is refused, and nothing is written', () => {
    writeFileSync(file('small.png'), writePng({ width: 2, height: 2, channels: 1, data: new Uint8Array(4) }));
    const inpaint = ['inpaint', 'a.png', 'x.png'];
    fails(2, /mask has 2×2 pixels, the picture 24×17/, ...inpaint, '--mask', 'small.png', ...quick);
    fails(2, /inpaint needs --mask/, ...inpaint, ...quick);
    fails(2, /--factor is 3; it must be 2 or 4/, 'upscale', 'a.png', 'x.png', '--factor', '3', ...quick);
    fails(2, /--sigma is 500/, 'denoise', 'a.png', 'x.png', '--sigma', '500', ...quick);
    fails(2, /--sampler is ddim; it must be one of ancestral/, 'sample', 'x.png', '--sampler', 'ddim', ...quick);
    fails(2, /class 3: the model .* knows no classes/, 'sample', 'x.png', '--class', '3', ...quick);
    fails(2, /--mean and --sampler heun contradict/, 'sample', 'x.png', '--sampler', 'heun', '--mean', ...quick);
    fails(2, /only one best guess/, 'denoise', 'a.png', 'x.png', '--mean', '--samples', '2', ...quick);
    fails(2, /--size is 4; it must be/, 'sample', 'x.png', '--size', '4', ...quick);
    fails(2, /where the picture goes/, 'sample', 'x.png', '--size', '16', '--film', './x.png', ...quick);
    fails(2, /a film is a \.webp/, 'sample', 'x.png', '--size', '16', '--film', 'film.jpg', ...quick);
    fails(2, /same file/, 'denoise', 'a.png', 'a.png', '--force', '--sigma', '9', ...quick);
    fails(1, /there is no such file/, 'denoise', 'none.png', 'x.png', ...quick);
  });
});
