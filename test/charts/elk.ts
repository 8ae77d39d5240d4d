/** The layout engine, in this process. */

import ELK from 'elkjs/lib/elk.bundled.js';
import type { Elk } from '#src/charts/elk.js';

export const elk = new (ELK as unknown as new () => Elk)();
