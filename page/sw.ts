/** The page's service worker: `<img src="x.dcz">`, and the headers that let the page have threads, which a plain server does not send. */
import { servePictures } from 'dcomp/service-worker';

interface FetchEvent extends Event {
  request: Request;
  respondWith(response: Promise<Response>): void;
}

servePictures();

globalThis.addEventListener('fetch', (event) => {
  const { request, respondWith } = event as FetchEvent;
  const isOurs = request.method === 'GET' && new URL(request.url).origin === location.origin;
  if (!isOurs || request.destination === 'image') return;
  respondWith.call(event, isolated(request));
});

/** The answer, with the headers of a page that is cross-origin isolated. */
async function isolated(request: Request): Promise<Response> {
  const response = await fetch(request);
  // An answer that cannot be read, or has no body, is handed on as it is.
  if (response.type === 'opaque' || response.status === 0 || [101, 204, 205, 304].includes(response.status))
    return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
