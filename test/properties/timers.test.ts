/**
 * Timers against a list of what is set and when it is due, under a clock that runs, jumps and goes on while nobody is there (I10): never
 * early, each once, in order of time, never a cancelled one; what is overdue when agents come back fires at once.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { cancel, raise, setup } from 'xstate';
import { memory, type TimerPolicy } from 'statewarden';
import { Lives, type Ending } from './lives.js';
import { runs, timeoutMs } from './runs.js';

const slots = ['a', 'b', 'c', 'd'] as const;
type Slot = (typeof slots)[number];

type ClockworkEvent =
  | { type: 'SET'; slot: Slot; token: number; delay: number }
  | { type: 'CANCEL'; slot: Slot }
  | { type: 'RANG'; token: number }
  | { type: 'PING' };

/** Sets and cancels alarms by name; what rings stands in its journal. */
const clockwork = setup({
  types: { events: {} as ClockworkEvent },
  guards: { isFor: ({ event }, wanted: Slot) => 'slot' in event && event.slot === wanted },
}).createMachine({
  id: 'clockwork',
  on: {
    SET: slots.map((slot) => ({
      guard: { type: 'isFor', params: slot },
      actions: raise(({ event }) => ({ type: 'RANG', token: event.token }), { id: slot, delay: ({ event }) => event.delay }),
    })),
    CANCEL: { actions: cancel(({ event }) => event.slot) },
  },
});

interface Alarm {
  readonly slot: Slot;
  readonly token: number;
  readonly delay: number;
  dueAt: number;
}

/** What should happen, without any machinery. */
class Model {
  readonly alarms = new Map<Slot, Alarm>();
  /** Rung so far, by token. */
  readonly rung: number[] = [];

  due(now: number): Alarm[] {
    const due = [...this.alarms.values()].filter(({ dueAt }) => dueAt <= now);
    return due.sort((one, other) => one.dueAt - other.dueAt);
  }

  ring(alarm: Alarm): void {
    this.alarms.delete(alarm.slot);
    this.rung.push(alarm.token);
  }
}

interface Real {
  readonly lives: Lives<{ clockwork: { machine: typeof clockwork; version: number; timers: TimerPolicy } }>;
  readonly policy: TimerPolicy;
  tokens: number;
  /** When half a minute has passed since somebody set the clock: what that made overdue is found at the next look, at the latest then. */
  exactFrom: number;
  /** The journal as far as it was compared. */
  compared: number;
}

/**
 * What has rung since the last look must be what was due: nothing early, nothing twice, nothing cancelled. Unless the clock was
 * set of late it is all that was due, in order, each at its very millisecond.
 */
async function compare(model: Model, real: Real): Promise<void> {
  const { clock } = real.lives;
  const exact = clock.elapsed() >= real.exactFrom;
  const entries = (await real.lives.journal('c')).slice(real.compared);
  real.compared += entries.length;
  let last = -Infinity;
  for (const { event, timer, at } of entries) {
    if (timer === undefined) continue;
    const { token } = event as unknown as { token: number };
    const alarm = [...model.alarms.values()].find((candidate) => candidate.token === token);
    expect(alarm, `alarm ${String(token)} rang: it was cancelled, or had rung before`).to.not.equal(undefined);
    if (alarm === undefined) continue;
    expect(at, `alarm ${String(token)} rang early`).to.be.at.least(alarm.dueAt);
    if (real.exactFrom === 0) {
      expect(alarm.dueAt, 'in order of their deadlines').to.be.at.least(last);
      last = alarm.dueAt;
    }
    model.ring(alarm);
  }
  const late = exact ? model.due(clock.now()).map(({ token }) => token) : [];
  expect(late, 'due and not rung').to.deep.equal([]);
}

class SetAlarm implements fc.AsyncCommand<Model, Real> {
  constructor(
    readonly slot: Slot,
    readonly delay: number,
  ) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { slot, delay } = this;
    const token = (real.tokens += 1);
    const dueAt = real.lives.clock.now() + delay;
    await real.lives.runtime.agent<'clockwork'>('c').send({ type: 'SET', slot, token, delay });
    model.alarms.set(slot, { slot, token, delay, dueAt });
    await real.lives.clock.advance(0);
    await compare(model, real);
  }

  toString(): string {
    return `set ${this.slot} for ${String(this.delay)} ms`;
  }
}

class CancelAlarm implements fc.AsyncCommand<Model, Real> {
  constructor(readonly slot: Slot) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await real.lives.runtime.agent<'clockwork'>('c').send({ type: 'CANCEL', slot: this.slot });
    await compare(model, real);
    model.alarms.delete(this.slot);
  }

  toString(): string {
    return `cancel ${this.slot}`;
  }
}

