/** Draws a chart. Loaded when the first one is wanted; the layout runs in a worker, whose code is a file of its own. */

import ElkConstructor from 'elkjs/lib/elk-api.js';
import type { MachineChart } from '../../actors/chart.js';
import type { Elk } from '../../charts/elk.js';
import type { Geometry } from '../../charts/geometry.js';
import { layout } from '../../charts/layout.js';
import { styleOf } from '../../charts/svg-style.js';
import { svgOf } from '../../charts/svg.js';
import { NotFetchedError } from './client.js';
import { theme } from './theme.js';

/** Put in by the build. */
declare const ELK_WORKER: string;

interface Engine {
  readonly elk: Elk;
  /** Never resolves. Rejects when the worker is no more: ELK itself would wait for an answer for ever. */
  readonly broken: Promise<never>;
}

let engine: Engine | undefined;
let sheet: CSSStyleSheet | undefined;

export interface Drawn {
  readonly geometry: Geometry;
  readonly svg: string;
}

/** @throws NotFetchedError when the code of the layout could not be had: it is asked for again at the next call */
export async function draw(chart: MachineChart, collapsed: ReadonlySet<string>): Promise<Drawn> {
  engine ??= start();
  dress();
  const { elk, broken } = engine;
  const geometry = await Promise.race([layout(chart, { elk, collapsed }), broken]);
  return { geometry, svg: svgOf(geometry).replace(/<style>[\s\S]*?<\/style>/, '') };
}

function start(): Engine {
  const worker = new Worker(new URL(ELK_WORKER, document.baseURI));
  const broken = new Promise<never>((_, reject) => {
    worker.onerror = () => {
      engine = undefined;
      worker.terminate();
      reject(new NotFetchedError('the layout'));
    };
  });
  broken.catch(() => undefined);
  return { elk: new ElkConstructor({ workerFactory: () => worker }) as unknown as Elk, broken };
}

/** The picture's own rules, as a sheet of the page: a strict policy refuses what stands inside the picture. */
function dress(): void {
  if (sheet !== undefined) return;
  const made = new CSSStyleSheet();
  sheet = made;
  document.adoptedStyleSheets.push(made);
  theme.subscribe((value) => made.replaceSync(styleOf(value)));
}
