/**
 * A chart as a graph for ELK. Each label of a transition is a node of its own, between its source and its targets: so nothing overlaps it, and a
 * transition with several targets forks behind it. A transition between a state and one inside it, either way, has its label inside the outer one,
 * at its edge; ELK sees only the inner half, the outer is a straight line.
 */

import type { ChartState, ChartTransition, MachineChart } from '../actors/chart.js';
import { contentsOf, isInternal, labelContents, type Contents } from './contents.js';
import type { ElkEdge, ElkNode } from './elk.js';
import { dotRadius, type Edge, type InternalTransition } from './geometry.js';
import type { Measure } from './text.js';
import { edgeId, parentsOf, pathOutwards, statesOf } from './walk.js';

/** A node of the graph that is no state. */
export interface Stop {
  readonly node: ElkNode;
  /** Id of the state it stands in; none: outside the machine. */
  readonly inside: string | undefined;
}

/** An edge before it has a place. */
export interface Link {
  readonly id: string;
  readonly source: string;
  readonly targets: readonly string[];
  readonly trigger: Edge['trigger'];
  readonly label?: Contents & Stop;
  readonly dot?: Stop;
  readonly legs: readonly Leg[];
}

/** A part of a link. Ends: an id of a state, `label`, `dot`. */
export interface Leg {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly arrow: boolean;
  /** Between a label and the state around it: not ELK's. */
  readonly straight?: true;
}

export interface Drawing {
  readonly graph: ElkNode;
  readonly links: readonly Link[];
  readonly internal: readonly InternalTransition[];
  readonly contents: ReadonlyMap<string, Contents>;
  readonly parents: ReadonlyMap<string, string>;
  /** Those that are drawn, outer ones first. */
  readonly states: readonly ChartState[];
}

export const stateNode = (id: string): string => `s ${id}`;
export const labelNode = (link: string): string => `l ${link}`;
export const dotNode = (link: string): string => `d ${link}`;

/** ELK hands none of them on to inner graphs. */
const options: Readonly<Record<string, string>> = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
  'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
  'elk.spacing.nodeNode': '18',
  'elk.spacing.edgeNode': '14',
  'elk.spacing.edgeEdge': '10',
  'elk.layered.spacing.nodeNodeBetweenLayers': '26',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '10',
};
const inset = 22;
/** So much of its side a state has for each edge, so that arrowheads do not run into each other. */
const edgeRoom = 8;

