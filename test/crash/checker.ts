/**
 * A process of its own that looks at what a scenario has left and tells which invariants do not hold. It takes nothing from the runtime's word: it reads
 * the records themselves, the acknowledgements and the calls from their logs. Prints `{ violations, events, operations, calls, again }` as JSON.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { orders, restMs, ticks, type Acknowledged, type Call } from './scenario.js';
import { recordsIn } from './store-in.js';

export const checkerPath = fileURLToPath(import.meta.url);

export interface Verdict {
  readonly violations: readonly string[];
  readonly events: number;
  readonly operations: number;
  readonly calls: number;
  /** Calls made again because the process died between the call and its record. */
  readonly again: number;
}

interface Entry {
  readonly seq: number;
  readonly at: number;
  readonly id?: string;
  readonly op?: string;
  readonly timer?: string;
  readonly event?: { readonly type: string; readonly id?: string };
}

function lines<T>(folder: string, file: string): T[] {
  const path = join(folder, file);
  if (!existsSync(path)) return [];
  // A process that is killed may leave its last line half written.
  const text = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return text.map((line) => JSON.parse(line) as T);
}

/** What a store has, read without the runtime. */
export interface Records {
  readonly agents: readonly {
    readonly id: string;
    readonly sequenceNumber: number;
    readonly journal: readonly { readonly entries: string; readonly checksum: number }[];
    readonly checkpoint: { readonly data: string; readonly checksum: number } | undefined;
  }[];
  /** `agent`: its id. */
  readonly operations: readonly { readonly agent: string; readonly id: string; readonly activity: string; readonly status: string }[];
}

async function recordsOf(folder: string): Promise<Records> {
  const { agents, journal, checkpoints, operations } = await recordsIn(folder);
  const names = new Map(agents.map(({ key, id }) => [key, id]));
  return {
    agents: agents.map(({ key, id, sequenceNumber }) => ({
      id,
      sequenceNumber,
      journal: journal.filter(({ agent }) => agent === key),
      checkpoint: checkpoints.find(({ agent }) => agent === key),
    })),
    operations: operations.map((operation) => ({ ...operation, agent: names.get(operation.agent) ?? 'nobody' })),
  };
}

export function check(folder: string, { agents, operations }: Records): Verdict {
  const violations: string[] = [];
  const journals = new Map<string, Entry[]>();

  for (const { id, sequenceNumber, journal, checkpoint } of agents) {
    const entries: Entry[] = [];
    for (const row of journal) {
      if (crc32(row.entries) !== row.checksum) violations.push(`I6: ${id}: a journal row has a wrong checksum`);
      entries.push(...(JSON.parse(row.entries) as Entry[]));
    }
    entries.forEach(({ seq }, index) => {
      if (seq !== index + 1) violations.push(`I6: ${id}: event ${String(seq)} stands at place ${String(index + 1)}`);
    });
    if (entries.length !== sequenceNumber) violations.push(`I6: ${id}: ${String(entries.length)} events, not ${String(sequenceNumber)}`);
    if (checkpoint !== undefined && crc32(checkpoint.data) !== checkpoint.checksum) {
      violations.push(`I6: ${id}: the checkpoint has a wrong checksum`);
    }
    journals.set(id, entries);
  }

  const acknowledged = lines<Acknowledged>(folder, 'acknowledged.jsonl');
  for (const { agent, messageId } of acknowledged) {
    const taken = journals.get(agent)?.filter(({ id }) => id === messageId).length ?? 0;
    if (taken !== 1) violations.push(`I1: ${agent} has taken "${messageId}" ${String(taken)} times`);
  }

  const calls = lines<Call>(folder, 'calls.jsonl');
  const seen = new Map<string, Set<string>>();
  for (const { agent, id, activity, status } of operations) {
    const outcomes = journals.get(agent)?.filter(({ op }) => op === id).length ?? 0;
    // The answer to a question is an event from the mailbox: it is settled by that turn.
    if (activity !== 'ask' && outcomes !== 1) violations.push(`I2: ${agent}: ${activity} has ${String(outcomes)} recorded outcomes`);
    if (status !== 'succeeded') violations.push(`I2: ${agent}: ${activity} is ${status}`);
    const step = `${agent} ${activity}`;
    seen.set(step, (seen.get(step) ?? new Set()).add(id));
    if (activity !== 'ask' && !calls.some(({ operation }) => operation === id)) violations.push(`I3: ${id} was never called`);
  }
  for (const [step, ids] of seen) if (ids.size > 1) violations.push(`I2: ${step} was intended as ${[...ids].join(' and ')}`);
  for (const { activity, key, operation } of calls) {
    if (key !== operation) violations.push(`I3: ${activity} was called with key ${key} for ${operation}`);
    if (!operations.some(({ id }) => id === operation))
      violations.push(`I3: ${activity} was called for ${operation}, which is not recorded`);
  }
  const notes = lines<{ readonly what: string }>(folder, 'notes.jsonl').map(({ what }) => what);
  for (const { event } of journals.get('book') ?? []) {
    if (event?.type !== 'BOOKED' && event?.type !== 'DELIVERED') continue;
    const what = `${event.type} ${String(event.id)}`;
    if (!notes.includes(what)) violations.push(`I3: the action for ${what} was never run`);
  }

  const expected = {
    book: { booked: [...orders], delivered: [...orders], ticks },
    outputs: orders.map((id) => `charge of ${id}, seen`),
  };
  const final = existsSync(join(folder, 'final.json')) ? readFileSync(join(folder, 'final.json'), 'utf8') : 'nothing';
  if (final !== JSON.stringify(expected)) violations.push(`I5: it ended with ${final}`);

  for (const id of orders) {
    const entries = journals.get(id) ?? [];
    const fired = entries.filter(({ timer }) => timer !== undefined);
    if (fired.length !== 1) violations.push(`I10: the timer of ${id} is recorded ${String(fired.length)} times`);
    const charged = entries.find(({ op }) => op !== undefined);
    if (charged !== undefined && fired.some(({ at }) => at < charged.at + restMs)) violations.push(`I10: the timer of ${id} fired early`);
  }
  return {
    violations,
    events: [...journals.values()].reduce((sum, entries) => sum + entries.length, 0),
    operations: operations.length,
    calls: calls.length,
    again: calls.length - new Set(calls.map(({ key }) => key)).size,
  };
}

if (process.argv[1] === checkerPath) {
  const folder = process.argv[2] ?? '';
  process.stdout.write(JSON.stringify(check(folder, await recordsOf(folder))));
}
