/** Loader hooks of `gaps.ts`: the modules whose calls are watched hand over what they export to it. */
import { fileURLToPath } from 'node:url';

/** What is watched, by the end of the module's path: functions that return promises, or the factory of such. */
const WATCHED: Readonly<Record<string, readonly string[]>> = {
  '/dist/src/api.js': ['createCodec'],
  '/dist/src/verify-and-repair.js': ['verify', 'repair'],
  '/dist/src/restore/restorer.js': ['createRestorer', 'estimateSigma'],
  '/dist/formats/read.js': ['readPicture'],
  '/dist/formats/write.js': ['writePicture'],
  '/dist/formats/resize.js': ['resizePicture'],
  '/dist/formats/upright.js': ['barePicture'],
  '/dist/cluster/handler.js': ['handler'],
  '/dist/eval/run.js': ['evaluate'],
};

interface Loaded {
  source: string | Uint8Array;
}

/** Renames each function, and exports in its place what `globalThis.watchGaps` makes of it. */
export async function load(
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => Promise<Loaded>,
): Promise<Loaded> {
  const loaded = await next(url, context);
  const names = url.startsWith('file:')
    ? Object.entries(WATCHED).find(([end]) => fileURLToPath(url).endsWith(end))?.[1]
    : undefined;
  if (names === undefined) return loaded;
  let source = Buffer.from(loaded.source as Uint8Array).toString();
  for (const name of names) {
    source = source.replace(new RegExp(`export ((?:async )?function) ${name}\\(`), `$1 ${name}Unwatched(`);
    source += `\nexport const ${name} = globalThis.watchGaps('${name}', ${name}Unwatched);\n`;
  }
  return { ...loaded, source };
}
