/** Decoded pictures that a service worker keeps, by the hash of their file: a file that has changed is another one. */
import type { PictureType } from './picture-file.js';

/** With a version: what an earlier release has kept may be written otherwise. */
const NAME = 'dcomp-pictures-1';

export class PictureCache {
  private readonly store = caches.open(NAME);

  /** @param most bytes that are kept */
  constructor(
    private readonly type: PictureType,
    private readonly most: number,
  ) {}

  /** The picture of a file, if it is kept. */
  async of(hash: string): Promise<Response | undefined> {
    return (await this.store).match(this.placeOf(hash));
  }

  /** The picture that was decoded last for an address. */
  async last(url: string): Promise<Response | undefined> {
    const hash = await (await (await this.store).match(addressOf(url)))?.text();
    return hash === undefined ? undefined : this.of(hash);
  }

  /** Keeps a picture, and no longer the oldest ones if they are too many. A full disk is no reason to fail. */
  async keep(url: string, hash: string, picture: Blob): Promise<void> {
    if (picture.size > this.most) return;
    const store = await this.store;
    const headers = { 'content-type': picture.type, 'content-length': String(picture.size) };
    try {
      await store.put(this.placeOf(hash), new Response(picture, { headers }));
      await store.put(addressOf(url), new Response(hash));
      await this.trim(store);
    } catch {
      return;
    }
  }

  /** Those that were put first are named first. */
  private async trim(store: Cache): Promise<void> {
    const entries: { request: Request; size: number }[] = [];
    for (const request of await store.keys()) {
      const found = await store.match(request);
      entries.push({ request, size: Number(found?.headers.get('content-length') ?? 0) });
    }
    let sum = entries.reduce((total, { size }) => total + size, 0);
    for (const { request, size } of entries) {
      if (sum <= this.most) return;
      // What is next to nothing says which picture an address had, and costs nothing to keep.
      if (size === 0) continue;
      await store.delete(request);
      sum -= size;
    }
  }

  private placeOf(hash: string): string {
    return new URL(`/.dcomp/${this.type}/${hash}`, self.location.href).href;
  }
}

function addressOf(url: string): string {
  return new URL(`/.dcomp/last/${encodeURIComponent(url)}`, self.location.href).href;
}
