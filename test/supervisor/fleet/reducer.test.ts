/** A fleet's mind in a world that does to it whatever can be done: each job ends once, limits hold at every step, and there come to be as many members as there are to be. */

import { expect } from 'chai';
import fc from 'fast-check';
import { runFleet } from '#src/supervisor/fleet/reducer.js';
import { budgetTag, memberId, tagOf } from '#src/supervisor/fleet/deeds.js';
import { resolveFleet, type FleetOptions } from '#src/supervisor/fleet/options.js';
import { newFleet, statusOf, type FleetEvent, type FleetState, type JobResult, type RunningJob } from '#src/supervisor/fleet/state.js';
import { newSupervisor, type Command, type SupervisorEvent, type SupervisorState } from '#src/supervisor/state.js';
import { runs as runsOf } from '../../properties/runs.js';

const spec = { strategy: 'one-for-one', intensity: Infinity, periodMs: 5_000, delay: undefined, autoShutdown: 'never' } as const;

/** Members, and whoever carries out what the mind wants. */
class World {
  fleet: FleetState;
  state: SupervisorState = newSupervisor(spec, []);
  now = 1_000;
  /** What is under way: reports that are to come. */
  readonly pending: (FleetEvent | SupervisorEvent)[] = [];
  /** What each member is at, as the member has it. */
  readonly at = new Map<string, RunningJob>();
  readonly begun: { readonly job: RunningJob; readonly at: number }[] = [];
  readonly ended: JobResult[] = [];
  readonly letters: string[] = [];
  /** Jobs for which the budget was asked, and those for which it has said yes. */
  readonly asked: RunningJob[] = [];
  readonly permits = new Set<string>();
  /** Numbers of the jobs that were given after a permit. */
  readonly paid = new Set<number>();
  readonly answers: { readonly caller: string; readonly error: string | undefined }[] = [];
  wakeAt: number | undefined;

  constructor(options: Partial<FleetOptions>) {
    this.fleet = newFleet(resolveFleet({ kind: 'worker', size: 3, keepResults: 10_000, ...options }));
    this.take({ type: 'init', at: this.now });
  }

  take(event: FleetEvent | SupervisorEvent): void {
    const before = this.fleet.results.length;
    const { fleet, state, commands, given, asked, letters } = runFleet('f', this.fleet, this.state, event, this.now);
    this.fleet = fleet;
    this.state = state;
    this.asked.push(...asked);
    for (const job of given) {
      const permitted = this.fleet.spec.budget === undefined || job.paid === true || this.permits.delete(tagOf(job));
      expect(permitted, 'nothing without a permit').to.equal(true);
      expect(this.paid.has(job.n) && job.paid !== true, 'paid for once').to.equal(false);
      if (this.fleet.spec.budget !== undefined) this.paid.add(job.n);
      expect(this.at.has(job.member), `${job.member} has one job at a time`).to.equal(false);
      this.at.set(job.member, job);
      this.begun.push({ job, at: this.now });
    }
    this.ended.push(...fleet.results.slice(before));
    this.letters.push(...letters.map(({ job }) => job.id));
    for (const command of commands) this.#carryOut(command);
    this.check();
  }

  #carryOut(command: Command): void {
    const at = this.now;
    if (command.do === 'start') {
      const [ids, runs] = [command.children.map(({ id }) => id), command.children.map(({ run }) => run)];
      this.pending.push({ type: 'started', ids, runs, at });
    }
    if (command.do === 'wake') this.wakeAt = command.at;
    else if (command.do === 'answer') this.answers.push({ caller: command.caller, error: command.error });
    else if (command.do === 'stop') {
      for (const { id, forget } of command.children) {
        const anew = this.state.children.find((child) => child.id === id)?.renew === 'anew';
        if (forget || anew) this.at.delete(id);
      }
      this.pending.push({ type: 'stopped', ids: command.children.map(({ id }) => id), at });
    }
  }

  check(): void {
    const { fleet, state } = this;
    const running = fleet.running.flat();
    expect(running.length, 'concurrency').to.be.at.most(fleet.spec.concurrency);
    expect(new Set(running.map(({ member }) => member)).size, 'one job each').to.equal(running.length);
    const { rate } = fleet.spec;
    // With a budget it is the asking that is counted.
    if (rate !== undefined && fleet.spec.budget === undefined) {
      const late = this.begun.filter(({ at }) => this.now - at < rate.periodMs);
      expect(late.length, 'rate').to.be.at.most(rate.limit);
    }
    const starting = state.children.filter(({ status }) => status === 'starting').length;
    expect(starting, 'members that are started at once').to.be.at.most(Math.max(fleet.spec.startConcurrency, this.pending.length));
    const all = fleet.queue.flat().length + running.length + fleet.done + fleet.failed;
    expect(all, 'jobs').to.equal(fleet.jobs);
    expect(new Set(this.ended.map(({ job }) => job)).size, 'a job ends once').to.equal(this.ended.length);
  }

  budget(pick: number, says: 'yes' | 'later' | 'no'): void {
    const [job] = this.asked.splice(pick % Math.max(1, this.asked.length), 1);
    if (job === undefined) return;
    const tag = `${budgetTag}${tagOf(job)}`;
    if (says === 'yes') this.permits.add(tagOf(job));
    const error = { message: 'exhausted', retryAfterMs: says === 'later' ? 70 : undefined, disposition: 'terminal' } as unknown as Error;
    this.take(says === 'yes' ? { type: 'replied', tag, value: { left: 1 } } : { type: 'replied', tag, error });
  }

  /** One of the reports that are to come, or something that a member does. */
  happen(pick: number, what: 'report' | 'done' | 'failed' | 'poison' | 'ended' | 'stray'): void {
    if (what === 'report') {
      const [event] = this.pending.splice(pick % Math.max(1, this.pending.length), 1);
      if (event !== undefined) this.take({ ...event, at: this.now } as SupervisorEvent);
      return;
    }
    if (what === 'stray') {
      this.take({ type: 'replied', tag: `${String(pick)}.7`, value: 'late' });
      return;
    }
    const busy = [...this.at.keys()].filter((id) => this.state.children.some((child) => child.id === id && child.status === 'running'));
    const member = busy[pick % Math.max(1, busy.length)];
    if (member === undefined) return;
    const job = this.at.get(member) as RunningJob;
    const exit = { id: member, at: this.now, random: 0 };
    const failure = { reason: 'activity', message: 'no', at: this.now } as const;
    switch (what) {
      case 'done':
        this.at.delete(member);
        this.take({ type: 'replied', tag: tagOf(job), value: job.id });
        return;
      case 'poison':
        this.at.delete(member);
        this.take({ type: 'replied', tag: tagOf(job), error: new Error('poison'), details: { reason: 'assign' } });
        return;
      case 'ended':
        // It never took it.
        this.at.delete(member);
        this.take({ type: 'exited', how: 'normal', counts: true, ...exit });
        return;
      case 'failed':
        if (job.failures + 1 >= this.fleet.spec.attempts || this.#failures(job) + 1 >= this.fleet.spec.attempts) this.at.delete(member);
        this.take({ type: 'exited', how: 'failed', counts: true, failure, ...exit });
    }
  }

  #failures(job: RunningJob): number {
    return this.fleet.running.flat().find(({ n }) => n === job.n)?.failures ?? 0;
  }

  pass(ms: number): void {
    this.now += ms;
    if (this.wakeAt !== undefined && this.wakeAt <= this.now) {
      this.wakeAt = undefined;
      this.take({ type: 'wake', at: this.now });
    }
    // A job that was given up is not the member's any more once it has begun anew.
    for (const [member, job] of this.at) if (!this.fleet.running.flat().some(({ n }) => n === job.n)) this.at.delete(member);
  }

  /** Everything that can come to its end does. */
  settle(): void {
    for (let step = 0; step < 10_000; step += 1) {
      if (this.pending.length > 0) this.happen(0, 'report');
      else if (this.asked.length > 0) this.budget(0, 'yes');
      else if (this.at.size > 0) this.happen(0, 'done');
      else if (this.wakeAt !== undefined) this.pass(Math.max(0, this.wakeAt - this.now));
      else return;
    }
    throw new Error('it does not settle');
  }
}

