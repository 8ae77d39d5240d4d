/**
 * OTP's `supervisor` in a few lines, as its documentation and `supervisor.erl` have it: everything happens at once, one thing after another. What the durable
 * one does must come to the same. Where ours differs on purpose, so does this: a done child stays done, giving up is a failure.
 */

import type { ResolvedChild, ResolvedSupervisor } from '#src/supervisor/spec.js';

interface Child {
  readonly spec: ResolvedChild;
  up: boolean;
  /** Stopped by hand, or done. */
  state: 'in use' | 'terminated' | 'ended';
}

export class Otp {
  readonly log: string[] = [];
  readonly spec: ResolvedSupervisor;
  children: Child[];
  alive = false;
  #restarts: number[] = [];
  /** Whether a child's next start fails. */
  readonly #fails: (id: string) => boolean;

  constructor(spec: ResolvedSupervisor, children: readonly ResolvedChild[], fails: (id: string) => boolean) {
    this.spec = spec;
    this.children = children.map((child) => ({ spec: child, up: false, state: 'in use' }));
    this.#fails = fails;
  }

  init(): void {
    if (this.alive) return;
    this.alive = true;
    this.#restarts = [];
    for (const child of this.children) {
      if (child.state === 'ended') continue;
      child.state = 'in use';
      if (!this.#start(child)) {
        this.#die('start-failed');
        return;
      }
    }
  }

  exit(id: string, how: 'normal' | 'shutdown' | 'failed', counts: boolean, at: number): void {
    const child = this.#find(id);
    if (child?.up !== true || !this.alive) return;
    child.up = false;
    const { restart, significant } = child.spec;
    if (restart === 'permanent' || (restart === 'transient' && how === 'failed')) {
      this.#restart(child, counts, at);
      return;
    }
    if (restart === 'temporary') this.children = this.children.filter((other) => other !== child);
    else child.state = 'ended';
    const others = this.children.some((other) => other.spec.significant && other.up);
    const { autoShutdown } = this.spec;
    if (significant && (autoShutdown === 'any-significant' || (autoShutdown === 'all-significant' && !others)))
      this.#die('significant-child');
  }

  spawn(spec: ResolvedChild): string | undefined {
    if (!this.alive) return 'not-running';
    if (this.#find(spec.id) !== undefined) return 'already-present';
    const child: Child = { spec, up: false, state: 'in use' };
    this.children.push(child);
    if (this.#start(child)) return undefined;
    this.children = this.children.filter((other) => other !== child);
    return 'start-failed';
  }

  terminate(id: string): string | undefined {
    if (!this.alive) return 'not-running';
    const child = this.#find(id);
    if (child === undefined) return 'not-found';
    if (child.up) this.#stop(child);
    if (child.spec.restart === 'temporary') this.children = this.children.filter((other) => other !== child);
    else if (child.state !== 'ended') child.state = 'terminated';
    return undefined;
  }

  restart(id: string, at: number): string | undefined {
    if (!this.alive) return 'not-running';
    const child = this.#find(id);
    if (child === undefined) return 'not-found';
    if (child.up) return 'running';
    child.state = 'in use';
    if (this.#start(child)) return undefined;
    this.#restart(child, true, at);
    return 'start-failed';
  }

  delete(id: string): string | undefined {
    if (!this.alive) return 'not-running';
    const child = this.#find(id);
    if (child === undefined) return 'not-found';
    if (child.up) return 'running';
    this.children = this.children.filter((other) => other !== child);
    return undefined;
  }

  shutdown(): void {
    if (this.alive) this.#die('shutdown');
  }

  #restart(child: Child, counts: boolean, at: number): void {
    if (counts) {
      this.#restarts = [...this.#restarts.filter((restart) => at - restart <= this.spec.periodMs), at];
      if (this.#restarts.length > this.spec.intensity) {
        this.#die('intensity');
        return;
      }
    }
    const from = this.spec.strategy === 'one-for-all' ? 0 : this.children.indexOf(child);
    const group = this.spec.strategy === 'one-for-one' ? [child] : this.children.slice(from);
    this.#stopAll(group);
    for (const member of group) {
      if (!this.children.includes(member) || member.state === 'ended' || member.up) continue;
      member.state = 'in use';
      if (!this.#start(member)) {
        this.#restart(member, true, at);
        return;
      }
    }
  }

  #die(reason: string): void {
    this.#stopAll(this.children);
    this.alive = false;
    this.log.push(`exit ${reason}`);
  }

  /** The last one first; temporary ones are forgotten. */
  #stopAll(group: readonly Child[]): void {
    for (const child of [...group].reverse()) {
      if (!child.up) continue;
      this.#stop(child);
      if (child.spec.restart === 'temporary') this.children = this.children.filter((other) => other !== child);
    }
  }

  #start(child: Child): boolean {
    this.log.push(`start ${child.spec.id}`);
    child.up = !this.#fails(child.spec.id);
    return child.up;
  }

  #stop(child: Child): void {
    this.log.push(`stop ${child.spec.id}`);
    child.up = false;
  }

  #find(id: string): Child | undefined {
    return this.children.find(({ spec }) => spec.id === id);
  }

  /** Ids of the children that run, in order. */
  get running(): readonly string[] {
    return this.children.filter(({ up }) => up).map(({ spec }) => spec.id);
  }
}
