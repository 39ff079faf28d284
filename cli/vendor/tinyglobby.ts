/** tinyglobby, which scripts/inline-vendor.mjs puts into this file: only the command line needs it, so the package does not depend on it. */
export { globSync, isDynamicPattern } from 'tinyglobby';
