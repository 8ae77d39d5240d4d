/**
 * One agent that a page looks at. It is not observed in the runtime's sense, which would make each of its commits carry a checkpoint: its turns are read from the journal, its state from what was committed last in this
 * memory, or from the store. What a page has seen may come out differently after a crash; a page then shows that.
 */

import { readSegments, type JournalEntry } from '../actors/entry.js';
import { readCheckpoint } from '../actors/restore.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { AgentRecord } from '../persistence/store.js';
import type { AgentStatus, Shown, StreamEvent } from './api.js';
import { readable, turnLine, type Settled } from './lines.js';
import { operationsOf } from './past.js';
import type { ShownLimits } from './shown.js';
import type { Source } from './source.js';

/** Turns that are told one by one in a batch. */
const mostTurns = 200;
const segmentsAtOnce = 200;
/** Of a store that another process writes. */
const pollMs = 500;
/** In memory it is looked at also when nothing was heard of it, for what no event tells. */
const idleMs = 2_000;
/** A context that is sent many times a second is cut shorter than one that is asked for. */
const contextLimits: ShownLimits = { size: 60_000, depth: 12, members: 200, text: 4_000 };
const mostOutcomes = 500;

type AgentEvent = Extract<StreamEvent, { readonly type: 'agent' }>;

interface Stand {
  readonly key: number;
  readonly sequenceNumber: number;
  readonly status: AgentStatus;
  readonly state: unknown;
  /** Is another one when the context is. */
  readonly mark: unknown;
  readonly contextAt: number;
  readonly context: () => Promise<Shown | undefined>;
}

export class Watch {
  readonly #source: Source;
  readonly #id: string;
  #key: number | undefined;
  #last: Stand | undefined;
  #touched = true;
  #lookedAt = -Infinity;
  /** What became of operations, as the runtime told. */
  readonly #outcomes = new Map<string, Settled>();

  constructor(source: Source, id: string) {
    this.#source = source;
    this.#id = id;
  }

  take(event: RuntimeEvent): void {
    // A commit says nothing of whose turns it has.
    if (event.type === 'commit') this.#touched = true;
    else if ('agentId' in event && event.agentId === this.#id) {
      this.#touched = true;
      if (event.type === 'activity') this.#outcome(event);
    }
  }

  #outcome({ operationId, activity, phase }: Extract<RuntimeEvent, { readonly type: 'activity' }>): void {
    if (phase !== 'succeeded' && phase !== 'failed' && phase !== 'cancelled' && phase !== 'unknown') return;
    this.#outcomes.set(operationId, { activity, status: phase });
    if (this.#outcomes.size > mostOutcomes) this.#outcomes.delete(this.#outcomes.keys().next().value as string);
  }

  /** Undefined: nothing has changed since the last one. @throws what the store throws */
  async compose(): Promise<AgentEvent | undefined> {
    const { clock, runtime } = this.#source;
    const waits = runtime === undefined ? pollMs : this.#touched ? 0 : idleMs;
    if (this.#last !== undefined && clock.elapsed() - this.#lookedAt < waits) return undefined;
    this.#touched = false;
    this.#lookedAt = clock.elapsed();
    const now = await this.#stand();
    const last = this.#last;
    if (now === undefined) return undefined;
    if (last?.sequenceNumber === now.sequenceNumber && last.status === now.status && last.mark === now.mark) return undefined;
    const from = last?.sequenceNumber ?? now.sequenceNumber;
    const { entries, skipped } = await this.#turnsSince(now, from);
    const context = last === undefined || last.mark !== now.mark ? await now.context() : undefined;
    this.#last = now;
    const operations = await this.#operations(now.key, entries);
    const around = { redactor: this.#source.redactor, operations, checkpoint: undefined };
    return {
      type: 'agent',
      id: this.#id,
      sequenceNumber: now.sequenceNumber,
      status: now.status,
      state: now.state,
      ...(context === undefined ? {} : { context }),
      contextAt: now.contextAt,
      turns: entries.map((entry) => turnLine(entry, around)),
      skipped,
    };
  }

  async #stand(): Promise<Stand | undefined> {
    const { runtime, redactor, store } = this.#source;
    let peeked = runtime?.tools.peek(this.#id);
    let record: AgentRecord | undefined;
    if (peeked === undefined || this.#key === undefined) {
      [record] = await store.lookup([this.#id]);
      this.#key = record?.key;
      peeked = runtime?.tools.peek(this.#id);
    }
    if (peeked !== undefined && this.#key !== undefined) {
      const { sequenceNumber, status, snapshot } = peeked;
      const context = async (): Promise<Shown> => redactor.shown(snapshot.context, contextLimits);
      const state = snapshot.value as unknown;
      return { key: this.#key, sequenceNumber, status, state, mark: snapshot.context, contextAt: sequenceNumber, context };
    }
    if (record === undefined) return undefined;
    const { key, sequenceNumber, status, checkpointSequenceNumber, archive } = record;
    return {
      key,
      sequenceNumber,
      status,
      state: readable(record.state) ?? null,
      mark: checkpointSequenceNumber,
      contextAt: archive === undefined ? checkpointSequenceNumber : sequenceNumber,
      context: () => this.#kept(record),
    };
  }

  /** As its checkpoint has it. */
  async #kept({ key, id, archive }: AgentRecord): Promise<Shown | undefined> {
    if (archive !== undefined) return undefined;
    const loaded = await this.#source.store.inspect(key);
    if (loaded?.checkpoint === undefined) return undefined;
    try {
      const { context } = readCheckpoint(id, loaded.checkpoint).snapshot as { readonly context?: unknown };
      return this.#source.redactor.shown(context, contextLimits);
    } catch {
      return undefined; // its page says what is wrong
    }
  }

  async #turnsSince(
    { key, sequenceNumber }: Stand,
    from: number,
  ): Promise<{ readonly entries: readonly JournalEntry[]; readonly skipped: number }> {
    const after = Math.max(from, sequenceNumber - mostTurns);
    const entries: JournalEntry[] = [];
    try {
      for (let read = after; read < sequenceNumber;) {
        const segments = await this.#source.store.journal(key, { after: read, limit: segmentsAtOnce });
        if (segments.length === 0) break;
        entries.push(...readSegments(this.#id, segments, read).filter(({ seq }) => seq <= sequenceNumber));
        read = segments.at(-1)?.lastSequenceNumber ?? sequenceNumber;
      }
    } catch {
      entries.length = 0; // damage is told where its turns are asked for
    }
    return { entries, skipped: Math.max(0, sequenceNumber - from - entries.length) };
  }

  async #operations(key: number, entries: readonly JournalEntry[]): Promise<ReadonlyMap<string, Settled>> {
    const isKnown = ({ op }: JournalEntry): boolean => op === undefined || this.#outcomes.has(op);
    if (this.#source.runtime === undefined || !entries.every(isKnown))
      return operationsOf(entries, () => this.#source.store.operations(key));
    return this.#outcomes;
  }
}