class Advance implements fc.AsyncCommand<Model, Real> {
  constructor(readonly ms: number) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { clock } = real.lives;
    // Just before the next one is due, then at it: each must come at its own millisecond.
    const until = clock.now() + this.ms;
    for (const { dueAt } of model.due(until)) {
      await clock.advance(Math.max(0, Math.min(dueAt, until) - 1 - clock.now()));
      await compare(model, real);
      await clock.advance(Math.max(0, dueAt - clock.now()));
      await compare(model, real);
    }
    await clock.advance(until - clock.now());
    await compare(model, real);
  }

  toString(): string {
    return `${String(this.ms)} ms pass`;
  }
}

/** Somebody corrects the clock. */
class Jump implements fc.AsyncCommand<Model, Real> {
  constructor(readonly ms: number) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { clock } = real.lives;
    clock.jumpTo(clock.now() + this.ms);
    real.exactFrom = clock.elapsed() + 30_000;
    await clock.advance(0);
    await compare(model, real);
  }

  toString(): string {
    return `the clock jumps by ${String(this.ms)} ms`;
  }
}

class Restart implements fc.AsyncCommand<Model, Real> {
  constructor(
    readonly ending: Ending,
    readonly downMs: number,
    readonly inTheMiddle: boolean,
  ) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { lives } = real;
    const next = [...model.alarms.values()].sort((one, other) => one.dueAt - other.dueAt)[0];
    if (this.inTheMiddle && next !== undefined) {
      // The reply to what records it is lost: it has rung. Or the store refuses it for good: then it has not, and does in the next life.
      let failed = false;
      lives.store.decide((method) => {
        if (method !== 'commit' || failed) return undefined;
        failed = true;
        return { fault: this.ending === 'closed' ? 'after' : 'poison' };
      });
      await lives.clock.advance(Math.max(0, next.dueAt - lives.clock.now()));
      if (this.ending === 'closed') {
        await lives.clock.advance(20);
        lives.store.decide(undefined);
        await compare(model, real);
      }
    }
    await lives.end(this.ending);
    const downSince = lives.clock.now();
    await lives.clock.advance(this.downMs);
    await lives.start();
    const upSince = lives.clock.now();
    for (const alarm of model.alarms.values()) {
      if (real.policy === 'remaining') alarm.dueAt += upSince - downSince;
      if (real.policy === 'restart') alarm.dueAt = upSince + alarm.delay;
    }
    // With a delay that counts from the start, whoever brings the agent back starts it.
    if (real.policy !== 'deadline') await lives.runtime.agent<'clockwork'>('c').send({ type: 'PING' });
    await lives.clock.advance(0);
    real.exactFrom = 0;
    await compare(model, real);
  }

  toString(): string {
    return `${this.ending}${this.inTheMiddle ? ' in the middle' : ''} and started again after ${String(this.downMs)} ms`;
  }
}

const slot = fc.constantFrom(...slots);
const delay = fc.oneof(fc.constantFrom(0, 1, 1_000), fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 300_000 }));
const common = [
  fc.tuple(slot, delay).map(([name, ms]) => new SetAlarm(name, ms)),
  fc.tuple(slot, delay).map(([name, ms]) => new SetAlarm(name, ms)),
  slot.map((name) => new CancelAlarm(name)),
  fc.oneof(fc.integer({ min: 0, max: 6_000 }), fc.integer({ min: 0, max: 200_000 })).map((ms) => new Advance(ms)),
];
const restart = fc
  .tuple(fc.constantFrom<Ending[]>('closed', 'cut'), fc.oneof(fc.constant(0), fc.nat(10_000), fc.nat(400_000)), fc.boolean())
  .map((given) => new Restart(...given));
const jump = fc.oneof(fc.integer({ min: -400_000, max: 400_000 }), fc.integer({ min: -5_000, max: 5_000 })).map((ms) => new Jump(ms));

function ticking(policy: TimerPolicy, commands: fc.Arbitrary<fc.AsyncCommand<Model, Real>>[], count: number): Promise<void> {
  return fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 20 }), async (steps) => {
      await using lives = new Lives(memory(), { agents: { clockwork: { machine: clockwork, version: 1, timers: policy } } });
      await lives.start();
      await lives.runtime.spawn('clockwork', { id: 'c' });
      const real: Real = { lives, policy, tokens: 0, exactFrom: 0, compared: 0 };
      const model = new Model();
      await fc.asyncModelRun(() => ({ model, real }), steps);
      // In the end all that is left rings, whatever was done to the clock.
      const last = Math.max(0, ...[...model.alarms.values()].map(({ dueAt }) => dueAt - lives.clock.now()));
      await lives.clock.advance(last + 60_000);
      await compare(model, real);
      expect([...model.alarms.keys()]).to.deep.equal([]);
      expect((await lives.runtime.store.counts()).timers).to.equal(0);
    }),
    runs(count),
  );
}

describe('timers', () => {
  for (const policy of ['deadline', 'remaining', 'restart'] as const) {
    it(`ring as they should, through every restart, under the policy \`${policy}\``, () =>
      ticking(policy, [...common, restart], 40)).timeout(timeoutMs);
  }

  it('are never early and ring once, however the clock is set', () => ticking('deadline', [...common, restart, jump], 40)).timeout(
    timeoutMs,
  );
});
