/** A `TurnSink` that writes down what an agent's actors ask for, and does what they asked to be done later only when it is told to. */

import { createRoot, deliver, durable, type CollectedAction, type TurnSink } from '#src/actors/seam.js';
import { actorAt } from '#src/actors/place.js';
import type { AnyActorLogic, AnyActorRef, AnyMachineSnapshot, EventObject } from 'xstate';

/** Of a promise: refused, as the collector refuses what it cannot encode. */
export const unsavable = 'unsavable';

export class Recorder implements TurnSink {
  /** What was asked for since the last look, in order. */
  #log: string[] = [];
  #held: (() => unknown)[] = [];
  #actors = 0;
  inTurn = false;
  reviving = false;
  root!: AnyActorRef;
  /** Told when the tree has a system, and nobody is in it yet but the root. */
  adopted?: (root: AnyActorRef) => void;
  readonly relays: { readonly target: string; readonly event: EventObject }[] = [];
  readonly promises = new Map<string, { readonly logic: AnyActorLogic; readonly input: unknown; readonly actor: AnyActorRef }>();

  /** Runs a machine as an agent's root. */
  static run(
    machine: unknown,
    { adopted, ...options }: { input?: unknown; snapshot?: unknown; adopted?: (root: AnyActorRef) => void } = {},
  ): Recorder {
    const recorder = new Recorder();
    if (adopted !== undefined) recorder.adopted = adopted;
    recorder.reviving = options.snapshot !== undefined;
    recorder.turn(() => {
      recorder.root = createRoot(durable(machine as AnyActorLogic), { id: 'agent', ...options }, recorder);
      recorder.root.start();
    });
    recorder.reviving = false;
    return recorder;
  }

  turn(run: () => void): void {
    this.inTurn = true;
    try {
      run();
    } finally {
      this.inTurn = false;
    }
  }

  send(type: string, path = '', members: object = {}): this {
    this.turn(() => deliver(this.at(path), { type, ...members }));
    return this;
  }

  at(path: string): AnyActorRef {
    const actor = actorAt(this.root, path);
    if (actor === undefined) throw new Error(`no actor at "${path}"`);
    return actor;
  }

  snapshot(path = ''): AnyMachineSnapshot {
    return this.at(path).getSnapshot() as AnyMachineSnapshot;
  }

  context<T = Record<string, unknown>>(path = ''): T {
    return this.snapshot(path).context as T;
  }

  /** What was asked for since the last look. */
  asked(): string[] {
    const log = this.#log;
    this.#log = [];
    return log;
  }

  /** Commits, as it were: all that was held back is done, in order. */
  release(): this {
    for (const run of this.#held.splice(0)) run();
    return this;
  }

  nextActorNumber(): number {
    return (this.#actors += 1);
  }
  timerSet(source: string, id: string, target: string, event: EventObject, delayMs: number): void {
    this.#log.push(`timer ${place(source)}#${id} → ${place(target)} ${event.type} in ${delayMs}`);
  }
  timerCancelled(source: string, id: string): void {
    this.#log.push(`cancel ${place(source)}#${id}`);
  }
  timersVoided(source: string): void {
    this.#log.push(`void ${place(source)}`);
  }
  action(path: string, { type, info, params, exec, named }: CollectedAction): void {
    this.#log.push(`action ${place(path)} ${named ? type : 'inline'} on ${info.event.type}`);
    this.#held.push(() => exec?.(info as never, params as never));
  }
  emitted(path: string, event: EventObject, give: () => void): void {
    this.#log.push(`emit ${place(path)} ${event.type}`);
    this.#held.push(give);
  }
  logged(values: readonly unknown[]): void {
    this.#log.push(`log ${values.join(' ')}`);
  }
  promiseStarted(path: string, logic: AnyActorLogic, input: unknown, actor: AnyActorRef): void {
    if (input === unsavable) throw new Error('an input that cannot be saved');
    this.#log.push(`promise ${path}`);
    this.promises.set(path, { logic, input, actor });
  }
  promiseStopped(path: string): void {
    this.#log.push(`no promise ${path}`);
    this.promises.delete(path);
  }
  /** Paths of children whose contexts changed. */
  readonly changed = new Set<string>();
  childErred(): void {
    // Only failures of supervised agents look at it.
  }

  contextChanged(path: string): void {
    this.changed.add(path);
  }
  ephemeralStarted(path: string, start: () => void): void {
    this.#log.push(`start ${path}`);
    this.#held.push(start);
  }
  ephemeralStopped(path: string): void {
    this.#log.push(`stop ${path}`);
  }
  readonly running = new Set<() => void>();
  ephemeralBegan(end: () => void): void {
    this.running.add(end);
  }
  ephemeralEnded(end: () => void): void {
    this.running.delete(end);
  }
  ephemeralEffect(run: () => void): void {
    this.#held.push(run);
  }
  relayed(target: string, event: EventObject): void {
    this.relays.push({ target, event });
  }
}

const place = (path: string): string => (path === '' ? '.' : path);
