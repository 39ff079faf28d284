/** `dcomp/handler`, and the example of the guide that answers to events of a store. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { after, describe, it } from 'node:test';
import { handler } from '../cluster/handler.js';
import { corpusPicture } from '../corpus/pictures.js';
import { smallModelFile } from '../corpus/small-model.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { decode, encode, info } from '../src/node.js';
import { createCli, root } from './helpers/cli.js';
import { blocksOf } from './helpers/code-blocks.js';
import { codeOfError } from './helpers/outcome.js';
import { startStore } from './helpers/stores.js';

const LIMIT = { timeout: 300_000 };
const picture = corpusPicture('scene', { width: 20, height: 12 });
const file = writePng(picture);
const model = smallModelFile();
const quick = { model, effort: 1, plain: false } as const;

describe('a handler', LIMIT, () => {
  const cli = createCli({ force: false });
  after(() => cli.remove());

  it('makes of a picture file what encode makes of the picture, and a picture file of that', LIMIT, async () => {
    const { bytes, contentType, extension, width, height, notices } = await handler(file, quick);
    assert.deepEqual(
      [contentType, extension, width, height, notices],
      ['application/octet-stream', '.dcz', 20, 12, []],
    );
    assert.deepEqual(bytes, (await encode((await readPicture(file, 'default')).picture, quick)).bytes);
    const back = await handler(bytes, { to: 'png', model });
    assert.deepEqual([back.contentType, back.extension], ['image/png', '.png']);
    assert.deepEqual((await readPicture(back.bytes, 'none')).picture.data, (await decode(bytes, { model })).data);
  });

  it('codes without loss where it is asked to', LIMIT, async () => {
    const { bytes } = await handler(file, { target: 'lossless' });
    const back = await handler(bytes, { to: 'png' });
    assert.deepEqual((await readPicture(back.bytes, 'none')).picture.data, picture.data);
  });

  it('refuses what makes no sense', LIMIT, async () => {
    const wrong: [Uint8Array, object | undefined, string][] = [
      [new TextEncoder().encode('no picture'), quick, 'E_NOT_PICTURE'],
      [new Uint8Array(0), quick, 'E_EMPTY'],
      [file, { qualty: 3 }, 'E_USAGE'],
      [file, { to: 'png' }, 'E_NOT_DCZ'],
      [file, { ...quick, to: 'png' }, 'E_USAGE'],
      [file, { ...quick, resize: { width: 0 } }, 'E_USAGE'],
      [file, { ...quick, resize: {} }, 'E_USAGE'],
      [file, { ...quick, resize: { width: 10, scale: 0.5 } }, 'E_USAGE'],
      [file, { ...quick, resize: { widht: 10 } }, 'E_USAGE'],
      [file, { ...quick, maxPixels: 239 }, 'E_TOO_LARGE'],
      [file, { ...quick, allowDamaged: 1 }, 'E_USAGE'],
    ];
    for (const [bytes, options, code] of wrong)
      assert.equal(await codeOfError(() => handler(bytes, options as never)), code, Object.keys(options ?? {}).join());
    const { bytes } = await handler(file, quick);
    assert.equal(await codeOfError(() => handler(bytes, quick)), 'E_NOT_PICTURE');
    assert.equal(await codeOfError(() => handler(bytes, { to: 'gif' as 'png', model })), 'E_USAGE');
  });

  it('the example of the guide codes what comes into a bucket', LIMIT, async () => {
    const store = await startStore('s3rver', ['pictures', 'coded']);
    try {
      const block = blocksOf('docs/guide/functions.md').find(({ file: name }) => name === 'on-upload.mjs')!;
      writeFileSync(cli.file('on-upload.mjs'), block.text);
      mkdirSync(cli.file('node_modules'));
      symlinkSync(root, cli.file('node_modules/dcomp'), 'junction');
      symlinkSync(join(root, 'node_modules/@aws-sdk'), cli.file('node_modules/@aws-sdk'), 'junction');
      await store.client.send(new PutObjectCommand({ Bucket: 'pictures', Key: 'a b/ü.png', Body: file }));
      const event = { Records: [{ s3: { bucket: { name: 'pictures' }, object: { key: 'a+b/%C3%BC.png' } } }] };
      const call = `import { handler } from './on-upload.mjs'; await handler(${JSON.stringify(event)});`;
      const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', call], {
        cwd: cli.folder,
        env: { ...process.env, ...store.env },
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
      const { Body } = await store.client.send(new GetObjectCommand({ Bucket: 'coded', Key: 'a b/ü.dcz' }));
      const { width, height } = info(await Body!.transformToByteArray());
      assert.deepEqual([width, height], [20, 12]);
    } finally {
      await store.stop();
    }
  });
});
