/** The runtime: where the parts meet. Everything a user does begins here. */

import type { Observable } from './core/observables.js';
import type { AnyStateMachine, InputFrom } from 'xstate';
import type { RuntimeEvent } from './core/runtime-event.js';
import { refuseEncrypted } from './persistence/encryption/marker.js';
import { movedError } from './persistence/moving/mark.js';
import type { OpenedStore } from './persistence/store.js';
import { farewellMs } from './runtime/closed.js';
import { NodeBreakers, type RuntimeBreakers } from './runtime/breakers-ref.js';
import { Budget, type BudgetRef } from './runtime/budget-ref.js';
import { declarations, type Declarations } from './runtime/declarations.js';
import { Fleet, type FleetRef } from './runtime/fleet-ref.js';
import { openWatch } from './runtime/inspecting.js';
import { checkId, registerKinds } from './runtime/kinds.js';
import { Node } from './runtime/node.js';
import { NodeApprovals, NodeHolds, NodeSagas, type RuntimeApprovals, type RuntimeHolds, type RuntimeSagas } from './runtime/people.js';
import { resolveOptions, type KindRegistry, type ResolvedOptions, type RuntimeOptions } from './runtime/options.js';
import { Reference, type AgentRef } from './runtime/reference.js';
import { checkWait, wake, type WakeOptions, type Woken } from './runtime/wake.js';
import { NodeTools, tellWitness, type RuntimeTools } from './runtime/tools.js';
import { Supervisor, superviseTree, type SuperviseOptions, type SupervisorRef } from './runtime/supervisor-ref.js';
import type { WakeTask } from './effects/dispatch.js';
import type { SupervisorSpec } from './supervisor/spec.js';
import { readTree, type TreeNode } from './supervisor/tree.js';
import { DeadLetters } from './supervisor/dead-letters.js';

/** `input` is required when the machine's input type does not allow undefined. */
export type SpawnOptions<TMachine extends AnyStateMachine> = { readonly id: string } & (undefined extends InputFrom<TMachine>
  ? { readonly input?: InputFrom<TMachine> }
  : { readonly input: InputFrom<TMachine> });

