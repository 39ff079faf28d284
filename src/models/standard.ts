/**
 * Where the model of the package is. This form of address is the one that vite, webpack, Rollup's plug-in for assets and
 * browsers without a bundler understand: the model becomes a file beside the bundle. A file of its own for each model, so that a bundle takes
 * along only the one that it names.
 */

/** Address of the model that `encode` and `decode` use unless they are given another. */
export const modelUrl: URL = new URL('../../../models/dcomp-1.dcm', import.meta.url);