export function graphOf(chart: MachineChart, measure: Measure, collapsed: ReadonlySet<string>): Drawing {
  const parents = parentsOf(chart.root);
  const states = [...shownOf(chart.root, collapsed)];
  const shown = new Set(states.map(({ id }) => id));
  const shownAs = (id: string): string | undefined =>
    pathOutwards(id, parents).findLast((one) => collapsed.has(one) && shown.has(one)) ?? (shown.has(id) ? id : undefined);
  const contents = new Map(states.map((state) => [state.id, contentsOf(state, measure, isShut(state, collapsed))]));
  const links = [...statesOf(chart.root)].flatMap((state) => [...linksOf(state, { parents, shownAs, measure })]);
  const internal = states.flatMap((state) =>
    (state.transitions ?? []).flatMap((transition, index) =>
      isInternal(transition) ? [{ id: edgeId(state.id, index), source: state.id, trigger: transition.trigger }] : [],
    ),
  );
  const stops = links.flatMap(({ label, dot }) => [...(label === undefined ? [] : [label]), ...(dot === undefined ? [] : [dot])]);
  const stopsIn = new Map<string | undefined, ElkNode[]>();
  for (const { node, inside } of stops) stopsIn.set(inside, [...(stopsIn.get(inside) ?? []), node]);
  const ends = new Map<string, number>();
  for (const { legs } of links) for (const { from, to } of legs) for (const end of [from, to]) ends.set(end, (ends.get(end) ?? 0) + 1);
  const nodeOf = (state: ChartState): ElkNode => {
    const { width, height } = contents.get(state.id) as Contents;
    const children = isShut(state, collapsed) ? [] : (state.states ?? []);
    if (children.length === 0) {
      const least = state.type === 'history' ? 0 : edgeRoom * (ends.get(state.id) ?? 0) + edgeRoom;
      return { id: stateNode(state.id), width, height: Math.max(height, least) };
    }
    return {
      id: stateNode(state.id),
      layoutOptions: {
        ...options,
        'elk.padding': `[top=${String(height + inset - 6)},left=${String(inset)},bottom=${String(inset)},right=${String(inset)}]`,
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(${String(width)},${String(height + 2 * inset)})`,
      },
      children: [...(stopsIn.get(state.id) ?? []), ...children.map(nodeOf)],
    };
  };
  const graph: ElkNode = {
    id: 'chart',
    layoutOptions: {
      ...options,
      'elk.padding': '[top=16,left=16,bottom=16,right=16]',
      'json.shapeCoords': 'ROOT',
      'json.edgeCoords': 'ROOT',
    },
    children: [...(stopsIn.get(undefined) ?? []), nodeOf(chart.root)],
    edges: links.flatMap((link) => link.legs.filter(({ straight }) => straight !== true).map((leg) => elkEdge(link, leg))),
  };
  return { graph, links, internal, contents, parents, states };
}

const isShut = (state: ChartState, collapsed: ReadonlySet<string>): boolean => collapsed.has(state.id) && (state.states ?? []).length > 0;

function* shownOf(state: ChartState, collapsed: ReadonlySet<string>): Generator<ChartState> {
  yield state;
  if (!isShut(state, collapsed)) for (const child of state.states ?? []) yield* shownOf(child, collapsed);
}

function elkEdge({ id }: Link, leg: Leg): ElkEdge {
  const nodeOf = (end: string): string => (end === 'label' ? labelNode(id) : end === 'dot' ? dotNode(id) : stateNode(end));
  return { id: leg.id, sources: [nodeOf(leg.from)], targets: [nodeOf(leg.to)] };
}

interface Surroundings {
  readonly parents: ReadonlyMap<string, string>;
  /** Undefined: there is no such state. */
  readonly shownAs: (id: string) => string | undefined;
  readonly measure: Measure;
}

function* linksOf(state: ChartState, around: Surroundings): Generator<Link> {
  const { shownAs } = around;
  const source = shownAs(state.id);
  if (source === undefined) return;
  if (state.type === 'history') {
    if (source === state.id) yield* historyLink(state, around);
    return;
  }
  if (source === state.id && state.type !== 'parallel') yield* initialLink(state, around);
  for (const [index, transition] of (state.transitions ?? []).entries()) {
    if (isInternal(transition)) continue;
    const targets = [...new Set((transition.target ?? []).flatMap((target) => shownAs(target) ?? []))];
    const within = source !== state.id && targets.every((target) => target === source);
    if (targets.length > 0 && !within) yield transitionLink(state, index, source, targets, around);
  }
}

function* initialLink(state: ChartState, { shownAs, parents }: Surroundings): Generator<Link> {
  const isInside = (target: string): boolean => target !== state.id && pathOutwards(target, parents).includes(state.id);
  const targets = [...new Set((state.initial ?? []).flatMap((target) => shownAs(target) ?? []))].filter(isInside);
  if (targets.length === 0) return;
  const id = `${state.id}:initial`;
  const node: ElkNode = { id: dotNode(id), width: 2 * dotRadius, height: 2 * dotRadius };
  const legs = targets.map((to, n): Leg => ({ id: `${id}:${String(n)}`, from: 'dot', to, arrow: true }));
  yield { id, source: state.id, targets, trigger: 'initial', dot: { node, inside: state.id }, legs };
}

function* historyLink(state: ChartState, { shownAs, parents }: Surroundings): Generator<Link> {
  const around = new Set(pathOutwards(state.id, parents));
  const targets = [...new Set((state.initial ?? []).flatMap((target) => shownAs(target) ?? []))].filter((target) => !around.has(target));
  if (targets.length === 0) return;
  const id = `${state.id}:initial`;
  const legs = targets.map((to, n): Leg => ({ id: `${id}:${String(n)}`, from: state.id, to, arrow: true }));
  yield { id, source: state.id, targets, trigger: 'history', legs };
}

function transitionLink(state: ChartState, index: number, source: string, targets: readonly string[], around: Surroundings): Link {
  const id = edgeId(state.id, index);
  const transition = state.transitions?.[index] as ChartTransition;
  const { parents, measure } = around;
  const ends = [source, ...targets];
  const [own = [], ...others] = ends.map((end) => pathOutwards(end, parents));
  const common = own.find((one) => others.every((path) => path.includes(one)));
  const isLoop = ends.every((end) => end === source);
  const inside = isLoop ? parents.get(source) : common;
  const contents = labelContents(state, transition, measure);
  const constraint = isLoop ? undefined : inside === source ? 'FIRST' : targets.includes(inside ?? '') ? 'LAST' : undefined;
  const node: ElkNode = {
    id: labelNode(id),
    width: contents.width,
    height: contents.height,
    ...(constraint === undefined ? {} : { layoutOptions: { 'elk.layered.layering.layerConstraint': constraint } }),
  };
  const straight = (end: string): { straight?: true } => (!isLoop && end === inside ? { straight: true } : {});
  const legs: Leg[] = [
    { id: `${id}:in`, from: source, to: 'label', arrow: false, ...straight(source) },
    ...targets.map((to, n): Leg => ({ id: `${id}:${String(n)}`, from: 'label', to, arrow: true, ...straight(to) })),
  ];
  return { id, source, targets, trigger: transition.trigger, label: { ...contents, node, inside }, legs };
}
