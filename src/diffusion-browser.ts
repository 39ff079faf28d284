/** `dcomp/diffusion` in browsers: the reverse process for everything but coding. */
import { webGpu } from './model/gpu/web.js';
import { createEvaluator } from './model/wasm/engine.js';
import { loadClasses, loadDiscrete, loadModel, sha256 } from './models/fetched.js';
import { createRestorer, type Restorer } from './restore/restorer.js';

export * from './restore/index.js';

const restorer = createRestorer({
  loadModel,
  loadClasses,
  loadDiscrete,
  sha256,
  createEvaluator: (model, _threads, engine) => webGpu.createEvaluator(model, engine, () => createEvaluator(model)),
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
