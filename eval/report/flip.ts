/** A page to flip between codecs at equal bytes: blind unless one looks, with what one chose counted and kept. */
import type { SampleSet } from '../run.js';

const CSS = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; text-align: center; }
h1 { font-size: 1.2rem; margin: 0; } p { margin: .3rem 0; } img { display: block; margin: .6rem auto; max-width: 100%; height: auto; }
button { font: inherit; padding: .4rem .9rem; margin: .15rem; border: 1px solid; border-radius: .4rem; background: none; color: inherit; cursor: pointer; }
button[aria-pressed="true"] { background: CanvasText; color: Canvas; } table { margin: 1rem auto; border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .15rem .8rem; text-align: right; } td:first-child, th:first-child { text-align: left; } .sub { opacity: .7; font-size: .88rem; }
`;

/** Runs in the page: `sets` are the pictures, each with the codecs' files of it. */
const SCRIPT = `
const sets = JSON.parse(document.getElementById('sets').textContent), KEY = 'dcomp-flip ' + document.title;
const $ = (id) => document.getElementById(id);
let choices = [];
try { choices = JSON.parse(localStorage.getItem(KEY) ?? '[]'); } catch { /* kept in this page alone */ }
let trial, side = 0, named = false;
const draw = (list) => list[Math.floor(Math.random() * list.length)];
function next() {
  const set = draw(sets), rivals = set.shown.filter(({ codec }) => codec !== 'original');
  const first = rivals.find(({ codec }) => codec === 'dcomp') ?? draw(rivals);
  const second = draw(rivals.filter((one) => one !== first));
  trial = { set, sides: Math.random() < 0.5 ? [first, second] : [second, first] };
  show(0);
}
function show(which) {
  side = which;
  const { set, sides } = trial;
  const one = which === 2 ? set.shown.find(({ codec }) => codec === 'original') : sides[which];
  $('picture').src = one.src; $('picture').width = set.width; $('picture').height = set.height;
  ['a', 'b', 'o'].forEach((id, i) => $(id).setAttribute('aria-pressed', String(i === which)));
  const said = (i) => named ? ': ' + sides[i].label + ', ' + sides[i].bytes + ' bytes' : '';
  $('a').textContent = 'A' + said(0); $('b').textContent = 'B' + said(1);
  $('about').textContent = set.picture + ', at most ' + set.bytes + ' bytes';
}
function choose(which) {
  const [a, b] = trial.sides.map(({ codec }) => codec);
  choices.push({ picture: trial.set.picture, a, b, better: which === 2 ? null : which === 0 ? a : b, blind: !named, at: new Date().toISOString() });
  try { localStorage.setItem(KEY, JSON.stringify(choices)); } catch { /* kept in this page alone */ }
  count(); next();
}
function count() {
  const pairs = new Map();
  for (const { a, b, better } of choices) {
    const [x, y] = [a, b].sort((p, q) => (q === 'dcomp') - (p === 'dcomp') || (p < q ? -1 : 1));
    const row = pairs.get(x + ' ' + y) ?? { x, y, first: 0, second: 0, same: 0 };
    row[better === x ? 'first' : better === y ? 'second' : 'same']++;
    pairs.set(x + ' ' + y, row);
  }
  $('counted').textContent = choices.length + (choices.length === 1 ? ' choice' : ' choices');
  $('rows').replaceChildren(...(named ? [...pairs.values()] : []).map(({ x, y, first, second, same }) => {
    const row = document.createElement('tr');
    for (const text of [x + ' or ' + y, first, second, same]) row.appendChild(document.createElement('td')).textContent = text;
    return row;
  }));
  $('table').hidden = !named;
}
$('a').onclick = () => show(0); $('b').onclick = () => show(1); $('o').onclick = () => show(2); $('picture').onclick = () => show(side === 0 ? 1 : 0);
$('better-a').onclick = () => choose(0); $('better-b').onclick = () => choose(1); $('same').onclick = () => choose(2); $('skip').onclick = next;
$('names').onclick = () => { named = !named; $('names').setAttribute('aria-pressed', String(named)); show(side); count(); };
$('save').onclick = () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([JSON.stringify(choices, undefined, 2)], { type: 'application/json' }));
  link.download = 'choices.json'; link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
$('clear').onclick = () => { if (!confirm('Forget all choices?')) return; choices = []; try { localStorage.removeItem(KEY); } catch { /* none */ } count(); };
addEventListener('keydown', ({ key }) => {
  const action = { a: () => show(0), b: () => show(1), o: () => show(2), ' ': () => show(side === 0 ? 1 : 0), ArrowLeft: () => choose(0), ArrowRight: () => choose(1), ArrowDown: () => choose(2) }[key];
  if (action !== undefined && document.activeElement?.tagName !== 'BUTTON') action();
});
count(); next();
`;

/** @returns undefined where there are not two codecs to flip between */
export function flipHtml(samples: readonly SampleSet[], title: string): string | undefined {
  const sets = samples
    .map(({ picture, width, height, bytes, shown }) => ({
      ...{ picture, width, height, bytes },
      shown: shown.map(({ codec, label, sample }) => ({
        ...{ codec, label, bytes: sample.bytes },
        src: `data:${sample.type};base64,${sample.image}`,
      })),
    }))
    .filter(({ shown }) => shown.filter(({ codec }) => codec !== 'original').length > 1);
  if (sets.length === 0) return undefined;
  const data = JSON.stringify(sets).replaceAll('<', '\\u003c');
  const name = title.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!);
  const button = (id: string, text: string): string => `<button id="${id}">${text}</button>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${name}</title><style>${CSS}</style></head><body>
<h1>Which is better?</h1>
<p class="sub">Two codecs at equal bytes, in an order that is drawn. Keys: a, b, o (original), space to flip; arrows left, right and down choose A, B and neither.</p>
<p>${button('a', 'A')}${button('b', 'B')}${button('o', 'original')}</p>
<img id="picture" alt="the picture">
<p class="sub" id="about"></p>
<p>${button('better-a', 'A is better')}${button('same', 'no difference')}${button('better-b', 'B is better')}${button('skip', 'another')}</p>
<p class="sub"><span id="counted"></span> ${button('names', 'show names and counts')}${button('save', 'save')}${button('clear', 'forget')}</p>
<table id="table" hidden><thead><tr><th>pair</th><th>first</th><th>second</th><th>neither</th></tr></thead><tbody id="rows"></tbody></table>
<script type="application/json" id="sets">${data}</script>
<script>${SCRIPT}</script>
</body></html>
`;
}
