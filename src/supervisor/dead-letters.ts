/**
 * Dead letters, for people and programs: looking at them, grouping those that have the same cause, sending them once more, throwing them away. Works on any
 * opened store, with or without a runtime.
 *
 * A redriven event leaves the dead letters and enters the mailbox in one transaction of the store: however often it is asked for, and whatever dies
 * meanwhile, it is taken exactly once. What arrives while a redrive runs is not part of it.
 */

import type { StateValue } from 'xstate';
import type { FailureReason } from '../actors/failure.js';
import { checksum } from '../core/checksum.js';
import type { Clock } from '../core/clock.js';
import { decode } from '../core/codec.js';
import { BadInputError, CorruptRecordError } from '../core/errors.js';
import type { AgentKey, DeadLetter as LetterRecord, OpenedStore } from '../persistence/store.js';

export interface DeadLetter {
  /** Names it; rises with time. */
  readonly position: number;
  /** Id of the agent that was to take it. */
  readonly to: string;
  /** Id of the agent that sent it; undefined when no agent did. */
  readonly from: string | undefined;
  readonly messageId: string | undefined;
  readonly event: { readonly type: string };
  readonly reason: string;
  /** What its turn failed with, and where the agent stood; undefined when no turn was tried. */
  readonly details: DeadLetterDetails | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Id of the group it belongs to. */
  readonly group: string;
}

/** The last failure of an event that a supervised agent could not take, or of a fleet's job. */
export interface DeadLetterDetails {
  /** Of a job also: `failed`, its member said so; `timeout`, it took longer than `jobTimeoutMs`. */
  readonly reason: FailureReason | 'failed' | 'timeout';
  /** How often it failed. */
  readonly deliveries: number;
  /** Of the error. */
  readonly message: string;
  readonly stack: string | undefined;
  /** State value of the machine before the event. */
  readonly state: StateValue | undefined;
  /** Of the agent's last event before it; undefined of a job that ended otherwise than by a failing turn. */
  readonly sequenceNumber: number | undefined;
  /** Of a job: id of the member that was at it. */
  readonly member?: string;
  /** Of a job: its id. */
  readonly job?: string;
}

