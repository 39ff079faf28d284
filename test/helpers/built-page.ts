/** The page, built into a folder within a folder, as it may lie anywhere. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { root } from './cli.js';

export interface BuiltPage {
  /** What is to be served. */
  folder: string;
  /** Where the page is in it. */
  path: string;
  remove(): void;
}

export async function buildPage(): Promise<BuiltPage> {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-page-'));
  const path = 'some/where/';
  await build({
    configFile: join(root, 'page/vite.config.ts'),
    logLevel: 'error',
    build: { outDir: join(folder, path), emptyOutDir: true },
  });
  return { folder, path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
