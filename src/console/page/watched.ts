/** All that a page knows of the agent it shows: what is stored of it, the turns that were told, and where in its past one looks. */

import { batch, computed, signal, type ReadonlySignal } from '@preact/signals';
import type { AgentDetail, Failure, Moment, StreamEvent, TurnLine, TurnPage } from '../api.js';
import { failureOf, get } from './client.js';
import { missing } from './stream.js';

type Told = Extract<StreamEvent, { readonly type: 'agent' }>;

/** Turns in the page; older ones are let go. */
const most = 20_000;
const pageSize = 200;
const refreshMs = 1_200;
/** Turns that were told are read once more, with their states and effects, when nothing has come for so long. */
const quietMs = 700;
const moments = 60;

export class Watched {
  readonly detail = signal<AgentDetail | undefined>(undefined);
  readonly failure = signal<Failure | undefined>(undefined);
  /** In order; where some were skipped there is a gap. */
  readonly turns = signal<readonly TurnLine[]>([]);
  readonly page = signal<Pick<TurnPage, 'exact' | 'why'>>({});
  /** Nothing is before the first turn. */
  readonly whole = signal(false);
  readonly moment = signal<Moment | undefined>(undefined);
  readonly momentFailure = signal<Failure | undefined>(undefined);
  /** Undefined: now. */
  readonly at = signal<number | undefined>(undefined);
  readonly last: ReadonlySignal<number> = computed(() => this.detail.value?.sequenceNumber ?? 0);

  readonly #path: string;
  readonly #kept = new Map<number, Moment>();
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #filling: ReturnType<typeof setTimeout> | undefined;
  #refreshedAt = 0;
  #loadingEarlier = false;
  #closed = false;

  constructor(readonly id: string) {
    this.#path = `agents/${encodeURIComponent(id)}`;
    void this.load();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#refreshing);
    clearTimeout(this.#filling);
  }

  async load(): Promise<void> {
    const looked = this.momentFailure.peek() === undefined ? undefined : this.look(this.at.peek());
    await Promise.all([this.#loadDetail(), this.#loadTurns(), looked]);
  }

  async #loadDetail(): Promise<void> {
    try {
      const detail = await get<AgentDetail>(this.#path);
      if (this.#closed) return;
      batch(() => {
        const known = this.detail.peek();
        // What was told since may be newer than what was read.
        this.detail.value =
          known !== undefined && known.sequenceNumber > detail.sequenceNumber
            ? { ...detail, sequenceNumber: known.sequenceNumber, state: known.state, status: known.status }
            : detail;
        this.failure.value = undefined;
      });
    } catch (error) {
      if (this.#closed) return;
      this.failure.value = failureOf(error);
      if (this.failure.value.code === 'UNKNOWN_AGENT') missing.value = this.id;
    }
    this.#refreshedAt = Date.now();
  }

  async #loadTurns(): Promise<void> {
    try {
      const page = await get<TurnPage>(`${this.#path}/turns?last=${String(pageSize)}`);
      if (this.#closed) return;
      this.page.value = page;
      this.#add(page.turns);
      this.whole.value = (page.turns[0]?.sequenceNumber ?? 1) <= 1;
    } catch (error) {
      if (!this.#closed) this.page.value = { why: failureOf(error) };
    }
  }

  /** Before the first that is there. */
  async loadEarlier(): Promise<void> {
    const first = this.turns.peek()[0]?.sequenceNumber;
    if (first === undefined || first <= 1 || this.#loadingEarlier) return;
    this.#loadingEarlier = true;
    await this.loadBetween(Math.max(0, first - 1 - pageSize), first);
    this.#loadingEarlier = false;
  }

  /** Turns after `after` and before `before`, at most a page of them, the newest. */
  async loadBetween(after: number, before: number): Promise<void> {
    const from = Math.max(after, before - 1 - pageSize);
    try {
      const page = await get<TurnPage>(`${this.#path}/turns?after=${String(from)}&limit=${String(before - 1 - from)}`);
      if (this.#closed) return;
      this.#add(page.turns);
      if (page.turns.length === 0 || (this.turns.peek()[0]?.sequenceNumber ?? 1) <= 1) this.whole.value = true;
    } catch (error) {
      this.page.value = { ...this.page.peek(), why: failureOf(error) };
    }
  }

  told(event: Told): void {
    if (event.id !== this.id) return;
    batch(() => {
      const { sequenceNumber, status, state, context, contextAt } = event;
      const known = this.detail.peek();
      if (known !== undefined && sequenceNumber >= known.sequenceNumber) {
        this.detail.value = { ...known, sequenceNumber, status, state, contextAt, ...(context === undefined ? {} : { context }) };
      }
      // Of the turns that are told only the last one's state is.
      this.#add(
        event.turns.map((turn) => (turn.sequenceNumber === sequenceNumber && turn.state === undefined ? { ...turn, state } : turn)),
      );
    });
    this.#refreshSoon();
    clearTimeout(this.#filling);
    if (event.turns.length > 0) this.#filling = setTimeout(() => void this.#loadTurns(), quietMs);
  }

  /** Mailbox, timers and ledger are not told turn by turn: they are read again, not too often. */
  #refreshSoon(): void {
    if (this.#refreshing !== undefined) return;
    const wait = Math.max(150, this.#refreshedAt + refreshMs - Date.now());
    this.#refreshing = setTimeout(() => {
      void this.#loadDetail().then(() => {
        this.#refreshing = undefined;
      });
    }, wait);
  }

  #add(turns: readonly TurnLine[]): void {
    const known = this.turns.peek();
    const last = known.at(-1)?.sequenceNumber ?? 0;
    if (turns.length === 0) return;
    if ((turns[0] as TurnLine).sequenceNumber > last) {
      this.turns.value = [...known, ...turns].slice(-most);
      return;
    }
    const all = new Map([...known, ...turns].map((turn) => [turn.sequenceNumber, turn]));
    this.turns.value = [...all.values()].sort((one, other) => one.sequenceNumber - other.sequenceNumber).slice(-most);
  }

  /** Looks at the agent as it was after turn `at`; undefined: as it is. */
  async look(at: number | undefined): Promise<void> {
    this.at.value = at;
    if (at === undefined) {
      batch(() => {
        this.moment.value = undefined;
        this.momentFailure.value = undefined;
      });
      return;
    }
    try {
      const moment = this.#kept.get(at) ?? (await get<Moment>(`${this.#path}/at/${String(at)}`));
      this.#keep(at, moment);
      if (this.at.peek() !== at || this.#closed) return;
      batch(() => {
        this.moment.value = moment;
        this.momentFailure.value = undefined;
      });
    } catch (error) {
      if (this.at.peek() === at && !this.#closed) this.momentFailure.value = failureOf(error);
    }
  }

  #keep(at: number, moment: Moment): void {
    this.#kept.delete(at);
    this.#kept.set(at, moment);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > moments && oldest.done !== true) this.#kept.delete(oldest.value);
  }
}
