/** A supervisor as code sees it: it is told what to do, and asked. Calls are events of the supervisor's agent, answered when what was asked for is durable. */

import type { AnyStateMachine, InputFrom } from 'xstate';
import { createActor } from 'xstate';
import { errorOf } from '../core/codec.js';
import type { Clock } from '../core/clock.js';
import { SupervisionError } from '../core/errors.js';
import { assertBudget } from '../effects/permits.js';
import { resolveFleet } from '../supervisor/fleet/options.js';
import { memberId } from '../supervisor/fleet/deeds.js';
import { supervisorKind } from '../supervisor/machine.js';
import { follow } from './fleet-ref.js';
import {
  checkAdded,
  checkTree,
  isSupervisor,
  resolveChild,
  resolveSupervisor,
  resolveTree,
  type ChildSpec,
  type SupervisorSpec,
} from '../supervisor/spec.js';
import type { CallError, ChildState, SupervisorEvent, SupervisorExit } from '../supervisor/state.js';
import type { Node } from './node.js';
import { checkId } from './kinds.js';
import type { KindRegistry, ResolvedOptions } from './options.js';
import { Reference, type AgentRef } from './reference.js';
import { mindOf, stateOf } from './supervision.js';
import { exitOf } from './supervision-outcome.js';
import { callFailed, present } from './supervisor-presence.js';

/** `input` is required when the machine's input type does not allow undefined. */
export type ChildOptions<TMachine extends AnyStateMachine> = Omit<ChildSpec, 'kind' | 'input'> &
  (undefined extends InputFrom<TMachine> ? { readonly input?: InputFrom<TMachine> } : { readonly input: InputFrom<TMachine> });

