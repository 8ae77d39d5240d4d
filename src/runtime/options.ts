/** What a runtime is made with, its defaults, and the checks on it. */

import type { CheckpointPolicy } from '../actors/checkpoint-policy.js';
import type { KindDefinition } from '../actors/registration.js';
import { isGuardPattern, type GuardPattern } from '../breakers/board.js';
import { systemClock, type Clock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import { systemRandom, type Random } from '../core/random.js';
import { isAmount, type BudgetDefinition } from '../effects/budget/reducer.js';
import { inProcess, type Dispatcher } from '../effects/dispatch.js';
import { Profiles, type RetryProfile } from '../effects/profiles.js';
import type { ResultLimits } from '../effects/results.js';
import type { Inspector, InspectObserver } from '../observability/inspector/live.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import type { Store } from '../persistence/store.js';
import type { AlertSink } from './alerts.js';
import { resolveArchive, type ArchiveOptions, type ResolvedArchive } from './archive-options.js';

export type KindRegistry = Readonly<Record<string, KindDefinition>>;

export interface Limits {
  /** Largest encoded event, in bytes of text. Default 1,048,576. */
  readonly eventBytes: number;
  /** Most events that may wait for one agent. Default 10,000. */
  readonly mailbox: number;
  /** Most turns that one agent may be ahead of the store. Default 1,000. */
  readonly uncommittedTurns: number;
  /**
   * A turn that lasts longer, in milliseconds, is taken to be endless: its event becomes a dead letter and the process is ended, because nothing else can end
   * it. Only stores with a thread of their own (SQLite) can tell. Default 10,000; Infinity: never.
   */
  readonly turnMs: number;
  /** A turn that lasts longer, in milliseconds, is told of as `slow-turn` while somebody listens to `events$`. Default 500. */
  readonly slowTurnMs: number;
  /** So often a supervised agent's turn for one event may fail; then the event is a dead letter and the agent goes on. Default 3. */
  readonly maxDeliveries: number;
  /** Agents kept in memory; beyond it idle ones are passivated, least recently used first. Default 10,000. */
  readonly residentAgents: number;
}

/** How results of activities are kept. Bytes are those of the encoded text in UTF-8. */
export interface ResultOptions {
  /** Where large ones are put: `await files('./agents-artifacts').open({ now: Date.now })`. For results alone, unless `reachable` says what else is in it. Yours to close, after the runtime. Default: none. */
  readonly artifacts?: ArtifactStore;
  /** A larger one goes to the artifact store, if there is one. Default 65,536. */
  readonly inlineBytes?: number;
  /** A larger one is not kept: `ResultTooLargeError`. Default 67,108,864 with an artifact store; without 1,048,576, which is what an event may have. */
  readonly maximumBytes?: number;
  /** One that is older is forgotten, once the checkpoint of its agent covers it and nothing can be undone with it. Default Infinity: never. */
  readonly lifetimeMs?: number;
  /** How often results that are too old, and artifacts that nothing needs any more, are looked for: by one node for all. Default 3,600,000. */
  readonly sweepMs?: number;
  /** An artifact that was put so recently is not removed: longer than an outcome takes from its put to its commit. Default 3,600,000. */
  readonly graceMs?: number;
  /** Whether something else than a result still needs each of these artifacts, by id. Default: nothing does. */
  readonly reachable?: (ids: readonly string[]) => Promise<readonly boolean[]>;
}

export interface RuntimeOptions<TKinds extends KindRegistry = KindRegistry, TBudget extends string = string> {
  readonly store: Store;
  /** The kinds of agents, by name. */
  readonly agents: TKinds;
  /** What agents may spend, by name. Each is made at the first start; later it is as it was left, unless it is declared otherwise than before. */
  readonly budgets?: Readonly<Record<TBudget, BudgetDefinition>>;
  /** Breakers, registries and stages besides those that activities name. A stage guards all activities that a state with its name among its tags invokes. */
  readonly breakers?: readonly GuardPattern[];
  /** Retry profiles by name, for activities that name one. `critical`, `standard` and `background` are there, and may be changed; what one does not say is as in `standard`, or as it was. */
  readonly profiles?: Readonly<Record<string, RetryProfile>>;
  /**
   * Puts wake-up calls for retries into task queues, for activities whose profile names a `queue`: `cloudTasks({ … })` of `statewarden/cloud-tasks`. `wakeHandler(runtime)` takes the calls. Closed with the runtime.
   * Default: the process itself waits.
   */
  readonly dispatcher?: Dispatcher;
  /** For kinds that do not say otherwise. */
  readonly checkpoints?: CheckpointPolicy;
  readonly limits?: Partial<Limits>;
  readonly node?: {
    /** For people, and what a node that is started again finds its breakers by. Default: a fresh id. */
    readonly name?: string;
    /** A node silent for so long may be taken over, and stops by itself. Default 4,000. */
    readonly leaseMs?: number;
    /**
     * While several nodes are up each agent belongs to one of those that know its kind, evenly. Whether one at rest that somebody else has brought here is handed over to that node. A supervisor and its children stay
     * together where they are. Default true.
     */
    readonly spread?: boolean;
  };
  /** How results of activities are kept: how large they may be and how long they stay. */
  readonly results?: ResultOptions;
  /** Where agents go that nobody needs just now, and when. Default: they stay in the store. */
  readonly archive?: ArchiveOptions;
  /** Where alerts go: `webhookAlerts(url)`, `logAlerts()`, a function. `events$` has them too, from when somebody listens. */
  readonly alerts?: readonly AlertSink[];
  readonly clock?: Clock;
  readonly random?: Random;
  /** Takes what machines `log`. Default: nothing. */
  readonly logger?: (...values: unknown[]) => void;
  /**
   * Looks into live agents: `stately()` of `statewarden/inspector`, or any observer that XState's `inspect` takes. It is told of a turn once that is durable; its actors are told apart by
   * `sessionId`, over all agents. Default: nobody looks.
   */
  readonly inspect?: Inspector | InspectObserver;
  /** Follows work through agents, and counts: `openTelemetry()` of `statewarden/opentelemetry`. Default: nobody does. */
  readonly telemetry?: Telemetry;
}

export type ResolvedResults = ResultLimits &
  Required<Pick<ResultOptions, 'lifetimeMs' | 'sweepMs' | 'graceMs'>> &
  Pick<ResultOptions, 'reachable'>;

export interface ResolvedOptions {
  readonly store: Store;
  readonly agents: KindRegistry;
  readonly budgets: Readonly<Record<string, BudgetDefinition>>;
  readonly breakers: readonly GuardPattern[];
  readonly profiles: Profiles;
  readonly dispatcher: Dispatcher;
  readonly checkpoints: CheckpointPolicy | undefined;
  readonly limits: Limits;
  readonly nodeName: string;
  /** The user has given the name. */
  readonly isNamed: boolean;
  readonly leaseMs: number;
  readonly spreads: boolean;
  readonly results: ResolvedResults;
  readonly archive: ResolvedArchive;
  readonly alerts: readonly AlertSink[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: (...values: unknown[]) => void;
  readonly inspect: Inspector | InspectObserver | undefined;
  readonly telemetry: Telemetry | undefined;
}

const defaultLimits: Limits = {
  eventBytes: 1_048_576,
  mailbox: 10_000,
  uncommittedTurns: 1_000,
  turnMs: 10_000,
  slowTurnMs: 500,
  maxDeliveries: 3,
  residentAgents: 10_000,
};

/** @throws BadInputError */
function resolveBudgets(budgets: RuntimeOptions['budgets'] = {}): ResolvedOptions['budgets'] {
  if (typeof budgets !== 'object' || budgets === null || Array.isArray(budgets)) {
    throw new BadInputError(`budgets is ${JSON.stringify(budgets) ?? typeof budgets}`, {
      hint: 'Pass budgets: { tokens: { limit: 1_000_000 } }.',
    });
  }
  for (const [name, budget] of Object.entries(budgets) as [string, Partial<BudgetDefinition> | null][]) {
    if (name === '' || name.length > 500 || /[\0-\x1f\x7f]/.test(name)) {
      throw new BadInputError(`budgets: ${JSON.stringify(name)} cannot be a name`, {
        hint: 'Use 1 to 500 characters without control characters, for example "tokens".',
      });
    }
    if (!(isAmount(budget?.limit) && budget.limit > 0)) {
      throw new BadInputError(`budgets.${name}.limit is ${String(budget?.limit)}`, { hint: 'Give a finite number greater than 0.' });
    }
    const { periodMs } = budget;
    if (periodMs !== undefined && !(isAmount(periodMs) && periodMs > 0)) {
      throw new BadInputError(`budgets.${name}.periodMs is ${String(periodMs)}`, {
        hint: 'Give milliseconds greater than 0, or leave it out: then only add() refills it.',
      });
    }
  }
  return budgets;
}

/** @throws BadInputError */
function resolveBreakers(breakers: RuntimeOptions['breakers'] = []): readonly GuardPattern[] {
  const strange = Array.isArray(breakers) ? breakers.findIndex((breaker) => !isGuardPattern(breaker)) : -1;
  if (Array.isArray(breakers) && strange < 0) return breakers as readonly GuardPattern[];
  throw new BadInputError(strange < 0 ? `breakers is ${typeof breakers}` : `breakers[${String(strange)}] is no breaker`, {
    hint: "Pass breakers: [adaptiveBreaker({ name: 'research', level: 'stage' })] of 'statewarden/breakers'.",
  });
}

/** @throws BadInputError */
function resolveAlerts(alerts: RuntimeOptions['alerts'] = []): readonly AlertSink[] {
  if (Array.isArray(alerts) && alerts.every((sink) => typeof sink === 'function')) return alerts as readonly AlertSink[];
  throw new BadInputError(`alerts is ${JSON.stringify(alerts) ?? typeof alerts}`, {
    hint: "Pass alerts: [webhookAlerts('https://hooks.example/…'), logAlerts()].",
  });
}

/** @throws BadInputError */
function resolveResults(results: RuntimeOptions['results'] = {}): ResolvedResults {
  if (typeof results !== 'object' || results === null) {
    throw new BadInputError(`results is ${JSON.stringify(results) ?? typeof results}`, {
      hint: 'Pass results: { maximumBytes: 4_194_304 }.',
    });
  }
  const { artifacts, reachable } = results;
  if (
    artifacts !== undefined &&
    [artifacts?.put, artifacts?.get, artifacts?.list, artifacts?.remove].some((part) => typeof part !== 'function')
  ) {
    const isClosed = typeof (artifacts as { readonly open?: unknown } | null)?.open === 'function';
    throw new BadInputError(`results.artifacts is ${isClosed ? 'not opened' : 'no artifact store'}`, {
      hint: "Pass an open one: artifacts: await files('./agents-artifacts').open({ now: Date.now }) of 'statewarden/artifacts'.",
    });
  }
  if (reachable !== undefined && (typeof reachable !== 'function' || artifacts === undefined)) {
    throw new BadInputError(`results.reachable is ${typeof reachable}${artifacts === undefined ? ' and there are no artifacts' : ''}`, {
      hint: 'Give a function of ids that resolves to a boolean for each, together with artifacts.',
    });
  }
  const maximumBytes = results.maximumBytes ?? (artifacts === undefined ? 1_048_576 : 67_108_864);
  const { inlineBytes = Math.min(65_536, maximumBytes), lifetimeMs = Infinity, sweepMs = 3_600_000, graceMs = 3_600_000 } = results;
  const wrong = (option: string, value: unknown, hint: string): BadInputError =>
    new BadInputError(`results.${option} is ${String(value)}`, { hint });
  const isSize = (value: number): boolean => value === Infinity || (Number.isSafeInteger(value) && value >= 0);
  if (!isSize(maximumBytes) || maximumBytes === 0)
    throw wrong('maximumBytes', maximumBytes, 'Give a whole number of bytes from 1, or Infinity.');
  if (!isSize(inlineBytes) || inlineBytes > maximumBytes) {
    throw wrong('inlineBytes', inlineBytes, `Give a whole number of bytes up to maximumBytes, which is ${String(maximumBytes)}.`);
  }
  if (!(lifetimeMs > 0)) throw wrong('lifetimeMs', lifetimeMs, 'Give milliseconds greater than 0, or Infinity.');
  if (!(sweepMs >= 1_000)) throw wrong('sweepMs', sweepMs, 'Give milliseconds from 1,000, or Infinity.');
  if (!(graceMs >= 0)) throw wrong('graceMs', graceMs, 'Give milliseconds, more than a commit may take.');
  return { artifacts, inlineBytes, maximumBytes, lifetimeMs, sweepMs, graceMs, ...(reachable === undefined ? {} : { reachable }) };
}

/** @throws BadInputError */
function resolveDispatcher(dispatcher: RuntimeOptions['dispatcher'] = inProcess): Dispatcher {
  const { minimumMs = 0 } = (dispatcher as Partial<Dispatcher> | null) ?? {};
  if (typeof (dispatcher as Partial<Dispatcher> | null)?.dispatch === 'function' && minimumMs >= 0) return dispatcher;
  throw new BadInputError(
    minimumMs >= 0 ? `dispatcher is ${JSON.stringify(dispatcher) ?? typeof dispatcher}` : `dispatcher.minimumMs is ${String(minimumMs)}`,
    {
      hint: "Pass dispatcher: cloudTasks({ project, location, url }) of 'statewarden/cloud-tasks', or { dispatch, minimumMs } of your own.",
    },
  );
}

/** @throws BadInputError */
function checkInspect(inspect: RuntimeOptions['inspect']): RuntimeOptions['inspect'] {
  const { open, next } = ((typeof inspect === 'object' ? inspect : null) ?? {}) as { readonly open?: unknown; readonly next?: unknown };
  if (inspect === undefined || [inspect, open, next].some((part) => typeof part === 'function')) return inspect;
  throw new BadInputError(`inspect is ${inspect === null ? 'null' : typeof inspect}`, {
    hint: "Pass inspect: stately() of 'statewarden/inspector', or an observer: createInspector(…).inspect, a function of events.",
  });
}

/** @throws BadInputError */
function checkTelemetry(telemetry: RuntimeOptions['telemetry']): RuntimeOptions['telemetry'] {
  if (telemetry === undefined || typeof (telemetry as Partial<Telemetry> | null)?.open === 'function') return telemetry;
  throw new BadInputError(`telemetry is ${telemetry === null ? 'null' : typeof telemetry}`, {
    hint: "Pass telemetry: openTelemetry() of 'statewarden/opentelemetry'.",
  });
}

/** @throws BadInputError */
export function resolveOptions(options: RuntimeOptions): ResolvedOptions {
  if (typeof options?.store?.open !== 'function') {
    throw new BadInputError('createRuntime() needs a store', {
      hint: "Pass store: sqlite('./agents.db') from 'statewarden/sqlite', or memory().",
    });
  }
  if (typeof options.agents !== 'object' || options.agents === null) {
    throw new BadInputError('createRuntime() needs the kinds of agents', { hint: 'Pass agents: { researcher: { machine, version: 1 } }.' });
  }
  const limits = { ...defaultLimits, ...options.limits };
  for (const [name, value] of Object.entries(limits)) {
    if (!(value >= 1)) throw new BadInputError(`limits.${name} is ${String(value)}`, { hint: 'Give a number from 1, or Infinity.' });
  }
  const leaseMs = options.node?.leaseMs ?? 4_000;
  if (!(leaseMs >= 100)) throw new BadInputError(`node.leaseMs is ${String(leaseMs)}`, { hint: 'Give at least 100 milliseconds.' });
  const random = options.random ?? systemRandom;
  return {
    store: options.store,
    agents: options.agents,
    budgets: resolveBudgets(options.budgets),
    breakers: resolveBreakers(options.breakers),
    profiles: new Profiles(options.profiles),
    dispatcher: resolveDispatcher(options.dispatcher),
    checkpoints: options.checkpoints,
    limits,
    nodeName: options.node?.name ?? random.id(),
    isNamed: options.node?.name !== undefined,
    leaseMs,
    spreads: options.node?.spread ?? true,
    results: resolveResults(options.results),
    archive: resolveArchive(options.archive),
    alerts: resolveAlerts(options.alerts),
    clock: options.clock ?? systemClock,
    random,
    logger: options.logger ?? (() => undefined),
    inspect: checkInspect(options.inspect),
    telemetry: checkTelemetry(options.telemetry),
  };
}
