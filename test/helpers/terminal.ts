/** A terminal that exists in memory only: what a user would see. */
import xterm from '@xterm/headless';

export interface Size {
  columns: number;
  rows: number;
}

/** Where the cursor stands before anything is printed. */
export const PLACES = { top: 0, middle: 0.5, bottom: 1 } as const;
export type Place = keyof typeof PLACES;

export class Screen {
  private readonly terminal;
  private readonly start: number;

  /** Lines stand above the cursor's, as what was printed before. */
  constructor(
    private readonly size: Size,
    place: Place,
  ) {
    this.terminal = new xterm.Terminal({
      cols: size.columns,
      rows: size.rows,
      scrollback: 1000,
      allowProposedApi: true,
      convertEol: true,
    });
    this.start = Math.round(PLACES[place] * (size.rows - 1));
    this.terminal.write('before\n'.repeat(this.start));
  }

  async write(text: string): Promise<void> {
    await new Promise<void>((resolve) => this.terminal.write(text, resolve));
  }

  /** Lines from the cursor's first one on, wrapped ones joined, without empty ones at the end; and where the cursor is. */
  seen(): { lines: string[]; above: string[]; cursor: { line: number; column: number } } {
    const { active } = this.terminal.buffer;
    const lines: string[] = [];
    const all: { text: string; wrapped: boolean }[] = [];
    for (let y = 0; y < active.length; y++) {
      const line = active.getLine(y)!;
      all.push({ text: line.translateToString(true), wrapped: line.isWrapped });
    }
    for (const { text, wrapped } of all.slice(this.start)) {
      if (wrapped) lines.push(lines.pop()! + text);
      else lines.push(text);
    }
    while (lines.at(-1) === '') lines.pop();
    return {
      lines,
      above: all.slice(0, this.start).map(({ text }) => text),
      cursor: { line: active.baseY + active.cursorY - this.start, column: active.cursorX },
    };
  }

  /** A stream that writes here. */
  stream(): NodeJS.WriteStream {
    const stream = {
      isTTY: true,
      columns: this.size.columns,
      rows: this.size.rows,
      write: (text: string) => {
        this.terminal.write(text);
        return true;
      },
    };
    return stream as unknown as NodeJS.WriteStream;
  }
}

/** Runs a program in a terminal of its own and gives all that it wrote there. */
export async function runInTerminal(
  command: string[],
  folder: string,
  { columns, rows }: Size,
): Promise<{ code: number; output: string }> {
  const { spawn } = await import('@lydell/node-pty');
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, { cwd: folder, cols: columns, rows, name: 'xterm-256color', env: process.env });
  let output = '';
  child.onData((text) => (output += text));
  const code = await new Promise<number>((resolve) => child.onExit(({ exitCode }) => resolve(exitCode)));
  return { code, output };
}

/** Whether such a terminal can be had: the package is made for some systems only. */
export async function hasTerminals(): Promise<boolean> {
  try {
    await import('@lydell/node-pty');
    return true;
  } catch {
    return false;
  }
}
