/**
 * The figures of the documents: dcomp by all models beside other codecs, on ordinary photographs, and what came of it
 * into README.md and docs/results.md.
 *
 * Usage: npm run report [-- OPTIONS of dcomp eval, such as --limit 9]
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const pictures = join(root, '..', 'shared', 'data', 'dev2');
if (!existsSync(pictures)) {
  console.error(`${pictures} is missing: the figures are of those photographs`);
  process.exit(1);
}
const out = join(root, 'out', 'report');
const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};
const folders = ['eye', 'psnr'].flatMap((tune) =>
  ['small', 'medium', 'large'].map((model) => {
    const folder = join(out, tune === 'eye' ? model : `${model}-${tune}`);
    const own = ['--model', model, '--tune', tune, '-o', folder, '--cache', join(out, 'cache')];
    const codecs = 'dcomp,avif,avif-psnr,avif-ssim,jxl,jxl-9,webp,jpeg';
    const rates = '0.1,0.25,0.5,1';
    run('dist/bin/main.js', 'eval', pictures, ...own, '--codecs', codecs, '--rates', rates, ...process.argv.slice(2));
    return folder;
  }),
);
run('scripts/publish-report.mjs', ...folders);
