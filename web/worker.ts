/** What the worker of `<dcz-image>` runs: as `dcomp/worker`, but it answers with bitmaps. */
import { serveWeb } from '../src/worker/web-scope.js';
import { shownOf } from './shown.js';

serveWeb(shownOf);
