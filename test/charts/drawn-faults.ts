/** What is wrong with a picture of a chart, looked at from outside: from the chart and the places alone, with none of the code that made them. */

import type { ChartState, ChartTransition, MachineChart } from 'statewarden';
import type { Box, Edge, Geometry, Point, Rectangle } from '#src/charts/geometry.js';

/** Half a pixel: places are rounded. */
const slack = 0.5;

export function everyState(state: ChartState): ChartState[] {
  return [state, ...(state.states ?? []).flatMap(everyState)];
}

const squeezed = (text: string): string => text.replace(/\s/g, '');
const overlap = (one: Rectangle, other: Rectangle): boolean =>
  one.x + one.width > other.x + slack &&
  other.x + other.width > one.x + slack &&
  one.y + one.height > other.y + slack &&
  other.y + other.height > one.y + slack;
const contains = (outer: Rectangle, inner: Rectangle): boolean =>
  inner.x >= outer.x - slack &&
  inner.y >= outer.y - slack &&
  inner.x + inner.width <= outer.x + outer.width + slack &&
  inner.y + inner.height <= outer.y + outer.height + slack;
const onBorder = ({ x, y }: Point, box: Rectangle): boolean => {
  const near = (one: number, other: number): boolean => Math.abs(one - other) <= slack;
  const [right, bottom] = [box.x + box.width, box.y + box.height];
  const beside = (near(x, box.x) || near(x, right)) && y >= box.y - slack && y <= bottom + slack;
  const above = (near(y, box.y) || near(y, bottom)) && x >= box.x - slack && x <= right + slack;
  return beside || above;
};
/** Where lines of a box may be: below its head. */
const bodyOf = ({ head, ...box }: Box): Rectangle => ({ ...box, y: box.y + head, height: box.height - head });
const segmentsOf = (points: readonly Point[]): Rectangle[] =>
  points.slice(1).map((point, index) => {
    const before = points[index] as Point;
    return {
      x: Math.min(point.x, before.x),
      y: Math.min(point.y, before.y),
      width: Math.abs(point.x - before.x),
      height: Math.abs(point.y - before.y),
    };
  });
/** A line that has a width of one pixel. */
const asLine = ({ x, y, width, height }: Rectangle): Rectangle => ({ x: x - 0.5, y: y - 0.5, width: width + 1, height: height + 1 });

/** Empty: every state and transition is there once, with all it says, and nothing is in the way of another. Nothing is collapsed. */
export function faultsIn(chart: MachineChart, geometry: Geometry): string[] {
  const states = everyState(chart.root);
  const parents = new Map(states.flatMap((state) => (state.states ?? []).map((child) => [child.id, state.id] as const)));
  return [
    ...placeFaults(geometry, parents),
    ...states.flatMap((state) => stateFaults(state, geometry)),
    ...states.flatMap((state) => (state.transitions ?? []).flatMap((transition, n) => transitionFaults(state, transition, n, geometry))),
    ...countFaults(states, geometry),
  ];
}

function countFaults(states: readonly ChartState[], { boxes, edges, internal }: Geometry): string[] {
  const transitions = states.reduce((sum, state) => sum + (state.transitions?.length ?? 0), 0);
  const drawn = edges.filter(({ trigger }) => trigger !== 'initial' && trigger !== 'history').length + internal.length;
  const ids = [...edges, ...internal].map(({ id }) => id);
  return [
    ...(boxes.length === states.length ? [] : [`${boxes.length} boxes for ${states.length} states`]),
    ...(drawn === transitions ? [] : [`${drawn} edges for ${transitions} transitions`]),
    ...(new Set(ids).size === ids.length ? [] : ['an edge is there twice']),
  ];
}

