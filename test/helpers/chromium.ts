/** A browser to run pages in, and a server for them. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, extname, join, normalize } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** CHROME, or a Chromium or Chrome on the PATH. */
export function findBrowser(): string | undefined {
  const { CHROME: given } = process.env;
  if (given !== undefined && given !== '') return given;
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const paths = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** For `skip` of tests that need a browser. */
export const noBrowser: string | false =
  findBrowser() === undefined ? 'no Chromium found; install it or name it in the environment variable CHROME' : false;

/** WebGPU on the processor, by the SwiftShader that comes with Chromium. */
const PLAYED_GPU = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
];

/** @param gpu whether it is to have one, which is played; else it has none */
export function startBrowser(gpu = false): Promise<Browser> {
  const executablePath = findBrowser();
  const args = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    headless: true,
    args: [...args, '--disable-component-update', '--disable-sync', ...(gpu ? PLAYED_GPU : ['--disable-gpu'])],
  });
}

export const MIME: Record<string, string> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.html': 'text/html',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webp': 'image/webp',
};

/** Serves the files of a folder, and nothing else, without any headers that a plain server would not send. */
export function serveFolder(folder: string): Promise<{ server: Server; address: string }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response
      .writeHead(200, { 'Content-Type': MIME[extname(file)] ?? 'application/octet-stream' })
      .end(readFileSync(file));
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve({ server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }),
    ),
  );
}