const options = fc.record(
  {
    size: fc.integer({ min: 0, max: 5 }),
    concurrency: fc.integer({ min: 1, max: 4 }),
    rate: fc.record({ limit: fc.integer({ min: 1, max: 3 }), periodMs: fc.constant(100) }),
    attempts: fc.integer({ min: 1, max: 3 }),
    startConcurrency: fc.integer({ min: 1, max: 3 }),
    jobTimeoutMs: fc.constantFrom(50, 500),
    budget: fc.constant({ name: 'calls' }),
  },
  { requiredKeys: ['size'] },
);

const happening = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'submit' } as const) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('happen' as const),
      pick: fc.nat(20),
      what: fc.constantFrom('report', 'report', 'report', 'done', 'failed', 'poison', 'ended', 'stray' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), size: fc.integer({ min: 0, max: 6 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('budget' as const),
      pick: fc.nat(5),
      says: fc.constantFrom('yes', 'yes', 'later', 'no' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'drain' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'open' } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('roll' as const), atOnce: fc.integer({ min: 1, max: 3 }) }) },
);

describe("a fleet's mind", () => {
  it('ends each job once, keeps its limits, and comes to the size it is to have, whatever happens', () => {
    fc.assert(
      fc.property(options, fc.array(happening, { maxLength: 120 }), (declared, happenings) => {
        const world = new World(declared);
        for (const one of happenings) {
          if (one.do === 'submit') world.take({ type: 'submit', id: undefined, event: { type: 'JOB' } });
          else if (one.do === 'happen') world.happen(one.pick, one.what);
          else if (one.do === 'budget') world.budget(one.pick, one.says);
          else if (one.do === 'pass') world.pass(one.ms);
          else if (one.do === 'resize') world.take({ type: 'resize', size: one.size, caller: '' });
          else if (one.do === 'roll') world.take({ type: 'roll', atOnce: one.atOnce, caller: 'roller' });
          else if (one.do === 'drain') world.take({ type: 'drain', caller: 'drainer' });
          else world.take({ type: 'open' });
        }
        world.take({ type: 'open' });
        world.take({ type: 'resize', size: 2, caller: 'last' });
        world.settle();
        const { status, size, up, busy, queued, done, failed, rolling } = statusOf(world.fleet, world.state);
        expect({ status, size, up, busy, queued, rolling }).to.deep.equal({
          status: 'open',
          size: 2,
          up: 2,
          busy: 0,
          queued: 0,
          rolling: undefined,
        });
        expect(world.state.children.map(({ id }) => id).sort()).to.deep.equal([memberId('f', 1), memberId('f', 2)]);
        expect(done + failed).to.equal(world.fleet.jobs);
        expect(world.letters.length, 'a job that failed is a dead letter').to.equal(failed);
        // They are begun in the order in which they came, but for those that are given once more.
        const order = world.begun.filter(({ job }) => job.given === 1).map(({ job }) => job.n);
        if (declared.budget === undefined) expect(order).to.deep.equal([...order].sort((a, b) => a - b));
        expect(world.answers.filter(({ caller }) => caller === 'last')).to.deep.equal([{ caller: 'last', error: undefined }]);
        expect(world.fleet.callers).to.deep.equal([]);
      }),
      runsOf(400),
    );
  });
});