export interface Runtime<TKinds extends KindRegistry = KindRegistry, TBudget extends string = string> extends AsyncDisposable {
  /**
   * Makes an agent; resolves once it is durable. Idempotent by id: the agent that has the id already is returned as it is.
   * @throws UnknownKindError, KindConflictError, BadInputError, NotSerializableError
   */
  spawn<TKind extends keyof TKinds & string>(
    kind: TKind,
    options: SpawnOptions<TKinds[TKind]['machine']>,
  ): Promise<AgentRef<TKinds[TKind]['machine']>>;
  /** A reference to any agent, alive or not. Name its kind for its types: `runtime.agent<'researcher'>('r-1')`. */
  agent<TKind extends keyof TKinds & string = keyof TKinds & string>(id: string): AgentRef<TKinds[TKind]['machine']>;
  /**
   * Starts a supervision tree, or finds it at work; resolves when all its declared children are started. Idempotent by id: declared once more, its options are
   * changed, new children are started, and the others stay as they are. A tree that was shut down starts again where its children stood.
   * @throws BadInputError, UnknownKindError, SupervisionError for what cannot be started, before anything is; SupervisionError for a tree that has given up, unless `revive`
   */
  supervise(spec: SupervisorSpec, options?: SuperviseOptions): Promise<SupervisorRef<TKinds>>;
  /** A reference to a fleet. Name its members' kind, and what they answer, for its types: `runtime.fleet<'researcher', Finding>('researchers')`. */
  fleet<TKind extends keyof TKinds & string = keyof TKinds & string, TOutput = unknown>(
    id: string,
  ): FleetRef<TKinds[TKind]['machine'], TOutput>;
  /** The supervision trees, as data: every supervisor with its children, their states, restarts and failures. */
  tree(): Promise<readonly TreeNode[]>;
  /** A budget that is declared. @throws UnknownBudgetError */
  budget(name: TBudget): BudgetRef;
  /** Breakers of activities and stages, and the operations that wait for them. */
  readonly breakers: RuntimeBreakers;
  /** Operations of which a person is to say what became of them. */
  readonly holds: RuntimeHolds;
  /** Decisions that people are waited for. */
  readonly approvals: RuntimeApprovals;
  /** What agents have done that can be undone, and how far its undoing is. */
  readonly sagas: RuntimeSagas;
  /** Events that no agent could take: look at them, redrive them, discard them. */
  readonly deadLetters: DeadLetters;
  /**
   * Takes a wake-up call: brings the agent into memory, lets its timers that are due fire, and waits until what that began has come to rest. `wakeHandler(runtime)` does this for HTTP.
   * @throws BadInputError, RuntimeClosedError, StoreUnavailableError
   */
  wake(task: WakeTask, options?: WakeOptions): Promise<Woken>;
  /** Every turn, commit, checkpoint, recovery, activity and effect. Made only while somebody listens. */
  readonly events$: Observable<RuntimeEvent>;
  /** For tools: the opened store. */
  readonly store: OpenedStore;
  /** For tools: names, and agents as they are in memory. */
  readonly tools: RuntimeTools;
  /**
   * Ends in good order: nothing new is taken, running activities may finish for `graceMs` (default 1,000), all turns become
   * durable, the agents are released to whoever opens the store next.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * Opens the store, recovers what was under way, and starts.
 * @throws BadInputError, UnsupportedMachineError, StoreMovedError, and what opening the store throws.
 */
export async function createRuntime<const TKinds extends KindRegistry, const TBudget extends string = string>(
  options: RuntimeOptions<TKinds, TBudget>,
): Promise<Runtime<TKinds, TBudget>> {
  const resolved = resolveOptions(options);
  // Machines are checked before the store is touched.
  const { clock } = resolved;
  const declared = declarations(resolved, registerKinds(resolved));
  let made: Node | undefined;
  const watch = await openWatch(resolved, () => made);
  let node: Node;
  try {
    node = await openNode(resolved, declared, (store) => watch.started((made = new Node(resolved, declared, store, watch))));
  } catch (error) {
    await watch.close();
    throw error;
  }
  const { store } = node;
  const tools = new NodeTools(node, resolved);
  let closing: Promise<void> | undefined;
  const end = async (graceMs: number): Promise<void> => {
    await tools.close();
    await node.close(graceMs);
  };
  const close = (graceMs: number): Promise<void> => (closing ??= end(graceMs).finally(() => watch.close()));
  const runtime = {
    async spawn(kind: string, options: { readonly id: string; readonly input?: unknown } | undefined) {
      const id = options?.id;
      checkId(id);
      await node.spawn(kind, id, options?.input);
      return new Reference(node, resolved, id) as never;
    },
    agent(id: string) {
      checkId(id);
      return new Reference(node, resolved, id) as never;
    },
    async supervise(spec: SupervisorSpec, options: SuperviseOptions = {}) {
      await superviseTree(node, clock, spec, options);
      return new Supervisor(node, resolved, spec.id) as never;
    },
    fleet(id: string) {
      checkId(id);
      return new Fleet(node, resolved, id) as never;
    },
    tree: () => readTree(store),
    breakers: new NodeBreakers(node),
    holds: new NodeHolds(node),
    approvals: new NodeApprovals(node),
    sagas: new NodeSagas(node),
    wake: async (task: WakeTask, { waitMs = 60_000 }: WakeOptions = {}) => wake(node, task, checkWait(waitMs)),
    budget: (name: string) => new Budget(node, resolved, name),
    deadLetters: new DeadLetters({ store, clock, mailbox: resolved.limits.mailbox, mailed: (agent) => node.mail.nudge(agent) }),
    events$: node.events.asObservable(),
    store,
    tools,
    close: ({ graceMs = farewellMs } = {}) => close(graceMs),
    [Symbol.asyncDispose]: () => close(farewellMs),
  } as Runtime<TKinds, TBudget>;
  await tellWitness(runtime);
  return runtime;
}

/** The node on its store, at work. */
async function openNode(resolved: ResolvedOptions, declared: Declarations, make: (store: OpenedStore) => Node): Promise<Node> {
  const { clock, leaseMs, nodeName } = resolved;
  const store = await resolved.store.open({ lease: { name: nodeName, ttlMs: leaseMs }, now: () => clock.now() });
  try {
    await refuseEncrypted(
      store,
      resolved.store.name,
      'Open it with its keys: encrypted(store, { keys }) of statewarden/encryption. No record was changed.',
    );
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
  const node = make(store);
  try {
    const moved = await movedError(store);
    if (moved !== undefined) throw moved;
    await node.start(declared.breakers);
    return node;
  } catch (error) {
    await node.close(0).catch(() => undefined);
    throw error;
  }
}