export interface ChildCounts {
  readonly specs: number;
  /** Up, or on the way up. */
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

export interface SupervisorRef<TKinds extends KindRegistry = KindRegistry> {
  readonly id: string;
  /**
   * Starts a child; resolves once it is up. Idempotent by id: a child of this supervisor that has the id already is returned as it is.
   * @throws BadInputError, UnknownKindError, SupervisionError
   */
  spawn<TKind extends keyof TKinds & string>(
    kind: TKind,
    options: ChildOptions<TKinds[TKind]['machine']>,
  ): Promise<AgentRef<TKinds[TKind]['machine']>>;
  /** Starts a supervisor as a child. @throws as `spawn` */
  supervise(spec: SupervisorSpec, options?: Pick<SuperviseOptions, 'onProgress'>): Promise<SupervisorRef<TKinds>>;
  /** Stops a child and keeps its spec; what is sent to it waits. A temporary child is forgotten. @throws SupervisionError */
  terminate(id: string): Promise<void>;
  /** Brings back a child that is down. @throws SupervisionError */
  restart(id: string): Promise<void>;
  /** Forgets the spec of a child that is down. @throws SupervisionError */
  delete(id: string): Promise<void>;
  /** The children, in the order in which they were started first. */
  which(): Promise<readonly Pick<ChildState, 'id' | 'kind' | 'status' | 'restart' | 'restarts' | 'startedAt' | 'failure'>[]>;
  count(): Promise<ChildCounts>;
  /** Stops the children, the last one first, and then the supervisor. Resolves once that is durable. */
  shutdown(): Promise<void>;
  /** Resolves when the supervisor ends, and why. */
  readonly ended: Promise<SupervisorExit>;
}

export interface SuperviseOptions {
  /** Starts a tree again that has given up. */
  readonly revive?: boolean;
  /** Called about ten times a second while its agents are started. */
  readonly onProgress?: (progress: StartProgress) => void;
}

/** Starts a tree, or finds it. @throws see `Runtime.supervise` */
export async function superviseTree(
  node: Node,
  clock: Clock,
  spec: SupervisorSpec,
  { revive, onProgress }: SuperviseOptions,
): Promise<void> {
  node.assertOpen();
  checkId((spec as SupervisorSpec | undefined)?.id);
  checkTree(spec, node.kinds.names);
  rehearse(node, spec, `supervisor ${JSON.stringify(spec.id)}`);
  const { id } = spec;
  const input = resolveTree(spec);
  const older = await node.make(supervisorKind, id, input, undefined);
  let fresh = older === undefined;
  if (older?.supervisor !== undefined) {
    throw new SupervisionError(`supervisor "${id}" is a child of supervisor "${older.supervisor}"`, {
      reason: 'already-present',
      hint: 'Declare it in the tree that it belongs to, or use another id.',
    });
  }
  if (older?.status === 'suspended') {
    const exit = exitOf(older);
    if (exit !== undefined && exit.type !== 'shutdown' && exit.type !== 'significant-child' && revive !== true) {
      throw new SupervisionError(`supervisor "${id}" has given up (${exit.type}${'child' in exit ? ` of child "${exit.child}"` : ''})`, {
        reason: exit.type,
        hint: 'Look at `statewarden tree` and `statewarden dead-letters`; then supervise it again with { revive: true }.',
      });
    }
    await node.bringUp(id, input);
    fresh = true;
  }
  const agent = await present(node, id);
  const ready = node.supervision.whenReady(agent);
  ready.catch(() => undefined);
  if (older !== undefined) node.supervision.tell(agent, { type: 'declare', ...input, at: clock.now() });
  if (fresh || stateOf(agent).status === 'new') node.supervision.tell(agent, { type: 'init', at: clock.now() });
  const stop = follow(clock, onProgress === undefined ? undefined : () => onProgress(progressOf(node, id)));
  try {
    await ready;
  } finally {
    stop();
  }
  if (older !== undefined) configure(node, spec);
}

/** Fleets below a tree that is declared once more, perhaps otherwise. */
function configure(node: Node, spec: ChildSpec | SupervisorSpec): void {
  if (!isSupervisor(spec)) return;
  const agent = node.resident(spec.id);
  const known = agent?.kind === supervisorKind ? mindOf(agent).fleet?.spec.kind : undefined;
  if (spec.fleet !== undefined && agent !== undefined && known !== undefined) {
    if (known !== spec.fleet.kind) {
      throw new SupervisionError(`fleet "${spec.id}" has members of kind "${known}", not "${spec.fleet.kind}"`, {
        reason: 'kind',
        hint: 'Declare the other kind as a fleet of its own. To bring members to a new machine of their kind, raise its version and roll().',
      });
    }
    node.supervision.tellFleet(agent, { type: 'configure', spec: resolveFleet(spec.fleet), supervisor: resolveSupervisor(spec) });
  }
  for (const child of spec.children ?? []) configure(node, child);
}

/** How far the start of a tree has come. */
export interface StartProgress {
  readonly up: number;
  readonly total: number;
}

function progressOf(node: Node, id: string): StartProgress {
  const agent = node.resident(id);
  if (agent?.kind !== supervisorKind) return { up: 0, total: 1 };
  const { state, fleet } = mindOf(agent);
  const below = state.children.filter(({ kind }) => kind === undefined).map((child) => progressOf(node, child.id));
  const workers = state.children.filter(({ kind }) => kind !== undefined);
  const up = workers.filter(({ status }) => status === 'running').length;
  return {
    up: below.reduce((sum, one) => sum + one.up, up),
    total: below.reduce((sum, one) => sum + one.total, Math.max(workers.length, fleet?.spec.size ?? 0)),
  };
}

/** Makes each child's machine once and throws it away, so that one that cannot be made is met before anything is started. */
function rehearse(node: Node, spec: SupervisorSpec, where: string): void {
  if (spec.fleet?.budget !== undefined) assertBudget(spec.fleet.budget.name, node.budgets);
  if (spec.fleet !== undefined) rehearseChild(node, { ...spec.fleet, id: memberId(spec.id, 1) }, where);
  for (const child of spec.children ?? []) {
    const name = `${where} › ${isSupervisor(child) ? 'supervisor' : 'child'} ${JSON.stringify(child.id)}`;
    checkId(child.id);
    if (isSupervisor(child)) rehearse(node, child, name);
    else rehearseChild(node, child, name);
  }
}

function rehearseChild(node: Node, { kind, input }: ChildSpec, where: string): void {
  const machine = node.kinds.get(kind)?.machine;
  if (machine === undefined) return;
  let error: unknown;
  try {
    const snapshot = createActor(machine, { input }).getSnapshot() as { status: string; error?: unknown };
    if (snapshot.status !== 'error') return;
    error = snapshot.error;
  } catch (thrown) {
    error = thrown;
  }
  throw new SupervisionError(`${where} cannot be started: ${errorOf(error).message}`, {
    reason: 'start-failed',
    cause: error,
    hint: 'Its context factory or first state throws with this input. Nothing was started.',
  });
}

export class Supervisor implements SupervisorRef {
  readonly id: string;
  readonly #node: Node;
  readonly #options: ResolvedOptions;

