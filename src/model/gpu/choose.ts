/** Which engine evaluates, and a GPU that several evaluators share. */
import { DcompError } from '../../errors.js';
import type { EngineName, Evaluator } from '../evaluator.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { GpuFailure } from './device.js';
import { createGpuEngine } from './gpu-engine.js';
import { FallbackEvaluator } from './fallback.js';
import type { GpuHost } from './program.js';
import { testGpu } from './self-test.js';

/** The GPU of a platform, opened when it is first asked for. */
export class SharedGpu {
  /** By whether software will do. */
  private readonly shared = new Map<boolean, Shared>();

  /** @param open a GPU, or also what only plays one; throws GpuFailure where there is none */
  constructor(private readonly open: (software: boolean) => Promise<GpuHost>) {}

  /**
   * An evaluator of the engine that was chosen.
   * @param createOther in WebAssembly: where there is no GPU, and for going on where it fails
   * @throws DcompError E_ENVIRONMENT where `webgpu` was chosen and cannot be had; E_DAMAGED_MODEL; what `createOther` throws
   */
  async createEvaluator(
    model: IntegerModel,
    engine: EngineName,
    createOther: () => Promise<Evaluator>,
  ): Promise<Evaluator> {
    if (engine === 'wasm') return createOther();
    try {
      return new FallbackEvaluator(await this.createEngine(model, engine === 'webgpu'), createOther);
    } catch (error) {
      if (!(error instanceof GpuFailure)) throw error;
      if (engine === 'auto') return createOther();
      const advice = 'use the engine auto or wasm, or in Node: npm install webgpu';
      throw new DcompError('E_ENVIRONMENT', `the engine webgpu is not to be had: ${error.message}; ${advice}`, {
        cause: error,
      });
    }
  }

  private async createEngine(model: IntegerModel, software: boolean): Promise<Evaluator> {
    const shared = await this.take(software);
    const host = await shared.host;
    try {
      const engine = await createGpuEngine(model, host);
      const close = engine.close.bind(engine);
      engine.close = async () => {
        await close();
        await this.leave(shared);
      };
      return engine;
    } catch (error) {
      await this.leave(shared);
      throw error;
    }
  }

  /** A GPU that could not be opened is not tried again; one that is lost is opened anew. */
  private async take(software: boolean): Promise<Shared> {
    let shared = this.shared.get(software);
    if (shared === undefined || (await shared.host).isLost())
      this.shared.set(software, (shared = { software, host: this.openTested(software), users: 0 }));
    shared.users++;
    return shared;
  }

  private async openTested(software: boolean): Promise<GpuHost> {
    const host = await this.open(software);
    try {
      await testGpu(host);
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  private async leave(shared: Shared): Promise<void> {
    if (--shared.users > 0) return;
    if (this.shared.get(shared.software) === shared) this.shared.delete(shared.software);
    await (await shared.host).close();
  }
}

interface Shared {
  software: boolean;
  host: Promise<GpuHost>;
  users: number;
}
