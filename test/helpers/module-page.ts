/** A page that the package's modules can be loaded in, and its server. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { Page } from 'playwright-core';
import { MIME, startBrowser } from './chromium.js';
import { root } from './cli.js';

/** The modules are loaded as they are, without a bundler: only bare names have to be told where they are. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>dcomp</title>
<script type="importmap">{"imports": {"@noble/hashes/": "/node_modules/@noble/hashes/", "fflate": "/node_modules/fflate/esm/browser.js"}}</script>`;

function serveModules(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    // Isolation makes shared memory, and with it threads, available to the page.
    const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    if (path === '/') {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/html' }).end(PAGE);
      return;
    }
    const file = join(root, path);
    if (!/^\/(dist|node_modules|models|test\/golden)\//.test(path) || !existsSync(file)) {
      response.writeHead(404, headers).end();
      return;
    }
    response
      .writeHead(200, { ...headers, 'Content-Type': MIME[extname(file)] ?? 'application/octet-stream' })
      .end(readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** A page of a browser, and what it complained of. */
export interface ModulePage {
  page: Page;
  complaints: string[];
  close: () => Promise<void>;
}

/** @param gpu whether the browser has WebGPU */
export async function openModulePage(gpu = false): Promise<ModulePage> {
  const server = await serveModules();
  const browser = await startBrowser(gpu);
  const page = await browser.newPage();
  page.setDefaultTimeout(0); // the runner's limit counts
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const close = async (): Promise<void> => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  };
  return { page, complaints, close };
}

export function hasAdapter(page: Page): Promise<boolean> {
  return page.evaluate(async () => ((await navigator.gpu?.requestAdapter()) ?? false) !== false);
}
