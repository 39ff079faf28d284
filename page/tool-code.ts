/** Coding to bytes or to a quality, and other codecs at the same bytes. */
import type { App } from './app.js';
import type { RivalName, Scores } from './calls.js';
import { button, bytesText, element, grouped, input, megapixels, rested, save, secondsText, slider } from './dom.js';
import { MOST_SHOWN } from './pictures.js';
import type { Region } from './tool-region.js';
import { perceivedText, scoresText, type Name } from './stage.js';

const RIVALS: readonly RivalName[] = ['AVIF', 'JPEG XL', 'WebP'];
/** Fewest bytes that the slider offers, and most bits per pixel. */
const LEAST = 200;
const MOST_BITS = 2;
/** Milliseconds without a change after which coding begins. */
const REST = 180;
/** Above, coding begins when it is asked for. */
const LIVE_PIXELS = 1.1e6;
/** Seconds that a megapixel takes, until it was measured. */
const GUESS = 20;

interface Figures {
  length: number;
  scores: Scores;
  reached: boolean;
}

export interface CodeTool {
  /** Codes now. @param region that counts more; default: the one that was given last */
  code(): Promise<void>;
  /** Codes once nothing has changed for a moment, where that is quick. */
  soon(): void;
}

export function codeTool(app: App, regionOf: () => Region | undefined): CodeTool {
  const figures = new Map<Name, Figures>();
  let secondsPerPixel = GUESS / 1e6;
  const isQuality = (): boolean => input('amount').form === null && radio().value === 'quality';
  const most = (): number => ((app.source?.width ?? 500) * (app.source?.height ?? 500) * MOST_BITS) / 8;
  const sizeOf = (value: number): number => rounded(LEAST * (most() / LEAST) ** (value / 100));
  const qualityOf = (value: number): number => Math.max(1, Math.round(value));
  const words = (value: number): string => (isQuality() ? String(qualityOf(value)) : bytesText(sizeOf(value)));
  const amount = slider('amount', words, () => tool.soon());
  const rest = rested(REST, () => void tool.code());

  async function code(): Promise<void> {
    const { source } = app;
    if (source === undefined) return;
    const target = isQuality() ? { quality: qualityOf(amount()) } : { size: sizeOf(amount()) };
    const region = regionOf();
    await app.run(async (running) => {
      app.say(`Coding ${megapixels(source)}…`);
      const { bitmap, ...coded } = await app.coder.call('encode', [target, region], running);
      app.coded = coded;
      secondsPerPixel = coded.seconds / (source.width * source.height);
      const { bytes, scores, form } = coded;
      figures.clear();
      figures.set('dcomp', { length: bytes.length, scores, reached: true });
      app.stage.drop('AVIF', 'JPEG XL', 'WebP');
      const what = form === 'plain' ? 'dcomp, without loss' : 'dcomp';
      app.stage.put('dcomp', { ...source, bitmap }, `${what} · ${bytesText(bytes.length)} · ${scoresText(scores)}`);
      await app.stage.remember('dcomp');
      write(figures);
      for (const id of ['save-dcz', 'save-png', 'copy']) button(id).disabled = false;
      const bits = (8 * bytes.length) / (source.width * source.height);
      app.say(
        `Coded in ${secondsText(coded.seconds)} to ${bytesText(bytes.length)}, ${bits.toFixed(2)} bits per pixel.`,
      );
      for (const tell of app.done.splice(0)) tell();
      if (input('compare').checked) await compare(bytes.length, running);
    });
  }

  async function compare(length: number, running: { signal: AbortSignal }): Promise<void> {
    const { source } = app;
    if (source === undefined) return;
    app.say(`Other codecs at ${bytesText(length)}…`);
    await app.rivals.call('open', [source.file, source.pixels], running);
    for (const [i, name] of RIVALS.entries()) {
      const way = (fraction: number): void => app.progress((i + fraction) / RIVALS.length);
      const compared = await app.rivals.call('compare', [name, length], { ...running, way });
      const { scores, reached } = compared;
      figures.set(name, { length: compared.length, scores, reached });
      app.stage.put(name, compared, `${name} · ${bytesText(compared.length)} · ${scoresText(scores)}`);
      write(figures);
    }
    app.say(
      'All of them at the same bytes, or as near below as their settings come. Choose which to see, left and right.',
    );
  }

  const tool: CodeTool = {
    code,
    soon() {
      const { source } = app;
      if (source === undefined) return;
      app.stop();
      const pixels = source.width * source.height;
      if (pixels <= LIVE_PIXELS) return rest();
      app.say(
        `${megapixels(source)}: coding takes about ${secondsText(secondsPerPixel * pixels)} here. “Code it” begins; “Stop” ends it.`,
      );
    },
  };
  listen(app, tool, { compare, write: () => write(figures), forget: () => figures.clear() });
  return tool;
}

