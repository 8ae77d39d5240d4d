/**
 * `statewarden inspect ID`: an agent's stored journal as an inspection stream, through a relay of the command's own until it is stopped (SIGTERM, SIGINT), or as lines of JSON. With `--app` every turn has
 * its true snapshot; without it those are shown that the store has, and the answer says so. Nothing is written, nothing is done.
 */

import { setTimeout } from 'node:timers/promises';
import type { AnyActorRef } from 'xstate';
import type { MachineChart } from '../../actors/chart.js';
import { readSegments, type JournalEntry } from '../../actors/entry.js';
import { readCheckpoint } from '../../actors/restore.js';
import { decode } from '../../core/codec.js';
import { ArtifactMissingError, UnknownAgentError, UnknownKindError } from '../../core/errors.js';
import { Permits } from '../../effects/permits.js';
import { traitsOf } from '../../effects/traits.js';
import type { InspectionMessage } from '../../observability/inspector/message.js';
import { PastReplay, StoredReplay, type TurnEvent } from '../../observability/inspector/past.js';
import { Relay, type Client } from '../../observability/inspector/relay.js';
import { Sanitiser } from '../../observability/inspector/sanitise.js';
import type { ArtifactPointer } from '../../persistence/artifacts/artifact-store.js';
import type { OperationRecord } from '../../persistence/store.js';
import { noSuchTurn, runAgain, type PastSource } from '../../runtime/past.js';
import { findAgent } from '../agent-id.js';
import { loadApp, type AppFile } from '../app-file.js';
import { keptAside, whyUnseen, type SeenAgent } from '../../runtime/seen-agent.js';
import { seeAgent, seeJournal } from '../archived.js';
import { count, printable } from '../output.js';
import type { ExitCode, Session } from '../session.js';

export interface InspectOptions {
  /** Last turn that is shown; Infinity: all. */
  readonly at: number;
  /** First one. */
  readonly from: number;
  readonly port: number;
  /** Infinity: at once. */
  readonly speed: number;
  readonly app: string | undefined;
  /** Calls back once, when the process is to stop. */
  readonly onStop: (stop: () => void) => void;
}

/** Told of the messages of each turn, and when it was; resolves to false when nobody wants more. */
type Sink = (messages: readonly InspectionMessage[], at: number) => Promise<boolean>;

/** What was shown. */
interface Shown {
  readonly turns: number;
  readonly last: number;
  /** Whether it came to what the store's checkpoint has. */
  readonly exact?: boolean | undefined;
}

type Replay = (sink: Sink) => Promise<Shown>;

export async function inspect(session: Session, typed: string, options: InspectOptions): Promise<ExitCode> {
  const { output, aside } = session;
  const app = options.app === undefined ? undefined : await loadApp(options.app, process.cwd());
  const record = await findAgent(session, typed, 'prefix');
  const { id } = record;
  const unseen = await whyUnseen(session, record, 'Say where: --artifacts files:PATH or gs://BUCKET/PREFIX, or STATEWARDEN_ARTIFACTS.');
  if (unseen !== undefined) throw unseen;
  const seen = await seeAgent(session, id);
  if (seen === undefined) throw new UnknownAgentError(`agent "${id}" is gone`, { hint: 'List the agents with `statewarden ls`.' });
  const replay = app === undefined ? await withoutCode(session, seen, options) : withCode(session, seen, options, app);
  if (output.json) {
    const shown = await replay(async (messages) => {
      for (const message of messages) output.line(JSON.stringify(message));
      return true;
    });
    for (const note of notesOn(shown, app)) aside.write(`${note}\n`);
    return 0;
  }
  // What is wrong with it is said before anybody looks.
  const shown = await replay(async () => true);
  const relay = new Relay({ port: options.port }, { joined: (client) => void serve(client, replay, options.speed, session) });
  await relay.listen();
  relay.hold();
  try {
    output.line(`inspect at ${relay.url}`);
    output.line(`${printable(id)}: ${count(shown.turns, 'event')} up to ${String(shown.last)}; Ctrl+C ends it`);
    for (const note of notesOn(shown, app)) output.line(output.paint('dim', note));
    await new Promise<void>((resolve) => options.onStop(resolve));
  } finally {
    await relay.close();
  }
  return 0;
}

function notesOn({ exact }: Shown, app: AppFile | undefined): string[] {
  if (app === undefined) {
    return [
      'without --app the machine is as the store keeps it, and only its checkpoint and its record have snapshots; the turns between them have events alone',
    ];
  }
  return exact === false
    ? [
        'run again it came to something else than the checkpoint in the store: its turns depend on time, on chance, or on code that has changed',
      ]
    : [];
}