/** Dead letters with one cause. */
export interface DeadLetterGroup {
  readonly group: string;
  readonly reason: string;
  /** The event's type. */
  readonly type: string;
  /** Of the error; undefined when no turn was tried. */
  readonly message: string | undefined;
  readonly count: number;
  /** How many agents they were for. */
  readonly receivers: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Which dead letters: by position, or all that have everything that is given. */
export type DeadLetterSelection =
  readonly number[] | { readonly to?: string; readonly reason?: string; readonly type?: string; readonly group?: string };

export interface RedriveOptions {
  /** Id of another agent to take them. Default: the one each was for. */
  readonly to?: string;
  /** At most so many events a second. Default: no limit. */
  readonly perSecond?: number;
  /** Ends it early; what is redriven by then stays so. */
  readonly signal?: AbortSignal;
  /** Called after each step with how many were dealt with, of how many. */
  readonly progress?: (done: number, total: number) => void;
}

/** What a redrive came to, in events. */
export interface RedriveReport {
  readonly redriven: number;
  /** Their message ids had been accepted before: they are dead letters no more. */
  readonly duplicates: number;
  /** Those that stay dead letters, by reason. */
  readonly kept: Readonly<Partial<Record<'no-such-agent' | 'agent-ended' | 'mailbox-full', number>>>;
  /** Gone already: redriven or discarded by somebody else. */
  readonly absent: number;
}

export interface DeadLettersOptions {
  readonly store: OpenedStore;
  readonly clock: Clock;
  /** Most events that may wait for one agent. */
  readonly mailbox: number;
  /** Told of agents that have mail now. */
  readonly mailed?: (agent: AgentKey) => void;
}

/** Read, moved or removed at a time. */
const pageLength = 500;
/** A limited rate is kept in steps of this length. */
const stepMs = 100;

export class DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  /** Oldest first, at most `limit` (default 100) after position `after` (default 0). @throws BadInputError */
  async list(
    selection: DeadLetterSelection = {},
    { after = 0, limit = 100 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<DeadLetter[]> {
    const found: DeadLetter[] = [];
    for await (const letter of this.#select(selection, after)) {
      found.push(letter);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Those with the same reason, type of event and message of the error together, the largest group first. */
  async groups(selection: DeadLetterSelection = {}): Promise<DeadLetterGroup[]> {
    const groups = new Map<string, { letter: DeadLetter; count: number; lastAt: number; receivers: Set<string> }>();
    for await (const letter of this.#select(selection, 0)) {
      const known = groups.get(letter.group);
      const group = known ?? { letter, count: 0, lastAt: letter.at, receivers: new Set<string>() };
      if (known === undefined) groups.set(letter.group, group);
      group.count += 1;
      group.lastAt = Math.max(group.lastAt, letter.at);
      group.receivers.add(letter.to);
    }
    return [...groups.values()]
      .map(({ letter, count, lastAt, receivers }) => ({
        group: letter.group,
        reason: letter.reason,
        type: letter.event.type,
        message: letter.details?.message,
        count,
        receivers: receivers.size,
        firstAt: letter.at,
        lastAt,
      }))
      .sort((one, other) => other.count - one.count);
  }

  /** Sends them once more, oldest first. @throws BadInputError */
  async redrive(selection: DeadLetterSelection, options: RedriveOptions = {}): Promise<RedriveReport> {
    const { store, mailbox, mailed, clock } = this.#options;
    const { to, perSecond = Infinity, signal, progress } = options;
    if (!(perSecond > 0)) {
      throw new BadInputError(`perSecond is ${String(perSecond)}`, { hint: 'Give events per second, more than 0, or leave it out.' });
    }
    const positions = await this.#positions(selection);
    const report = { redriven: 0, duplicates: 0, kept: {} as Record<string, number>, absent: 0 };
    const started = clock.elapsed();
    const burst = Math.max(1, Math.floor((perSecond * stepMs) / 1_000));
    for (let done = 0; done < positions.length && signal?.aborted !== true;) {
      const elapsedMs = clock.elapsed() - started;
      const due = burst + Math.floor((elapsedMs * perSecond) / 1_000);
      if (due <= done) {
        await this.#pause(((done + 1 - burst) * 1_000) / perSecond - elapsedMs, signal);
        continue;
      }
      const page = positions.slice(done, Math.min(due, done + pageLength));
      for (const outcome of await store.redrive(page, to, mailbox)) {
        if (outcome.outcome === 'redriven') {
          report.redriven += 1;
          mailed?.(outcome.agent);
        } else if (outcome.outcome === 'duplicate') report.duplicates += 1;
        else if (outcome.outcome === 'absent') report.absent += 1;
        else report.kept[outcome.reason] = (report.kept[outcome.reason] ?? 0) + 1;
      }
      done += page.length;
      progress?.(done, positions.length);
    }
    return report;
  }

  /** Removes them for good. Resolves to how many there were. @throws BadInputError */
  async discard(selection: DeadLetterSelection): Promise<number> {
    const positions = await this.#positions(selection);
    let discarded = 0;
    for (let done = 0; done < positions.length; done += pageLength) {
      discarded += await this.#options.store.discard(positions.slice(done, done + pageLength));
    }
    return discarded;
  }

  async #positions(selection: DeadLetterSelection): Promise<readonly number[]> {
    if (isPositions(selection)) return checkPositions(selection);
    const positions: number[] = [];
    for await (const { position } of this.#select(selection, 0)) positions.push(position);
    return positions;
  }

  async *#select(selection: DeadLetterSelection, from: number): AsyncGenerator<DeadLetter> {
    if (isPositions(selection)) {
      for (const position of [...checkPositions(selection)].sort((one, other) => one - other)) {
        const [record] = position > from ? await this.#options.store.deadLetters({ after: position - 1, limit: 1 }) : [];
        if (record?.position === position) yield letterOf(record);
      }
      return;
    }
    const { to, reason, type, group } = selection;
    const page = { limit: pageLength, ...(to === undefined ? {} : { to }) };
    for (let after = from; ;) {
      const records = await this.#options.store.deadLetters({ ...page, after });
      for (const record of records) {
        const letter = letterOf(record);
        const fits = (wanted: string | undefined, actual: string): boolean => wanted === undefined || wanted === actual;
        if (fits(reason, letter.reason) && fits(type, letter.event.type) && fits(group, letter.group)) yield letter;
      }
      if (records.length < pageLength) return;
      after = (records.at(-1) as LetterRecord).position;
    }
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const handle = clock.setTimeout(end, Math.max(1, ms));
      signal?.addEventListener('abort', end, { once: true });
      function end(): void {
        clock.clearTimeout(handle);
        signal?.removeEventListener('abort', end);
        resolve();
      }
    });
  }
}

function isPositions(selection: DeadLetterSelection): selection is readonly number[] {
  return Array.isArray(selection);
}

function checkPositions(positions: readonly number[]): readonly number[] {
  for (const position of positions) {
    if (!Number.isSafeInteger(position) || position < 1) {
      throw new BadInputError(`${JSON.stringify(position)} is no position of a dead letter`, {
        hint: 'Give positions as list() or `statewarden dead-letters ls` show them.',
      });
    }
  }
  return positions;
}

function letterOf({ position, to, from, messageId, event: text, reason, details: told, at }: LetterRecord): DeadLetter {
  let event: DeadLetter['event'];
  let details: DeadLetterDetails | undefined;
  try {
    event = decode(text) as DeadLetter['event'];
    details = told === undefined ? undefined : detailsOf(told);
  } catch (cause) {
    throw new CorruptRecordError(`dead letter ${String(position)} for agent "${to}" is not readable`, {
      cause,
      hint: 'Discard it by its position, or repair its text in the store.',
    });
  }
  // The same event may fail for two reasons that need two corrections.
  const sameness = details === undefined ? [reason, event.type] : [reason, event.type, details.message];
  const group = checksum(sameness.join('\n')).toString(16).padStart(8, '0');
  return { position, to, from, messageId, event, reason, details, at, group };
}

function detailsOf(text: string): DeadLetterDetails {
  const { state, stack, sequenceNumber, ...known } = decode(text) as Omit<DeadLetterDetails, 'state'> & {
    readonly state: string | undefined;
  };
  const { reason, deliveries, message, member, job } = known;
  const value = state === undefined ? undefined : (decode(state) as StateValue);
  const of = { ...(member === undefined ? {} : { member }), ...(job === undefined ? {} : { job }) };
  return { reason, deliveries, message, stack, state: value, sequenceNumber, ...of };
}
