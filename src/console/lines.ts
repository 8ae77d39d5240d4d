/** Records as lines of a page: agents, turns, operations, timers, mail, dead letters. What a store keeps encoded is decoded; what cannot be is said to be so and hides nothing else. */

import type { JournalEntry } from '../actors/entry.js';
import { decode, errorOf } from '../core/codec.js';
import type { AgentRecord, MailboxRecord, OperationRecord, TimerRecord } from '../persistence/store.js';
import type { PastTurn } from '../runtime/history.js';
import { keptAside, type SeenChild } from '../runtime/seen-agent.js';
import { supervisorKind } from '../supervisor/machine.js';
import { describeExit, type SupervisorExit } from '../supervisor/state.js';
import type { AgentLine, ChildLine, MailLine, OperationLine, Shown, TimerLine, TurnEffects, TurnLine } from './api.js';
import { briefLimits, wholeLimits, type Redactor, type ShownLimits } from './shown.js';

/** Decoded; a text that is damaged is no reason to show nothing of an agent. */
export function readable(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return decode(text);
  } catch {
    return '(not readable)';
  }
}

export function shownText(redactor: Redactor, text: string | undefined, limits: ShownLimits = wholeLimits): Shown | undefined {
  return text === undefined ? undefined : redactor.shown(readable(text), limits);
}

export function agentLine(record: AgentRecord, redactor: Redactor): AgentLine {
  const { id, kind, version, status, sequenceNumber, createdAt, updatedAt, busy, supervisor, archive } = record;
  const failure = failureText(record, redactor);
  return {
    id,
    kind,
    version,
    status,
    state: readable(record.state) ?? null,
    sequenceNumber,
    createdAt,
    updatedAt,
    busy,
    ...(supervisor === undefined ? {} : { supervisor }),
    ...(archive === undefined ? {} : { archived: true as const }),
    ...(failure === undefined ? {} : { failure }),
  };
}

function failureText({ status, kind, outcome }: AgentRecord, redactor: Redactor): string | undefined {
  if (outcome === undefined || (status !== 'parked' && status !== 'suspended' && status !== 'error')) return undefined;
  const value = readable(outcome);
  if (value === null || value === undefined) return undefined;
  if (kind === supervisorKind && !(value instanceof Error)) {
    try {
      return describeExit(value as SupervisorExit) ?? undefined;
    } catch {
      return undefined;
    }
  }
  return firstLine(redactor.text(errorOf(value).message));
}

export function firstLine(text: string): string {
  return (text.trim().split('\n')[0] as string).slice(0, 500);
}

/** State value as text: `working.reading`, `{a: on, b: off}`. */
export function stateText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? value : '';
  const regions = Object.entries(value).map(([key, inner]) => {
    const text = stateText(inner);
    return text === '' || text === '{}' ? key : `${key}.${text}`;
  });
  return regions.length === 1 ? (regions[0] as string) : `{${regions.join(', ')}}`;
}

export function childLine({ path, src, status, state }: SeenChild): ChildLine {
  return { path, src, status, ...(state === null ? {} : { state }) };
}

export function timerLine({ id, dueAt, delayMs, policy, target, event }: TimerRecord): TimerLine {
  return { id, dueAt, delayMs, policy, target, event: typeOf(readable(event)) };
}

export function typeOf(event: unknown): string {
  const type = (event as { readonly type?: unknown } | null | undefined)?.type;
  return typeof type === 'string' ? type : '?';
}

export function mailLine({ position, event, from, messageId, acceptedAt }: MailboxRecord, redactor: Redactor): MailLine {
  const value = readable(event);
  return {
    position,
    type: typeOf(value),
    event: redactor.shown(value, briefLimits),
    ...(from === undefined ? {} : { from }),
    ...(messageId === undefined ? {} : { messageId }),
    acceptedAt,
  };
}

export function operationLine(operation: OperationRecord, redactor: Redactor): OperationLine {
  const { id, activity, path, status, attempts, intendedIn, settledIn, intendedAt, settledAt, nextRetryAt, parkedBy } = operation;
  const { saga, compensates, artifact } = operation;
  const input = shownText(redactor, operation.input, briefLimits);
  const aside = keptAside(operation);
  const outcome = aside === undefined ? shownText(redactor, operation.outcome, briefLimits) : { value: aside };
  return {
    id,
    activity,
    path,
    status,
    attempts,
    intendedIn,
    ...(settledIn === 0 ? {} : { settledIn }),
    intendedAt,
    ...(settledAt === undefined ? {} : { settledAt }),
    ...(nextRetryAt === undefined ? {} : { nextRetryAt }),
    ...(parkedBy === undefined ? {} : { parkedBy }),
    ...(saga === undefined ? {} : { saga }),
    ...(compensates === undefined ? {} : { compensates }),
    ...(input === undefined ? {} : { input }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(artifact === undefined ? {} : { artifact }),
  };
}

/** What a turn says of the operation whose outcome it took. */
export type Settled = Pick<OperationRecord, 'activity' | 'status'> & Partial<Pick<OperationRecord, 'outcome' | 'artifact'>>;

export interface TurnSurroundings {
  readonly redactor: Redactor;
  readonly operations: ReadonlyMap<string, Settled>;
  /** Of the store's checkpoint. */
  readonly checkpoint: number | undefined;
}

/** `past`: the same turn run again. */
export function turnLine(entry: JournalEntry, { redactor, operations, checkpoint }: TurnSurroundings, past?: PastTurn): TurnLine {
  const { seq, at, init, input, event, to, id, from, timer, op, stop } = entry;
  const operation = op === undefined ? undefined : operations.get(op);
  const kind = init === true ? 'start' : op !== undefined ? 'outcome' : stop === true ? 'stop' : 'event';
  const type = kind === 'event' ? typeOf(event) : kind === 'outcome' ? (operation?.activity ?? op ?? '?') : kind;
  const payload = payloadOf(entry, operation, redactor, input);
  return {
    sequenceNumber: seq,
    at,
    kind,
    type,
    ...(payload === undefined ? {} : { payload }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(timer === undefined ? {} : { timer }),
    ...(id === undefined ? {} : { messageId: id }),
    ...(op === undefined ? {} : { operation: op }),
    ...(operation === undefined ? {} : { outcomeStatus: operation.status }),
    ...(past === undefined ? {} : { state: past.value, status: past.status, asked: effectsOf(past) }),
    ...(seq === checkpoint ? { checkpoint: true as const } : {}),
  };
}

function payloadOf({ event }: JournalEntry, operation: Settled | undefined, redactor: Redactor, input: unknown): Shown | undefined {
  if (event !== undefined) {
    const { type: _, ...rest } = event as unknown as Record<string, unknown>;
    return Object.keys(rest).length === 0 ? undefined : redactor.shown(rest, briefLimits);
  }
  if (input !== undefined) return redactor.shown(input, briefLimits);
  const aside = keptAside(operation ?? {});
  return aside === undefined ? shownText(redactor, operation?.outcome, briefLimits) : { value: aside };
}

function effectsOf({ asked }: PastTurn): TurnEffects {
  const { operations, timers, timersCleared, messages, spawns, actions } = asked;
  return {
    operations,
    timers,
    timersCleared,
    messages: messages.map(({ to, event }) => ({ to, type: typeOf(readable(event)) })),
    spawns,
    actions,
  };
}