  constructor(node: Node, options: ResolvedOptions, id: string) {
    this.#node = node;
    this.#options = options;
    this.id = id;
  }

  async spawn(kind: string, options: Omit<ChildSpec, 'kind'>): Promise<never> {
    const spec: ChildSpec = { ...options, kind };
    await this.#add(spec);
    return new Reference(this.#node, this.#options, spec.id) as never;
  }

  async supervise(spec: SupervisorSpec, { onProgress }: Pick<SuperviseOptions, 'onProgress'> = {}): Promise<never> {
    const stop = follow(this.#options.clock, onProgress === undefined ? undefined : () => onProgress(progressOf(this.#node, spec.id)));
    try {
      await this.#add(spec);
    } finally {
      stop();
    }
    return new Supervisor(this.#node, this.#options, spec.id) as never;
  }

  async #add(spec: ChildSpec | SupervisorSpec): Promise<void> {
    checkId((spec as { id?: unknown } | undefined)?.id);
    const agent = await present(this.#node, this.id);
    const { children, spec: own } = stateOf(agent);
    checkAdded(spec, own.autoShutdown, this.#node.kinds.names);
    const where = `${isSupervisor(spec) ? 'supervisor' : 'child'} ${JSON.stringify(spec.id)}`;
    if (isSupervisor(spec)) rehearse(this.#node, spec, where);
    const known = children.find(({ id }) => id === spec.id);
    const child = resolveChild(spec);
    if (known !== undefined && known.kind === child.kind && (known.status === 'running' || known.status === 'waiting')) return;
    await this.#call((caller, at) => ({ type: 'spawn', child, caller, at }), spec.id);
  }

  async terminate(id: string): Promise<void> {
    await this.#call((caller, at) => ({ type: 'terminate', id, caller, at }), id);
  }

  async restart(id: string): Promise<void> {
    await this.#call((caller, at) => ({ type: 'restart', id, caller, at }), id);
  }

  async delete(id: string): Promise<void> {
    const agent = await present(this.#node, this.id);
    const child = stateOf(agent).children.find((one) => one.id === id);
    await this.#call((caller, at) => ({ type: 'delete', id, caller, at }), id);
    // A spec that is gone has nobody to bring its agent back.
    if (child !== undefined) await this.#node.bury(id);
  }

  /** Asks the supervisor's mind. @throws SupervisionError */
  async #call(make: (caller: string, at: number) => SupervisorEvent, id: string): Promise<void> {
    const agent = await present(this.#node, this.id);
    const question = this.#node.answers.ask();
    this.#node.supervision.tell(agent, make(question.address, this.#options.clock.now()));
    const { error, message } = (await question.answer) as { readonly error: CallError | undefined; readonly message: string | undefined };
    if (error !== undefined) throw callFailed(`child "${id}" of supervisor "${this.id}"`, error, message);
  }

  async which(): ReturnType<SupervisorRef['which']> {
    return stateOf(await present(this.#node, this.id)).children.map(({ id, kind, status, restart, restarts, startedAt, failure }) => ({
      id,
      kind,
      status,
      restart,
      restarts,
      startedAt,
      failure,
    }));
  }

  async count(): Promise<ChildCounts> {
    const { children } = stateOf(await present(this.#node, this.id));
    const supervisors = children.filter(({ kind }) => kind === undefined).length;
    const active = children.filter(({ status }) => status === 'running' || status === 'starting').length;
    return { specs: children.length, active, supervisors, workers: children.length - supervisors };
  }

  async shutdown(): Promise<void> {
    const { supervision } = this.#node;
    if ((await this.#node.presence(this.id)).where === 'suspended') return;
    const agent = await present(this.#node, this.id);
    const gone = new Promise<void>((resolve) => supervision.whenGone(agent, resolve));
    supervision.tell(agent, { type: 'shutdown', at: this.#options.clock.now() });
    await gone;
  }

  get ended(): Promise<SupervisorExit> {
    return (async () => {
      const presence = await this.#node.presence(this.id);
      const exit = presence.where === 'suspended' ? exitOf(presence.record) : undefined;
      return exit ?? this.#node.supervision.whenEnded(this.id);
    })();
  }
}
