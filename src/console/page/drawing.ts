/** Draws a chart. Loaded when the first one is wanted; the layout runs in a worker, whose code is a file of its own. */

import ElkConstructor from 'elkjs/lib/elk-api.js';
import type { MachineChart } from '../../actors/chart.js';
import type { Elk } from '../../charts/elk.js';
import type { Geometry } from '../../charts/geometry.js';
import { layout } from '../../charts/layout.js';
import { styleOf } from '../../charts/svg-style.js';
import { svgOf } from '../../charts/svg.js';
import { theme } from './theme.js';

/** Put in by the build. */
declare const ELK_WORKER: string;

let elk: Elk | undefined;
let sheet: CSSStyleSheet | undefined;

export interface Drawn {
  readonly geometry: Geometry;
  readonly svg: string;
}

export async function draw(chart: MachineChart, collapsed: ReadonlySet<string>): Promise<Drawn> {
  elk ??= new ElkConstructor({ workerFactory: () => new Worker(new URL(ELK_WORKER, document.baseURI)) }) as unknown as Elk;
  dress();
  const geometry = await layout(chart, { elk, collapsed });
  return { geometry, svg: svgOf(geometry).replace(/<style>[\s\S]*?<\/style>/, '') };
}

/** The picture's own rules, as a sheet of the page: a strict policy refuses what stands inside the picture. */
function dress(): void {
  if (sheet !== undefined) return;
  const made = new CSSStyleSheet();
  sheet = made;
  document.adoptedStyleSheets.push(made);
  theme.subscribe((value) => made.replaceSync(styleOf(value)));
}
