/**
 * The GPU in Node, spoken to by a process of its own, as browsers do: a driver that crashes ends that process and not the program,
 * threads can be ended while the GPU computes (which Dawn answers by ending the process), and what the driver prints is not heard.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { SharedGpu } from './choose.js';
import { GpuFailure } from './device.js';
import type { Answered, Answers, Asked, Question } from './child-node.js';
import type { GpuHost, GpuProgram } from './program.js';

/** WebGPU as the optional package `webgpu` has it. */
export const nodeGpu: SharedGpu = new SharedGpu(openProcess);

/**
 * Starts a process for a GPU.
 * @param software whether one will do that is none
 * @throws GpuFailure
 */
export async function openProcess(software: boolean): Promise<GpuHost> {
  if (!isInstalled()) throw new GpuFailure('the package webgpu is not installed');
  const line = new Line();
  try {
    const about = await line.ask({ kind: 'open', software });
    let programs = 0;
    return {
      about,
      start: async (model) => {
        const program = programs++;
        const limits = await line.ask({ kind: 'start', program, model });
        return programOf(line, program, limits);
      },
      isLost: () => line.ended !== undefined,
      close: () => line.end(),
    };
  } catch (error) {
    await line.end();
    throw error;
  }
}

function programOf(line: Line, program: number, limits: Answers['start']): GpuProgram {
  return {
    limits,
    place: (plan) => line.ask({ kind: 'place', program, plan }),
    run: (strip) => line.ask({ kind: 'run', program, strip }),
    close: async () => {
      if (line.ended === undefined) await line.ask({ kind: 'close', program });
    },
  };
}

/** Without a process being started for it. */
function isInstalled(): boolean {
  try {
    import.meta.resolve('webgpu');
    return true;
  } catch {
    return false;
  }
}

interface Waiting {
  resolve(answer: Answers[keyof Answers]): void;
  reject(error: Error): void;
}

/** Questions to a process and its answers. */
class Line {
  /** Why, once it has ended. */
  ended: string | undefined;
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;

  /** @throws GpuFailure */
  constructor() {
    try {
      this.child = fork(new URL('./child-node.js', import.meta.url), [], {
        // Without the flags of the process: some, such as --input-type, are refused for a file.
        execArgv: [],
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
    } catch (cause) {
      throw new GpuFailure('the process for the GPU cannot be started', { cause });
    }
    this.child.on('message', (answered: Answered) => this.hear(answered));
    this.child.on('error', (error) => this.finish(error.message));
    this.child.on('exit', (code, signal) => this.finish(`it has ended with ${signal ?? `exit code ${code}`}`));
    this.hold(false);
  }

  /** @throws GpuFailure */
  ask<Kind extends Question['kind']>(question: Question & { kind: Kind }): Promise<Answers[Kind]> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) return reject(this.failure());
      const number = this.asked++;
      this.waiting.set(number, { resolve: resolve as Waiting['resolve'], reject });
      this.hold(true);
      const message: Asked = { number, question };
      this.child.send(message, (error) => {
        if (error !== null) this.finish(error.message);
      });
    });
  }

  async end(): Promise<void> {
    this.finish('it was closed');
    if (this.child.connected) this.child.disconnect();
  }

  private hear(answered: Answered): void {
    const waiting = this.waiting.get(answered.number);
    this.waiting.delete(answered.number);
    if (this.waiting.size === 0) this.hold(false);
    if ('failure' in answered) waiting?.reject(new GpuFailure(answered.failure));
    else waiting?.resolve(answered.answer);
  }

  private finish(reason: string): void {
    this.ended ??= reason;
    for (const { reject } of this.waiting.values()) reject(this.failure());
    this.waiting.clear();
    this.hold(false);
  }

  private failure(): GpuFailure {
    return new GpuFailure(`the process for the GPU is gone: ${this.ended}`);
  }

  /** Whether this process is to wait for that one. */
  private hold(busy: boolean): void {
    const { child } = this;
    if (busy) child.ref();
    else child.unref();
    if (busy) child.channel?.ref();
    else child.channel?.unref();
  }
}
