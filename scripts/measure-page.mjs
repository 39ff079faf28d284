/**
 * Measures the page that `npm run page` has built, in a real Chromium: `npm run page:measure`, or a part of it (`-- first`,
 * `-- use`, `-- memory`, `-- streams`, `-- placeholder`). First view, layout shift, long tasks of the page's own thread, bytes, memory
 * after 50 decodings, two elements whose files come slowly, and what decoding a placeholder costs.
 *
 * A task's processor time is what it costs; its wall time is longer where the machine is busy with something else. The
 * exit code is 1 where a limit is passed: tasks by their processor time, bytes, layout shift.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { corpusPicture } from '../dist/corpus/pictures.js';
import { encode, encodeMessages } from '../dist/src/node.js';
import { noBrowser, serveFolder, startBrowser } from '../dist/test/helpers/chromium.js';
import { MODULES as AT, startWebApp } from '../dist/test/helpers/web-app.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'out');
const LIMITS = { firstView: 300_000, shift: 0.001, task: 100, placeholder: 30 };
/** Letters of what stands first in a line. */
const WIDTH = 48;
/** Milliseconds after the first picture in which a slow phone is watched on. */
const AFTERWARDS = 5000;
const PROFILES = [
  { name: 'desktop', viewport: { width: 1360, height: 850 }, colorScheme: 'light' },
  // As Lighthouse has a phone: 1.6 Mbit/s, 150 ms, a processor four times as slow.
  {
    ...{ name: 'phone', viewport: { width: 390, height: 844 }, colorScheme: 'dark', deviceScaleFactor: 2 },
    ...{ isMobile: true, hasTouch: true, slow: true },
  },
];

if (noBrowser !== false) {
  console.log(`page:measure: ${noBrowser}`);
  process.exit(0);
}
if (!existsSync(join(out, 'page/index.html'))) throw new Error('build the page first: npm run page');

/** Bytes of a file of the page, packed as servers pack text. */
const packed = new Map(
  readdirSync(join(out, 'page'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const bytes = readFileSync(join(entry.parentPath ?? entry.path, entry.name));
      return [entry.name, /\.(js|css|html)$/.test(entry.name) ? gzipSync(bytes).length : bytes.length];
    }),
);

/** What a page notes about itself. */
function watch() {
  const seen = { shift: 0, largest: 0, first: 0, tasks: [] };
  Object.assign(globalThis, { seen });
  const observe = (type, note) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  observe('layout-shift', ({ value, hadRecentInput }) => (seen.shift += hadRecentInput ? 0 : value));
  observe('largest-contentful-paint', ({ startTime }) => (seen.largest = startTime));
  observe('paint', ({ name, startTime }) => name === 'first-contentful-paint' && (seen.first = startTime));
  observe('longtask', ({ duration }) => seen.tasks.push(duration));
}

/**
 * The longest tasks of the page's thread in a trace, in milliseconds. Chromium has pages of its own, whose threads have the
 * same name: the process of this one is named where a frame of it is.
 */
function tasksOf(trace, place = address) {
  const { traceEvents: events } = JSON.parse(trace.toString());
  const frames = events
    .filter(({ name }) => /^(TracingStarted|FrameCommitted)InBrowser$/.test(name))
    .flatMap(({ args: { data } }) => data.frames ?? [data]);
  const processes = new Set(frames.filter(({ url }) => url.startsWith(place)).map(({ processId }) => processId));
  const threads = new Set(
    events
      .filter(({ name, pid, args }) => name === 'thread_name' && args.name === 'CrRendererMain' && processes.has(pid))
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = events.filter(({ name, pid, tid }) => /RunTask$/.test(name) && threads.has(`${pid} ${tid}`));
  if (tasks.length === 0) throw new Error('the trace has no task of the page');
  const longest = (of) => tasks.reduce((most, task) => Math.max(most, (task[of] ?? 0) / 1000), 0);
  const sum = tasks.reduce((total, { name, tdur = 0 }) => total + (name === 'RunTask' ? tdur / 1000 : 0), 0);
  return { wall: longest('dur'), processor: longest('tdur'), sum };
}

/** Parts may be named: `first`, `use`, `memory`, `streams`, `placeholder`. */
const parts = process.argv.slice(2);
const wanted = (part) => parts.length === 0 || parts.includes(part);

const { server, address } = await serveFolder(out);
const browser = await startBrowser();
const failures = [];
const row = (what, value, limit) => {
  console.log(`${what.padEnd(WIDTH)} ${value}${limit === undefined ? '' : ` (at most ${limit})`}`);
};
const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;
const milliseconds = (time) => `${Math.round(time)} ms`;

const said = (page, words) =>
  page.waitForFunction(
    (source) => new RegExp(source).test(document.querySelector('#status').textContent),
    words.source,
    { timeout: 300_000 },
  );

async function firstView({ name, slow, ...options }) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  if (slow) {
    await session.send('Network.enable');
    const throughput = 1.6e6 / 8;
    await session.send('Network.emulateNetworkConditions', {
      ...{ offline: false, latency: 150, downloadThroughput: throughput, uploadThroughput: throughput / 2 },
    });
    await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  }
  const files = [];
  page.on('response', (response) => files.push(response.url().split('/').pop() || 'index.html'));
  await page.addInitScript(watch);
  const traced = !slow;
  if (traced) await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  await page.goto(`${address}page/`);
  await said(page, /^(\d|Cod)/);
  const before = files.slice(0, files.findIndex((file) => file.startsWith('engine-')) >>> 0);
  // A processor four times as slow has shown by then what it has to show.
  if (slow) await page.waitForTimeout(AFTERWARDS);
  else await said(page, /^Coded/);
  const trace = traced ? tasksOf(await browser.stopTracing()) : undefined;
  const seen = await page.evaluate(() => globalThis.seen);
  const sum = (names) => names.reduce((total, file) => total + (packed.get(file) ?? 0), 0);
  const whole = files.slice(0, files.findIndex((file) => file.endsWith('.dcm')) >>> 0);
  row(`${name}: first contentful paint`, milliseconds(seen.first));
  row(`${name}: largest contentful paint`, milliseconds(seen.largest));
  row(`${name}: layout shift`, seen.shift.toFixed(4), LIMITS.shift);
  if (seen.shift > LIMITS.shift) failures.push(`${name}: layout shift`);
  row(`${name}: total blocking time`, milliseconds(seen.tasks.reduce((total, task) => total + task - 50, 0)));
  if (trace !== undefined) {
    row(`${name}: longest task, processor`, milliseconds(trace.processor), `${LIMITS.task} ms`);
    row(`${name}: longest task, wall`, milliseconds(trace.wall));
    row(`${name}: first view`, `${before.length} files, ${kilobytes(sum(before))}`, kilobytes(LIMITS.firstView));
    row(`${name}: with the codec, before the model`, `${whole.length} files, ${kilobytes(sum(whole))}`);
    if (trace.processor > LIMITS.task) failures.push(`${name}: a task of ${milliseconds(trace.processor)}`);
    if (sum(whole) > LIMITS.firstView) failures.push(`${name}: bytes`);
  }
  await context.close();
}

