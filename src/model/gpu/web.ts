/** The GPU of a page or a worker of one. */
import { SharedGpu } from './choose.js';
import { openDevice } from './device.js';
import { hostOf } from './program.js';

/** WebGPU as the browser has it. */
export const webGpu: SharedGpu = new SharedGpu(async (software) => {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  return hostOf(await openDevice(navigator?.gpu, software));
});
