/** `verify`: says of every part of a file whether it is whole, and of the pixels whether they are those that were meant. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { USUAL_HEADER } from '../corpus/header.js';
import { corpusPicture } from '../corpus/pictures.js';
import { concat, readContainer, writeHeader, writeSegments } from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { pixelHash, withPixelHash } from '../src/container/pixel-hash.js';
import { verifyFile } from '../src/container/verify.js';
import type { Picture } from '../src/picture.js';
import { pictures, targets } from './helpers/arbitrary.js';
import { tinyEvaluator, tinyModelFile } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const evaluator = tinyEvaluator();
const picture = corpusPicture('rgba-balls', { width: 24, height: 17 });
const encode = async (pixelHashToo: boolean, of: Picture = picture): Promise<Uint8Array> =>
  (await encodePicture(of, evaluator, { plain: false, effort: 1, target: { quality: 70 }, pixelHash: pixelHashToo }))
    .bytes;

function changed(file: Uint8Array, ...places: number[]): Uint8Array {
  const bytes = Uint8Array.from(file);
  for (const at of places) bytes[at]! ^= 20;
  return bytes;
}

/** As docs/format.md says it, by another implementation. */
function hashOf({ width, height, channels, data }: Picture): string {
  const head = Buffer.alloc(10);
  head.writeUInt32LE(width, 0);
  head.writeUInt32LE(height, 4);
  head[8] = channels;
  head[9] = 8;
  return createHash('sha256').update(head).update(data).digest('hex');
}

describe('verification', () => {
  it('accounts for every byte of a file', async () => {
    for (const file of [
      await encode(true),
      await encode(false),
      await encode(true, corpusPicture('scene', { width: 70, height: 50 })),
    ]) {
      const { state, parts, repairs } = verifyFile(file);
      assert.deepEqual([state, repairs], ['intact', []]);
      let at = 0;
      for (const { offset, byteLength } of parts) {
        assert.equal(offset, at);
        at += byteLength;
      }
      assert.equal(at, file.length);
    }
  });

  it('finds each wrong byte, in the part that it is in, and calls it repairable', async () => {
    const file = await encode(true);
    const whole = verifyFile(file);
    for (let at = 0; at < file.length; at++) {
      const { state, parts, repairs } = verifyFile(changed(file, at));
      assert.equal(state, 'repairable', `byte ${at}`);
      assert.deepEqual(
        repairs.map(({ offset }) => offset),
        [at],
      );
      assert.deepEqual(
        parts,
        whole.parts.map((part) =>
          at >= part.offset && at < part.offset + part.byteLength ? { ...part, state: 'repairable' } : part,
        ),
      );
    }
  });

  it('a file that was cut is cut, one with two wrong bytes in a segment damaged', async () => {
    const file = await encode(true);
    const { segments } = readContainer(file);
    const from = segments[0]!.payloadOffset;
    assert.equal(verifyFile(file.subarray(0, from + 9)).state, 'cut');
    assert.equal(verifyFile(file.subarray(0, segments[0]!.offset + 1)).state, 'cut');
    const twice = verifyFile(changed(file, from, from + 9));
    assert.equal(twice.state, 'damaged');
    assert.deepEqual(
      twice.parts.filter(({ state }) => state === 'damaged').map(({ part }) => part),
      ['segment 1'],
    );
  });

  it('is of all files with one byte wrong in a part not repaired to anything else', () => {
    const header = { ...USUAL_HEADER, width: 9, height: 9 };
    assertLimited(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (payloads, place, error) => {
          const file = concat([
            writeHeader(header),
            writeSegments(payloads.map((payload) => ({ payload, units: 1, idealRatio: 1 }))),
          ]);
          const damaged = Uint8Array.from(file);
          const at = place % file.length;
          damaged[at]! ^= error;
          const [repair, ...others] = verifyFile(damaged).repairs;
          assert.deepEqual([repair?.offset, repair?.right, others.length], [at, file[at], 0]);
        },
      ),
    );
  });
});

describe('the pixel hash', () => {
  it('is that of the picture that the decoder gives, for any picture and target', async () => {
    await assertLimited(
      fc.asyncProperty(pictures(24), targets, async (of, target) => {
        const result = await encodePicture(of, evaluator, { plain: false, effort: 1, target, pixelHash: true }).catch(
          (error: { code: string }) => error.code,
        );
        if (typeof result === 'string') return assert.equal(result, 'E_UNREACHABLE');
        const decoded = await decodePicture(result.bytes, evaluator);
        assert.equal(verifyFile(result.bytes).pixelHash, hashOf(decoded));
        assert.equal(Buffer.from(pixelHash(decoded)).toString('hex'), hashOf(decoded));
        if ('size' in target) assert.ok(result.bytes.length <= target.size);
      }),
      { numRuns: 25 },
    );
  });

  it('costs 39 bytes, and changes nothing else', async () => {
    const without = await encode(false);
    const file = await encode(true);
    assert.equal(file.length, without.length + 39);
    assert.deepEqual((await decodePicture(file, evaluator)).data, (await decodePicture(without, evaluator)).data);
  });
});

