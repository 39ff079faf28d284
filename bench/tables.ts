/** Tables of benches, and where they stand in the documents. */
import { readFileSync, writeFileSync } from 'node:fs';

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Puts a text into docs/results.md, between the marks of a name. */
export function publish(name: string, content: string): void {
  const path = 'docs/results.md';
  const document = readFileSync(path, 'utf8');
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`].map((mark) => document.indexOf(mark)) as [
    number,
    number,
  ];
  if (from < 0 || to < from) throw new Error(`${path} has no <!-- ${name} --> … <!-- /${name} -->`);
  writeFileSync(path, `${document.slice(0, from)}<!-- ${name} -->\n\n${content}\n\n${document.slice(to)}`);
}
