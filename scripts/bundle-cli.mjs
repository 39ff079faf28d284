/**
 * Puts the command line into dist/bin, from the sources: into few files, as Node takes half a millisecond and more for each that it
 * has to find and read, and with the packages that it alone needs, so that who installs dcomp as a library does not get them; their
 * licences go into dist/bin/LICENSES. Names stay as they are, so that the trace of an error can be read.
 */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const folder = join(dist, 'bin');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const withSlashes = (path) => path.split(sep).join('/');

/** What is begun by its address, by its name in dist/bin. All of cli/ and cluster/ has such a name, though most of it lies within others. */
const ENTRIES = ['main', 'batch/worker', 'encode-file', 'decode-file', 'message-encode', 'message-decode'];
const input = {
  ...Object.fromEntries(ENTRIES.map((name) => [name, join(root, `cli/${name}.ts`)])),
  'cluster/child': join(root, 'cluster/child.ts'),
};

/** Files by what they begin with, and all that it needs; what two need is in the first. */
const PARTS = {
  base: /\/cli\/(errors|options)\.ts$|\/formats\/formats\.ts$/,
  'file-format': /\/src\/codec\/inspect\.ts$/,
  codec: /\/src\/node\.ts$|\/formats\/(read|write)\.ts$/,
  batch: /\/cli\/batch\/(options|run|sources)\.ts$/,
};

/** Stands in front of a path below dist until the file is known in which the module comes to lie. */
const MARK = '@dist/';

/** Where a source has its address: in dist/bin, or else where the library has it. */
function placeOf(path) {
  const name = withSlashes(relative(root, path)).replace(/\.ts$/, '.js');
  return /^(cli|cluster)\//.test(name) ? `bin/${name.replace(/^cli\//, '')}` : name;
}

/** A module that asks for its own address gets the one that it would have if it were not within another file. */
const addresses = {
  name: 'addresses',
  transform: {
    filter: { id: { include: /\.ts$/, exclude: /node_modules/ }, code: 'import.meta.url' },
    handler: (code, id) => code.replaceAll('import.meta.url', `new URL('${MARK}${placeOf(id)}', import.meta.url).href`),
  },
  renderChunk(code, { fileName }) {
    const there = (place) => withSlashes(relative(dirname(join(folder, fileName)), join(dist, place)));
    return code.replaceAll(
      new RegExp(`(["'])${MARK}([^"']+)\\1`, 'g'),
      (_, quote, place) => quote + there(place) + quote,
    );
  },
};

/** Graphemes, of which nobody's help has any that are not letters, take a tenth of the start of a program. */
const width = {
  name: 'width',
  resolveId: {
    filter: { id: /^string-width$/ },
    handler: (_, importer = '') =>
      /\/node_modules\/(yargs|cliui|wrap-ansi)\//.test(withSlashes(importer))
        ? join(root, 'cli/vendor/string-width.ts')
        : undefined,
  },
};

const external = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) =>
  Object.keys(manifest[kind]),
);
const bundle = await rolldown({
  cwd: root,
  input,
  platform: 'node',
  external: (id) => external.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [addresses, width],
});
rmSync(folder, { recursive: true, force: true });
const { output } = await bundle.write({
  dir: folder,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'parts/[name].js',
  comments: false,
  codeSplitting: {
    groups: Object.entries(PARTS).map(([name, test], i, { length }) => ({ name, test, priority: length - i })),
  },
});

const paths = output.flatMap(({ moduleIds = [] }) =>
  moduleIds.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(withSlashes(id))?.[0] ?? []),
);
const texts = [...new Set(paths)].sort().map((path) => {
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
});
writeFileSync(join(folder, 'LICENSES'), [...new Set(texts)].join('\n----\n\n'));