describe('dcomp verify', () => {
  const program = fileURLToPath(new URL('../bin/main.js', import.meta.url));
  let folder = '';
  let file: Uint8Array;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dcomp-verify-'));
    file = await encode(true);
    const from = readContainer(file).segments[0]!.payloadOffset;
    writeFileSync(join(folder, 'model.dcm'), tinyModelFile());
    writeFileSync(join(folder, 'good.dcz'), file);
    writeFileSync(join(folder, 'one.dcz'), changed(file, from + 3));
    writeFileSync(join(folder, 'two.dcz'), changed(file, from + 3, from + 33));
    writeFileSync(join(folder, 'cut.dcz'), file.subarray(0, -5));
    writeFileSync(join(folder, 'forged.dcz'), withPixelHash(file, new Uint8Array(32)));
    writeFileSync(join(folder, 'text.dcz'), 'not one of ours');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  interface Outcome {
    code: number | null;
    stdout: string;
    stderr: string;
  }
  function dcomp(...args: string[]): Outcome {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { code: status, stdout, stderr };
  }
  const verify = (...args: string[]): Outcome => dcomp('verify', ...args);

  it('is content with a whole file, and compares its pixels', () => {
    const { code, stdout, stderr } = verify('good.dcz', '--model', 'model.dcm');
    assert.deepEqual([code, stdout, stderr], [0, 'good.dcz: intact, pixels as their hash says\n', '']);
    assert.deepEqual(verify('good.dcz', '--model', 'model.dcm', '--quiet'), { code: 0, stdout: '', stderr: '' });
    const { stdout: all } = verify('good.dcz', '--no-pixels', '-v');
    for (const part of ['header', 'part pixelHash', 'end of the parts', 'alpha', 'segment 1'])
      assert.match(all, new RegExp(`^  ${part} \\(byte offset \\d+, \\d+ bytes\\): intact$`, 'm'));
  });

  it('goes on to the next file, says what is wrong with each, and exits with 1', () => {
    const { code, stdout, stderr } = verify(
      '--model',
      'model.dcm',
      'good.dcz',
      'text.dcz',
      'one.dcz',
      'two.dcz',
      'cut.dcz',
      'forged.dcz',
      'missing.dcz',
    );
    assert.equal(code, 1);
    assert.match(stdout, /^good\.dcz: intact/m);
    assert.match(stdout, /^one\.dcz: repairable.*dcomp repair.*--allow-damaged.*pixels as their hash says$/m);
    assert.match(stdout, /^ {2}segment 1: byte \d+ is [0-9a-f]{2}, but must be [0-9a-f]{2}$/m);
    assert.match(stdout, /^two\.dcz: damaged.*not compared\n {2}segment 1 \(.*\): damaged$/m);
    assert.match(stdout, /^cut\.dcz: cut/m);
    assert.match(stdout, /^forged\.dcz: intact, but the decoded pixels are not those/m);
    assert.match(
      stderr,
      /^dcomp: text\.dcz: not a \.dcz file.*\ndcomp: cannot read missing\.dcz: there is no such file/,
    );
  });

  it('needs no model for the checksums, and says which one it lacks for the pixels', () => {
    assert.equal(verify('good.dcz', '--no-pixels').code, 0);
    assert.equal(verify('two.dcz').code, 1);
    writeFileSync(join(folder, 'other.dcz'), file.subarray(0, 0));
    assert.match(verify('other.dcz').stderr, /empty/);
    const none = verify('good.dcz', '--model', 'text.dcz');
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /model/);
    assert.equal(verify().code, 2);
  });

  it('as JSON, a line a file', () => {
    const { code, stdout } = verify('--json', '--no-pixels', 'good.dcz', 'one.dcz', 'text.dcz');
    assert.equal(code, 1);
    const [good, one, text] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual([good.file, good.state, good.pixels, good.repairs], ['good.dcz', 'intact', 'skipped', []]);
    assert.equal(one.state, 'repairable');
    assert.equal(one.repairs.length, 1);
    assert.deepEqual([text.state, text.error], ['damaged', 'E_NOT_DCZ']);
  });

  it('dcomp repair gives back the file as it was, or nothing', () => {
    const written = (name: string): Uint8Array => Uint8Array.from(readFileSync(join(folder, name)));
    assert.deepEqual([dcomp('repair', 'one.dcz', 'whole.dcz').code, written('whole.dcz')], [0, file]);
    assert.match(dcomp('repair', 'good.dcz', 'copy.dcz').stderr, /^copy\.dcz: nothing to repair/);
    assert.deepEqual(written('copy.dcz'), file);
    const twice = dcomp('repair', 'two.dcz', 'none.dcz');
    assert.deepEqual([twice.code, existsSync(join(folder, 'none.dcz'))], [1, false]);
    assert.match(twice.stderr, /two\.dcz: segment 1 .*cannot be repaired/);
    const early = dcomp('repair', 'cut.dcz', 'none.dcz');
    assert.deepEqual([early.code, existsSync(join(folder, 'none.dcz'))], [1, false]);
    assert.match(early.stderr, /cut\.dcz: the file ends early/);
    assert.match(dcomp('repair', 'text.dcz', 'none.dcz').stderr, /text\.dcz: not a \.dcz file/);
    assert.match(dcomp('repair', 'one.dcz', 'copy.dcz').stderr, /exists already/);
  });
});
