/** Code blocks of the documents. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './cli.js';

export interface Block {
  language: string;
  /** The file that its first line, a comment, names. */
  file: string | undefined;
  text: string;
  /** Document and line, for messages. */
  place: string;
}

/** README and the pages of the guide. */
export const PAGES = ['README.md', ...readdirSync(join(root, 'docs/guide')).map((name) => `docs/guide/${name}`)];

export function blocksOf(page: string): Block[] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const language = /^```(\w+)/.exec(lines[i]!)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', i);
    const text = lines.slice(i + 1, end).join('\n') + '\n';
    const file = /^(?:\/\/|<!--) (\S+\.\w+)(?: -->)?\n/.exec(text)?.[1];
    blocks.push({ language, file, text, place: `${page}:${i + 1}` });
    i = end;
  }
  return blocks;
}

export interface Typed {
  command: string;
  /** What is shown below it. */
  printed: string;
}

/** A block in which commands are typed: lines that begin with `$ `, and below each what it prints. */
export function typedIn(text: string): Typed[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command, ...printed] = part.split('\n');
      return { command: command!, printed: printed.join('\n').trim() };
    });
}

/** Installed it is already; a server would not end, and bundlers are tested elsewhere. */
export function isTypedHere(command: string): boolean {
  return !/^npm install|vite/.test(command);
}

/** Two texts are alike if they differ in figures and blanks alone. */
export function withoutFigures(text: string): string {
  return text
    .replace(/\b[0-9a-f]{8}\b/g, '#')
    .replace(/\d+(\.\d+)?/g, '#')
    .replace(/[ \t]+/g, ' ')
    .trim();
}
