/**
 * Recovery: a resident agent from what the store has, by checkpoint plus journal tail. The tail holds only turns that
 * nobody outside has seen, so running them again needs no determinism. A checkpoint that does not fit the registered machine
 * is refused with what differs, never reset.
 */

import { checksum } from '../core/checksum.js';
import { decode } from '../core/codec.js';
import { CorruptRecordError, InvariantViolationError, SnapshotVersionError, type StatewardenError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { CheckpointRecord, LoadedAgent, MachineRecord, TimerRecord } from '../persistence/store.js';
import { isMail } from './address.js';
import { Agent } from './agent.js';
import { differencesFor, type MachineDefinition, type SnapshotShape } from './definition.js';
import { readSegments, type JournalEntry } from './entry.js';
import type { AgentHost } from './host.js';
import { cancelled, type OperationOutcome } from './operation.js';
import { fillPlaces, findPlaces, type FoundPlace } from './place.js';
import type { PersistedSnapshot, Registration } from './registration.js';
import { namedAction } from './seam.js';

interface CheckpointData {
  readonly snapshot: PersistedSnapshot;
  readonly actors: number;
  /** Address of the fleet whose job it is at. */
  readonly job?: string;
}

export interface Restored {
  readonly agent: Agent;
  readonly replayedTurns: number;
}

/** Results that are kept as artifacts, by operation: the encoded text, or why it cannot be had. They are read before the replay, which waits for nothing. */
export interface FetchedResults {
  readonly results?: ReadonlyMap<string, string | StatewardenError>;
}

/**
 * Brings an agent back. `machines` has the structures that old checkpoints were written under.
 * @throws CorruptRecordError, SnapshotVersionError, and why a result could not be fetched; then nothing has changed and the agent can be parked.
 */
export function restore(
  host: AgentHost,
  registration: Registration,
  loaded: LoadedAgent & FetchedResults,
  machines: readonly MachineRecord[],
): Restored {
  const { record, checkpoint } = loaded;
  failpoint('restore:begin');
  if (loaded.damage !== undefined) throw loaded.damage;
  const base = checkpoint?.sequenceNumber ?? 0;
  const entries = readSegments(record.id, loaded.tail, base);
  const data = checkpoint === undefined ? undefined : readCheckpoint(record.id, checkpoint);
  const snapshot =
    data === undefined || checkpoint === undefined ? undefined : fitting(record.id, data.snapshot, checkpoint, registration, machines);

  const outcomes = outcomesOf(loaded, entries);

  const agent = new Agent(host, registration, { ...record, sequenceNumber: base }, record.busy);
  agent.status = record.status === 'parked' || record.status === 'suspended' ? 'active' : record.status;
  agent.marks.remember(loaded.marks, loaded.marksComplete);
  if (checkpoint === undefined && entries.length === 0) {
    agent.begin(loaded.input === undefined ? undefined : decode(loaded.input), false);
    for (const message of loaded.mailbox) agent.receive(message);
    return { agent, replayedTurns: 0 };
  }

  const { collector } = agent;
  collector.actorCount = data?.actors ?? 0;
  agent.job = data?.job;
  collector.restoring = new Map(
    loaded.operations.filter(({ intendedIn }) => intendedIn <= base).map((operation) => [operation.path, operation]),
  );
  const outcomeOf = (id: string): OperationOutcome | undefined => outcomes.get(id)?.();
  if (agent.status === 'active' || snapshot === undefined) {
    if (snapshot !== undefined) agent.revive(snapshot);
    for (const entry of entries) agent.replay(entry, outcomeOf);
  } else {
    agent.revive(machinesOf(snapshot));
    agent.sequenceNumber = record.sequenceNumber;
  }
  collector.restoring = undefined;

  const tailBytes = loaded.tail.reduce((sum, segment) => sum + segment.entries.length, 0);
  for (const timer of loaded.timers) agent.timers.set(timer.id, timer);
  agent.restored(checkpoint, tailBytes, loaded.effects.length);
  if (record.status === 'parked') agent.unpark();
  if (record.status === 'suspended') agent.resumed();
  if (loaded.downSince !== undefined) shiftTimers(agent, loaded.timers, loaded.downSince);
  resume(agent, loaded);
  failpoint('restore:end');
  return { agent, replayedTurns: entries.length };
}

/** What the operations came to that the entries name, each decoded when it is asked for. @throws why one of them cannot be had */
function outcomesOf(
  { operations, results }: LoadedAgent & FetchedResults,
  entries: readonly JournalEntry[],
): Map<string, () => OperationOutcome> {
  const outcomes = new Map<string, () => OperationOutcome>();
  const named = new Set(entries.map(({ op }) => op));
  for (const { id, status, outcome, artifact } of operations) {
    if (outcome === undefined || !named.has(id)) continue;
    const text = artifact === undefined ? outcome : results?.get(id);
    if (typeof text === 'object') throw text;
    if (text === undefined)
      throw new InvariantViolationError(`the result of operation ${id} was not fetched`, { hint: 'Please report it.' });
    outcomes.set(id, () => {
      const value = decode(text);
      return status === 'succeeded' ? { ok: true, value } : { ok: false, error: value };
    });
  }
  return outcomes;
}

/** Starts an agent over that has ended, or is down: a turn like its first, after all others. What was under way is over; jobs that it has not taken are not for it. */
export function startAnew(host: AgentHost, registration: Registration, loaded: LoadedAgent, input: unknown): Agent {
  const { record, marks, marksComplete, operations, effects, mailbox } = loaded;
  const agent = new Agent(host, registration, record, false);
  agent.marks.remember(marks, marksComplete);
  agent.checkpointSequenceNumber = record.checkpointSequenceNumber;
  const draft = agent.draft();
  const at = host.clock.now();
  for (const operation of operations) {
    if (operation.settledIn !== 0) continue;
    draft.setOperation(cancelled(operation, record.sequenceNumber + 1, at));
  }
  if (effects.length > 0) draft.effectsSettled = effects.map(({ id }) => id);
  for (const { id } of loaded.timers) draft.clearTimer(id);
  const waiting = mailbox.filter(({ replyTo }) => replyTo !== undefined && isMail(replyTo));
  if (waiting.length > 0) draft.taken = waiting.map(({ position }) => position);
  agent.beginAnew(input);
  for (const message of mailbox) if (!waiting.includes(message)) agent.receive(message);
  return agent;
}

/** What an ended agent's last named actions need. One that was down when it ended has more in its checkpoint, none of which is to run again. */
function machinesOf(snapshot: PersistedSnapshot): PersistedSnapshot {
  const children = Object.entries((snapshot['children'] ?? {}) as Readonly<Record<string, { readonly snapshot: PersistedSnapshot }>>)
    .filter(([, child]) => child.snapshot.value !== undefined)
    .map(([id, child]) => [id, { ...child, snapshot: machinesOf(child.snapshot) }] as const);
  return { ...snapshot, children: Object.fromEntries(children) };
}

/** Everything that was under way goes on: activities, named actions, timers, mail. */
function resume(agent: Agent, loaded: LoadedAgent): void {
  const { host } = agent;
  for (const operation of agent.operations.values()) host.operations.start(agent, operation, true);
  for (const effect of loaded.effects) {
    const exec = namedAction(agent.root, effect.path, effect.type);
    const event: unknown = decode(effect.event);
    const context: unknown = effect.context === undefined ? (agent.snapshot() as { context?: unknown }).context : decode(effect.context);
    const info = { context, event, self: agent.root, system: agent.root.system };
    const params: unknown = effect.params === undefined ? undefined : decode(effect.params);
    const places: FoundPlace[] = [];
    findPlaces([event, context, params], places);
    fillPlaces(agent.root, places);
    if (exec !== undefined) agent.perform(effect.type, () => exec(info as never, params as never));
    agent.settleEffect(effect.id);
  }
  for (const timer of agent.timers.values()) host.armTimer(agent.key, timer.id, timer.dueAt);
  for (const message of loaded.mailbox) agent.receive(message);
}

/** Timers whose clock stood still, or starts over, while nobody ran the agent. */
function shiftTimers(agent: Agent, timers: readonly TimerRecord[], downSince: number): void {
  const { clock, startedAt } = agent.host;
  const upSince = downSince < startedAt ? startedAt : clock.now();
  for (const timer of timers) {
    if (timer.policy === 'deadline') continue;
    const dueAt = timer.policy === 'restart' ? upSince + timer.delayMs : timer.dueAt + (upSince - downSince);
    const shifted = { ...timer, dueAt: Math.ceil(dueAt) };
    agent.timers.set(timer.id, shifted);
    agent.draft().setTimer(shifted);
  }
}

/** @throws CorruptRecordError */
export function readCheckpoint(agentId: string, checkpoint: CheckpointRecord): CheckpointData {
  const broken = (what: string, cause?: unknown): CorruptRecordError =>
    new CorruptRecordError(`checkpoint of "${agentId}" at ${String(checkpoint.sequenceNumber)}: ${what}`, {
      cause,
      hint: 'Run `statewarden doctor` for a full check; restore the store from a backup if it confirms this.',
    });
  if (checksum(checkpoint.data) !== checkpoint.checksum) throw broken('the checksum is wrong');
  try {
    return decode(checkpoint.data) as CheckpointData;
  } catch (cause) {
    throw broken('not readable', cause);
  }
}

/** Whether it has what XState needs to tell a snapshot. */
function isSnapshot(value: unknown): value is PersistedSnapshot {
  const { value: state, context, status } = (value ?? {}) as Record<string, unknown>;
  const nested = (part: unknown): boolean => typeof part === 'object' && part !== null;
  return (typeof state === 'string' || nested(state)) && nested(context) && typeof status === 'string';
}

/** The snapshot as the registered machine can take it. @throws SnapshotVersionError */
function fitting(
  agentId: string,
  written: PersistedSnapshot,
  checkpoint: CheckpointRecord,
  registration: Registration,
  machines: readonly MachineRecord[],
): PersistedSnapshot {
  const { kind, version, schema, migrations } = registration;
  if (checkpoint.version === version && checkpoint.schema === schema) return written;
  const refuse = (differences: readonly string[], hint: string): SnapshotVersionError =>
    new SnapshotVersionError(
      `checkpoint of "${agentId}" (kind "${kind}", version ${String(checkpoint.version)}) does not fit the registered machine (version ${String(version)}): ${differences.join('; ')}`,
      { differences, hint },
    );
  if (checkpoint.version > version) {
    throw refuse([`it was written by the newer version ${String(checkpoint.version)}`], 'Register the newer machine again.');
  }
  let snapshot = written;
  let lifted = false;
  for (let step = checkpoint.version + 1; step <= version; step += 1) {
    const migration = migrations[step];
    if (migration === undefined) continue;
    try {
      snapshot = migration(structuredClone(snapshot));
    } catch (cause) {
      throw Object.assign(refuse([`migration ${String(step)} threw: ${String(cause)}`], 'Correct the migration and start again.'), {
        cause,
      });
    }
    if (!isSnapshot(snapshot))
      throw refuse(
        [`migration ${String(step)} returned no snapshot`],
        'Return the snapshot that it was given, with changes: value, context, status, children.',
      );
    lifted = true;
  }
  const before = machines.find(
    (machine) => machine.kind === kind && machine.version === checkpoint.version && machine.schema === checkpoint.schema,
  );
  const known = lifted || before === undefined ? undefined : (JSON.parse(before.definition) as MachineDefinition);
  // A migration answers for the structure it made: then only what the machine cannot take at all counts.
  const differences = lifted
    ? differencesFor(snapshot as unknown as SnapshotShape, undefined, { ...registration.definition, contextKeys: [] })
    : differencesFor(snapshot as unknown as SnapshotShape, known, registration.definition);
  if (differences.length > 0) {
    const next = String(Math.max(version, checkpoint.version + 1));
    throw refuse(
      differences,
      version === checkpoint.version
        ? `Raise agents.${kind}.version to ${next} and give migrations: { ${next}: (snapshot) => … }, or restore the machine as it was.`
        : `Give agents.${kind}.migrations[${next}] that makes the snapshot fit.`,
    );
  }
  return snapshot;
}
