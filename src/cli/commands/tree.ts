/**
 * `statewarden tree`: the supervision trees of a store, a line for each supervisor and each child: how it stands, since when, how often it was restarted, what it failed of last.
 * Read from the records, so it tells the same of a store that nobody has open, where `running` means: is brought back when a runtime starts.
 */

import { BadInputError } from '../../core/errors.js';
import { supervisorKind } from '../../supervisor/machine.js';
import { describeExit } from '../../supervisor/state.js';
import { readTree, readTreeUnder, type TreeNode } from '../../supervisor/tree.js';
import { findAgent } from '../agent-id.js';
import { fold, standing, statusColours, tally } from '../children.js';
import { fleetDocument, fleetInWords } from '../fleets.js';
import { away, count, oneLine, span, stateName, stored, type Colour } from '../output.js';
import type { ExitCode, Session } from '../session.js';

export interface TreeOptions {
  /** Supervisor under which to draw; undefined: all. */
  readonly id: string | undefined;
  /** Draw more children than anybody reads. */
  readonly all: boolean;
}

/** Children of one supervisor that are drawn; members of a fleet are more alike. */
const drawn = 50;
const drawnOfFleet = 10;

/** @throws UnknownAgentError, BadInputError for an agent that is no supervisor. */
export async function tree(session: Session, { id, all }: TreeOptions): Promise<ExitCode> {
  const { store, output } = session;
  const trees = id === undefined ? await readTree(store) : await under(session, id);
  const live = (await store.nodes()).length > 0;
  if (output.json) {
    output.document({ trees: trees.map(document), live });
    return 0;
  }
  if (trees.length === 0) {
    output.line('no supervisors');
    return 0;
  }
  for (const root of trees) draw(session, root, '', '', all);
  if (!live) output.line(output.paint('dim', 'no runtime is up: they go on so when one starts'));
  return 0;
}

async function under(session: Session, typed: string): Promise<readonly TreeNode[]> {
  const record = await findAgent(session, typed, 'prefix');
  if (record.kind !== supervisorKind) {
    const { id, supervisor } = record;
    throw new BadInputError(`agent ${JSON.stringify(id)} is no supervisor`, {
      hint:
        supervisor === undefined
          ? 'It has none either: see `statewarden show`.'
          : `It is a child of ${JSON.stringify(supervisor)}: give that id.`,
    });
  }
  const found = await readTreeUnder(session.store, record);
  return found === undefined ? [] : [found];
}

/** `branch`: the lines that lead to the node; `margin`: those that pass by what is below it. */
function draw(session: Session, node: TreeNode, branch: string, margin: string, all: boolean): void {
  const { output, now } = session;
  output.row(branch, parts(node, now()));
  const { children = [], fleet } = node;
  const { shown, left } =
    all || fleet === undefined
      ? { shown: all ? children : children.slice(0, drawn), left: all ? [] : children.slice(drawn) }
      : fold(children, drawnOfFleet, (child) => (child.failure === undefined ? 1 : 0));
  for (const [index, child] of shown.entries()) {
    const last = index === shown.length - 1 && left.length === 0;
    draw(session, child, `${margin}${last ? '└─ ' : '├─ '}`, `${margin}${last ? '   ' : '│  '}`, all);
  }
  if (left.length > 0) output.row(`${margin}└─ `, [[tally(left), 'dim']]);
}

function parts(node: TreeNode, at: number): [text: string, colour?: Colour | undefined][] {
  const { id, kind, strategy = '', parked, state, restarts, startedAt, dueAt, failure, exit, fleet } = node;
  const gaveUp = exit?.type === 'intensity' || exit?.type === 'start-failed';
  const line: [string, (Colour | undefined)?][] = [
    [id, kind === undefined ? 'bold' : undefined],
    fleet === undefined ? [kind ?? `supervisor ${strategy}`, 'dim'] : [`fleet of ${fleetInWords(fleet)}`],
    [standing(node), gaveUp || node.agent === 'parked' ? 'red' : statusColours[node.status]],
  ];
  if (kind !== undefined && state !== undefined) line.push([stateName(state)]);
  if (restarts > 0) line.push([count(restarts, 'restart')]);
  if (dueAt !== undefined && node.status === 'waiting')
    line.push([dueAt > at ? `restart in ${span(dueAt - at)}` : 'restart due', 'yellow']);
  if (parked !== undefined) line.push([`parked: ${oneLine(parked)}`, 'red']);
  else if (startedAt !== undefined) line.push([`started ${away(startedAt, at)}`, 'dim']);
  if (exit !== undefined) line.push([describeExit(exit), gaveUp ? 'red' : 'dim']);
  if (failure !== undefined) {
    const past = node.status === 'running';
    line.push([`failed ${away(failure.at, at)} (${failure.reason}): ${oneLine(failure.message)}`, past ? 'dim' : 'red']);
  }
  return line;
}

/** A node in JSON output; the names are stable. */
function document(node: TreeNode): object {
  const { id, kind, status, agent, parked, state, restart, restarts, startedAt, dueAt, failure, strategy, exit, fleet, children } = node;
  return {
    id,
    kind: kind ?? null,
    status,
    agent: agent ?? null,
    parked: parked ?? null,
    state: stored(state),
    restart: restart ?? null,
    restarts,
    startedAt: startedAt ?? null,
    dueAt: dueAt ?? null,
    failure: failure ?? null,
    ...(fleet === undefined ? {} : { fleet: fleetDocument(fleet) }),
    ...(kind === undefined ? { strategy, exit: exit ?? null, children: (children ?? []).map(document) } : {}),
  };
}