/** What people do, and the longest task in it. */
async function use() {
  const context = await browser.newContext({ viewport: { width: 1360, height: 850 } });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  await page.goto(`${address}page/`);
  await said(page, /^Coded/);
  await page.selectOption('#pixels', '100000');
  await said(page, /^Coded/);
  const traced = async (what, act) => {
    await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
    await page.evaluate(() => (document.querySelector('#status').textContent = ''));
    await act();
    const { processor, wall } = tasksOf(await browser.stopTracing());
    row(
      `${what}: longest task`,
      `${milliseconds(processor)} of processor, ${milliseconds(wall)} of wall`,
      `${LIMITS.task} ms`,
    );
    if (processor > LIMITS.task) failures.push(`${what}: a task of ${milliseconds(processor)}`);
  };
  await traced('coding by the slider', async () => {
    for (const value of [40, 50, 60, 70]) await page.locator('#amount').fill(String(value));
    await said(page, /^Coded/);
  });
  await traced('replay', async () => {
    await page.click('#tab-replay');
    await page.click('#play');
    await said(page, /^Decoded the first (.+ bytes) of \1/);
  });
  await traced('a picture out of nothing', async () => {
    await page.click('#tab-sample');
    await page.selectOption('#side', '64');
    await page.click('#draw');
    await said(page, /^Drawn/);
  });
  const large = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(4000, 3000);
    canvas.getContext('2d').fillRect(0, 0, 4000, 3000);
    const blob = await canvas.convertToBlob({ type: 'image/jpeg' });
    return new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.split(',')[1]);
      reader.readAsDataURL(blob);
    });
  });
  const file = { name: 'large.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(large, 'base64') };
  await traced('12 megapixels, reduced', async () => {
    await page.setInputFiles('#file', file);
    await said(page, /^Coded/);
  });
  await traced('12 megapixels, full size', async () => {
    await page.selectOption('#pixels', '16000000');
    await said(page, /coding takes about/);
  });
  await context.close();
}

/** Memory of the page and its workers, which an isolated page can ask for: after 5 and after 50 decodings. */
async function memory() {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  await page.goto(`${address}page/`);
  await said(page, /^Coded/);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await said(page, /^Coded/);
  await page.selectOption('#pixels', '100000');
  await page.waitForTimeout(500);
  await said(page, /^Coded/);
  await page.click('#tab-replay');
  const decodings = async (count) => {
    for (let i = 0; i < count; i++) {
      await page.evaluate(() => (document.querySelector('#status').textContent = ''));
      await page.locator('#arrived').fill(String(40 + (i % 50)));
      await said(page, /^Decoded/);
    }
    // Twice: what the first collection has freed, the second one knows.
    await page.evaluate(() => performance.measureUserAgentSpecificMemory());
    return page.evaluate(async () => (await performance.measureUserAgentSpecificMemory()).bytes);
  };
  const few = await decodings(5);
  const many = await decodings(50);
  row(
    'memory after 5 decodings, and after 50 more',
    `${(few / 1e6).toFixed(1)} MB, ${(many / 1e6).toFixed(1)} MB`,
    '10 % more',
  );
  if (many > 1.1 * few) failures.push('memory grows');
  await context.close();
}

