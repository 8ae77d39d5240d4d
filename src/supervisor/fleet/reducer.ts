/**
 * A fleet's mind: which member gets which job, how many members there are to be, and who is stopped and started next. Pure, as the supervisor's own mind, which it tells
 * what it wants of members: one turn of the agent is a turn of both.
 *
 * Invariants: a job is queued, running, or has ended, and ends once; a member has one job at a time; jobs begin in the order in which they were taken.
 */

import { childIn } from '../children.js';
import type { BudgetExhaustedError } from '../../core/errors.js';
import { supervise } from '../reducer.js';
import type { ChildFailure, ChildState, Command, SupervisorEvent, SupervisorState } from '../state.js';
import { budgetTag, jobTooLong, memberFailed, tagOf, type FleetStep, type JobLetter } from './deeds.js';
import { Members, type MembersTurn, type Mutable } from './members.js';
import { append, firstOf, putBack, withoutFirst } from './queue.js';
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

class FleetTurn implements MembersTurn {
  readonly id: string;
  readonly at: number;
  readonly fleet: Mutable<FleetState>;
  readonly running: RunningJobs;
  readonly #members: Members = new Members(this);
  #state: SupervisorState;
  readonly #commands: Command[] = [];
  readonly #given: RunningJob[] = [];
  readonly #asked: RunningJob[] = [];
  /** Members that may have become free in this turn. */
  readonly #freed: string[] = [];
  #wakeBefore: number | undefined;
  #endedNow = 0;
  readonly #answers: { to: string; value?: unknown; error?: Error }[] = [];
  readonly #letters: JobLetter[] = [];

  constructor(id: string, fleet: FleetState, state: SupervisorState, at: number) {
    this.id = id;
    this.at = at;
    this.fleet = { ...fleet };
    this.running = new RunningJobs(fleet.running);
    this.#wakeBefore = fleet.wakeAt;
    this.#state = state;
  }

  step(): FleetStep {
    const commands = this.#commands;
    this.fleet.running = this.running.list;
    return {
      fleet: this.fleet,
      state: this.#state,
      commands,
      given: this.#given,
      asked: this.#asked,
      answers: this.#answers,
      letters: this.#letters,
    };
  }

  take(event: FleetEvent | SupervisorEvent): void {
    this.#handle(event);
    if (this.#state.status === 'running') {
      this.#members.grow();
      this.#members.shrink();
      this.#members.roll();
      this.#begin();
    }
    this.#report();
    this.#wake();
  }

