/** What both entries of `dcomp/diffusion` (Node and browser) export. */
export { DcompError, isMisuse, type DcompErrorCode } from '../errors.js';
export type { Metadata, Picture, Samples } from '../picture.js';
export type { ModelOptions } from '../kept-models.js';
export { estimateSigma, type EstimateOptions, type Restorer, type States } from './restorer.js';
export {
  resultOf,
  SAMPLERS,
  type Manner,
  type RestoreOptions,
  type RestoreState,
  type SamplerName,
} from './restore-options.js';
export type { DenoisePictureOptions } from './denoise-picture.js';
export { FACTORS, type UpscaleOptions } from './upscale.js';
export type { InpaintOptions } from './inpaint.js';
export type { SampleOptions } from './sample-picture.js';
export {
  classified,
  guided,
  knowing,
  score,
  type ClassifierGradient,
  type Denoised,
  type Denoiser,
  type Imposing,
} from '../diffusion/denoiser.js';
export {
  absorbing,
  guidedTokens,
  MASKED,
  type AbsorbingOptions,
  type Logits,
  type TokenDenoiser,
  type TokenState,
} from '../diffusion/absorbing.js';
export { denoise, type DenoiseOptions } from '../diffusion/denoise.js';
export { blankObservation, finerObservation, type Observation } from '../diffusion/observation.js';
export { ddpmSigmas, geometricSigmas, karrasSigmas } from '../diffusion/noise-schedule.js';
export {
  ancestral,
  langevin,
  ode,
  sde,
  type ChurnOptions,
  type LangevinOptions,
  type OdeMethod,
  type SamplerOptions,
  type SamplerState,
} from '../diffusion/samplers.js';
export { normalAt } from '../math/normal.js';
export type { Condition } from '../model/inputs.js';
export type { Evaluator } from '../model/evaluator.js';
export { readClassFile, type ClassFile } from '../model/class-file.js';
export { readDiscreteFile, type DiscreteFile, type TokenTables } from '../model/discrete-file.js';
export { codeOf, EXACT, sigmaOf, UNKNOWN } from '../model/sigma.js';
export { readModelFile } from '../model/integer/model-file.js';
export { createEvaluator } from '../model/wasm/engine.js';
