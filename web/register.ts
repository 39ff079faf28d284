/** The page's side of the service worker. */
import { DcompError } from '../src/errors.js';

/** Pictures that a page has asked for before its service worker was there. */
const PICTURE = /\.dcz(?:[?#]|$)/i;

/**
 * Registers the service worker that turns `<img src="x.dcz">` into pictures, and loads those anew that were asked for before
 * it was there.
 * @param address of a script that calls `servePictures` of `dcomp/service-worker`
 * @returns when it answers for this page
 * @throws DcompError E_ENVIRONMENT where there are no service workers: a browser without them, or a page that is not secure
 */
export async function registerServiceWorker(
  address: string | URL,
  options: RegistrationOptions = { type: 'module' },
): Promise<ServiceWorkerRegistration> {
  const workers = (globalThis.navigator as { serviceWorker?: ServiceWorkerContainer } | undefined)?.serviceWorker;
  if (workers === undefined)
    throw new DcompError(
      'E_ENVIRONMENT',
      'there are no service workers here; serve the page by https or from localhost',
    );
  let registration: ServiceWorkerRegistration;
  try {
    registration = await workers.register(address, options);
  } catch (cause) {
    throw new DcompError('E_ENVIRONMENT', `the service worker ${String(address)} cannot be registered`, { cause });
  }
  if (workers.controller === null) {
    await new Promise<void>((resolve) => {
      workers.addEventListener('controllerchange', () => resolve(), { once: true });
      if (workers.controller !== null) resolve();
    });
    loadAnew();
  }
  return registration;
}

/** Those that the browser could not show by itself. */
function loadAnew(): void {
  for (const image of document.images) {
    const { src, complete, naturalWidth } = image;
    if (!PICTURE.test(src) || (complete && naturalWidth > 0)) continue;
    image.src = '';
    image.src = src;
  }
}
