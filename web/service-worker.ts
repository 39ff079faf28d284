/**
 * `dcomp/service-worker`: turns `<img src="x.dcz">`, backgrounds of CSS and the like into pictures that every browser can
 * show. Scripts that fetch a `.dcz` file, and `<dcz-image>`, get the file as it is.
 */
import { createCodec } from '../src/api.js';
import type { GivenModel } from '../src/kept-models.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { loadModel, sha256 } from '../src/models/fetched.js';
import { fileOf, type PictureType } from './picture-file.js';
import { PictureCache } from './picture-cache.js';
import { defined } from '../src/options.js';

export type { PictureType } from './picture-file.js';

/** How pictures are served. */
export interface ServiceWorkerOptions {
  /** Which requests are for dcomp pictures. Default: those of images, whose path ends in `.dcz`. */
  matches?: (request: Request) => boolean;
  /**
   * What the browser is given. `webp`, without loss too, is smaller in its cache; pictures with alpha, a colour profile or
   * 16 bits are given as PNG, and all are where the browser cannot write WebP. Default: `png`.
   */
  type?: PictureType;
  /** Most bytes of decoded pictures that are kept, those that were decoded first go first; 0 keeps none. Default: 64 MB. */
  cacheBytes?: number;
  /** The contents of a model file, for pictures of a model that is not of the package, or where a bundler does not find its file. */
  model?: GivenModel;
}

/** Most bytes of decoded pictures unless an option says otherwise. */
const CACHE_BYTES = 64e6;

interface WorkerEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEvent extends WorkerEvent {
  request: Request;
  respondWith(response: Promise<Response>): void;
}
/** The global scope of a service worker, as far as it is needed. */
interface Scope {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: string, listener: (event: never) => void): void;
}

/**
 * Called once, in the script of a service worker, when it is first run. It begins to answer at once, also for pages that are
 * open already.
 */
export function servePictures(options: ServiceWorkerOptions = {}): void {
  const scope = globalThis as unknown as Scope;
  const { matches = isPicture } = options;
  const answer = answers(options);
  scope.addEventListener('install', (event: WorkerEvent) => event.waitUntil(scope.skipWaiting()));
  scope.addEventListener('activate', (event: WorkerEvent) => event.waitUntil(scope.clients.claim()));
  scope.addEventListener('fetch', (event: FetchEvent) => {
    const { request } = event;
    if (request.method === 'GET' && matches(request)) event.respondWith(answer(request, event));
  });
}

function isPicture({ destination, url }: Request): boolean {
  return destination === 'image' && new URL(url).pathname.toLowerCase().endsWith('.dcz');
}

function answers(options: ServiceWorkerOptions): (request: Request, event: WorkerEvent) => Promise<Response> {
  const { type = 'png', cacheBytes = CACHE_BYTES, model } = options;
  const codec = createCodec({ loadModel, sha256, createEvaluator: (given) => createEvaluator(given) });
  const cache = new PictureCache(type, cacheBytes);
  /** By the hash of the file: what several requests ask for is decoded once. */
  const underWay = new Map<string, Promise<Blob>>();

  async function decoded(bytes: Uint8Array, hash: string): Promise<Blob> {
    const known = underWay.get(hash);
    if (known !== undefined) return known;
    const work = codec
      .decode(bytes, { allowDamaged: true, ...defined({ model }) })
      .then((picture) => fileOf(picture, type));
    underWay.set(hash, work);
    try {
      return await work;
    } finally {
      underWay.delete(hash);
    }
  }

  return async (request, event) => {
    let file: Response;
    try {
      file = await fetch(readable(request));
    } catch {
      // Without a network: what was shown last.
      return (await cache.last(request.url)) ?? Response.error();
    }
    if (!file.ok) return file;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const hash = hexadecimal((await sha256(bytes))!);
    const kept = await cache.of(hash);
    if (kept !== undefined) return kept;
    try {
      const blob = await decoded(bytes, hash);
      event.waitUntil(cache.keep(request.url, hash, blob));
      return responseOf(blob, request.url);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return new Response(message, { status: 415, headers: { 'content-type': 'text/plain;charset=utf-8' } });
    }
  };
}

/** The request for bytes that can be read: those of other places must allow it (CORS). */
function readable(request: Request): Request {
  const { url, referrer, cache } = request;
  const credentials = request.mode === 'no-cors' ? 'same-origin' : request.credentials;
  return new Request(url, {
    mode: 'cors',
    credentials,
    referrer,
    cache: cache === 'only-if-cached' ? 'default' : cache,
  });
}

/** The answer, named so that what is saved has the right ending. */
function responseOf(blob: Blob, url: string): Response {
  const ending = blob.type.replace('image/', '');
  const name = (new URL(url).pathname.split('/').pop() ?? 'picture').replace(/\.dcz$/i, '');
  const headers = {
    'content-type': blob.type,
    'content-length': String(blob.size),
    'content-disposition': `inline; filename*=UTF-8''${name}.${ending}`,
  };
  return new Response(blob, { headers });
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
