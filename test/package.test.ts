import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Manifest {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  scripts: Record<string, string | undefined>;
  exports: Record<string, unknown>;
  bin: Record<string, string>;
  keywords?: unknown;
  license?: unknown;
  sideEffects?: unknown;
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
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), ['@noble/hashes', 'fflate', 'tinypool']);
    assert.deepEqual(Object.keys(manifest.optionalDependencies), ['sharp']);
    const optional = [
      '@aws-sdk/client-s3',
      '@observablehq/plot',
      '@tensorflow/tfjs-backend-cpu',
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-node',
      'bullmq',
      'ioredis',
      'linkedom',
      'prom-client',
      'wasm-vips',
      'webgpu',
    ];
    assert.deepEqual(Object.keys(manifest.peerDependencies), optional);
    assert.deepEqual(
      manifest.peerDependenciesMeta,
      Object.fromEntries(optional.map((name) => [name, { optional: true }])),
    );
  });

  it('runs nothing where it is installed, and says where it is at home', () => {
    const { scripts } = manifest;
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'])
      assert.equal(
        scripts[name],
        undefined,
        `a script ${name} would run at a user's, or in a folder beside the package`,
      );
    assert.match(scripts.prepack ?? '', /build/);
    for (const field of ['keywords', 'license', 'sideEffects'] as const)
      assert.ok(manifest[field] !== undefined, `package.json has no ${field}`);
  });

  it('the core touches no file, process, clock or random source: no import of it is one of Node', () => {
    // Files named `…-node.ts` are of Node; nothing of the core imports them either.
    const core = [
      'src/codec',
      'src/container',
      'src/diffusion',
      'src/entropy',
      'src/math',
      'src/model',
      'src/packets',
      'src/pixels',
    ]
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
    const late = ['sharp', 'wasm-vips', '@observablehq/plot', 'linkedom', '@tensorflow/', '@aws-sdk/', 'bullmq'];
    late.push('ioredis', 'prom-client', 'webgpu');
    for (const file of ['src', 'cli', 'cluster', 'eval'].flatMap(sources)) {
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
      'src/packets': /\/(pixels|diffusion|codec|entropy|model|train)\/|\/(formats|cli|eval)\//,
      'src/codec': /\/train\/|\/(formats|cli|eval)\//,
      'src/restore': /\/(container|codec|entropy|train)\/|\/(formats|cli|eval)\//,
      web: /\/train\/|\/(formats|cluster|cli|eval)\/|-node\.js$/,
      formats: /\/(train|codec|model|entropy)\/|\/(cli|cluster|eval)\//,
      cluster: /\/(train|codec|model|entropy)\/|\/(cli|eval)\//,
      src: /\/(cluster|cli)\//,
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

interface Packed {
  unpackedSize: number;
  size: number;
  files: { path: string; size: number }[];
}

/** What `npm pack` would put into the package, of what is built. */
function packed(): Packed {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  // A list of packages, or in newer versions of npm an object by their names.
  return Object.values(JSON.parse(stdout) as Record<string, Packed>)[0]!;
}

/**
 * Files of dist/ that a compiled file or its types name: by `import`, `export … from`, `import()` and `new URL(…, import.meta.url)`,
 * in a bundle `new URL(…, new URL(where it would be, import.meta.url).href)`.
 */
function namedFiles(file: string, types = true): string[] {
  const typesOf = file.replace(/\.js$/, '.d.ts');
  const both = [file, ...(types && existsSync(join(root, typesOf)) ? [typesOf] : [])];
  const text = both.map((path) => readFileSync(join(root, path), 'utf8').replaceAll('"', "'")).join('\n');
  const names = text.matchAll(
    /(?:\bfrom|\bimport\(?)\s*'(\.[^']+\.js)'|new URL\('([^']+\.js)',\s*(?:import\.meta\.url\)(?!\.href\))|new URL\('([^']+)', import\.meta\.url\)\.href\))/g,
  );
  return [...names].map(([, imported, addressed, base = '']) =>
    posix.join(dirname(file), dirname(base), imported ?? addressed!),
  );
}

/** Types of others, which take longest to read, by file. */
const otherTypes = new Map<string, ts.SourceFile | undefined>();

/** What the compiler says of the types of the package alone, to a program that imports all of its entries but those of pages. */
function typeErrors(options: ts.CompilerOptions): string {
  const entries = Object.keys(manifest.exports).filter((name) => !/\*|element$|package\.json/.test(name));
  const importing = join(root, 'importing.ts');
  const all = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, skipLibCheck: false, ...options };
  const host = ts.createCompilerHost(all);
  host.jsDocParsingMode = ts.JSDocParsingMode.ParseNone;
  const { getSourceFile, fileExists } = host;
  const text = entries.map((name, i) => `export * as entry${i} from 'dcomp${name.slice(1)}';\n`).join('');
  host.fileExists = (name) => name === importing || fileExists(name);
  host.getSourceFile = (name, target) => {
    if (name === importing) return ts.createSourceFile(name, text, target);
    if (!/node_modules/.test(name)) return getSourceFile(name, target);
    if (!otherTypes.has(name)) otherTypes.set(name, getSourceFile(name, target));
    return otherTypes.get(name);
  };
  host.getCurrentDirectory = () => root;
  const program = ts.createProgram([importing], all, host);
  const own = program.getSourceFiles().filter(({ fileName }) => !/node_modules/.test(fileName));
  assert.ok(own.length > entries.length, 'the types of the entries are not found');
  return ts.formatDiagnostics(
    [...program.getOptionsDiagnostics(), ...own.flatMap((file) => [...program.getSemanticDiagnostics(file)])],
    host,
  );
}

describe('types', () => {
  for (const [what, module, moduleResolution] of [
    ['Node', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
    ['bundlers', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
  ] as const)
    it(`need no types of browsers, as ${what} resolve them`, () => {
      assert.equal(typeErrors({ module, moduleResolution, lib: ['lib.es2022.d.ts'], types: ['node'] }), '');
    });
});

describe('packed', () => {
  const { files, unpackedSize, size } = packed();
  const paths = files.map(({ path }) => path);

  it('holds every file that its entries come to, and no other', () => {
    const entries = [...JSON.stringify(manifest.exports).matchAll(/"\.\/(dist\/[^"]+\.js)"/g)].map(([, path]) => path!);
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      namedFiles(file).forEach(visit);
    };
    [...entries, ...Object.values(manifest.bin)].forEach(visit);
    const scripts = paths.filter((path) => path.endsWith('.js'));
    // What was compiled from a source that is gone is not in a package that `prepack` has built.
    const hasSource = (path: string): boolean => existsSync(join(root, path.replace(/^dist\/(.*)\.js$/, '$1.ts')));
    const fresh = scripts.filter((path) => path.startsWith('dist/bin/') || hasSource(path));
    assert.deepEqual(
      fresh.filter((path) => !reached.has(path)),
      [],
    );
    assert.deepEqual(
      [...reached].filter((path) => !paths.includes(path)),
      [],
    );
    // LICENSES is written by the last step of a build, which a compilation alone leaves out.
    const others = paths.filter((path) => !/\.(js|js\.map|d\.ts)$|LICENSES$/.test(path));
    const models = others.filter((path) => /\.dc[cdm]$/.test(path));
    const documents = others.filter((path) => path.startsWith('docs/'));
    assert.deepEqual(others.filter((path) => ![...models, ...documents].includes(path)).sort(), [
      'LICENSE',
      'README.md',
      'dist/src/train/recipe.json',
      'models/README.md',
      'package.json',
    ]);
    assert.ok(models.length > 0 && models.every((path) => path.startsWith('models/')));
  });

  it('holds every file that its documents lead to', () => {
    for (const document of paths.filter((path) => path.endsWith('.md'))) {
      const links = readFileSync(join(root, document), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g);
      for (const [, target] of links) {
        const path = posix.normalize(posix.join(dirname(document), target!));
        assert.ok(
          paths.some((each) => each === path || each === `dist/${path}` || each.startsWith(`${path}/`)) ||
            !existsSync(join(root, path)),
          `${document} leads to ${target}`,
        );
      }
    }
  });

  it('the library needs two packages, and webgpu only for a GPU in Node', () => {
    const library = ['dist/src/node.js', 'dist/src/browser.js'];
    const reached = new Set<string>();
    const bare = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(
        /(?:\bfrom|\bimport\(?)\s*'([@a-z][^'\s]*)'/g,
      ))
        if (!name!.startsWith('node:')) bare.add(/^(@[^/]+\/)?[^/]+/.exec(name!)![0]);
      namedFiles(file, false).forEach(visit);
    };
    library.forEach(visit);
    assert.deepEqual([...bare].sort(), ['@noble/hashes', 'fflate', 'webgpu']);
    assert.ok([...reached].every((file) => file.startsWith('dist/src/')));
  });

  it('the bundled command line says what its sources say, in as few lines', () => {
    const help = (folder: string): string =>
      spawnSync(process.execPath, [join(root, 'dist', folder, 'main.js'), 'encode', '--help'], { encoding: 'utf8' })
        .stdout;
    assert.match(help('bin'), /--quality/);
    assert.equal(help('bin'), help('cli'));
  });

  it('source maps bring their sources', () => {
    const maps = paths.filter((path) => path.endsWith('.js.map'));
    assert.ok(maps.length > 0);
    for (const path of maps) {
      const { sourcesContent } = JSON.parse(readFileSync(join(root, path), 'utf8')) as { sourcesContent?: string[] };
      assert.ok(sourcesContent !== undefined && sourcesContent.every((text) => text.length > 0), path);
    }
  });

  it('beside the models it is at most 7.4 MB, and packed 2.25 MB', () => {
    const models = files.filter(({ path }) => /\.dc[cdm]$/.test(path)).reduce((sum, file) => sum + file.size, 0);
    assert.ok(unpackedSize - models < 7.4e6, `${unpackedSize - models} bytes`);
    assert.ok(size - 0.99 * models < 2.25e6, `${size} bytes, ${models} of them models, which do not get smaller`);
  });
});