/** Of a slow line: bytes that come at once, and milliseconds between them. */
const SLOW = { bytes: 300, pause: 60 };

/** Two elements, whose files come slowly and at the same time. */
async function streams() {
  const app = await startWebApp();
  Object.assign(app, { slow: SLOW, isolated: true });
  const picture = corpusPicture('scene', { width: 768, height: 512 });
  const { bytes } = await encode(picture, { model: 'small', effort: 1, target: { quality: 60 } });
  const elements = ['one', 'two'].map((name) => {
    app.files.set(`/${name}.dcz`, bytes);
    return `<dcz-image id="${name}" src="${name}.dcz?slow" alt="${name}" width="384" height="256"></dcz-image>`;
  });
  const script = `<script type="module">import '${AT}/element.js'; document.body.innerHTML += '${elements.join('')}<p>after</p>';</script>`;
  app.files.set('/', `<!doctype html><meta charset="utf-8"><title>streams</title><p>before</p>${script}`);
  const page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  await page.addInitScript(watch);
  await page.addInitScript(() => {
    globalThis.order = [];
    for (const type of ['progress', 'load', 'error'])
      document.addEventListener(
        type,
        ({ target, message }) => target.id && globalThis.order.push([type, target.id, message]),
        true,
      );
  });
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  await page.goto(app.address);
  await page.waitForFunction(() => globalThis.order.filter(([type]) => type !== 'progress').length === 2);
  const { processor, wall } = tasksOf(await browser.stopTracing(), app.address);
  const { order, shift } = await page.evaluate(() => ({ order: globalThis.order, shift: globalThis.seen.shift }));
  const betters = order.filter(([type]) => type === 'progress').map(([, id]) => id);
  const [one, two] = ['one', 'two'].map((id) => betters.filter((other) => other === id).length);
  row('two streams: pictures of each', `${one}, ${two} (files of ${kilobytes(bytes.length)})`);
  row('two streams: layout shift', shift.toFixed(4), LIMITS.shift);
  row(
    'two streams: longest task',
    `${milliseconds(processor)} of processor, ${milliseconds(wall)} of wall`,
    `${LIMITS.task} ms`,
  );
  if (shift > LIMITS.shift) failures.push('two streams: layout shift');
  if (processor > LIMITS.task) failures.push(`two streams: a task of ${milliseconds(processor)}`);
  if (one < 2 || two < 2) failures.push('two streams: no better pictures while they come');
  for (const [type, id, message] of order) if (type === 'error') failures.push(`two streams: ${id}: ${message}`);
  await page.close();
  app.close();
}

/** A page of the modules as they are: only bare names have to be told where they are. */
const MODULES = `<!doctype html><meta charset="utf-8"><title>dcomp</title>
<script type="importmap">{"imports": {"@noble/hashes/": "/node_modules/@noble/hashes/", "fflate": "/node_modules/fflate/esm/browser.js"}}</script>`;
/** Placeholders that are decoded before the clock runs, and with it. */
const WARM = 10;
const COUNTED = 20;

/** Processor time of the page's thread for a placeholder of 75 bytes, 32×32, by the small model on one thread. */
async function placeholder() {
  const model = new Uint8Array(readFileSync(join(root, 'models/dcomp-small.dcm')));
  const picture = corpusPicture('scene', { width: 32, height: 32 });
  const [message] = await encodeMessages(picture, [75], { model });
  const page = await browser.newPage();
  await page.route(`${address}modules`, (route) => route.fulfill({ contentType: 'text/html', body: MODULES }));
  await page.route(`${address}{dist,node_modules}/**`, (route) =>
    route.fulfill({ path: join(root, new URL(route.request().url()).pathname) }),
  );
  await page.goto(`${address}modules`);
  await page.evaluate(
    async ([file, bytes]) => {
      const { decodeMessage } = await import('/dist/src/browser.js');
      const options = { model: new Uint8Array(file) };
      globalThis.decoded = async (count) => {
        for (let i = 0; i < count; i++) await decodeMessage(new Uint8Array(bytes), options);
      };
    },
    [[...model], [...message.bytes]],
  );
  await page.evaluate((count) => globalThis.decoded(count), WARM);
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  await page.evaluate((count) => globalThis.decoded(count), COUNTED);
  const each = tasksOf(await browser.stopTracing()).sum / COUNTED;
  row('a placeholder of 32×32, decoded', `${each.toFixed(1)} ms of processor`, `${LIMITS.placeholder} ms`);
  if (each > LIMITS.placeholder) failures.push(`a placeholder takes ${each.toFixed(1)} ms`);
  await page.close();
}

try {
  if (wanted('placeholder')) await placeholder();
  if (wanted('first')) for (const profile of PROFILES) await firstView(profile);
  if (wanted('use')) await use();
  if (wanted('streams')) await streams();
  if (wanted('memory')) await memory();
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
for (const failure of failures) console.error(`page:measure: ${failure}`);
process.exit(failures.length === 0 ? 0 : 1);
