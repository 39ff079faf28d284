/** `dcomp/worker` in browsers: what a worker runs. */
import { serveWeb } from './web-scope.js';

serveWeb();