function stateFaults(state: ChartState, { boxes, edges }: Geometry): string[] {
  const box = boxes.find(({ id }) => id === state.id);
  if (box === undefined) return [`state ${state.id} is not drawn`];
  const faults: string[] = [];
  const said = squeezed(box.lines.map(({ text }) => text).join(''));
  const words =
    state.type === 'history'
      ? [state.history === 'deep' ? 'H*' : 'H']
      : [
          state.key,
          state.description ?? '',
          ...(state.tags ?? []),
          ...(state.entry ?? []).map((action) => `entry/${action}`),
          ...(state.exit ?? []).map((action) => `exit/${action}`),
          ...(state.invoke ?? []).map(({ id }) => `invoke${nameOfInvoke(state, id)}`),
        ];
  for (const word of words) if (!said.includes(squeezed(word))) faults.push(`state ${state.id} does not say "${word}"`);
  const wayIn = edges.find(({ id }) => id === `${state.id}:initial`);
  const needsOne = state.type === 'compound' || (state.type === 'history' && state.initial !== undefined);
  if (needsOne && (state.initial ?? []).some((id) => wayIn?.targets.includes(id) !== true)) faults.push(`${state.id} has no way in`);
  if (state.type === 'compound' && wayIn?.dot === undefined) faults.push(`${state.id} has no initial dot`);
  return faults;
}

/** What has no id of its own is named after what runs, unless the same runs twice. */
function nameOfInvoke({ id: state, invoke = [] }: ChartState, id: string): string {
  const made = (one: string): boolean => new RegExp(`^\\d+\\.`).test(one) && one.endsWith(`.${state}`);
  const nameOf = (one: { id: string; src: string; inline?: true }): string => (made(one.id) ? (one.inline ? 'inline' : one.src) : one.id);
  const own = invoke.find((one) => one.id === id);
  if (own === undefined || !made(id)) return id;
  const others = invoke.filter((one) => one !== own);
  const isClear = others.every((one) => nameOf(one) !== nameOf(own) && one.src !== own.src);
  return isClear ? nameOf(own) : id;
}

function transitionFaults(state: ChartState, transition: ChartTransition, n: number, { boxes, edges, internal }: Geometry): string[] {
  const id = `${state.id}:${n}`;
  const { guard, actions, reenter, target = [], trigger, of } = transition;
  const label = of === undefined ? transition.label : `${trigger}: ${nameOfInvoke(state, of)}`;
  const words = squeezed(
    [
      label,
      guard === undefined ? '' : `[${guard}]`,
      actions === undefined ? '' : `/${actions.join(',')}`,
      reenter ? '(re-enters)' : '',
    ].join(''),
  );
  if (target.length === 0) {
    const lines = boxes.flatMap((box) => box.lines.filter(({ edge }) => edge === id));
    const said = squeezed(lines.map(({ text }) => text).join(''));
    return internal.some((one) => one.id === id) && said === words ? [] : [`${id} says "${said}" for "${words}"`];
  }
  const found = edges.filter((edge) => edge.id === id);
  const [edge] = found;
  if (edge === undefined || found.length > 1) return [`${id} is drawn ${found.length} times`];
  const said = squeezed(edge.label?.lines.map(({ text }) => text).join('') ?? '');
  const arrows = edge.paths.filter(({ arrow }) => arrow).map(({ to }) => to);
  return [
    ...(said === words ? [] : [`${id} says "${said}" for "${words}"`]),
    ...(edge.source === state.id ? [] : [`${id} starts at ${edge.source}`]),
    ...(edge.trigger === transition.trigger ? [] : [`${id} is ${edge.trigger}`]),
    ...(arrows.sort().join() === [...new Set(target)].sort().join() ? [] : [`${id} leads to ${arrows.join()}`]),
  ];
}

