/** Breakers for pages: as this process's own stand now, the others as their nodes said last, and how they stood each second that somebody looked. */

import type { Breaker } from '../breakers/contract.js';
import type { SeenBreaker } from '../runtime/seen-breakers.js';
import type { BreakerLine } from './api.js';
import { keptSeconds } from './monitor.js';
import type { Source } from './source.js';

type Sample = BreakerLine['past'][number];

/** Breakers whose past is kept: keys of registries may be very many. */
const mostKept = 200;

export class Breakers {
  readonly #source: Source;
  readonly #past = new Map<string, Sample[]>();

  constructor(source: Source) {
    this.#source = source;
  }

  async lines(): Promise<readonly BreakerLine[]> {
    const { runtime } = this.#source;
    const seen = await this.#source.breakers();
    const own = new Map((runtime?.breakers.all() ?? []).map((breaker) => [breaker.name, breaker]));
    const noted = new Map(seen.breakers.map((breaker) => [breaker.name, breaker]));
    return [...new Set([...own.keys(), ...noted.keys()])].sort().map((name) => this.#line(name, own.get(name), noted.get(name)));
  }

  /** Keeps how they stand now: called once a second while somebody looks. */
  async sample(): Promise<void> {
    const at = Math.floor(this.#source.clock.now() / 1_000) * 1_000;
    for (const { name, calls, failures, state } of await this.lines()) {
      let samples = this.#past.get(name);
      if (samples === undefined) {
        if (this.#past.size >= mostKept) continue;
        this.#past.set(name, (samples = []));
      }
      if (samples.at(-1)?.at === at) continue;
      samples.push({ at, calls, failures, open: openness(state) });
      if (samples.length > keptSeconds) samples.shift();
    }
  }

  #line(name: string, own: Breaker | undefined, seen: SeenBreaker | undefined): BreakerLine {
    const note = seen?.notes[0]?.note;
    const { clock } = this.#source;
    const figures = own?.figures();
    const state = own?.state ?? note?.saved.state ?? 'closed';
    const retryAfterMs = figures?.retryAfterMs ?? 0;
    const openUntil = note?.saved.openUntil;
    const retryAt =
      state !== 'open' ? undefined : figures !== undefined && Number.isFinite(retryAfterMs) ? clock.now() + retryAfterMs : openUntil;
    // The note is written when the state has changed; until then nobody knows why.
    const reason = note?.saved.state === state ? note.saved.reason : undefined;
    const threshold = figures?.threshold ?? note?.figures.threshold ?? undefined;
    return {
      name,
      level: own?.level ?? note?.level ?? 'service',
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(retryAt === undefined || !Number.isFinite(retryAt) ? {} : { retryAt }),
      calls: figures?.calls ?? note?.figures.calls ?? 0,
      failures: figures?.failures ?? note?.figures.failures ?? 0,
      rejected: figures?.rejected ?? note?.figures.rejected ?? 0,
      ...(threshold === undefined || !Number.isFinite(threshold) ? {} : { threshold }),
      waiting: seen?.waiting ?? 0,
      past: this.#past.get(name) ?? [],
    };
  }
}

function openness(state: string): number {
  return state === 'open' || state === 'isolated' ? 1 : state === 'closed' ? 0 : 0.5;
}
