/** Inputs and outputs in stores that speak S3. */
import assert from 'node:assert/strict';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { after, before, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { closeStore, listObjects, lookAt, readObject, writeObject } from '../cluster/s3.js';
import { writePlace, type Writing } from '../cluster/places.js';
import { writePng } from '../formats/png-writer.js';
import { createCli } from './helpers/cli.js';
import { codeOfError } from './helpers/outcome.js';
import { beside, noRedis, startRedis } from './helpers/redis.js';
import { noStore, startStore, STORES, type Store } from './helpers/stores.js';

const LIMIT = { timeout: 540_000 };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

for (const name of STORES) {
  describe(`a store: ${name}`, { skip: noStore(name), ...LIMIT }, () => {
    let store: Store;
    const before_ = { ...process.env };
    before(async () => {
      store = await startStore(name, ['pictures', 'coded']);
      Object.assign(process.env, store.env);
    });
    after(async () => {
      await closeStore();
      await store?.stop();
      for (const variable of Object.keys(store?.env ?? {}))
        if (before_[variable] === undefined) delete process.env[variable];
        else process.env[variable] = before_[variable];
    });

    it('objects are written whole, read, looked at and listed', LIMIT, async () => {
      assert.equal(await writeObject('s3://coded/a/ü +1.dcz', bytes('abc'), false), true);
      assert.equal(text(await readObject('s3://coded/a/ü +1.dcz')), 'abc');
      const { size, version } = (await lookAt('s3://coded/a/ü +1.dcz'))!;
      assert.equal(size, 3);
      assert.equal(await lookAt('s3://coded/a/none'), undefined);
      await writeObject('s3://coded/a/ü +1.dcz', bytes('abd'), true);
      assert.notEqual((await lookAt('s3://coded/a/ü +1.dcz'))!.version, version);
      await writeObject('s3://coded/b', bytes(''), false);
      assert.deepEqual(
        (await listObjects('s3://coded/a/')).map(({ place, size }) => [place, size]),
        [['s3://coded/a/ü +1.dcz', 3]],
      );
      assert.equal(await codeOfError(() => readObject('s3://coded/a/none')), 'E_IO');
      await assert.rejects(readObject('s3://nowhere/a'), /cannot read s3:\/\/nowhere\/a: there is no such bucket/);
    });

    it('an object that is there stays, unless it is the very same or may be replaced', LIMIT, async () => {
      const writing: Writing = {
        ...{ input: 's3://pictures/a.png', output: 's3://coded/c.dcz', replace: false, keepTimes: false },
        folders: true,
      };
      const make = (made: string) => async (): Promise<Uint8Array> => bytes(made);
      assert.equal(await writePlace(writing, make('abc')), 3);
      assert.equal(await writePlace(writing, make('abc')), 3);
      assert.equal(await codeOfError(() => writePlace(writing, make('abd'))), 'E_EXISTS');
      assert.equal(await writePlace({ ...writing, replace: true }, make('abd')), 3);
      assert.equal(text(await readObject(writing.output)), 'abd');
      // moto knows conditions: somebody was quicker, while it was coded.
      if (name !== 'moto') return;
      const raced = { ...writing, output: 's3://coded/d.dcz' };
      const slow = (made: string) => async (): Promise<Uint8Array> => {
        await writeObject(raced.output, bytes('abc'), true);
        return bytes(made);
      };
      assert.equal(await codeOfError(() => writePlace(raced, slow('abd'))), 'E_EXISTS');
      assert.equal(text(await readObject(raced.output)), 'abc');
    });

    it('pictures of a bucket are coded into another', { skip: noRedis, ...LIMIT }, async () => {
      const cli = createCli({ force: false });
      const redis = await startRedis();
      const worker = beside(
        cli.folder,
        ['worker', '--redis', redis.url, '--within', 's3://coded'].concat('--within', 's3://pictures'),
        store.env,
      );
      try {
        const picture = (side: number): Uint8Array => writePng(corpusPicture('scene', { width: side, height: 8 }));
        const put = (Key: string, Body: Uint8Array): Promise<unknown> =>
          store.client.send(new PutObjectCommand({ Bucket: 'pictures', Key, Body }));
        await put('2026/a.png', picture(8));
        await put('2026/deep/b.png', picture(9));
        await put('2026/notes.txt', bytes('none'));
        await put('2027/c.png', picture(10));
        const options = ['--model', cli.model, '--no-plain', '--effort', '1', '--redis', redis.url];
        const run = async (...args: string[]): Promise<string> => {
          const producer = beside(cli.folder, ['encode', ...args, ...options], store.env);
          assert.equal((await producer.ended).code, 0, producer.said());
          return producer.said();
        };
        const said = await run('s3://pictures/2026/', '-o', 's3://coded/2026/');
        assert.match(said, /s3:\/\/coded\/2026\/a\.dcz: .*\ns3:\/\/coded\/2026\/deep\/b\.dcz: .*\n2 done/);
        assert.match(await run('s3://pictures/2027/c.png', 's3://coded/x/c.dcz'), /s3:\/\/coded\/x\/c\.dcz: /);
        assert.match(await run('s3://pictures/2026/', '-o', 's3://coded/2026/', '--skip-existing'), /2 skipped/);
        const { Contents = [] } = await store.client.send(
          new ListObjectsV2Command({ Bucket: 'coded', Prefix: '2026/' }),
        );
        assert.deepEqual(
          Contents.map(({ Key }) => Key),
          ['2026/a.dcz', '2026/deep/b.dcz'],
        );
        const { Body } = await store.client.send(new GetObjectCommand({ Bucket: 'coded', Key: '2026/a.dcz' }));
        const there = await Body!.transformToByteArray();
        const { stdout } = cli.piped(picture(8), 'encode', '-', '-', '--effort', '1');
        assert.equal(Buffer.compare(there, stdout), 0);
      } finally {
        worker.process.kill('SIGKILL');
        await redis.stop();
        cli.remove();
      }
    });
  });
}