function radio(): HTMLInputElement {
  return document.querySelector<HTMLInputElement>('input[name=aim]:checked')!;
}

/** To three digits. */
function rounded(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 2);
  return Math.round(value / unit) * unit;
}

interface Inner {
  compare(length: number, running: { signal: AbortSignal }): Promise<void>;
  write(): void;
  forget(): void;
}

function listen(app: App, tool: CodeTool, { compare, write, forget }: Inner): void {
  const retell = (): void => void input('amount').dispatchEvent(new Event('input'));
  for (const each of document.querySelectorAll('input[name=aim]'))
    each.addEventListener('change', () => {
      element('amount-name').textContent = radio().value === 'quality' ? 'Quality, 1 to 100' : 'At most';
      retell();
    });
  button('code-now').addEventListener('click', () => void tool.code());
  input('compare').addEventListener('change', () => {
    const { coded } = app;
    if (coded !== undefined && input('compare').checked)
      void app.run((running) => compare(coded.bytes.length, running));
  });
  app.opened.push(() => {
    forget();
    write();
    for (const id of ['save-dcz', 'save-png', 'copy']) button(id).disabled = true;
    retell();
  });
  button('save-dcz').addEventListener('click', () => {
    if (app.coded !== undefined) save(new Blob([app.coded.bytes]), `${app.source!.name}.dcz`);
  });
  button('save-png').addEventListener('click', () => {
    void app.stage.right().then((blob) => {
      if (blob === null) return;
      save(blob, `${app.source!.name}.png`);
      const { width, height } = app.source!;
      if (width * height > MOST_SHOWN)
        app.say('The PNG is as it is shown here, reduced to 3 megapixels. The .dcz is whole.');
    });
  });
  button('copy').addEventListener('click', () => void copy(app));
}

/** Fewer bytes than this go into the snippet themselves. */
const INSIDE = 2000;

async function copy(app: App): Promise<void> {
  const { coded, source } = app;
  if (coded === undefined || source === undefined) return;
  const { bytes } = coded;
  const address =
    bytes.length <= INSIDE
      ? `data:application/octet-stream;base64,${btoa(String.fromCharCode(...bytes))}`
      : `${source.name}.dcz`;
  const snippet = `<script type="module">import 'dcomp/element';</script>
<dcz-image src="${address}" alt="" width="${source.width}" height="${source.height}"></dcz-image>
`;
  try {
    await navigator.clipboard.writeText(snippet);
    app.say(bytes.length <= INSIDE ? 'Copied, with the picture inside.' : `Copied. Put ${address} beside the page.`);
  } catch {
    app.say('This browser does not let the page copy.', 'error');
  }
}

const ROWS: readonly Name[] = ['dcomp', ...RIVALS];

/** The table; the best of each column stands out. Rows that have no figures yet keep their place. */
function write(figures: ReadonlyMap<Name, Figures>): void {
  const comparable = [...figures.values()].filter(({ reached }) => reached);
  const best = (of: (scores: Scores) => number | undefined): number =>
    comparable.length < 2 ? Infinity : Math.max(...comparable.map(({ scores }) => of(scores) ?? -Infinity));
  const bestPsnr = best(({ psnr }) => psnr);
  const bestSsimulacra2 = best(({ ssimulacra2 }) => ssimulacra2);
  element('figures').replaceChildren(
    ...ROWS.map((name) => {
      const row = document.createElement('tr');
      const found = figures.get(name);
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = name;
      const cell = (text: string, isBest: boolean): HTMLElement => {
        const made = document.createElement('td');
        made.textContent = text;
        made.className = isBest ? 'best' : found?.reached === false ? 'missed' : '';
        return made;
      };
      const psnr = found?.scores.psnr;
      const perceived = found?.scores.ssimulacra2;
      row.append(
        head,
        cell(found === undefined ? '–' : grouped(found.length), false),
        cell(psnr === undefined ? '–' : Number.isFinite(psnr) ? psnr.toFixed(2) : 'exact', psnr === bestPsnr),
        cell(perceived === undefined ? '–' : perceivedText(perceived, 1), perceived === bestSsimulacra2),
      );
      if (found?.reached === false) row.title = `${name} does not get smaller than this`;
      return row;
    }),
  );
}