/** What can be said of the places alone; so it holds for a collapsed picture too. */
export function placeFaults({ boxes, edges, width, height }: Geometry, parents: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const whole: Rectangle = { x: 0, y: 0, width, height };
  const around = (id: string): Set<string> => {
    const path = new Set([id]);
    for (let parent = parents.get(id); parent !== undefined; parent = parents.get(parent)) path.add(parent);
    return path;
  };
  /** States that hold the source and all targets, or are one of them and hold the others. */
  const holding = ({ source, targets }: Edge): Set<string> => {
    const paths = [source, ...targets].map(around);
    return new Set([...(paths[0] as Set<string>)].filter((id) => paths.every((path) => path.has(id))));
  };
  for (const box of boxes) {
    const outer = box.parent === undefined ? undefined : byId.get(box.parent);
    if (!contains(outer === undefined ? whole : bodyOf(outer), box)) faults.push(`${box.id} is not inside ${box.parent ?? 'the picture'}`);
    for (const { text, x, y, width: long, size } of box.lines) {
      if (!contains(box, { x, y: y - size * 0.75, width: long, height: size })) faults.push(`"${text}" leaves ${box.id}`);
    }
    for (const other of boxes) {
      if (other.id > box.id && other.parent === box.parent && overlap(box, other)) faults.push(`${box.id} overlaps ${other.id}`);
    }
  }
  const labels = edges.flatMap((edge) => (edge.label === undefined ? [] : [{ edge, label: edge.label }]));
  for (const [index, { edge, label }] of labels.entries()) {
    if (!contains(whole, label)) faults.push(`label ${edge.id} leaves the picture`);
    for (const { text, x, y, width: long, size } of label.lines) {
      if (!contains(label, { x, y: y - size * 0.75, width: long, height: size })) faults.push(`"${text}" leaves label ${edge.id}`);
    }
    const holders = holding(edge);
    for (const box of boxes) {
      if (overlap(label, box) && !(holders.has(box.id) && box.head < box.height && contains(bodyOf(box), label))) {
        faults.push(`label ${edge.id} overlaps ${box.id}`);
      }
    }
    for (const other of labels.slice(index + 1))
      if (overlap(label, other.label)) faults.push(`label ${edge.id} overlaps label ${other.edge.id}`);
  }
  const titles = boxes.flatMap((box) =>
    box.lines.map(({ x, y, width: long, size }) => ({ id: box.id, x, y: y - size * 0.75, width: long, height: size })),
  );
  for (const edge of edges) {
    const dot = edge.dot === undefined ? undefined : { x: edge.dot.x - 5, y: edge.dot.y - 5, width: 10, height: 10 };
    if (dot !== undefined) {
      for (const box of boxes) {
        const isHolder = around(edge.source).has(box.id);
        if (isHolder ? !contains(bodyOf(box), dot) : overlap(dot, box)) faults.push(`the dot of ${edge.source} and ${box.id}`);
      }
      for (const { label, edge: other } of labels) if (overlap(label, dot)) faults.push(`the dot of ${edge.source} and label ${other.id}`);
    }
    for (const { from, to, points } of edge.paths) {
      const [first, last] = [points[0], points.at(-1)];
      const endOf = (name: string): Rectangle | undefined => (name === 'label' ? edge.label : name === 'dot' ? dot : byId.get(name));
      const [start, end] = [endOf(from), endOf(to)];
      if (first === undefined || last === undefined || start === undefined || end === undefined) {
        faults.push(`${edge.id}: no way from ${from} to ${to}`);
        continue;
      }
      if (!onBorder(first, start)) faults.push(`${edge.id} does not begin at ${from}`);
      if (!onBorder(last, end)) faults.push(`${edge.id} does not end at ${to}`);
      // It may cross the borders of what is around its ends, and nothing else.
      const crossable = new Set([...around(edge.source), ...edge.targets.flatMap((target) => [...around(target)])]);
      for (const segment of segmentsOf(points)) {
        if (segment.width > slack && segment.height > slack) faults.push(`${edge.id} runs askew`);
        for (const box of boxes) if (!crossable.has(box.id) && overlap(segment, box)) faults.push(`${edge.id} runs through ${box.id}`);
        for (const title of titles) if (overlap(asLine(segment), title)) faults.push(`${edge.id} runs through the text of ${title.id}`);
        for (const other of labels) {
          if (other.edge !== edge && overlap(asLine(segment), other.label)) faults.push(`${edge.id} runs through label ${other.edge.id}`);
        }
      }
    }
  }
  return faults;
}
