/** Builds the page into out/page: static files that work from any folder. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const root = fileURLToPath(new URL('.', import.meta.url));
const built = (path: string): string => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));

/** The package's own names, as its `exports` have them for browsers. */
const alias = [
  { find: /^dcomp$/, replacement: built('src/browser.js') },
  { find: /^dcomp\/diffusion$/, replacement: built('src/diffusion-browser.js') },
  { find: /^dcomp\/element$/, replacement: built('web/element.js') },
  { find: /^dcomp\/service-worker$/, replacement: built('web/service-worker.js') },
];

export default defineConfig({
  root,
  base: './',
  resolve: { alias },
  // Codecs to compare with are fetched when they are asked for, which takes modules.
  worker: { format: 'es' },
  build: {
    outDir: '../out/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    rollupOptions: {
      input: { index: `${root}index.html`, sw: `${root}sw.ts` },
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
});
