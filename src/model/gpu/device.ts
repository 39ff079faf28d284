/** Which GPU there is. */
import { WORKGROUP_BYTES } from './shaders.js';

/** Something of the GPU that has failed or is missing. Another engine can go on, with the same result. */
export class GpuFailure extends Error {}

/** What a GPU says of itself. */
export interface GpuAbout {
  /** For people. */
  name: string;
  /** Whether it is the processor that plays a GPU: slower than WebAssembly, and there for tests. */
  software: boolean;
}

/** A device that is open. */
export interface GpuDevice {
  about: GpuAbout;
  device: GPUDevice;
  /** Shaders by their text: compiling one takes far longer than running it. */
  pipelines: Map<string, Promise<GPUComputePipeline>>;
  /** Why, where it is lost. */
  isLost(): string | undefined;
}

/** Names of drivers that compute on the processor, where a browser does not say so otherwise. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp\b|software/i;

/**
 * Opens the fastest device.
 * @param software whether one will do that is none
 * @throws GpuFailure where there is none
 */
export async function openDevice(gpu: GPU | undefined, software: boolean): Promise<GpuDevice> {
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (gpu === undefined || adapter === undefined || adapter === null)
    throw new GpuFailure('there is no GPU that WebGPU can use');
  const about = aboutOf(adapter);
  if (about.software && !software) throw new GpuFailure(`${about.name} is software, no GPU`);
  if (adapter.limits.maxComputeWorkgroupStorageSize < WORKGROUP_BYTES)
    throw new GpuFailure(`${about.name} has too little memory for workgroups`);
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  } catch (cause) {
    throw new GpuFailure(`${about.name} cannot be opened`, { cause });
  }
  let reason: string | undefined;
  void device.lost.then(({ message }) => (reason = message || 'no reason given'));
  // What no error scope takes ends the use of the device, too.
  device.addEventListener('uncapturederror', ({ error }) => (reason ??= error.message));
  return { about, device, pipelines: new Map(), isLost: () => reason };
}

function aboutOf({ info, ...rest }: GPUAdapter): GpuAbout {
  // The property was the adapter's own before it was the description's.
  const fallback = info.isFallbackAdapter ?? (rest as { isFallbackAdapter?: boolean }).isFallbackAdapter;
  const words = [info.description, info.device, info.vendor, info.architecture].filter((word) => word !== '');
  return {
    name: words[0] ?? 'an unnamed GPU',
    software: fallback === true || words.some((word) => SOFTWARE.test(word)),
  };
}
