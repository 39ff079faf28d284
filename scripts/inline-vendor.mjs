/**
 * Puts the packages that the command line alone needs into dist/cli/vendor/*.js, so that who installs dcomp as a library
 * does not get them, and their licences into dist/cli/vendor/LICENSES.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'dist/cli/vendor');
// From the sources: what is compiled may have been through this already.
const sources = readdirSync(join(root, 'cli/vendor'));

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: sources.map((name) => `cli/vendor/${name}`),
  outdir: folder,
  allowOverwrite: true,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  // What is CommonJS inside asks for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';const require = requireFrom(import.meta.url);",
  },
});

const paths = Object.keys(metafile.inputs).flatMap(
  (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
);
const texts = [...new Set(paths)].sort().map((path) => {
  const { name, version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  const file = readdirSync(join(root, path)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(root, path, file), 'utf8').trim()}\n`;
});
writeFileSync(join(folder, 'LICENSES'), [...new Set(texts)].join('\n----\n\n'));
