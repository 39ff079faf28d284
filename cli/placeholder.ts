/** `dcomp placeholder IN`: a picture as some dozen characters, for pages; `dcomp placeholder --decode TEXT OUT` shows one. */
import { THOROUGH_MODEL } from '../src/models/registry.js';
import type { Argv } from 'yargs';
import { DcompError } from '../src/errors.js';
import { decodeMessage, encodeMessages, placeholderBytes, placeholderText } from '../src/node.js';
import { inputName, outputName, readSource } from '../formats/files.js';
import { formatOfName } from '../formats/formats.js';
import { writeOutput } from '../formats/output.js';
import { readPicture } from '../formats/read.js';
import { resizePicture } from '../formats/resize.js';
import { barePicture } from '../formats/upright.js';
import { writePicture } from '../formats/write.js';
import { defined } from '../src/options.js';
import { about } from './errors.js';
import {
  commonOptions,
  engineOptions,
  fileArgument,
  flag,
  maxPixelsOption,
  numberOption,
  sizeOption,
  textOption,
  type RawArgs,
} from './options.js';
import { note, print } from './report.js';

const DEFAULT_BYTES = 75;
const DEFAULT_SIDE = 32;
const SNIPPETS = ['html', 'react'] as const;

export function builder(yargs: Argv): void {
  const text = { type: 'string', requiresArg: true } as const;
  yargs
    .positional('file', { type: 'string', describe: 'A picture, - for stdin; with --decode the picture file to write' })
    .option('bytes', { ...text, describe: `Bytes, 12 to 400; 3 of them are 4 characters  [default: ${DEFAULT_BYTES}]` })
    .option('side', { ...text, describe: `Pixels of its longer side, 8 to 128  [default: ${DEFAULT_SIDE}]` })
    .option('snippet', { ...text, describe: 'Print it as html or react, with what shows it' })
    .option('decode', { ...text, describe: 'Write the picture of this text' })
    .option('force', { alias: 'f', type: 'boolean', describe: 'Replace an output that exists' });
  sizeOption(yargs);
  engineOptions(yargs, THOROUGH_MODEL);
  yargs
    .example('$0 placeholder photo.jpg', '100 characters')
    .example('$0 placeholder photo.jpg --snippet react', 'A component that shows it until the picture is there')
    .example('$0 placeholder back.png --decode AxsK…', 'What it looks like');
}

export async function run(args: RawArgs): Promise<void> {
  const file = fileArgument(args, 'file')!;
  const text = textOption(args, 'decode');
  if (text !== undefined) return show(text, file, args);
  const bytes = numberOption(args, 'bytes', { min: 12, max: 400, whole: true }) ?? DEFAULT_BYTES;
  const side = numberOption(args, 'side', { min: 8, max: 128, whole: true }) ?? DEFAULT_SIDE;
  const given = textOption(args, 'snippet');
  const snippet = SNIPPETS.find((each) => each === given);
  if (given !== undefined && snippet === undefined)
    throw new DcompError('E_USAGE', `--snippet is ${given}; it must be html or react`);
  const { threads, engine, model, quiet } = commonOptions(args);
  const maxPixels = maxPixelsOption(args);
  try {
    const { picture: read } = await readPicture(await readSource(file), 'default', maxPixels);
    const small = await resizePicture(read, { width: side, height: side, fit: 'inside' }, maxPixels);
    const { picture } = await barePicture(small);
    const settings = { threads, engine, ...defined({ model }) };
    const [message] = await encodeMessages(picture, [bytes], settings);
    const made = placeholderText(message!.bytes);
    print(`${snippet === undefined ? made : snippetOf(snippet, made, picture)}\n`);
    if (!quiet)
      note(
        `${picture.width}×${picture.height} pixels in ${message!.bytes.length} bytes, ${made.length} characters, ${message!.psnr.toFixed(2)} dB`,
      );
  } catch (error) {
    throw about(inputName(file), error);
  }
}

/** Writes a placeholder's picture. */
async function show(text: string, output: string, args: RawArgs): Promise<void> {
  const { threads, engine, model, quiet } = commonOptions(args);
  const bytes = placeholderBytes(text);
  const settings = { threads, engine, ...defined({ model }) };
  const format = formatOfName(output) ?? 'png';
  let said = '';
  await writeOutput(
    undefined,
    output,
    async () => {
      const picture = await decodeMessage(bytes, settings);
      said = `${picture.width}×${picture.height} pixels`;
      return (await writePicture(picture, format, 'none')).bytes;
    },
    { replace: flag(args, 'force') },
  );
  if (!quiet) note(`${outputName(output)}: ${said}`);
}

/** What shows a placeholder in a page, to be adapted: where the picture lies is not known. */
function snippetOf(
  kind: (typeof SNIPPETS)[number],
  text: string,
  { width, height }: { width: number; height: number },
): string {
  const paint = `const { width, height, ...picture } = await decodeMessage(placeholderBytes(text));
  canvas.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(toRgba({ width, height, ...picture })), width, height), 0, 0);`;
  if (kind === 'html')
    return `<canvas data-dcomp="${text}" width="${width}" height="${height}" style="width: 100%"></canvas>
<script type="module">
import { decodeMessage, placeholderBytes, toRgba } from 'dcomp';
for (const canvas of document.querySelectorAll('[data-dcomp]')) {
  const text = canvas.dataset.dcomp;
  ${paint}
}
</script>`;
  return `import { useEffect, useRef, useState } from 'react';
import { decodeMessage, placeholderBytes, toRgba } from 'dcomp';

async function paint(canvas, text) {
  ${paint}
}

export function Picture({ src, alt, placeholder = '${text}' }) {
  const canvas = useRef(null);
  const [there, setThere] = useState(false);
  useEffect(() => void paint(canvas.current, placeholder), [placeholder]);
  return (
    <div style={{ display: 'grid', aspectRatio: '${width} / ${height}' }}>
      <canvas ref={canvas} width={${width}} height={${height}} hidden={there} style={{ gridArea: '1 / 1', width: '100%' }} />
      <img src={src} alt={alt} onLoad={() => setThere(true)} style={{ gridArea: '1 / 1', width: '100%' }} />
    </div>
  );
}`;
}
