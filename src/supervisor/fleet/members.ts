/** A fleet's members in a turn of its mind: how many there are to be, which of them are free, and which are stopped and started next. */

import { childIn } from '../children.js';
import type { ResolvedChild } from '../spec.js';
import type { ChildState, SupervisorEvent } from '../state.js';
import { memberId } from './deeds.js';
import type { RunningJobs } from './running-jobs.js';
import type { FleetState } from './state.js';

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What of the turn it needs. */
export interface MembersTurn {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly fleet: Mutable<FleetState>;
  readonly running: RunningJobs;
  readonly children: readonly ChildState[];
  supervise(event: SupervisorEvent): void;
  /** All members are up for the first time. */
  ready(): void;
}

export class Members {
  readonly #turn: MembersTurn;

  constructor(turn: MembersTurn) {
    this.#turn = turn;
  }

  number(member: string): number {
    return Number(member.slice(this.#turn.id.length + 1));
  }

  resize(size: number): void {
    const fleet = this.#turn.fleet;
    if (size < fleet.spec.size) fleet.shrinking = true;
    fleet.grown = Math.min(fleet.grown, size);
    fleet.spec = { ...fleet.spec, size };
  }

  /** Starts members that are missing, a few at a time. */
  grow(): void {
    const fleet = this.#turn.fleet;
    const { size, startConcurrency } = fleet.spec;
    if (fleet.grown < size) {
      let starting = 0;
      for (const { status } of this.#turn.children) if (status === 'starting') starting += 1;
      const children: ResolvedChild[] = [];
      while (fleet.grown < size && starting < startConcurrency) {
        const known = childIn(this.#turn.children, memberId(this.#turn.id, fleet.grown + 1));
        // One that is on its way out comes back when it is gone.
        if (known?.retiring === true) break;
        fleet.grown += 1;
        if (known !== undefined) continue;
        starting += 1;
        children.push(this.member(fleet.grown));
      }
      if (children.length > 0) this.#turn.supervise({ type: 'add', children, at: this.#turn.at });
    }
    if (fleet.ready || fleet.grown < size || this.up() < size) return;
    fleet.ready = true;
    this.#turn.ready();
  }

  /** What one is made of. */
  member(n: number): ResolvedChild {
    const { kind, input, memberShutdownMs, heartbeatMs } = this.#turn.fleet.spec;
    const id = memberId(this.#turn.id, n);
    return { id, kind, input, restart: 'permanent', significant: false, shutdownMs: memberShutdownMs, heartbeatMs };
  }

  up(): number {
    let up = 0;
    for (const { status } of this.#turn.children) if (status === 'running') up += 1;
    return up;
  }

  /** Stops members above the size once they have no job. */
  shrink(): void {
    const fleet = this.#turn.fleet;
    if (!fleet.shrinking) return;
    let left = false;
    for (const { id, status, retiring } of this.#turn.children) {
      if (this.number(id) <= fleet.spec.size) continue;
      left = true;
      if (retiring !== true && status !== 'starting' && this.#turn.running.of(id) === undefined)
        this.#turn.supervise({ type: 'retire', id, at: this.#turn.at });
    }
    fleet.shrinking = left;
  }

  startRoll(atOnce: number): void {
    const fleet = this.#turn.fleet;
    const left = this.#turn.children.filter(({ id }) => this.number(id) <= fleet.spec.size).map(({ id }) => id);
    fleet.rolling = { total: left.length, atOnce, left, now: [] };
  }

  /** Stops the next members that have no job, and starts them with the machine that is registered. */
  roll(): void {
    const { rolling } = this.#turn.fleet;
    if (rolling === undefined) return;
    const children = new Map(this.#turn.children.map((child) => [child.id, child]));
    const left = rolling.left.filter((id) => children.has(id));
    const isDone = ({ status, renew }: ChildState): boolean => (status === 'running' && renew === undefined) || status === 'terminated';
    const now = rolling.now.filter(({ id, sent }) => {
      const child = children.get(id);
      return child !== undefined && !(sent && isDone(child));
    });
    while (now.length < rolling.atOnce && left.length > 0) now.push({ id: left.shift() as string, sent: false });
    for (const [index, { id, sent }] of now.entries()) {
      if (sent || children.get(id)?.status !== 'running' || this.#turn.running.of(id) !== undefined) continue;
      now[index] = { id, sent: true };
      this.#turn.supervise({ type: 'renew', id, how: 'upgrade', at: this.#turn.at });
    }
    this.#turn.fleet.rolling = now.length === 0 && left.length === 0 ? undefined : { ...rolling, left, now };
  }
}
