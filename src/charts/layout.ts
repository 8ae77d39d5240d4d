/**
 * Gives a chart its places. The same chart, measure and engine give the same geometry. A state that is named in `collapsed` is drawn as one box: what
 * leads into it or out of it ends at that box, what happens inside it is left out.
 */

import type { ChartState, MachineChart } from '../actors/chart.js';
import { hiddenIn, placed, round } from './contents.js';
import type { Elk, ElkEdge, ElkNode } from './elk.js';
import { dotRadius, type Box, type Edge, type Geometry, type Path, type Point, type Rectangle } from './geometry.js';
import { dotNode, graphOf, labelNode, stateNode, type Drawing, type Leg, type Link } from './graph.js';
import { estimatedWidth, type Measure } from './text.js';

export interface LayoutOptions {
  readonly elk: Elk;
  /** Ids of states. */
  readonly collapsed?: ReadonlySet<string>;
  readonly measure?: Measure;
}

export async function layout(
  chart: MachineChart,
  { elk, collapsed = new Set(), measure = estimatedWidth }: LayoutOptions,
): Promise<Geometry> {
  const drawing = graphOf(chart, measure, collapsed);
  const graph = await elk.layout(drawing.graph);
  const nodes = new Map<string, Rectangle>();
  const gather = (node: ElkNode): void => {
    nodes.set(node.id, { x: round(node.x ?? 0), y: round(node.y ?? 0), width: round(node.width ?? 0), height: round(node.height ?? 0) });
    for (const child of node.children ?? []) gather(child);
  };
  gather(graph);
  const edges = new Map((graph.edges ?? []).map((edge) => [edge.id, edge]));
  const place = (id: string): Rectangle => nodes.get(id) as Rectangle;
  return {
    id: chart.id,
    width: Math.ceil(graph.width ?? 0),
    height: Math.ceil(graph.height ?? 0),
    boxes: drawing.states.map((state) => boxOf(state, drawing, place(stateNode(state.id)), collapsed)),
    edges: drawing.links.map((link) => edgeOf(link, place, edges)),
    internal: drawing.internal,
  };
}

function boxOf(state: ChartState, { contents, parents, states }: Drawing, box: Rectangle, collapsed: ReadonlySet<string>): Box {
  const own = contents.get(state.id);
  if (own === undefined) throw new Error(`state ${state.id} has no contents`);
  const parent = parents.get(state.id);
  const shut = collapsed.has(state.id) && hiddenIn(state) > 0;
  const isOpen = !shut && (state.states ?? []).length > 0;
  const middle = box.y + (box.height - own.height) / 2;
  const isRegion = states.some(({ id, type }) => id === parent && type === 'parallel') && state.type !== 'history';
  return {
    ...box,
    id: state.id,
    ...(parent === undefined ? {} : { parent }),
    kind: state.type,
    ...(state.history === undefined ? {} : { history: state.history }),
    ...(isRegion ? { region: true } : {}),
    ...(shut ? { collapsed: hiddenIn(state) } : {}),
    head: isOpen ? own.height : box.height,
    // Nothing but a name stands in the middle, however tall its edges make the box.
    lines: placed(own, { ...box, width: own.width, y: isOpen || own.lines.some(({ role }) => role !== 'title') ? box.y : middle }),
  };
}

function edgeOf(link: Link, place: (id: string) => Rectangle, edges: ReadonlyMap<string, ElkEdge>): Edge {
  const { id, source, targets, trigger, label, dot, legs } = link;
  const labelPlace = label === undefined ? undefined : place(labelNode(id));
  const dotPlace = dot === undefined ? undefined : place(dotNode(id));
  const returns = legs.filter(({ straight }) => straight === true).length > 1;
  const pathOf = (leg: Leg): Path => {
    const outer = leg.from === 'label' ? leg.to : leg.from;
    const points =
      leg.straight === true ? straightOf(leg, labelPlace as Rectangle, place(stateNode(outer)), returns) : routed(edges.get(leg.id));
    return { from: leg.from, to: leg.to, points, arrow: leg.arrow };
  };
  return {
    id,
    source,
    targets,
    trigger,
    ...(label === undefined || labelPlace === undefined ? {} : { label: { ...labelPlace, lines: placed(label, labelPlace) } }),
    ...(dotPlace === undefined ? {} : { dot: { x: round(dotPlace.x + dotRadius), y: round(dotPlace.y + dotRadius) } }),
    paths: legs.map(pathOf),
  };
}

/**
 * From the left side of the outer state to the label, or from the label to the right side. Back to the left, beside the way in, when the outer state is
 * its own target along with one inside it.
 */
function straightOf({ from }: Leg, label: Rectangle, outer: Rectangle, returns: boolean): readonly Point[] {
  const right = label.x + label.width;
  const at = (part: number, ...ends: readonly number[]): readonly Point[] =>
    ends.map((x) => ({ x: round(x), y: round(label.y + label.height * part) }));
  if (returns) return from === 'label' ? at(0.75, label.x, outer.x) : at(0.25, outer.x, label.x);
  return from === 'label' ? at(0.5, right, outer.x + outer.width) : at(0.5, outer.x, label.x);
}

function routed(edge: ElkEdge | undefined): readonly Point[] {
  return (edge?.sections ?? []).flatMap(({ startPoint, endPoint, bendPoints = [] }) =>
    [startPoint, ...bendPoints, endPoint].map(({ x, y }) => ({ x: round(x), y: round(y) })),
  );
}
