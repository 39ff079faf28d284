/** A site with the element and the service worker, bundled, and pictures that come as slowly as a test wants. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { build } from 'esbuild';
import { root } from './cli.js';
import { MIME } from './chromium.js';

export interface WebApp {
  address: string;
  /** Files by their path. */
  files: Map<string, Uint8Array | string>;
  /** Paths that were asked for, in order. */
  asked: string[];
  /** Answers that were ended before they were whole. */
  broken: string[];
  /** For pages that open from now on. */
  isolated: boolean;
  /** Whether all connections are cut. */
  down: boolean;
  /** Bytes and milliseconds of a portion of the paths that end in `?slow`. */
  slow: { bytes: number; pause: number };
  close(): void;
}

/** Modules lie so deep that the addresses of models, which are relative to them, lead to `/models/`. */
export const MODULES = '/a/b/c';

/** Bundles and serves. */
export async function startWebApp(): Promise<WebApp> {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-web-'));
  const web = join(root, 'dist/web');
  const common = { bundle: true, format: 'esm', logLevel: 'silent' } as const;
  await build({
    ...common,
    entryPoints: ['element', 'worker'].map((name) => join(web, `${name}.js`)),
    outdir: folder,
  });
  await build({
    ...common,
    stdin: { contents: "import { servePictures } from './service-worker.js'; servePictures();", resolveDir: web },
    outfile: join(folder, 'sw.js'),
  });
  const app: WebApp = {
    ...{
      address: '',
      files: new Map(),
      asked: [],
      broken: [],
      isolated: false,
      down: false,
      slow: { bytes: 100, pause: 60 },
    },
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const server: Server = createServer((request, response) => {
    const { pathname: path, search } = new URL(request.url ?? '/', 'http://localhost');
    if (app.down) return void request.destroy();
    app.asked.push(path);
    const found = bodyOf(app, folder, normalize(decodeURIComponent(path)));
    if (found === undefined) return void response.writeHead(404).end();
    response.writeHead(200, {
      'Content-Type': MIME[extname(path)] ?? (path.endsWith('/') ? 'text/html' : 'application/octet-stream'),
      'Content-Length': found.length,
      'Service-Worker-Allowed': '/',
      ...(app.isolated
        ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
        : {}),
    });
    if (search !== '?slow') return void response.end(found);
    response.on('close', () => response.writableFinished || app.broken.push(path));
    trickle(response, found, app);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  app.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return app;
}

function bodyOf(app: WebApp, folder: string, path: string): Buffer | undefined {
  const given = app.files.get(path);
  if (given !== undefined) return Buffer.from(given);
  const file = path.startsWith('/models/')
    ? join(root, path)
    : path.startsWith(`${MODULES}/`)
      ? join(folder, path.slice(MODULES.length))
      : undefined;
  if (file === undefined || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  return readFileSync(file);
}

function trickle(response: ServerResponse, body: Buffer, { slow }: WebApp, at = 0): void {
  if (response.destroyed) return;
  if (at >= body.length) return void response.end();
  response.write(body.subarray(at, at + slow.bytes));
  setTimeout(() => trickle(response, body, { slow } as WebApp, at + slow.bytes), slow.pause);
}
