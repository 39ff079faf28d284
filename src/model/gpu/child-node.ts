/** What a process that speaks to the GPU runs: it answers questions, and ends with the program that has started it. */
import { GpuFailure, openDevice, type GpuAbout } from './device.js';
import type { GpuLimits, GpuPlan } from './gpu-plan.js';
import { hostOf, type GpuHost, type GpuModel, type GpuProgram, type GpuStrip } from './program.js';

/** Each has one answer. Programs, networks on the GPU, have numbers that the asking side gives. */
export type Question =
  | { kind: 'open'; software: boolean }
  | { kind: 'start'; program: number; model: GpuModel }
  | { kind: 'place'; program: number; plan: GpuPlan }
  | { kind: 'run'; program: number; strip: GpuStrip }
  | { kind: 'close'; program: number };

/** What a question is answered with. */
export interface Answers {
  open: GpuAbout;
  start: GpuLimits;
  place: undefined;
  run: Float32Array<ArrayBuffer>;
  close: undefined;
}

export interface Asked {
  number: number;
  question: Question;
}

/** To the question of that number: what it gives, or why the GPU has failed. */
export type Answered = { number: number; answer: Answers[keyof Answers] } | { number: number; failure: string };

let host: GpuHost | undefined;
const programs = new Map<number, GpuProgram>();

async function answer(question: Question): Promise<Answers[keyof Answers]> {
  switch (question.kind) {
    case 'open':
      host = hostOf(await openDevice(await dawn(), question.software));
      return host.about;
    case 'start': {
      const program = await host!.start(question.model);
      programs.set(question.program, program);
      return program.limits;
    }
    case 'place':
      return programs.get(question.program)!.place(question.plan) as Promise<undefined>;
    case 'run':
      return programs.get(question.program)!.run(question.strip);
    case 'close':
      await programs.get(question.program)?.close();
      programs.delete(question.program);
      return undefined;
  }
}

let gpu: GPU | undefined;

/** WebGPU in Node is the optional package `webgpu`: Dawn, which is Chromium's own. */
async function dawn(): Promise<GPU> {
  try {
    const { create } = await import('webgpu');
    // Devices do not keep it alive.
    return (gpu ??= create([]));
  } catch (cause) {
    throw new GpuFailure('the package webgpu is not installed, or does not load here', { cause });
  }
}

async function take({ number, question }: Asked): Promise<void> {
  let answered: Answered;
  try {
    answered = { number, answer: await answer(question) };
  } catch (error) {
    answered = { number, failure: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(answered);
}

process.on('message', (asked: Asked) => void take(asked));
process.on('disconnect', () => process.exit());
