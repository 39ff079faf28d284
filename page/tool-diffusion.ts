/** The model without a file: noise taken out, pictures made larger, holes filled, pictures out of nothing. */
import type { App, Running } from './app.js';
import type { Drawing, Made } from './calls.js';
import { button, element, input, select, slider } from './dom.js';
import { scoresText } from './stage.js';
import type { Point, Strokes } from './viewer.js';

/** Shows what is made while it is made. */
function following(app: App, label: string): (made: Made | undefined) => void {
  return (made) => {
    if (made !== undefined) app.stage.put('dcomp', made, `${label}, ${Math.round(100 * made.fraction)} %`);
  };
}

function withStates(app: App, running: Running, label: string): Running {
  const follow = following(app, label);
  return {
    signal: running.signal,
    way(fraction, made) {
      running.way(fraction);
      follow(made);
    },
  };
}

/** @returns what is called when the tool is chosen */
export function restoreTool(app: App): () => void {
  const noise = slider('noise', String, () => undefined);
  let isNoisy = false;
  const addNoise = (): Promise<boolean> =>
    app.run(async (running) => {
      const shown = await app.coder.call('addNoise', [noise(), 1], running);
      isNoisy = noise() > 0;
      app.stage.put('Original', shown, isNoisy ? `with noise of sigma ${noise()}` : 'Original');
      app.say(isNoisy ? 'The original with white noise.' : 'The original as it was.');
    });
  button('noise-add').addEventListener('click', () => void addNoise());
  button('denoise').addEventListener('click', () => {
    void app.run(async (running) => {
      app.say('Taking out noise…');
      const made = await app.coder.call('denoise', [], withStates(app, running, 'denoised'));
      app.stage.put('dcomp', made, made.scores === undefined ? 'denoised' : `denoised · ${scoresText(made.scores)}`);
      app.say(
        isNoisy ? 'Left with noise, right without.' : 'What was taken for noise is gone; put some in to see more.',
      );
    });
  });
  for (const factor of [2, 4] as const) {
    button(`upscale-${factor}`).addEventListener('click', () => {
      void app.run(async (running) => {
        app.say('Making it larger…');
        const made = await app.coder.call('upscale', [factor], withStates(app, running, `${factor} times`));
        app.stage.put('dcomp', made, `${made.width} × ${made.height}`);
        app.say(`${made.width} × ${made.height}: zoom in to see what there is more of. “Save PNG” saves it.`);
        button('save-png').disabled = false;
      });
    });
  }
  app.opened.push(() => (isNoisy = false));
  return () => {
    if (!isNoisy) return;
    isNoisy = false;
    // The original is shown as it is, and is what is worked on.
    void app.coder.call('addNoise', [0, 1]).then(({ bitmap }) => bitmap.close());
  };
}

/** @returns what is called when the tool is chosen */
export function paintTool(app: App): () => void {
  const { viewer } = app.stage;
  const brush = slider(
    'brush',
    (value) => `${value} pixels`,
    () => undefined,
  );
  let seed = 1;
  let isPainted = false;
  const dot = (from: Point, to: Point): void => {
    const context = viewer.overlay.getContext('2d');
    if (context === null) return;
    context.lineCap = 'round';
    context.lineWidth = brush();
    context.strokeStyle = '#e0553f';
    context.setLineDash([]);
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
  };
  const offer = (painted: boolean): void => {
    isPainted = painted;
    for (const id of ['fill', 'fill-other', 'paint-clear']) button(id).disabled = !painted;
  };
  const strokes: Strokes = {
    begin(at) {
      viewer.overlay.style.opacity = '0.6';
      dot(at, at);
    },
    go: dot,
    end: () => offer(true),
  };
  const fill = (): void => {
    const { width, height } = viewer.overlay;
    const pixels = viewer.overlay.getContext('2d')?.getImageData(0, 0, width, height).data;
    if (pixels === undefined || !isPainted) return;
    const mask = Uint8Array.from({ length: width * height }, (_, i) => (pixels[4 * i + 3]! > 127 ? 255 : 0));
    void app.run(async (running) => {
      app.say('Filling…');
      viewer.overlay.style.opacity = '0';
      const made = await app.coder.call('inpaint', [mask, seed], withStates(app, running, 'filling'));
      app.stage.put('dcomp', made, 'filled');
      app.say('Filled. “Another” draws from other noise.');
      button('save-png').disabled = false;
    });
  };
  button('fill').addEventListener('click', fill);
  button('fill-other').addEventListener('click', () => {
    seed++;
    fill();
  });
  const clear = (): void => {
    viewer.clearOverlay();
    offer(false);
  };
  button('paint-clear').addEventListener('click', clear);
  app.opened.push(clear);
  return () => {
    clear();
    viewer.strokes = strokes;
    viewer.setMode('brush');
    viewer.overlay.style.opacity = '0.6';
  };
}

/** Frames that are kept of a film; of longer ones, every other is let go. */
const MOST_FRAMES = 80;

export function sampleTool(app: App): void {
  let film: ImageBitmap[] = [];
  const value = slider('temperature', String, () => undefined);
  const control = input('film');
  const shown = element<HTMLOutputElement>('film-value');
  const tell = (): void => {
    shown.value = film.length === 0 ? 'not drawn yet' : `${control.valueAsNumber + 1} of ${film.length}`;
  };
  /** A copy is shown, as the stage closes what it is given. */
  const show = async (i: number, label: string): Promise<void> => {
    const frame = film[i];
    if (frame === undefined) return;
    const { width, height } = film.at(-1)!;
    app.stage.put('dcomp', { bitmap: await createImageBitmap(frame), width, height }, label);
  };
  control.addEventListener('input', () => {
    tell();
    void show(control.valueAsNumber, `state ${control.valueAsNumber + 1}`);
  });
  const keep = (made: Made): void => {
    film.push(made.bitmap);
    if (film.length > MOST_FRAMES)
      film = film.filter((frame, i) => {
        if (i % 2 === 1) return true;
        frame.close();
        return false;
      });
    control.max = String(film.length - 1);
    control.value = control.max;
    control.disabled = false;
    tell();
  };
  button('draw').addEventListener('click', () => {
    const drawing: Drawing = {
      side: Number(select('side').value),
      steps: clamped('steps'),
      seed: clamped('seed'),
      temperature: value(),
      sampler: select('sampler').value as Drawing['sampler'],
    };
    for (const frame of film) frame.close();
    film = [];
    const { viewer } = app.stage;
    viewer.setSingle(true);
    viewer.frame(drawing.side, drawing.side);
    app.stage.choose('right', 'dcomp');
    void app.run(async (running) => {
      app.say('Drawing…');
      const made = await app.coder.call('sample', [drawing], {
        signal: running.signal,
        way(fraction, state) {
          running.way(fraction);
          if (state === undefined) return;
          keep(state);
          void show(film.length - 1, `${Math.round(100 * fraction)} %`);
        },
      });
      keep(made);
      await show(film.length - 1, `drawn, seed ${drawing.seed}`);
      app.say('Drawn. The film shows its way out of the noise.');
      button('save-png').disabled = false;
    });
  });
}

/** What was typed, as its bounds allow. */
function clamped(id: string): number {
  const control = input(id);
  const { valueAsNumber: value, min, max, defaultValue } = control;
  const number = Number.isFinite(value)
    ? Math.min(Number(max), Math.max(Number(min), Math.round(value)))
    : Number(defaultValue);
  control.value = String(number);
  return number;
}
