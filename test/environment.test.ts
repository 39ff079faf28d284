/** What a machine lacks is said, or done without. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyEvaluator, tinyModelFile } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { codeOfError } from './helpers/outcome.js';

const evaluator = tinyEvaluator();
const picture = corpusPicture('scene', { width: 20, height: 10 });
const place = (name: string): string => JSON.stringify(new URL(`../${name}`, import.meta.url).href);

/** Encodes in another process, and says what became of it. */
const CALL = `
  import { encode, release } from ${place('src/node.js')};
  import { corpusPicture } from ${place('corpus/pictures.js')};
  const model = Buffer.from('${Buffer.from(tinyModelFile()).toString('base64')}', 'base64');
  const options = { model, threads: 4, effort: 1 };
  try {
    const { bytes } = await encode(corpusPicture('scene', { width: 20, height: 10 }), options);
    console.log(Buffer.from(bytes).toString('hex'));
  } catch (error) {
    console.log(error.code, error.message);
  }
  await release();`;

function run(args: string[], limit = ''): string {
  const command = [process.execPath, ...args, '--input-type=module', '-e', CALL];
  const { stdout, stderr } =
    limit === ''
      ? spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' })
      : spawnSync('bash', ['-c', `${limit}; exec "$@"`, 'bash', ...command], { encoding: 'utf8' });
  assert.notEqual(stdout, '', stderr);
  return stdout;
}

describe('a machine that lacks', () => {
  it('WebAssembly', () => {
    assert.match(run(['--jitless']), /^E_ENVIRONMENT there is no WebAssembly/);
  });

  it('address space', { skip: process.platform !== 'linux' }, () => {
    assert.match(run([], 'ulimit -v 6000000'), /^E_ENVIRONMENT there is no memory for WebAssembly/);
  });

  it('threads: the caller does all by itself', async () => {
    const none = `data:text/javascript,${encodeURIComponent(`
      import threads from 'node:worker_threads';
      import { syncBuiltinESMExports } from 'node:module';
      threads.Worker = class { constructor() { throw Object.assign(new Error('none'), { code: 'ERR_WORKER_INIT_FAILED' }); } };
      syncBuiltinESMExports();`)}`;
    const { bytes } = await encodePicture(picture, evaluator, { effort: 1 });
    assert.equal(run(['--import', none]).trim(), Buffer.from(bytes).toString('hex'));
  });

  it('memory for a picture of that size', async () => {
    const poor: Evaluator = {
      model: evaluator.model,
      threads: 1,
      evaluate: () => Promise.reject(new RangeError('Array buffer allocation failed')),
      evaluateRows: () => ({ next: () => Promise.reject(new RangeError('Invalid typed array length: 5000000000')) }),
      close: async () => {},
    };
    const { bytes } = await encodePicture(picture, evaluator, { effort: 1 });
    assert.equal(await codeOfError(() => encodePicture(picture, poor, { effort: 1 })), 'E_TOO_LARGE');
    assert.equal(await codeOfError(() => decodePicture(bytes, poor)), 'E_TOO_LARGE');
  });
});