async function serve(client: Client, replay: Replay, speed: number, { aside }: Session): Promise<void> {
  let before: number | undefined;
  try {
    await replay(async (messages, at) => {
      if (speed !== Infinity && before !== undefined) await setTimeout(Math.max(0, (at - before) / speed));
      before = at;
      for (const message of messages) {
        if (!(await client.ready())) return false;
        client.send({ type: message.type, sessionId: message.sessionId, text: JSON.stringify(message) });
      }
      return true;
    });
  } catch (error) {
    aside.write(`the replay broke off: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

// ── With the code ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Whatever a machine spends is looked at and forgotten. */
class AnyBudget extends Set<string> {
  override has(): boolean {
    return true;
  }
}

/** Ends a replay that nobody wants to the end. */
const enough = new Error('enough');

/** @throws UnknownKindError, what its code throws */
function withCode(session: Session, { loaded, operations }: SeenAgent, { at, from }: InspectOptions, app: AppFile): Replay {
  const { id, kind, version } = loaded.record;
  if (app.registrationOf(kind, version) === undefined || !app.kinds.includes(kind)) {
    const known = app.kinds.map((one) => JSON.stringify(one)).join(', ');
    throw new UnknownKindError(`the app file has no kind "${kind}", which agent "${id}" is of`, {
      hint: `It has ${known === '' ? 'none' : known}. Without --app its events are shown without its code.`,
    });
  }
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const permits = new Permits(new AnyBudget());
  return async (sink) => {
    const archives = await session.artifacts();
    const source: PastSource = {
      store: session.store,
      archives,
      registrationOf: app.registrationOf,
      traits: (logic, path) => traitsOf(logic, path, permits, false),
      textOf: (operation) => resultOf(session, operation),
    };
    const past = new PastReplay(id, new Sanitiser());
    const state = { turns: 0, last: 0 };
    try {
      const { history } = await runAgain(source, id, at, async ({ sequenceNumber, entry, at: when }, history) => {
        const root = history.actorAt('') as AnyActorRef;
        state.last = sequenceNumber;
        if (sequenceNumber < from) {
          if (sequenceNumber === from - 1 && !(await sink(past.stand(root, when), when))) throw enough;
          return;
        }
        state.turns += 1;
        if (!(await sink(past.turn(root, turnOf(entry, byId)), when))) throw enough;
      });
      if (state.last < Math.max(at === Infinity ? 0 : at, from)) throw noSuchTurn(id, at === Infinity ? from : at, state.last);
      return { ...state, exact: history.exact };
    } catch (error) {
      if (error === enough) return state;
      throw error;
    }
  };
}

async function resultOf({ artifacts }: Session, { id, artifact = '', outcome = 'null' }: OperationRecord): Promise<string> {
  const store = await artifacts();
  if (store !== undefined) return new TextDecoder().decode(await store.get(decode(outcome) as ArtifactPointer));
  throw new ArtifactMissingError(`the result of operation ${id} is artifact ${artifact}, and no artifact store was named`, {
    hint: 'Say where it is: --artifacts files:PATH or gs://BUCKET/PREFIX; or leave --app out: then it is only named.',
  });
}

// ── Without ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const page = 200;

async function withoutCode(session: Session, { loaded, operations }: SeenAgent, { at, from }: InspectOptions): Promise<Replay> {
  const { record, checkpoint } = loaded;
  const { id, kind, version } = record;
  const machines = (await session.store.machines(kind)).filter((one) => one.version === (checkpoint?.version ?? version));
  const machine = machines.find(({ schema }) => schema === checkpoint?.schema) ?? machines[0];
  const { chart } = JSON.parse(machine?.definition ?? '{}') as { readonly chart?: MachineChart };
  const kept = checkpoint === undefined ? undefined : readCheckpoint(id, checkpoint).snapshot;
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const end = { status: record.status, value: record.state === undefined ? undefined : decode(record.state) };
  return async (sink) => {
    const journal = await seeJournal(session, record.key);
    const stored = new StoredReplay(id, chart, new Sanitiser());
    let [turns, last] = [0, 0];
    for (let after = 0; last < at;) {
      const segments = await journal.segments({ after, limit: page });
      if (segments.length === 0) break;
      for (const entry of readSegments(id, segments, after)) {
        if (entry.seq > at) break;
        last = entry.seq;
        const turn = turnOf(entry, byId);
        const isShown = entry.seq >= from;
        const messages = isShown ? stored.turn(turn) : [];
        const stands = entry.seq === checkpoint?.sequenceNumber ? kept : entry.seq === record.sequenceNumber ? end : undefined;
        if (stands !== undefined && (isShown || entry.seq === from - 1)) messages.push(...stored.snapshot(stands, turn.event, entry.at));
        if (isShown) turns += 1;
        if (messages.length > 0 && !(await sink(messages, entry.at))) return { turns, last };
      }
      after = segments.at(-1)?.lastSequenceNumber ?? after;
    }
    if (last < Math.max(at === Infinity ? 0 : at, from)) throw noSuchTurn(id, at === Infinity ? from : at, last);
    return { turns, last };
  };
}

/** What a turn was about, as its machine saw it. */
function turnOf({ at, init, input, stop, op, event, to = '' }: JournalEntry, operations: ReadonlyMap<string, OperationRecord>): TurnEvent {
  if (init === true) return { event: { type: 'xstate.init', ...(input === undefined ? {} : { input }) }, to: '', at };
  if (stop === true) return { event: { type: 'xstate.stop' }, to: '', at };
  if (op === undefined) return { event: event ?? { type: '' }, to, at };
  const operation = operations.get(op);
  if (operation === undefined) return { event: { type: `xstate.done.actor.${op}` }, to: '', at };
  const { path, status, outcome } = operation;
  const slash = path.lastIndexOf('/');
  const actorId = decodeURIComponent(path.slice(slash + 1));
  const value: unknown = keptAside(operation) ?? (outcome === undefined ? undefined : decode(outcome));
  const isDone = status === 'succeeded' || status === 'compensated';
  const told = isDone
    ? { type: `xstate.done.actor.${actorId}`, output: value, actorId }
    : { type: `xstate.error.actor.${actorId}`, error: value, actorId };
  return { event: told, to: slash < 0 ? '' : path.slice(0, slash), at };
}
