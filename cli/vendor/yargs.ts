/** yargs, which scripts/bundle-cli.mjs puts into dist/bin: only the command line needs it, so the package does not depend on it. */
export { default } from 'yargs';
export { hideBin } from 'yargs/helpers';
