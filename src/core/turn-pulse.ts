/**
 * Which turn runs now, in shared memory: whoever takes turns writes it, another thread reads it when a turn does not end. An odd count is a turn under way.
 *
 * Each turn costs some 50 ns, nearly all of it for the event's text, which nobody else may have. Reading is right only while the turn stands still; that
 * is when it is read.
 */

/** What a turn was about, and so what is to become of it: an event from code, from the mailbox, from a timer, or none that could be put aside. */
export type TurnSource = 'code' | 'mailbox' | 'timer' | 'other';

export interface TurnInProgress {
  /** The agent's key. */
  readonly agent: number;
  readonly sequenceNumber: number;
  readonly source: TurnSource;
  /** The event, encoded; undefined when there is none, or when it is too long to be kept here. */
  readonly event: string | undefined;
  /** The mailbox row it came from. */
  readonly mail: number | undefined;
  readonly timer: string | undefined;
}

const sources: readonly TurnSource[] = ['code', 'mailbox', 'timer', 'other'];
const textBytes = 65_536;
const headBytes = 72;
/** Places in the head. `attached` says that a debugger may hold the thread. */
const at = { count: 0, agent: 1, sequenceNumber: 2, source: 3, mail: 4, event: 5, timer: 6, attached: 7, whole: 8 } as const;

export class TurnPulse {
  readonly memory: SharedArrayBuffer;
  readonly #head: Float64Array;
  readonly #text: Uint8Array;
  readonly #encoder = new TextEncoder();

  constructor(memory = new SharedArrayBuffer(headBytes + textBytes)) {
    this.memory = memory;
    this.#head = new Float64Array(memory, 0, headBytes / 8);
    this.#text = new Uint8Array(memory, headBytes);
  }

  /** A turn begins. `event` is undefined for one that has none. */
  begin(agent: number, sequenceNumber: number, event: string | undefined, mail: number | undefined, timer: string | undefined): void {
    const head = this.#head;
    head[at.agent] = agent;
    head[at.sequenceNumber] = sequenceNumber;
    head[at.source] = event === undefined ? 3 : timer !== undefined ? 2 : mail !== undefined ? 1 : 0;
    head[at.mail] = mail ?? 0;
    head[at.whole] = 0;
    if (event !== undefined) {
      const { read, written } = this.#encoder.encodeInto(event, this.#text);
      head[at.event] = written;
      head[at.whole] = read === event.length ? 1 : 0;
      if (timer !== undefined) head[at.timer] = this.#encoder.encodeInto(timer, this.#text.subarray(written)).written;
    }
    head[at.count] = (head[at.count] as number) + 1;
  }

  end(): void {
    this.#head[at.count] = (this.#head[at.count] as number) + 1;
  }

  /** Odd while a turn runs. */
  get count(): number {
    return this.#head[at.count] as number;
  }

  get attached(): boolean {
    return this.#head[at.attached] === 1;
  }

  set attached(attached: boolean) {
    this.#head[at.attached] = attached ? 1 : 0;
  }

  read(): TurnInProgress {
    const head = this.#head;
    const source = sources[head[at.source] as number] as TurnSource;
    const end = head[at.event] as number;
    const text = (from: number, to: number): string => new TextDecoder().decode(this.#text.slice(from, to));
    return {
      agent: head[at.agent] as number,
      sequenceNumber: head[at.sequenceNumber] as number,
      source,
      event: head[at.whole] === 1 ? text(0, end) : undefined,
      mail: source === 'mailbox' ? head[at.mail] : undefined,
      timer: source === 'timer' ? text(end, end + (head[at.timer] as number)) : undefined,
    };
  }
}
