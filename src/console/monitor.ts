/**
 * What a runtime does, second by second, for as long as somebody looks: then alone its events are made at all. The last five minutes are kept, in rings that never grow; between two looks there are zeros.
 */

import type { Clock } from '../core/clock.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { Runtime } from '../runtime.js';
import type { RuntimePage } from './api.js';

export const keptSeconds = 300;
/** Durations kept of one second: enough for its percentiles. */
const mostDurations = 1_000;

type Series = NonNullable<RuntimePage['series']>;
type Listener = (event: RuntimeEvent) => void;

interface Second {
  at: number;
  turns: number;
  commits: number;
  grouped: number;
  bytes: number;
  checkpoints: number;
  recoveries: number;
  failures: number;
  durations: number[];
  /** Worked out when it is over. */
  p50: number;
  p99: number;
}

export class Monitor {
  readonly #runtime: Runtime | undefined;
  readonly #clock: Clock;
  readonly #ring: Second[] = [];
  readonly #listeners = new Set<Listener>();
  #subscription: { unsubscribe(): void } | undefined;

  constructor(runtime: Runtime | undefined, clock: Clock) {
    this.#runtime = runtime;
    this.#clock = clock;
  }

  /** Whether the runtime is listened to. */
  get isListening(): boolean {
    return this.#subscription !== undefined;
  }

  /** Hears all events until it leaves, which is what is returned. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#subscription ??= this.#runtime?.events$.subscribe((event) => this.#take(event));
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#subscription?.unsubscribe();
      this.#subscription = undefined;
    };
  }

  #take(event: RuntimeEvent): void {
    this.#count(event);
    for (const listener of this.#listeners) listener(event);
  }

  #count(event: RuntimeEvent): void {
    switch (event.type) {
      case 'turn':
        this.#second(event.at).turns += 1;
        break;
      case 'commit': {
        const second = this.#second(event.at);
        second.commits += 1;
        second.grouped += event.turns;
        second.bytes += event.bytes;
        if (second.durations.length < mostDurations) second.durations.push(event.durationMs);
        break;
      }
      case 'checkpoint':
        this.#second(event.at).checkpoints += 1;
        break;
      case 'recovery':
        this.#second(event.at).recoveries += 1;
        break;
      case 'failed':
        this.#second(event.at).failures += 1;
        break;
      default:
    }
  }

  #second(time: number): Second {
    const at = Math.floor(time / 1_000) * 1_000;
    const last = this.#ring.at(-1);
    if (last !== undefined && last.at >= at) return last;
    if (last !== undefined) close(last);
    const fresh = {
      at,
      turns: 0,
      commits: 0,
      grouped: 0,
      bytes: 0,
      checkpoints: 0,
      recoveries: 0,
      failures: 0,
      durations: [],
      p50: 0,
      p99: 0,
    };
    this.#ring.push(fresh);
    if (this.#ring.length > keptSeconds) this.#ring.shift();
    return fresh;
  }

  /** From the first second that was seen of the last five minutes to the last one that is over. */
  series(): Series {
    const until = Math.floor(this.#clock.now() / 1_000) * 1_000 - 1_000;
    const seen = new Map(this.#ring.map((second) => [second.at, second]));
    const first = Math.max(this.#ring[0]?.at ?? until + 1_000, until - (keptSeconds - 1) * 1_000);
    const length = Math.max(0, (until - first) / 1_000 + 1);
    const seconds = Array.from({ length }, (_, index) => seen.get(first + index * 1_000));
    for (const second of seconds) if (second !== undefined) close(second);
    const of = (read: (second: Second) => number): number[] => seconds.map((second) => (second === undefined ? 0 : read(second)));
    return {
      at: until,
      turns: of(({ turns }) => turns),
      commits: of(({ commits }) => commits),
      groupSize: of(({ commits, grouped }) => (commits === 0 ? 0 : Math.round((grouped / commits) * 10) / 10)),
      commitP50: of(({ p50 }) => p50),
      commitP99: of(({ p99 }) => p99),
      bytes: of(({ bytes }) => bytes),
      checkpoints: of(({ checkpoints }) => checkpoints),
      recoveries: of(({ recoveries }) => recoveries),
      failures: of(({ failures }) => failures),
    };
  }
}

function close(second: Second): void {
  if (second.durations.length === 0) return;
  const sorted = second.durations.sort((one, other) => one - other);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number) * 100) / 100;
  [second.p50, second.p99] = [at(0.5), at(0.99)];
  second.durations = [];
}
