import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Manifest {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  engines: { node: string };
  files: string[];
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name));
}

function imports(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [
    ...text.matchAll(
      /^\s*(?:import|export)\s(?!type\s)[^'";]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3]);
}

describe('package', () => {
  it('depends on few packages, and needs no native code', () => {
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), [
      '@noble/hashes',
      'cli-progress',
      'fflate',
      'pngjs',
      'tinypool',
      'yargs',
    ]);
    assert.deepEqual(Object.keys(manifest.optionalDependencies).sort(), [
      '@tensorflow/tfjs-backend-cpu',
      '@tensorflow/tfjs-core',
      'sharp',
    ]);
    const optional = ['@observablehq/plot', '@tensorflow/tfjs-node', 'linkedom', 'wasm-vips'];
    assert.deepEqual(
      manifest.peerDependenciesMeta,
      Object.fromEntries(optional.map((name) => [name, { optional: true }])),
    );
  });

  it('the core touches no file, process, clock or random source: no import of it is one of Node', () => {
    // Files named `…-node.ts` are of Node; nothing of the core imports them either.
    const core = ['src/codec', 'src/container', 'src/diffusion', 'src/entropy', 'src/math', 'src/model', 'src/pixels']
      .flatMap(sources)
      .filter((file) => !file.endsWith('-node.ts'));
    assert.ok(core.length > 0);
    for (const file of core) {
      for (const name of imports(file)) {
        assert.doesNotMatch(name, /-node\.js$/, `${file} imports ${name}`);
        assert.ok(
          name.startsWith('.') || name.startsWith('@noble/hashes/') || name === 'fflate',
          `${file} imports ${name}`,
        );
      }
    }
  });

  it('what only some commands need is not imported before it is needed', () => {
    const late = ['sharp', 'wasm-vips', '@observablehq/plot', 'linkedom', '@tensorflow/'];
    for (const file of ['src', 'cli', 'eval'].flatMap(sources)) {
      const text = readFileSync(join(root, file), 'utf8');
      for (const [, name] of text.matchAll(/^(?:import|export)\s(?!type\s)[^'";]*?from\s+'([^']+)'/gm)) {
        if (file.startsWith('src/train/')) continue;
        assert.ok(!late.some((word) => name!.startsWith(word)), `${file} imports ${name}`);
      }
    }
  });

  it('the arrow points one way: cli → codec → model, entropy → math', () => {
    const forbidden: Record<string, RegExp> = {
      'src/math': /\/(pixels|container|diffusion|codec|entropy|model|train)\/|\/(formats|cli|eval)\//,
      'src/entropy': /\/(pixels|container|diffusion|codec|model|train)\/|\/(formats|cli|eval)\//,
      'src/model': /\/(pixels|container|diffusion|codec|entropy|train)\/|\/(formats|cli|eval)\//,
      'src/pixels': /\/(container|diffusion|codec|entropy|train)\/|\/(formats|cli|eval)\//,
      'src/diffusion': /\/(container|codec|entropy|train)\/|\/(formats|cli|eval)\//,
      'src/container': /\/(codec|train)\/|\/(formats|cli|eval)\//,
      'src/codec': /\/train\/|\/(formats|cli|eval)\//,
      formats: /\/(train|codec|model|entropy)\/|\/(cli|eval)\//,
      eval: /\/cli\//,
      bench: /\/test\//,
      fuzz: /\/test\//,
    };
    for (const [folder, pattern] of Object.entries(forbidden)) {
      for (const file of sources(folder)) {
        for (const name of imports(file)) assert.doesNotMatch(name, pattern, `${file} imports ${name}`);
      }
    }
  });
});
