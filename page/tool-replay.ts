/** The beginnings of a file, each of which is a picture; and damage, which a file can bear. */
import type { App } from './app.js';
import type { Decoded } from './calls.js';
import { button, bytesText, element, grouped, input, rested, slider } from './dom.js';
import { scoresText } from './stage.js';

/** Fewest bytes that are worth looking at. */
const LEAST = 40;
/** Beginnings that are offered, in bytes. */
const STOPS = [100, 300, 1000, 3000, 10_000, 30_000, 100_000];
/** Milliseconds between two pictures of a film, at least. */
const PAUSE = 350;
/** Milliseconds without a change after which decoding begins. */
const REST = 60;

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function show(app: App, decoded: Decoded, label: string): void {
  app.stage.put('dcomp', decoded, `${label} · ${scoresText(decoded.scores)}`);
}

/** @returns what shows the picture of all bytes */
export function replayTool(app: App): void {
  const length = (): number => app.coded?.bytes.length ?? 0;
  const lengthOf = (value: number): number =>
    value >= 100 ? length() : Math.round(LEAST * (length() / LEAST) ** (value / 100));
  const words = (value: number): string =>
    app.coded === undefined ? 'all' : `${grouped(lengthOf(value))} of ${bytesText(length())}`;
  const value = slider('arrived', words, () => rest());
  const decode = async (bytes: number): Promise<boolean> =>
    app.run(async (running) => {
      if (app.coded === undefined) return app.say('Code the picture first.');
      const decoded = await app.coder.call('beginning', [bytes], running);
      show(app, decoded, `the first ${bytesText(bytes)}`);
      app.say(`Decoded the first ${bytesText(bytes)} of ${bytesText(length())}.`);
    });
  const rest = rested(REST, () => void decode(lengthOf(value())));
  const go = (bytes: number): Promise<boolean> => {
    const control = input('arrived');
    control.value = String(bytes >= length() ? 100 : (100 * Math.log(bytes / LEAST)) / Math.log(length() / LEAST));
    const text = words(control.valueAsNumber);
    element<HTMLOutputElement>('arrived-value').value = text;
    control.setAttribute('aria-valuetext', text);
    return decode(bytes);
  };
  const stops = (): number[] => [...STOPS.filter((stop) => stop < length()), length()];
  const offer = (): void => {
    element('stops').replaceChildren(
      ...stops().map((stop) => {
        const made = document.createElement('button');
        made.type = 'button';
        made.textContent = stop === length() ? 'all' : grouped(stop);
        made.addEventListener('click', () => void go(stop));
        return made;
      }),
    );
    go100(words);
  };
  button('tab-replay').addEventListener('click', offer);
  button('play').addEventListener('click', () => {
    void (async () => {
      for (const stop of stops()) {
        const shown = wait(PAUSE);
        if (!(await go(stop))) return;
        await shown;
      }
    })();
  });
}

function go100(words: (value: number) => string): void {
  const control = input('arrived');
  control.value = '100';
  element<HTMLOutputElement>('arrived-value').value = words(100);
}

export function damageTool(app: App): void {
  let seed = 1;
  const flips = slider('flips', String, () => rest());
  const decode = async (count: number): Promise<boolean> =>
    app.run(async (running) => {
      if (app.coded === undefined) return app.say('Code the picture first.');
      const decoded = await app.coder.call('damaged', [count, seed], running);
      show(app, decoded, count === 1 ? '1 wrong byte' : `${count} wrong bytes`);
      const whole = app.coded.scores.psnr;
      const lost = whole - decoded.scores.psnr;
      const how = !Number.isFinite(lost) || lost < 0.005 ? 'Nothing lost' : `${lost.toFixed(2)} dB lost`;
      app.say(`${count} of ${bytesText(decoded.length)} wrong. ${how}.`);
      const said = decoded.damage.length === 0 ? ['Nothing is wrong.'] : decoded.damage;
      element('damage-notes').replaceChildren(
        ...said.map((text) => {
          const note = document.createElement('li');
          note.textContent = text;
          return note;
        }),
      );
    });
  const rest = rested(REST, () => void decode(flips()));
  button('tab-damage').addEventListener('click', () => void decode(flips()));
  button('damage-again').addEventListener('click', () => {
    seed++;
    void decode(flips());
  });
  button('damage-play').addEventListener('click', () => {
    void (async () => {
      const control = input('flips');
      for (const count of [0, 1, 2, 3, 4, 6, 9, 13, 20]) {
        const shown = wait(PAUSE);
        control.value = String(count);
        element<HTMLOutputElement>('flips-value').value = String(count);
        if (!(await decode(count))) return;
        await shown;
      }
    })();
  });
}
