/** Files as the system has them: modes, links, pipes, devices, full disks, and what a killed run leaves. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { corpusPicture } from '../corpus/pictures.js';
import { writeOutput } from '../formats/output.js';
import { writePng } from '../formats/png-writer.js';
import { temporaryName } from '../formats/temporary.js';
import { createCli, program } from './helpers/cli.js';

const cli = createCli({ force: false });
const { file, files, works, fails } = cli;
const small = writePng(corpusPicture('scene', { width: 24, height: 17 }));
let coded: Uint8Array;
let decoded: Buffer;

const run = `"${process.execPath}" "${program}"`;
const withModel = `--model "${cli.model}"`;

/** A line for a shell; what is given is for stdin. */
function shell(command: string, input?: Uint8Array): { code: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: cli.folder, input: input ?? '' });
  return { code: status, stdout, stderr: stderr.toString() };
}

const temporaryFiles = (): string[] => readdirSync(cli.folder).filter((name) => name.endsWith('.tmp'));

const posix = process.platform === 'win32' ? 'a system of its own' : false;

describe('files of the system', { skip: posix }, () => {
  before(() => {
    writeFileSync(file('a.png'), small);
    works('encode', 'a.png');
    works('decode', 'a.dcz', 'b.png');
    coded = readFileSync(file('a.dcz'));
    decoded = readFileSync(file('b.png'));
  });
  after(() => cli.remove());
  beforeEach(() => {
    cli.clear();
    writeFileSync(file('a.png'), small);
    writeFileSync(file('a.dcz'), coded);
  });

  describe('names of what is open', () => {
    it('/dev/stdout and /dev/fd/3 are written to where they stand: what >> appends to stays', () => {
      writeFileSync(file('log'), 'begin');
      for (const [name, redirection] of [
        ['/dev/stdout', '>> log'],
        ['/dev/fd/1', '>> log'],
        ['/dev/fd/3', '3>> log'],
        ['-', '>> log'],
      ]) {
        const { code, stderr } = shell(`${run} decode a.dcz ${name} ${withModel} ${redirection}`);
        assert.equal(code, 0, `${name}: ${stderr}`);
      }
      assert.deepEqual(
        readFileSync(file('log')),
        Buffer.concat([Buffer.from('begin'), decoded, decoded, decoded, decoded]),
      );
      assert.deepEqual(
        shell(`${run} encode --no-plain /dev/stdin /dev/stdout ${withModel} | cat`, small).stdout,
        Buffer.from(coded),
      );
    });

    it('what is not open, and what is the input, is refused', () => {
      assert.match(
        shell(`${run} decode a.dcz /dev/fd/77 ${withModel}`).stderr,
        /cannot write \/dev\/fd\/77: it is not open/,
      );
      const { code, stderr } = shell(`${run} encode --no-plain a.png - ${withModel} >> a.png`);
      assert.deepEqual([code, /input and output are the same file/.test(stderr)], [2, true], stderr);
      assert.deepEqual(readFileSync(file('a.png')), Buffer.from(small));
    });
  });

  describe('pipes and devices', () => {
    it('a named pipe is an input and an output', () => {
      const command = `mkfifo p; cat a.dcz > p & ${run} decode p x.png ${withModel}; ${run} decode a.dcz p ${withModel} & cat p > y.png; wait`;
      assert.equal(shell(command).code, 0);
      assert.deepEqual([readFileSync(file('x.png')), readFileSync(file('y.png'))], [decoded, decoded]);
    });

    for (const [what, signal, args] of [
      ['an output that nobody reads', 'SIGTERM', ['decode', 'a.dcz', 'p']],
      ['an input that nobody writes', 'SIGINT', ['encode', 'p', 'x.dcz']],
    ] as [string, NodeJS.Signals, string[]][]) {
      it(`signals are heard by a program that waits for ${what}`, async () => {
        assert.equal(shell('mkfifo p').code, 0);
        const child = spawn(process.execPath, [program, ...args, '--model', cli.model], {
          cwd: cli.folder,
          stdio: 'ignore',
        });
        const ended = new Promise<unknown[]>((resolve) => child.on('exit', (...how) => resolve(how)));
        // It waits when it does not do anything any more, and to have started takes some time of the processor.
        for (let idle = 0, before = -1; idle < 10; await sleep(100)) {
          const now = processorTime(child.pid!);
          idle = now === before && now > 3 ? idle + 1 : 0;
          before = now;
        }
        child.kill(signal);
        assert.deepEqual(await ended, [null, signal]); // which shells call 128 + its number
        assert.deepEqual(temporaryFiles(), []);
      });
    }

    it('those in a folder are left out, and named; so are pictures of other kinds', () => {
      mkdirSync(file('in/deep'), { recursive: true });
      writeFileSync(file('in/a.dcz'), coded);
      writeFileSync(file('in/a.png'), small);
      writeFileSync(file('in/deep/x.XCF.psd'), '8BPS');
      writeFileSync(file('in/deep/notes.txt'), 'no picture');
      assert.equal(shell('mkfifo in/b.dcz in/b.png').code, 0);
      symlinkSync('/dev/zero', file('in/c.dcz'));
      assert.match(
        works('decode', 'in', '-o', 'out').stderr,
        /^1 done, 0 failed, .* s; left out: in\/b\.dcz, in\/c\.dcz$/m,
      );
      assert.match(
        works('encode', 'in', '-o', 'out').stderr,
        /^1 done, 0 failed, .* s; left out: in\/b\.png, in\/deep\/x\.XCF\.psd$/m,
      );
      rmSync(file('in/a.png'));
      fails(
        1,
        /folder in holds no files in .*; left out: in\/b\.png, in\/deep\/x\.XCF\.psd$/m,
        'encode',
        'in',
        '-o',
        'out',
      );
    });
  });

  describe('modes and links', () => {
    it('what is replaced keeps its mode and owner; what is new has the usual mode', () => {
      writeFileSync(file('x.png'), 'old');
      chmodSync(file('x.png'), 0o640);
      const root = process.getuid!() === 0;
      if (root) chownSync(file('x.png'), 12345, 54321);
      works('decode', 'a.dcz', 'x.png', '--force');
      const { mode, uid, gid } = statSync(file('x.png'));
      assert.equal(mode & 0o777, 0o640);
      if (root) assert.deepEqual([uid, gid], [12345, 54321]);
      assert.deepEqual(readFileSync(file('x.png')), decoded);
      assert.equal(shell(`umask 027; ${run} decode a.dcz y.png ${withModel}`).code, 0);
      assert.equal(statSync(file('y.png')).mode & 0o777, 0o640);
    });

    it('what its owner has made read-only is not replaced', { skip: ownModes() }, () => {
      writeFileSync(file('x.png'), 'old');
      chmodSync(file('x.png'), 0o444);
      const ids = process.getuid!() === 0 ? { uid: 65534, gid: 65534 } : {};
      if (ids.uid !== undefined) {
        for (const path of [cli.folder, file('x.png')]) chownSync(path, ids.uid, ids.gid);
        chmodSync(dirname(cli.model), 0o755);
      }
      const { status, stderr } = spawnSync(
        process.execPath,
        [program, 'decode', 'a.dcz', 'x.png', '--force', '--model', cli.model],
        { cwd: cli.folder, ...ids },
      );
      assert.match(stderr.toString(), /^dcomp: cannot replace x\.png: permission denied\n$/);
      assert.equal(status, 1);
      assert.equal(readFileSync(file('x.png'), 'latin1'), 'old');
    });

    it('a symbolic link stays one, and what it leads to is replaced', () => {
      mkdirSync(file('far'));
      writeFileSync(file('far/x.png'), 'old');
      symlinkSync('far/x.png', file('link.png'));
      works('decode', 'a.dcz', 'link.png', '--force');
      assert.ok(lstatSync(file('link.png')).isSymbolicLink());
      assert.deepEqual(readFileSync(file('far/x.png')), decoded);
      symlinkSync('round.png', file('round.png'));
      fails(1, /round\.png: its symbolic links go round in circles/, 'decode', 'a.dcz', 'round.png');
    });
  });

  it('{name} of files whose names are dots stays within the folder', () => {
    mkdirSync(file('in'));
    for (const name of ['..dcz', '...dcz']) writeFileSync(file(`in/${name}`), coded);
    works('decode', 'in/..dcz', 'in/...dcz', '-o', 'out/{name}/p.png', '--quiet');
    assert.deepEqual(files(), ['a.dcz', 'a.png', 'in/...dcz', 'in/..dcz', 'out/...dcz/p.png', 'out/..dcz/p.png']);
  });

  it('an input that is missing is what is told, whatever the output', () => {
    fails(1, /cannot read no\/x\.png: there is no such file or folder/, 'encode', 'no/x.png');
    fails(1, /cannot read no: there is no such file or folder/, 'encode', 'no', '-o', 'out');
    fails(1, /cannot read no\/: there is no such file or folder/, 'encode', 'no/', '-o', 'out/');
    fails(1, /cannot read no: there is no such file or folder/, 'decode', 'no', '-o', 'a.png');
  });

  describe('full disks', { skip: existsSync('/dev/full') ? false : 'no /dev/full' }, () => {
    for (const args of [
      'decode a.dcz -',
      'decode a.dcz /dev/full',
      'decode a.dcz x.png --json',
      'encode - -',
      'info a.dcz',
      'info a.dcz --json',
      'verify a.dcz',
      'verify a.dcz --json',
    ]) {
      it(`${args} > /dev/full`, () => {
        const model = /code/.test(args) ? withModel : '';
        const { code, stderr } = shell(`${run} ${args} ${model} > /dev/full`, small);
        assert.match(stderr, /^dcomp: cannot write (stdout|\/dev\/full): no space is left on the device\n$/);
        assert.equal(code, 1);
        assert.deepEqual(temporaryFiles(), []);
      });
    }

    it('a file that the system allows no more of', () => {
      const { code, stderr } = shell(`ulimit -f 1; ${run} decode a.dcz x.png ${withModel}`);
      assert.match(stderr, /^dcomp: cannot write x\.png: the file would be larger than the system allows\n$/);
      assert.deepEqual([code, files()], [1, ['a.dcz', 'a.png']]);
    });
  });

  describe('temporary files', () => {
    it('of a run that was killed are removed by the next', async () => {
      writeFileSync(file('large.png'), writePng(corpusPicture('scene', { width: 512, height: 384 })));
      const args = ['encode', 'large.png', '--model', cli.model, '--effort', '9', '-q', '95'];
      const child = spawn(process.execPath, [program, ...args], { cwd: cli.folder, stdio: 'ignore' });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      while (temporaryFiles().length === 0 && child.exitCode === null) await sleep(10);
      child.kill('SIGKILL');
      await ended;
      assert.equal(temporaryFiles().length, 1);
      works('decode', 'a.dcz', 'x.png');
      assert.deepEqual(temporaryFiles(), []);
    });

    it('of processes that live, and of other machines, stay; folders and files of other names, too', () => {
      const gone = spawnSync(process.execPath, ['-e', '']).pid;
      const named = (pid: number): string => temporaryName('.').replace(`-${process.pid}-`, `-${pid}-`);
      const [dead, alive] = [named(gone), named(process.pid)];
      const [foreign, folder, other] = [dead.replace(/dcomp-[^-]*/, 'dcomp-00000000'), named(gone), `x${dead}`];
      mkdirSync(file(folder));
      for (const name of [dead, alive, foreign, other]) writeFileSync(file(name), '');
      works('decode', 'a.dcz', 'x.png');
      assert.deepEqual(temporaryFiles().sort(), [alive, foreign, folder, other].sort());
    });

    it('that are taken away while the picture is coded are made again', async () => {
      const produce = async (): Promise<Uint8Array> => {
        for (const name of temporaryFiles()) rmSync(file(name));
        return Uint8Array.of(1, 2, 3);
      };
      assert.equal(await writeOutput(file('a.png'), file('x'), produce, { replace: false }), 3);
      assert.deepEqual([...readFileSync(file('x'))], [1, 2, 3]);
      assert.deepEqual(temporaryFiles(), []);
    });
  });
});

/** Ticks of the processor that a process has had, where the system tells; else as if it had had many. */
function processorTime(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 1000;
  }
}

/** A skip's reason: another user must be able to read the program, for root may write anything. */
function ownModes(): string | false {
  if (process.platform === 'win32') return 'no modes';
  if (process.getuid!() !== 0) return false;
  const { status } = spawnSync(process.execPath, [program, '--version'], { uid: 65534, gid: 65534 });
  return status === 0 ? false : 'no other user can run the program here';
}
