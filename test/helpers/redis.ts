/** A Redis of the tests' own, and workers at it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { program } from './cli.js';

/** A program on the PATH. */
export function findProgram(name: string): string | undefined {
  const paths = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** For `skip` of tests that need Redis. */
export const noRedis: string | false =
  findProgram('redis-server') === undefined
    ? 'no redis-server found; install it (Debian: apt-get install redis-server)'
    : false;

export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    }),
  );
}

export interface RedisServer {
  url: string;
  /** Ends it at once, without a chance to save, and starts it anew with what is on the disk. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-redis-'));
  const port = await freePort();
  const options = { port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', save: '""' };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  let server: ChildProcess;
  const start = (): void => {
    server = spawn(findProgram('redis-server')!, args, { stdio: 'ignore' });
  };
  const end = async (): Promise<void> => {
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await gone;
  };
  start();
  return {
    url: `redis://127.0.0.1:${port}`,
    async restart() {
      await end();
      start();
    },
    async stop() {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A program that goes on beside the test. */
export interface Beside {
  process: ChildProcess;
  /** What it has said on stderr. */
  said(): string;
  /** Waits until it has said something. */
  says(text: RegExp): Promise<void>;
  /** Its exit code and stdout, at its end. */
  ended: Promise<{ code: number | null; stdout: string }>;
}

export function beside(folder: string, args: readonly string[], env: Record<string, string> = {}): Beside {
  const child = spawn(process.execPath, [program, ...args], { cwd: folder, env: { ...process.env, ...env } });
  let stderr = '';
  let stdout = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const ended = new Promise<{ code: number | null; stdout: string }>((resolve) =>
    child.on('close', (code) => {
      resolve({ code, stdout });
      for (const listener of listeners) listener();
    }),
  );
  return {
    process: child,
    said: () => stderr,
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.test(stderr)) resolve();
          else if (child.exitCode !== null) reject(new Error(`it ended without saying ${text}: ${stderr}`));
          else return;
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      }),
  };
}
