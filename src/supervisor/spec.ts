/**
 * What a supervision tree is to look like: supervisors and their children, as declared. The words and the rules are those of OTP's `supervisor`; where the defaults
 * differ, it is because an agent has a life of its own to end: a child that is done is done (`transient`).
 */

import { BadInputError, UnknownKindError } from '../core/errors.js';
import { checkFleet, resolveFleet, type FleetOptions, type ResolvedFleet } from './fleet/options.js';

/** Who is restarted when a child fails: it alone, all, or it and those that were started after it. */
export type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one';

/** `permanent`: always restarted. `transient`: when it failed. `temporary`: never, and forgotten when it ends. */
export type RestartType = 'permanent' | 'transient' | 'temporary';

/** Whether the end of `significant` children ends the supervisor: of any, or of the last of them. */
export type AutoShutdown = 'never' | 'any-significant' | 'all-significant';

/** How long to wait before a restart: `min(maximumMs, initialMs × factor^(n−1))` before a child's nth in a row, with full jitter a random part of it. */
export interface RestartDelay {
  readonly initialMs: number;
  /** Default 30,000. */
  readonly maximumMs?: number;
  /** Default 2. */
  readonly factor?: number;
  /** Default `full`. */
  readonly jitter?: 'full' | 'none';
}

interface AnyChildSpec {
  /** Of the agent; unique in the whole tree. */
  readonly id: string;
  /** Default `transient` for agents, `permanent` for supervisors. */
  readonly restart?: RestartType;
  /** Its own end may end the supervisor: see `autoShutdown`. Default false. */
  readonly significant?: boolean;
  /** How long its activities may take to end after they were told to, in milliseconds. Default 5,000; Infinity for supervisors. */
  readonly shutdownMs?: number;
}

export interface ChildSpec extends AnyChildSpec {
  readonly kind: string;
  readonly input?: unknown;
  /**
   * It is restarted after so many milliseconds in which it took no turn and none of its activities called `heartbeat()`, although it has work under way.
   * Default: never.
   */
  readonly heartbeatMs?: number;
}

export interface SupervisorSpec extends AnyChildSpec {
  /** Default `one-for-one`. */
  readonly strategy?: Strategy;
  /** More restarts than so many in `periodMs` and the supervisor gives up. Default 1. */
  readonly intensity?: number;
  /** Default 5,000. */
  readonly periodMs?: number;
  /** Before restarts. Default: none. */
  readonly delay?: RestartDelay;
  /** Default `never`. */
  readonly autoShutdown?: AutoShutdown;
  /** Started in this order, stopped in the reverse one. */
  readonly children?: readonly (ChildSpec | SupervisorSpec)[];
  /** Its children are the members of a fleet: see `fleet(…)`. */
  readonly fleet?: FleetOptions;
}

/** A child with nothing left to default. */
export interface ResolvedChild {
  readonly id: string;
  /** Undefined for a supervisor. */
  readonly kind: string | undefined;
  /** What the agent is made with; for a supervisor, a `SupervisorInput`. */
  readonly input: unknown;
  readonly restart: RestartType;
  readonly significant: boolean;
  readonly shutdownMs: number;
  /** Without progress for so long while it has work under way, it counts as hung. */
  readonly heartbeatMs: number | undefined;
}

/** What the agent of a supervisor is made with. */
export interface SupervisorInput {
  readonly spec: ResolvedSupervisor;
  readonly children: readonly ResolvedChild[];
  readonly fleet?: ResolvedFleet;
}

/** A supervisor with nothing left to default. */
export interface ResolvedSupervisor {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly delay: Required<RestartDelay> | undefined;
  readonly autoShutdown: AutoShutdown;
}

const strategies: readonly string[] = ['one-for-one', 'one-for-all', 'rest-for-one'] satisfies Strategy[];
const restartTypes: readonly string[] = ['permanent', 'transient', 'temporary'] satisfies RestartType[];
const autoShutdowns: readonly string[] = ['never', 'any-significant', 'all-significant'] satisfies AutoShutdown[];

export function isSupervisor(spec: ChildSpec | SupervisorSpec): spec is SupervisorSpec {
  return !('kind' in spec) || spec.kind === undefined;
}

