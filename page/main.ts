/** The page: which picture, which tool, and what is done with it. */
import { App } from './app.js';
import { button, element, input, select } from './dom.js';
import { codeTool } from './tool-code.js';
import { paintTool, restoreTool, sampleTool } from './tool-diffusion.js';
import { damageTool, replayTool } from './tool-replay.js';
import { regionTool } from './tool-region.js';
import { listenToTheme } from './theme.js';

const SAMPLES: Record<string, URL> = {
  blossom: new URL('./pictures/blossom.webp', import.meta.url),
  fjord: new URL('./pictures/fjord.webp', import.meta.url),
  tulips: new URL('./pictures/tulips.webp', import.meta.url),
};

listenToTheme();
const app = new App();
const region = regionTool(app, () => code.soon());
const code = codeTool(app, () => region.region());
replayTool(app);
damageTool(app);
const restore = restoreTool(app);
const paint = paintTool(app);
sampleTool(app);
app.opened.push(() => code.soon());
listenToTabs({ region: region.enter, restore, paint });
listenToFiles();
// After the first view is there: coding fetches the model.
requestAnimationFrame(() => setTimeout(() => void sample('blossom'), 0));
// Not before it has shown what it is for: the service worker is another copy of the codec.
app.done.push(() => void serve());
tellThreads();

/** @param entered what a tool does when it is chosen */
function listenToTabs(entered: Record<string, () => void>): void {
  const tabs = [...document.querySelectorAll<HTMLButtonElement>('[role=tab]')];
  const choose = (tab: HTMLButtonElement): void => {
    for (const each of tabs) {
      const isChosen = each === tab;
      each.setAttribute('aria-selected', String(isChosen));
      each.tabIndex = isChosen ? 0 : -1;
      element(each.getAttribute('aria-controls')!).hidden = !isChosen;
    }
    const { viewer } = app.stage;
    viewer.strokes = undefined;
    viewer.setMode('look');
    viewer.clearOverlay();
    viewer.overlay.style.opacity = '1';
    if (app.source !== undefined) {
      viewer.setSingle(false);
      viewer.frame(app.source.width, app.source.height);
    }
    // What other tools have put in their place.
    void app.stage.recall('dcomp');
    void app.stage.recall('Original');
    tab.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    entered[tab.id.replace('tab-', '')]?.();
  };
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', ({ key }) => {
      const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
      if (step === 0) return;
      const next = tabs[(i + step + tabs.length) % tabs.length]!;
      next.focus();
      next.click();
    });
  }
}

/** Largest file that is read. */
const MOST_BYTES = 2 ** 28;

function open(file: Blob, name: string): void {
  if (file.size > MOST_BYTES) return app.say('The file is larger than 256 MB; take a smaller one.', 'error');
  void app.open(file, name, Number(select('pixels').value));
}

async function sample(name: string): Promise<void> {
  mark(name);
  // The first one is there already, to be seen at once.
  const response = await fetch(SAMPLES[name]!, { cache: 'force-cache' });
  open(await response.blob(), name);
}

function mark(name: string): void {
  for (const each of document.querySelectorAll<HTMLElement>('[data-sample]'))
    each.setAttribute('aria-pressed', String(each.dataset.sample === name));
}

function listenToFiles(): void {
  const take = (files: FileList | undefined | null): void => {
    const file = files?.[0];
    if (file === undefined) return;
    mark('');
    open(file, file.name.replace(/\.[^.]*$/, '') || 'picture');
  };
  for (const each of document.querySelectorAll<HTMLElement>('[data-sample]'))
    each.addEventListener('click', () => void sample(each.dataset.sample!));
  input('file').addEventListener('change', () => {
    take(input('file').files);
    input('file').value = '';
  });
  select('pixels').addEventListener('change', () => {
    if (app.source !== undefined) open(app.source.file, app.source.name);
  });
  document.addEventListener('paste', (event) => take(event.clipboardData?.files));
  const drop = element('drop');
  const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;
  document.addEventListener('dragover', (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) drop.hidden = true;
  });
  document.addEventListener('drop', (event) => {
    drop.hidden = true;
    if (!isFile(event)) return;
    event.preventDefault();
    take(event.dataTransfer?.files);
  });
}

/** Pictures in plain `<img>`, and from the next visit on, threads. */
async function serve(): Promise<void> {
  // Of a folder that is opened without a server there is none; the page is the same.
  await navigator.serviceWorker?.register('./sw.js', { type: 'module' }).catch(() => undefined);
}

function tellThreads(): void {
  const threads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
  element('machine').textContent = threads === 1 ? 'One thread.' : `${threads} threads.`;
}

button('stop').disabled = true;
