/** No file is lost that was there: existing files are replaced only when the user says so. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { after, beforeEach, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { writeOutput } from '../formats/output.js';
import { writePng } from '../formats/png-writer.js';
import { codeOfError } from './helpers/outcome.js';
import { createCli, program } from './helpers/cli.js';

const cli = createCli({ force: false });
const { file, files, works, fails } = cli;
const original = writePng(corpusPicture('scene', { width: 24, height: 17 }));
const EXISTS = (name: string): RegExp =>
  new RegExp(`^dcomp: ${name} exists already and stays as it is; --force replaces it, or name another output\\n$`);

describe('existing files', () => {
  after(() => cli.remove());
  beforeEach(() => {
    cli.clear();
    writeFileSync(file('photo.png'), original);
  });

  it('decoding photo.dcz beside photo.png leaves the original as it is, byte for byte and with its times', () => {
    utimesSync(file('photo.png'), 1000, 1000);
    works('encode', 'photo.png');
    fails(1, EXISTS('photo\\.png'), 'decode', 'photo.dcz');
    fails(1, EXISTS('photo\\.png'), 'decode', 'photo.dcz', 'photo.png');
    fails(1, EXISTS('photo\\.png'), 'decode', 'photo.dcz', '-o', 'photo.png');
    fails(1, EXISTS('photo\\.png'), 'decode', 'photo.dcz', '-o', './');
    assert.deepEqual(readFileSync(file('photo.png')), Buffer.from(original));
    assert.equal(statSync(file('photo.png')).mtimeMs, 1_000_000);
    works('decode', 'photo.dcz', 'photo.png', '--force');
    assert.notDeepEqual(readFileSync(file('photo.png')), Buffer.from(original));
  });

  it('a .dcz file is not replaced either, nor an empty file', () => {
    works('encode', 'photo.png');
    const first = readFileSync(file('photo.dcz'));
    fails(1, EXISTS('photo\\.dcz'), 'encode', 'photo.png', '-q', '20');
    assert.deepEqual(readFileSync(file('photo.dcz')), first);
    works('encode', 'photo.png', '-q', '20', '-f');
    assert.notDeepEqual(readFileSync(file('photo.dcz')), first);
    writeFileSync(file('empty.dcz'), '');
    fails(1, EXISTS('empty\\.dcz'), 'encode', 'photo.png', 'empty.dcz');
  });

  it('a link counts as what it leads to; one that leads to nothing is followed', () => {
    symlinkSync('photo.png', file('link.png'));
    works('encode', 'photo.png');
    fails(1, EXISTS('link\\.png'), 'decode', 'photo.dcz', 'link.png');
    mkdirSync(file('far'));
    symlinkSync('far/new.png', file('open.png'));
    works('decode', 'photo.dcz', 'open.png');
    assert.ok(files().includes('far/new.png'));
  });

  it('of a folder the other files are done, and nothing is lost; --force and --skip-existing say what else to do', () => {
    mkdirSync(file('coded'));
    mkdirSync(file('photos'));
    for (const name of ['a.png', 'b.png', 'c.png']) writeFileSync(file(`photos/${name}`), original);
    works('encode', 'photos', '-o', 'coded', '--quiet');
    writeFileSync(file('photos/b.png'), 'precious');
    const outcome = cli.dcomp('decode', 'coded', '-o', 'photos');
    assert.equal(outcome.code, 1);
    const said = outcome.stderr.split('\n');
    for (const [i, name] of ['a', 'b', 'c'].entries())
      assert.match(`${said[i]!}\n`, EXISTS(`photos/${name}\\.png`), outcome.stderr);
    assert.match(said[3]!, /^0 done, 3 failed, /);
    assert.equal(readFileSync(file('photos/b.png'), 'latin1'), 'precious');
    const json = cli.dcomp('decode', 'coded', '-o', 'photos', '--json', '--quiet').stdout.trimEnd().split('\n');
    assert.deepEqual(
      json.map((line) => (JSON.parse(line) as { error: { code: string } }).error.code),
      ['E_EXISTS', 'E_EXISTS', 'E_EXISTS'],
    );
    assert.match(works('decode', 'coded', '-o', 'photos', '--skip-existing').stderr, /^0 done, 0 failed, 3 skipped, /m);
    assert.equal(readFileSync(file('photos/b.png'), 'latin1'), 'precious');
    works('decode', 'coded', '-o', 'photos', '--force', '--quiet');
    assert.notEqual(readFileSync(file('photos/b.png'), 'latin1'), 'precious');
    fails(2, /--skip-existing and --force contradict/, 'decode', 'coded', '-o', 'x', '--force', '--skip-existing');
  });

  it('--force replaces no input', () => {
    fails(2, /same file/, 'encode', 'photo.png', 'photo.png', '--force');
    fails(2, /same file/, 'encode', 'photo.png', '-o', '{name}.png', '--force');
    assert.deepEqual(readFileSync(file('photo.png')), Buffer.from(original));
  });

  it('standard output, devices and pipes need no --force', () => {
    works('encode', 'photo.png', '/dev/null');
    const shell = `"${process.execPath}" "${program}" encode photo.png - --model "${cli.model}" > out.dcz`;
    assert.equal(spawnSync('/bin/sh', ['-c', shell], { cwd: cli.folder }).status, 0);
    assert.ok(statSync(file('out.dcz')).size > 0);
  });

  it('a file that comes while the picture is coded is not replaced', async () => {
    const output = file('late.png');
    const produce = async (): Promise<Uint8Array> => {
      writeFileSync(output, 'quicker');
      return Uint8Array.of(1, 2, 3);
    };
    const write = (replace: boolean): Promise<number> => writeOutput(file('photo.png'), output, produce, { replace });
    assert.equal(await codeOfError(() => write(false)), 'E_EXISTS');
    assert.equal(readFileSync(output, 'latin1'), 'quicker');
    assert.equal(await write(true), 3);
    assert.deepEqual(readFileSync(output), Buffer.of(1, 2, 3));
    assert.deepEqual(readdirSync(cli.folder).sort(), ['late.png', 'photo.png']);
  });

  it('the help says so', () => {
    for (const command of ['encode', 'decode'])
      assert.match(
        works(command, '--help').stdout,
        /-f, --force\s+Replace outputs that\s+exist; without it no file is\s+ever\s+replaced/,
      );
  });
});