export function resolveSupervisor({ strategy, intensity, periodMs, delay, autoShutdown }: SupervisorSpec): ResolvedSupervisor {
  return {
    strategy: strategy ?? 'one-for-one',
    intensity: intensity ?? 1,
    periodMs: periodMs ?? 5_000,
    delay: delay === undefined ? undefined : { maximumMs: Math.max(30_000, delay.initialMs), factor: 2, jitter: 'full', ...delay },
    autoShutdown: autoShutdown ?? 'never',
  };
}

/** A supervisor's spec with nothing left to default, those inside it included. */
export function resolveTree(spec: SupervisorSpec): SupervisorInput {
  const input = { spec: resolveSupervisor(spec), children: (spec.children ?? []).map(resolveChild) };
  return spec.fleet === undefined ? input : { ...input, fleet: resolveFleet(spec.fleet) };
}

export function resolveChild(spec: ChildSpec | SupervisorSpec): ResolvedChild {
  const supervises = isSupervisor(spec);
  return {
    id: spec.id,
    kind: supervises ? undefined : spec.kind,
    input: supervises ? resolveTree(spec) : spec.input,
    restart: spec.restart ?? (supervises ? 'permanent' : 'transient'),
    significant: spec.significant ?? false,
    shutdownMs: spec.shutdownMs ?? (supervises ? Infinity : 5_000),
    heartbeatMs: supervises ? undefined : spec.heartbeatMs,
  };
}

/** A supervision tree's declaration: `runtime.supervise(supervisor({ id: 'team', children: [ … ] }))`. Checked when it is used. */
export function supervisor(spec: SupervisorSpec): SupervisorSpec {
  return spec;
}

/**
 * Looks at a child that is to be added to a running supervisor.
 * @throws BadInputError
 */
export function checkAdded(child: ChildSpec | SupervisorSpec, autoShutdown: AutoShutdown, kinds: ReadonlySet<string>): void {
  const where = `${isSupervisor(child) ? 'supervisor' : 'child'} ${JSON.stringify(child.id)}`;
  if (isSupervisor(child)) checkSupervisor(child, where, { kinds, ids: new Set(), above: new Set() });
  else checkKind(child, where, kinds);
  checkChild(child, where, autoShutdown);
}

/**
 * Looks at a whole tree before anything of it is started.
 * @throws BadInputError, naming the place, for the first thing that cannot be.
 */
export function checkTree(root: SupervisorSpec, kinds: ReadonlySet<string>): void {
  checkSupervisor(root, `supervisor ${JSON.stringify(root.id)}`, { kinds, ids: new Set(), above: new Set() });
  checkChild(root, `supervisor ${JSON.stringify(root.id)}`, undefined);
}

interface Seen {
  readonly kinds: ReadonlySet<string>;
  readonly ids: Set<string>;
  /** Specs that this one is in. */
  readonly above: ReadonlySet<SupervisorSpec>;
}

function checkSupervisor(spec: SupervisorSpec, where: string, seen: Seen): void {
  if (seen.above.has(spec))
    throw new BadInputError(`${where} contains itself`, { hint: 'A tree has no circles: make a spec of its own for each place.' });
  claim(spec.id, where, seen.ids);
  const { strategy, intensity, periodMs, delay, autoShutdown, children = [] } = spec;
  oneOf(strategy, strategies, 'strategy', where);
  oneOf(autoShutdown, autoShutdowns, 'autoShutdown', where);
  if (intensity !== undefined && intensity !== Infinity && !(Number.isSafeInteger(intensity) && intensity >= 0)) {
    throw new BadInputError(`${where}: intensity is ${String(intensity)}`, {
      hint: 'Give a whole number of restarts from 0, or Infinity.',
    });
  }
  if (periodMs !== undefined && !(periodMs > 0)) {
    throw new BadInputError(`${where}: periodMs is ${String(periodMs)}`, { hint: 'Give milliseconds greater than 0.' });
  }
  if (delay !== undefined) checkDelay(delay, where);
  if (spec.fleet !== undefined) checkFleet(spec.fleet, where, seen.kinds);
  if (!Array.isArray(children))
    throw new BadInputError(`${where}: children is no list`, { hint: 'Give an array of child specs, in the order in which they start.' });
  const above = new Set([...seen.above, spec]);
  for (const [index, child] of (children as SupervisorSpec['children'] & object).entries()) {
    if (typeof child !== 'object' || child === null) {
      throw new BadInputError(`${where}: child ${String(index)} is ${String(child)}`, {
        hint: 'Give { id, kind, … } or supervisor({ id, … }).',
      });
    }
    const name = `${where} › ${isSupervisor(child) ? 'supervisor' : 'child'} ${JSON.stringify(child.id)}`;
    if (isSupervisor(child)) checkSupervisor(child, name, { ...seen, above });
    else {
      claim(child.id, name, seen.ids);
      checkKind(child, name, seen.kinds);
    }
    checkChild(child, name, autoShutdown ?? 'never');
  }
}

