/** Removes dist/, so that nothing whose source is gone gets into the package. */
import { rmSync } from 'node:fs';

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
