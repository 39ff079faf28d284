/** A GPU for tests in Node: that of the machine where it has one, or else the software one that comes with Chromium. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GpuFailure } from '../../src/model/gpu/device.js';
import { openProcess } from '../../src/model/gpu/process-node.js';
import type { GpuHost } from '../../src/model/gpu/program.js';
import { findBrowser } from './chromium.js';

/** The folder that has Chromium's software Vulkan, SwiftShader, and the loader that finds it. */
function softwareVulkan(): string | undefined {
  const browser = findBrowser();
  const folders = [
    ...(browser === undefined || !existsSync(browser) ? [] : [dirname(realpathSync(browser))]),
    ...['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'],
  ];
  return folders.find((folder) =>
    ['vk_swiftshader_icd.json', 'libvulkan.so.1'].every((name) => existsSync(join(folder, name))),
  );
}

/** Environment variables under which a process finds a GPU. */
export function gpuEnvironment(): Record<string, string> {
  const folder = softwareVulkan();
  return folder === undefined
    ? {}
    : { VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'), LD_LIBRARY_PATH: folder };
}

/** Opens it; the processes that are started later find it, too. @returns why there is none, where there is none */
export async function testedGpu(): Promise<GpuHost | string> {
  try {
    return await openProcess(true);
  } catch (error) {
    if (!(error instanceof GpuFailure)) throw error;
  }
  Object.assign(process.env, gpuEnvironment());
  try {
    return await openProcess(true);
  } catch (error) {
    if (!(error instanceof GpuFailure)) throw error;
    return `no WebGPU in Node: ${error.message}`;
  }
}
