/** `dcomp/diffusion` in Node: the reverse process for everything but coding. */
import { nodeGpu } from './model/gpu/process-node.js';
import { createThreadedEvaluator } from './model/wasm/threads-node.js';
import { loadClasses, loadDiscrete, loadModel, sha256 } from './models/read-node.js';
import { createRestorer, type Restorer } from './restore/restorer.js';
import { defined } from './options.js';

export * from './restore/index.js';

const restorer = createRestorer({
  loadModel,
  loadClasses,
  loadDiscrete,
  sha256,
  createEvaluator: (model, threads, engine) =>
    nodeGpu.createEvaluator(model, engine, () => createThreadedEvaluator(model, defined({ threads }))),
});

/** Takes white noise out of a picture. @throws DcompError E_USAGE, E_PICTURE, E_TOO_LARGE, E_ABORTED; E_IO and model errors */
export const denoisePicture: Restorer['denoisePicture'] = restorer.denoisePicture;
/** A picture of twice or four times the width and height. @throws DcompError as `denoisePicture` */
export const upscalePicture: Restorer['upscalePicture'] = restorer.upscalePicture;
/** Paints a part of a picture anew. @throws DcompError as `denoisePicture` */
export const inpaintPicture: Restorer['inpaintPicture'] = restorer.inpaintPicture;
/** Draws a picture out of nothing. @throws DcompError as `denoisePicture` */
export const samplePicture: Restorer['samplePicture'] = restorer.samplePicture;
/** Frees the threads and memory that are kept for further calls. */
export const release: Restorer['release'] = restorer.release;