  #handle(event: FleetEvent | SupervisorEvent): void {
    const fleet = this.fleet;
    switch (event.type) {
      case 'submit': {
        const { id, event: work, asker } = event;
        const n = (fleet.jobs += 1);
        const job: Job = { id: id ?? `${this.id}#${String(n)}`, n, event: work, asker, queuedAt: this.at, given: 0 };
        fleet.queue = append(fleet.queue, job);
        return;
      }
      case 'replied':
        this.#replied(event);
        return;
      case 'resize':
        this.#members.resize(event.size);
        this.#call('resize', event.caller);
        return;
      case 'configure': {
        const { size } = event.spec;
        const before = fleet.spec.size;
        fleet.spec = { ...event.spec, size: before };
        this.#state = { ...this.#state, spec: event.supervisor };
        this.supervise({ type: 'tune', child: this.#members.member(1), at: this.at });
        this.#members.resize(size);
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
        this.#members.startRoll(event.atOnce);
        this.#call('roll', event.caller);
        return;
      case 'exited':
        this.#exited(event);
        return;
      case 'start-failed':
        this.supervise(this.#stopRoll(event.id, event.message ?? '') ? { ...event, renew: 'none' } : event);
        return;
      case 'wake':
        if (fleet.wakeAt !== undefined && fleet.wakeAt <= this.at) this.#wakeBefore = fleet.wakeAt = undefined;
        this.supervise(event);
        this.#expire();
        return;
      case 'started':
        this.#freed.push(...event.ids);
        this.supervise(event);
        for (const id of event.ids) {
          const job = this.running.of(id);
          if (job?.stage === 'held' && childIn(this.children, id)?.status === 'running') this.#give(job);
        }
        return;
      case 'spawn':
      case 'terminate':
      case 'delete':
        this.#commands.push({ do: 'answer', caller: event.caller, error: 'fleet' });
        return;
      default:
        this.supervise(event);
    }
  }

  get children(): readonly ChildState[] {
    return this.#state.children;
  }

  ready(): void {
    this.#commands.push({ do: 'ready' });
  }

  /** Lets the supervisor's mind take an event. Its own wish to be woken is told with the fleet's. */
  supervise(event: SupervisorEvent): void {
    const { state, commands } = supervise(this.#state, event);
    this.#state = state;
    for (const command of commands) {
      if (command.do === 'wake') this.#wakeBy(command.at);
      else if (command.do !== 'ready' || this.fleet.ready) this.#commands.push(command);
    }
  }

  // ── Jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives jobs to members that have none, as far as the limits go. */
  #begin(): void {
    const fleet = this.fleet;
    const { concurrency, rate, budget } = fleet.spec;
    if (fleet.pausedUntil !== undefined && fleet.pausedUntil <= this.at) fleet.pausedUntil = undefined;
    if (fleet.queue.length === 0 || fleet.pausedUntil !== undefined) return;
    if (rate !== undefined) fleet.begun = fleet.begun.filter((begun) => this.at - begun < rate.periodMs);
    let room = Math.min(concurrency - this.running.size, rate === undefined ? Infinity : rate.limit - fleet.begun.length);
    for (const member of this.#free()) {
      const next = firstOf(fleet.queue);
      if (room <= 0 || next === undefined || (fleet.drainTo !== undefined && next.n > fleet.drainTo)) return;
      room -= 1;
      fleet.queue = withoutFirst(fleet.queue);
      const job: RunningJob = {
        ...next,
        given: next.given + 1,
        member,
        startedAt: this.at,
        failures: 0,
        stage: budget === undefined ? 'given' : 'asked',
      };
      this.running.add(job);
      if (job.stage === 'given') this.#given.push(job);
      else this.#asked.push(job);
      if (rate !== undefined) fleet.begun = [...fleet.begun, this.at];
    }
  }

  /** Members that have nothing to do: first those that have just become free. */
  *#free(): Generator<string> {
    const { children } = this.#state;
    const known = new Map(this.#freed.map((id) => [id, childIn(children, id)]));
    for (const child of known.values()) if (child !== undefined && this.#isFree(child)) yield child.id;
    if (this.running.size >= children.length) return;
    const from = this.fleet.next;
    for (let step = 0; step < children.length; step += 1) {
      const place = (from + step) % children.length;
      const child = children[place] as ChildState;
      if (!this.#isFree(child)) continue;
      this.fleet.next = place + 1;
      yield child.id;
    }
  }

  #isFree({ id, status }: ChildState): boolean {
    if (status !== 'running' || this.running.of(id) !== undefined) return false;
    const { rolling, spec } = this.fleet;
    return this.#members.number(id) <= spec.size && rolling?.now.some((other) => other.id === id) !== true;
  }

  #replied({ tag, value, error, details, kept }: Extract<FleetEvent, { type: 'replied' }>): void {
    const ofBudget = tag.startsWith(budgetTag);
    const given = ofBudget ? tag.slice(budgetTag.length) : tag;
    const job = this.running.numbered(Number.parseInt(given, 10));
    if (job === undefined || tagOf(job) !== given || ofBudget !== (job.stage === 'asked')) return;
    if (ofBudget) {
      this.#permitted(job, error as BudgetExhaustedError | undefined);
      return;
    }
    this.#freed.push(job.member);
    if (error === undefined) this.#ended(job, { status: 'done', output: value });
    else this.#failed(job, error as Error, kept === true ? undefined : (details ?? { reason: 'failed' }));
    if (details?.renew === true) this.supervise({ type: 'renew', id: job.member, how: 'anew', at: this.at });
  }

  /** The budget has answered. When it is full again some time, the fleet waits until then. */
  #permitted(job: RunningJob, error: BudgetExhaustedError | undefined): void {
    if (error === undefined) {
      const isUp = childIn(this.children, job.member)?.status === 'running';
      if (isUp) this.#give(job);
      else this.running.replace(job, { ...job, stage: 'held' });
      return;
    }
    const waitMs = error.retryAfterMs ?? (error.disposition === 'retry' ? 1_000 : undefined);
    if (waitMs === undefined) {
      this.#failed(job, error, { reason: 'budget' });
      return;
    }
    this.running.remove(job);
    this.fleet.queue = putBack(this.fleet.queue, job);
    this.fleet.pausedUntil = this.at + waitMs;
  }

  #give(job: RunningJob): void {
    const given = { ...job, stage: 'given' } as const;
    this.running.replace(job, given);
    this.#given.push(given);
  }

  #ended(job: RunningJob, how: { status: 'done'; output: unknown } | { status: 'failed'; error: Error }): void {
    const fleet = this.fleet;
    const { id, member, queuedAt, startedAt, asker } = job;
    this.running.remove(job);
    const result: JobResult = { job: id, member, queuedAt, startedAt, endedAt: this.at, ...how };
    // Whoever waits looks after each turn: what ends in it stays until then.
    this.#endedNow += 1;
    const keep = Math.max(fleet.spec.keepResults, this.#endedNow);
    fleet.results = [...fleet.results.slice(Math.max(0, fleet.results.length + 1 - keep)), result];
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
    const fleet = this.fleet;
    const job = this.running.of(event.id);
    const { failure, how, counts } = event;
    if (how === 'failed' && this.#stopRoll(event.id, failure?.message ?? '')) {
      this.supervise({ ...event, renew: 'none' });
    } else if (job?.stage !== 'given' || (how === 'failed' && !counts)) {
      // An event that makes a turn fail can do so only so often: whoever counts that tells.
      this.supervise(event);
    } else if (failure?.reason === 'endless-turn') {
      this.#failed(job, memberFailed(event.id, failure.message), causeOf(failure, event.id));
      this.supervise(event);
    } else if (how !== 'failed') {
      // It ended before it took the job.
      this.running.remove(job);
      fleet.queue = putBack(fleet.queue, { ...job, paid: true });
      this.supervise(event);
    } else if (job.failures + 1 < fleet.spec.attempts) {
      this.running.replace(job, { ...job, failures: job.failures + 1 });
      this.supervise({ ...event, counts: false });
    } else {
      this.#failed(job, memberFailed(event.id, failure?.message ?? 'it failed'), {
        ...(failure === undefined ? { reason: 'failed' } : causeOf(failure, event.id)),
        ...event.details,
      });
      this.supervise({ ...event, counts: false, renew: 'anew' });
    }
  }

  #expire(): void {
    const { jobTimeoutMs } = this.fleet.spec;
    if (jobTimeoutMs === undefined) return;
    for (let job = this.running.oldest; job !== undefined; job = this.running.oldest) {
      if (this.at - job.startedAt < jobTimeoutMs) return;
      const error = jobTooLong(job, jobTimeoutMs);
      this.#failed(job, error, { reason: 'timeout', message: `it took longer than ${String(jobTimeoutMs)} ms` });
      this.supervise({ type: 'renew', id: job.member, how: 'anew', at: this.at });
    }
  }

  /** A member that does not come up with the new machine ends the roll: it goes on where it stood, and the others are left as they are. */
  #stopRoll(member: string, message: string): boolean {
    const fleet = this.fleet;
    if (fleet.rolling?.now.some(({ id, sent }) => id === member && sent) !== true) return false;
    fleet.rolling = undefined;
    for (const { what, caller } of fleet.callers) {
      if (what === 'roll') this.#answer(caller, { error: 'roll-stopped', message: `member "${member}" did not come up: ${message}` });
    }
    fleet.callers = fleet.callers.filter(({ what }) => what !== 'roll');
    return true;
  }

  // ── Callers and time ────────────────────────────────────────────────────────────────────────────────────────────

  #call(what: 'resize' | 'drain' | 'roll', caller: string): void {
    if (caller !== '') this.fleet.callers = [...this.fleet.callers, { what, caller }];
  }

  #answer(caller: string, { error, message }: { error?: 'roll-stopped' | 'not-running'; message?: string }): void {
    this.#commands.push({ do: 'answer', caller, error, message });
  }

  /** Tells those whose wish has come true. */
  #report(): void {
    const fleet = this.fleet;
    if (fleet.callers.length === 0) return;
    const ended = this.#state.status === 'ended';
    const isTrue = {
      resize: () => !fleet.shrinking && fleet.grown >= fleet.spec.size && this.#members.up() >= fleet.spec.size,
      drain: () => fleet.drainTo === undefined || isDrained({ ...fleet, running: this.running.list }),
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
    const fleet = this.fleet;
    if (this.#state.status !== 'running') return;
    const { rate, jobTimeoutMs } = fleet.spec;
    const { oldest } = this.running;
    if (jobTimeoutMs !== undefined && oldest !== undefined) this.#wakeBy(oldest.startedAt + jobTimeoutMs);
    if (fleet.pausedUntil !== undefined) this.#wakeBy(fleet.pausedUntil);
    const [begun] = fleet.begun;
    if (
      fleet.pausedUntil === undefined &&
      rate !== undefined &&
      begun !== undefined &&
      fleet.queue.length > 0 &&
      fleet.begun.length >= rate.limit
    ) {
      this.#wakeBy(begun + rate.periodMs);
    }
    if (fleet.wakeAt !== this.#wakeBefore && fleet.wakeAt !== undefined) this.#commands.push({ do: 'wake', at: fleet.wakeAt });
  }

  /** There is one alarm: whoever wants a later one asks again when it has rung. */
  #wakeBy(at: number): void {
    this.fleet.wakeAt = Math.min(at, this.fleet.wakeAt ?? Infinity);
  }
}

/** For the dead letter of a job whose member failed: the same whichever member it was. */
function causeOf({ reason, message }: ChildFailure, member: string): FailureDetails {
  return { reason, message: message.replaceAll(`agent "${member}"`, 'its member') };
}
