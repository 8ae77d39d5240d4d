/** Carries out at once what a supervisor's mind wants done, and reports back. */

import { supervise } from '#src/supervisor/reducer.js';
import type { Command, SupervisorEvent, SupervisorState } from '#src/supervisor/state.js';

export class Driver {
  readonly log: string[] = [];
  readonly answers: string[] = [];
  state: SupervisorState;
  at = 0;
  /** When it wants to be woken next. */
  wakeAt = Infinity;
  /** Children that run, with the number of their run. */
  readonly running = new Map<string, number>();
  readonly #fails: (id: string) => boolean;
  /** Every state is written down and read again, as in a store. */
  readonly #durable: boolean;
  /** Commands that wait, when they are not carried out at once. */
  readonly held: Command[] = [];
  hold = false;

  constructor(state: SupervisorState, fails: (id: string) => boolean = () => false, durable = false) {
    this.state = state;
    this.#fails = fails;
    this.#durable = durable;
  }

  give(event: SupervisorEvent): void {
    const { state, commands } = supervise(this.state, event);
    this.state = this.#durable ? (JSON.parse(JSON.stringify(state)) as SupervisorState) : state;
    for (const command of commands) {
      if (this.hold && (command.do === 'start' || command.do === 'stop')) this.held.push(command);
      else this.carryOut(command);
    }
  }

  carryOut(command: Command): void {
    switch (command.do) {
      case 'start': {
        const started: string[] = [];
        for (const { id, run } of command.children) {
          if (this.running.has(id)) throw new Error(`${id} runs twice`);
          this.log.push(`start ${id}`);
          if (this.#fails(id)) {
            this.give({ type: 'start-failed', id, started, at: this.at, random: 0.5 });
            return;
          }
          this.running.set(id, run);
          started.push(id);
        }
        this.give({ type: 'started', ids: started, at: this.at });
        return;
      }
      case 'stop':
        for (const { id } of command.children) {
          // One that has ended by itself meanwhile needs no stop.
          if (this.running.delete(id)) this.log.push(`stop ${id}`);
        }
        this.give({ type: 'stopped', ids: command.children.map(({ id }) => id), at: this.at });
        return;
      case 'wake':
        this.wakeAt = command.at;
        return;
      case 'answer':
        this.answers.push(`${command.caller} ${command.error ?? 'ok'}`);
        return;
      case 'ready':
        return;
      case 'exit':
        this.log.push(`exit ${command.exit.type}`);
    }
  }

  /** A child ends by itself. */
  exit(id: string, how: 'normal' | 'shutdown' | 'failed', counts = true): void {
    const run = this.running.get(id);
    if (run === undefined) return;
    this.running.delete(id);
    this.give({ type: 'exited', id, run, how, counts, at: this.at, random: 0.5 });
  }

  /** Lets time pass, waking the supervisor when it is due. */
  pass(ms: number): void {
    const until = this.at + ms;
    while (this.wakeAt <= until) {
      this.at = Math.max(this.at, this.wakeAt);
      this.wakeAt = Infinity;
      this.give({ type: 'wake', at: this.at });
    }
    this.at = until;
  }

  /** Ids of the children that run, in the order of the specs. */
  get up(): readonly string[] {
    return this.state.children.filter(({ status }) => status === 'running').map(({ id }) => id);
  }

  status(id: string): string | undefined {
    return this.state.children.find((child) => child.id === id)?.status;
  }
}
