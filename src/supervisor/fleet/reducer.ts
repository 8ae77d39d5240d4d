/**
 * A fleet's mind: which member gets which job, how many members there are to be, and who is stopped and started next. Pure, as the supervisor's own mind, which it tells
 * what it wants of members: one turn of the agent is a turn of both.
 *
 * Invariants: a job is queued, running, or has ended, and ends once; a member has one job at a time; jobs begin in the order in which they were taken.
 */

import { childIn } from '../children.js';
import { supervise } from '../reducer.js';
import type { ResolvedChild } from '../spec.js';
import type { ChildState, Command, SupervisorEvent, SupervisorState } from '../state.js';
import { jobTooLong, memberFailed, memberId, tagOf, type FleetStep, type JobLetter } from './deeds.js';
import { append, firstOf, prepend, withoutFirst } from './queue.js';
import { RunningJobs } from './running-jobs.js';
import { isDrained, type FailureDetails, type FleetEvent, type FleetState, type Job, type JobResult, type RunningJob } from './state.js';

/** `at`: epoch milliseconds. */
export function runFleet(
  id: string,
  fleet: FleetState,
  state: SupervisorState,
  event: FleetEvent | SupervisorEvent,
  at: number,
): FleetStep {
  const turn = new FleetTurn(id, fleet, state, at);
  turn.take(event);
  return turn.step();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class FleetTurn {
  readonly #id: string;
  readonly #at: number;
  readonly #fleet: Mutable<FleetState>;
  #state: SupervisorState;
  readonly #commands: Command[] = [];
  readonly #given: RunningJob[] = [];
  readonly #running: RunningJobs;
  /** Members that may have become free in this turn. */
  readonly #freed: string[] = [];
  #wakeBefore: number | undefined;
  readonly #answers: { to: string; value?: unknown; error?: Error }[] = [];
  readonly #letters: JobLetter[] = [];

  constructor(id: string, fleet: FleetState, state: SupervisorState, at: number) {
    this.#id = id;
    this.#at = at;
    this.#fleet = { ...fleet };
    this.#running = new RunningJobs(fleet.running);
    this.#wakeBefore = fleet.wakeAt;
    this.#state = state;
  }

  step(): FleetStep {
    const commands = this.#commands;
    this.#fleet.running = this.#running.list;
    return { fleet: this.#fleet, state: this.#state, commands, given: this.#given, answers: this.#answers, letters: this.#letters };
  }

  take(event: FleetEvent | SupervisorEvent): void {
    this.#handle(event);
    if (this.#state.status === 'running') {
      this.#grow();
      this.#shrink();
      this.#roll();
      this.#begin();
    }
    this.#report();
    this.#wake();
  }

  #handle(event: FleetEvent | SupervisorEvent): void {
    const fleet = this.#fleet;
    switch (event.type) {
      case 'submit': {
        const { id, event: work, asker } = event;
        const n = (fleet.jobs += 1);
        const job: Job = { id: id ?? `${this.#id}#${String(n)}`, n, event: work, asker, queuedAt: this.#at, given: 0 };
        fleet.queue = append(fleet.queue, job);
        return;
      }
      case 'replied':
        this.#replied(event);
        return;
      case 'resize':
        this.#resize(event.size);
        this.#call('resize', event.caller);
        return;
      case 'configure': {
        const { size } = event.spec;
        const before = fleet.spec.size;
        fleet.spec = { ...event.spec, size: before };
        this.#resize(size);
        return;
      }
      case 'drain':
        fleet.drainTo = fleet.jobs;
        this.#call('drain', event.caller);
        return;
      case 'open':
        fleet.drainTo = undefined;
        return;
      case 'roll':
        this.#startRoll(event.atOnce);
        this.#call('roll', event.caller);
        return;
      case 'exited':
        this.#exited(event);
        return;
      case 'start-failed':
        this.#supervise(event);
        this.#stopRoll(event.id, event.message ?? '');
        return;
      case 'wake':
        if (fleet.wakeAt !== undefined && fleet.wakeAt <= this.#at) this.#wakeBefore = fleet.wakeAt = undefined;
        this.#supervise(event);
        this.#expire();
        return;
      case 'started':
        this.#freed.push(...event.ids);
        this.#supervise(event);
        return;
      default:
        this.#supervise(event);
    }
  }

  /** Lets the supervisor's mind take an event. Its own wish to be woken is told with the fleet's. */
  #supervise(event: SupervisorEvent): void {
    const { state, commands } = supervise(this.#state, event);
    this.#state = state;
    for (const command of commands) {
      if (command.do === 'wake') this.#wakeBy(command.at);
      else if (command.do !== 'ready' || this.#fleet.ready) this.#commands.push(command);
    }
  }

  // ── Jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives jobs to members that have none, as far as the limits go. */
  #begin(): void {
    const fleet = this.#fleet;
    const { concurrency, rate } = fleet.spec;
    if (fleet.queue.length === 0) return;
    if (rate !== undefined) fleet.begun = fleet.begun.filter((begun) => this.#at - begun < rate.periodMs);
    let room = Math.min(concurrency - this.#running.size, rate === undefined ? Infinity : rate.limit - fleet.begun.length);
    for (const member of this.#free()) {
      const next = firstOf(fleet.queue);
      if (room <= 0 || next === undefined || (fleet.drainTo !== undefined && next.n > fleet.drainTo)) return;
      room -= 1;
      fleet.queue = withoutFirst(fleet.queue);
      const job: RunningJob = { ...next, given: next.given + 1, member, startedAt: this.#at, failures: 0 };
      this.#running.add(job);
      this.#given.push(job);
      if (rate !== undefined) fleet.begun = [...fleet.begun, this.#at];
    }
  }

  /** Members that have nothing to do: first those that have just become free. */
  *#free(): Generator<string> {
    const { children } = this.#state;
    const known = new Map(this.#freed.map((id) => [id, childIn(children, id)]));
    for (const child of known.values()) if (child !== undefined && this.#isFree(child)) yield child.id;
    if (this.#running.size >= this.#up()) return;
    const from = this.#fleet.next;
    for (let step = 0; step < children.length; step += 1) {
      const place = (from + step) % children.length;
      const child = children[place] as ChildState;
      if (!this.#isFree(child)) continue;
      this.#fleet.next = place + 1;
      yield child.id;
    }
  }

  #isFree({ id, status }: ChildState): boolean {
    if (status !== 'running' || this.#running.of(id) !== undefined) return false;
    const { rolling, spec } = this.#fleet;
    return this.#number(id) <= spec.size && rolling?.now.some((other) => other.id === id) !== true;
  }

  #replied({ tag, value, error, details, kept }: Extract<FleetEvent, { type: 'replied' }>): void {
    const job = this.#running.numbered(Number.parseInt(tag, 10));
    if (job === undefined || tagOf(job) !== tag) return;
    this.#freed.push(job.member);
    if (error === undefined) this.#ended(job, { status: 'done', output: value });
    else this.#failed(job, error as Error, kept === true ? undefined : (details ?? { reason: 'failed' }));
    if (details?.renew === true) this.#supervise({ type: 'renew', id: job.member, how: 'anew', at: this.#at });
  }

  #ended(job: RunningJob, how: { status: 'done'; output: unknown } | { status: 'failed'; error: Error }): void {
    const fleet = this.#fleet;
    const { id, member, queuedAt, startedAt, asker } = job;
    this.#running.remove(job);
    const result: JobResult = { job: id, member, queuedAt, startedAt, endedAt: this.#at, ...how };
    const keep = fleet.spec.keepResults;
    fleet.results = keep === 0 ? [] : [...fleet.results.slice(Math.max(0, fleet.results.length + 1 - keep)), result];
    if (how.status === 'done') fleet.done += 1;
    else fleet.failed += 1;
    if (asker !== undefined) this.#answers.push({ to: asker, ...(how.status === 'done' ? { value: how.output } : { error: how.error }) });
  }

  /** `details`: of the dead letter that its event becomes; undefined when it is one already. */
  #failed(job: RunningJob, error: Error, details: FailureDetails | undefined): void {
    if (details !== undefined) this.#letters.push({ job, error, details });
    this.#ended(job, { status: 'failed', error });
  }

  /** A member is down. One that had a job goes on with it, unless that has been tried often enough. */
  #exited(event: Extract<SupervisorEvent, { type: 'exited' }>): void {
    const fleet = this.#fleet;
    const job = this.#running.of(event.id);
    const { failure, how, counts } = event;
    if (job === undefined || (how === 'failed' && !counts)) {
      // An event that makes a turn fail can do so only so often: whoever counts that tells.
      this.#supervise(event);
    } else if (failure?.reason === 'endless-turn') {
      this.#failed(job, memberFailed(event.id, failure.message), { reason: failure.reason });
      this.#supervise(event);
    } else if (how !== 'failed') {
      // It ended before it took the job.
      this.#running.remove(job);
      fleet.queue = prepend(fleet.queue, job);
      this.#supervise(event);
    } else if (job.failures + 1 < fleet.spec.attempts) {
      this.#running.replace(job, { ...job, failures: job.failures + 1 });
      this.#supervise({ ...event, counts: false });
    } else {
      this.#failed(job, memberFailed(event.id, failure?.message ?? 'it failed'), {
        reason: failure?.reason ?? 'failed',
        ...event.details,
      });
      this.#supervise({ ...event, counts: false, renew: 'anew' });
    }
  }

  #expire(): void {
    const { jobTimeoutMs } = this.#fleet.spec;
    if (jobTimeoutMs === undefined) return;
    for (let job = this.#running.oldest; job !== undefined; job = this.#running.oldest) {
      if (this.#at - job.startedAt < jobTimeoutMs) return;
      const error = jobTooLong(job, jobTimeoutMs);
      this.#failed(job, error, { reason: 'timeout' });
      this.#supervise({ type: 'renew', id: job.member, how: 'anew', at: this.#at });
    }
  }

  // ── Members ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #number(member: string): number {
    return Number(member.slice(this.#id.length + 1));
  }

  #resize(size: number): void {
    const fleet = this.#fleet;
    if (size < fleet.spec.size) fleet.shrinking = true;
    fleet.grown = Math.min(fleet.grown, size);
    fleet.spec = { ...fleet.spec, size };
  }

  /** Starts members that are missing, a few at a time. */
  #grow(): void {
    const fleet = this.#fleet;
    const { size, startConcurrency } = fleet.spec;
    if (fleet.grown < size) {
      let starting = 0;
      for (const { status } of this.#state.children) if (status === 'starting') starting += 1;
      const children: ResolvedChild[] = [];
      while (fleet.grown < size && starting < startConcurrency) {
        const known = childIn(this.#state.children, memberId(this.#id, fleet.grown + 1));
        // One that is on its way out comes back when it is gone.
        if (known?.retiring === true) break;
        fleet.grown += 1;
        if (known !== undefined) continue;
        starting += 1;
        children.push(this.#member(fleet.grown));
      }
      if (children.length > 0) this.#supervise({ type: 'add', children, at: this.#at });
    }
    if (fleet.ready || fleet.grown < size || this.#up() < size) return;
    fleet.ready = true;
    this.#commands.push({ do: 'ready' });
  }

  #member(n: number): ResolvedChild {
    const { kind, input, memberShutdownMs, heartbeatMs } = this.#fleet.spec;
    const id = memberId(this.#id, n);
    return { id, kind, input, restart: 'permanent', significant: false, shutdownMs: memberShutdownMs, heartbeatMs };
  }

  #up(): number {
    let up = 0;
    for (const { status } of this.#state.children) if (status === 'running') up += 1;
    return up;
  }

  /** Stops members above the size once they have no job. */
  #shrink(): void {
    const fleet = this.#fleet;
    if (!fleet.shrinking) return;
    let left = false;
    for (const { id, status, retiring } of this.#state.children) {
      if (this.#number(id) <= fleet.spec.size) continue;
      left = true;
      if (retiring !== true && status !== 'starting' && this.#running.of(id) === undefined)
        this.#supervise({ type: 'retire', id, at: this.#at });
    }
    fleet.shrinking = left;
  }

  #startRoll(atOnce: number): void {
    const fleet = this.#fleet;
    const left = this.#state.children.filter(({ id }) => this.#number(id) <= fleet.spec.size).map(({ id }) => id);
    fleet.rolling = { total: left.length, atOnce, left, now: [] };
  }

  /** Stops the next members that have no job, and starts them with the machine that is registered. */
  #roll(): void {
    const { rolling } = this.#fleet;
    if (rolling === undefined) return;
    const children = new Map(this.#state.children.map((child) => [child.id, child]));
    const left = rolling.left.filter((id) => children.has(id));
    const isDone = ({ status, renew }: ChildState): boolean => (status === 'running' && renew === undefined) || status === 'terminated';
    const now = rolling.now.filter(({ id, sent }) => {
      const child = children.get(id);
      return child !== undefined && !(sent && isDone(child));
    });
    while (now.length < rolling.atOnce && left.length > 0) now.push({ id: left.shift() as string, sent: false });
    for (const [index, { id, sent }] of now.entries()) {
      if (sent || children.get(id)?.status !== 'running' || this.#running.of(id) !== undefined) continue;
      now[index] = { id, sent: true };
      this.#supervise({ type: 'renew', id, how: 'upgrade', at: this.#at });
    }
    this.#fleet.rolling = now.length === 0 && left.length === 0 ? undefined : { ...rolling, left, now };
  }

  /** A member that does not come up with the new machine ends the roll: the others are left as they are. */
  #stopRoll(member: string, message: string): void {
    const fleet = this.#fleet;
    if (fleet.rolling?.now.some(({ id }) => id === member) !== true) return;
    fleet.rolling = undefined;
    for (const { what, caller } of fleet.callers) {
      if (what === 'roll') this.#answer(caller, { error: 'roll-stopped', message: `member "${member}" did not come up: ${message}` });
    }
    fleet.callers = fleet.callers.filter(({ what }) => what !== 'roll');
  }

  // ── Callers and time ────────────────────────────────────────────────────────────────────────────────────────────

  #call(what: 'resize' | 'drain' | 'roll', caller: string): void {
    if (caller !== '') this.#fleet.callers = [...this.#fleet.callers, { what, caller }];
  }

  #answer(caller: string, { error, message }: { error?: 'roll-stopped' | 'not-running'; message?: string }): void {
    this.#commands.push({ do: 'answer', caller, error, message });
  }

  /** Tells those whose wish has come true. */
  #report(): void {
    const fleet = this.#fleet;
    if (fleet.callers.length === 0) return;
    const ended = this.#state.status === 'ended';
    const isTrue = {
      resize: () => !fleet.shrinking && fleet.grown >= fleet.spec.size && this.#up() >= fleet.spec.size,
      drain: () => fleet.drainTo === undefined || isDrained({ ...fleet, running: this.#running.list }),
      roll: () => fleet.rolling === undefined,
    };
    fleet.callers = fleet.callers.filter(({ what, caller }) => {
      if (ended) this.#answer(caller, { error: 'not-running' });
      else if (isTrue[what]()) this.#answer(caller, {});
      else return true;
      return false;
    });
  }

  #wake(): void {
    const fleet = this.#fleet;
    if (this.#state.status !== 'running') return;
    const { rate, jobTimeoutMs } = fleet.spec;
    const { oldest } = this.#running;
    if (jobTimeoutMs !== undefined && oldest !== undefined) this.#wakeBy(oldest.startedAt + jobTimeoutMs);
    const [begun] = fleet.begun;
    if (rate !== undefined && begun !== undefined && fleet.queue.length > 0 && fleet.begun.length >= rate.limit) {
      this.#wakeBy(begun + rate.periodMs);
    }
    if (fleet.wakeAt !== this.#wakeBefore && fleet.wakeAt !== undefined) this.#commands.push({ do: 'wake', at: fleet.wakeAt });
  }

  /** There is one alarm: whoever wants a later one asks again when it has rung. */
  #wakeBy(at: number): void {
    this.#fleet.wakeAt = Math.min(at, this.#fleet.wakeAt ?? Infinity);
  }
}