function checkKind({ kind }: ChildSpec, where: string, kinds: ReadonlySet<string>): void {
  if (kinds.has(kind)) return;
  const known = [...kinds].map((name) => JSON.stringify(name)).join(', ');
  throw new UnknownKindError(`${where}: no agents of kind ${JSON.stringify(kind)} are registered`, {
    hint: `Registered kinds: ${known === '' ? 'none' : known}.`,
  });
}

function checkChild(child: ChildSpec | SupervisorSpec, where: string, autoShutdown: AutoShutdown | undefined): void {
  oneOf(child.restart, restartTypes, 'restart', where);
  const { shutdownMs } = child;
  const { heartbeatMs } = child as ChildSpec;
  if (heartbeatMs !== undefined && !(heartbeatMs > 0)) {
    throw new BadInputError(`${where}: heartbeatMs is ${String(heartbeatMs)}`, {
      hint: 'Give milliseconds greater than 0, or leave it out.',
    });
  }
  if (shutdownMs !== undefined && !(shutdownMs >= 0)) {
    throw new BadInputError(`${where}: shutdownMs is ${String(shutdownMs)}`, { hint: 'Give milliseconds from 0, or Infinity.' });
  }
  if (child.significant !== true) return;
  if (autoShutdown === undefined || autoShutdown === 'never') {
    throw new BadInputError(`${where} is significant, and its supervisor's autoShutdown is never`, {
      hint: "Say autoShutdown: 'any-significant' or 'all-significant', or leave `significant` out.",
    });
  }
  if (resolveChild(child).restart === 'permanent') {
    throw new BadInputError(`${where} is significant and permanent`, {
      hint: 'A permanent child never ends by itself: make it transient or temporary.',
    });
  }
}

function checkDelay({ initialMs, maximumMs, factor, jitter }: RestartDelay, where: string): void {
  const wrong = (option: string, value: unknown, hint: string): BadInputError =>
    new BadInputError(`${where}: delay.${option} is ${String(value)}`, { hint });
  if (!(initialMs >= 0 && initialMs < Infinity)) throw wrong('initialMs', initialMs, 'Give milliseconds from 0.');
  if (maximumMs !== undefined && !(maximumMs >= initialMs))
    throw wrong('maximumMs', maximumMs, 'Give milliseconds, not less than initialMs.');
  if (factor !== undefined && !(factor >= 1)) throw wrong('factor', factor, 'Give a number from 1.');
  if (jitter !== undefined && !['full', 'none'].includes(jitter)) throw wrong('jitter', jitter, "Use 'full' or 'none'.");
}

function claim(id: string, where: string, ids: Set<string>): void {
  if (typeof id !== 'string' || id === '') throw new BadInputError(`${where} has no id`, { hint: 'Give each child the id of its agent.' });
  if (ids.has(id))
    throw new BadInputError(`${where}: the id is in the tree twice`, { hint: 'Ids are those of agents: give each its own.' });
  ids.add(id);
}

function oneOf(value: string | undefined, values: readonly string[], option: string, where: string): void {
  if (value === undefined || values.includes(value)) return;
  throw new BadInputError(`${where}: ${option} is ${JSON.stringify(value)}`, {
    hint: `One of ${values.map((one) => `'${one}'`).join(', ')}.`,
  });
}
