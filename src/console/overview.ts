/** What is shown of a store as a whole: supervision trees, dead letters, people who are waited for, counts and nodes. */

import { errorOf } from '../core/codec.js';
import { listApprovals, listHolds } from '../runtime/holds.js';
import { listSagas, type Saga } from '../runtime/sagas.js';
import { DeadLetters } from '../supervisor/dead-letters.js';
import type { TreeNode } from '../supervisor/tree.js';
import type { Branch, LetterLine, LetterPage, PeoplePage, RuntimePage } from './api.js';
import { firstLine, readable, shownText, typeOf } from './lines.js';
import type { Monitor } from './monitor.js';
import { briefLimits, wholeLimits, type Redactor } from './shown.js';
import { kept, type Source } from './source.js';

const mostPeople = 500;

export async function treePage(source: Source): Promise<readonly Branch[]> {
  return (await source.tree()).map((node) => branchOf(node, source.redactor));
}

function branchOf(node: TreeNode, redactor: Redactor): Branch {
  const { id, kind, status, agent, strategy, restarts, failure, fleet, children, parked } = node;
  const type = fleet !== undefined ? 'fleet' : kind === undefined ? 'supervisor' : 'agent';
  const told = parked === undefined ? failure : { reason: 'parked', message: parked, at: failure?.at ?? 0 };
  return {
    id,
    type,
    ...(kind === undefined ? {} : { kind }),
    status: agent === 'parked' ? 'parked' : status,
    ...(strategy === undefined ? {} : { strategy }),
    restarts,
    ...(told === undefined ? {} : { failure: { ...told, message: firstLine(redactor.text(told.message)) } }),
    children: (children ?? []).map((child) => branchOf(child, redactor)),
  };
}

export interface LetterChoice {
  readonly to?: string | undefined;
  readonly group?: string | undefined;
  readonly after: number;
  readonly limit: number;
}

/** Dead letters, page by page; how they group is read from all of them, so it is kept for a moment. */
export class Letters {
  readonly #source: Source;
  readonly #groups: () => ReturnType<DeadLetters['groups']>;

  constructor(source: Source) {
    this.#source = source;
    this.#groups = kept(source.clock, 1_000, () => this.#letters.groups());
  }

  get #letters(): DeadLetters {
    const { runtime, store, clock } = this.#source;
    return runtime?.deadLetters ?? new DeadLetters({ store, clock, mailbox: 0 });
  }

  async page({ to, group, after, limit }: LetterChoice): Promise<LetterPage> {
    const { redactor, store } = this.#source;
    // Records, for one that is damaged must not hide the others.
    const chosen = to === undefined ? {} : { to };
    const found =
      group === undefined
        ? await store.deadLetters({ after, limit: limit + 1, ...chosen })
        : await this.#records(await this.#letters.list({ group, ...chosen }, { after, limit: limit + 1 }));
    const groups = await this.#groups().catch(() => []);
    const letters = found.slice(0, limit).map((letter): LetterLine => {
      const event = readable(letter.event);
      const details = shownText(redactor, letter.details, briefLimits);
      return {
        position: letter.position,
        to: letter.to,
        ...(letter.from === undefined ? {} : { from: letter.from }),
        reason: letter.reason,
        at: letter.at,
        type: typeOf(event),
        event: redactor.shown(event, briefLimits),
        ...(details === undefined ? {} : { details }),
      };
    });
    const next = found.length > limit ? letters.at(-1)?.position : undefined;
    return {
      groups: groups.map((one) => ({
        group: one.group,
        reason: one.reason,
        type: one.type,
        message: firstLine(redactor.text(one.message ?? '')),
        count: one.count,
      })),
      letters,
      ...(next === undefined ? {} : { next }),
    };
  }

  async #records(letters: readonly { readonly position: number }[]): ReturnType<Source['store']['deadLetters']> {
    const { store } = this.#source;
    const found = await Promise.all(letters.map(({ position }) => store.deadLetters({ after: position - 1, limit: 1 })));
    return found.flat().filter(({ position }) => letters.some((one) => one.position === position));
  }
}

interface Waiting {
  readonly approvals: Awaited<ReturnType<typeof listApprovals>>;
  readonly holds: Awaited<ReturnType<typeof listHolds>>;
  readonly sagas: readonly Saga[];
}

/** What people can answer, each once: held steps of an undoing are their saga's, and a saga of which only a step is held is that step's. */
export async function waiting({ store }: Pick<Source, 'store'>): Promise<Waiting> {
  const filter = { limit: mostPeople };
  const [approvals, holds, all] = await Promise.all([listApprovals(store, filter), listHolds(store, filter), listSagas(store, filter)]);
  const sagas = all.filter((saga) => saga.status === 'held' && heldIn(saga).length > 0);
  const undoing = new Set(sagas.flatMap(heldIn));
  return { approvals, holds: holds.filter(({ operationId }) => !undoing.has(operationId)), sagas };
}

/** Operations of its undoing. */
const heldIn = ({ plan, steps }: Saga): readonly string[] =>
  [plan, ...steps.map(({ undoing }) => undoing)].flatMap((work) => (work?.status === 'held' ? [work.operationId] : []));

export async function peoplePage(source: Source): Promise<PeoplePage> {
  const { redactor } = source;
  const { approvals, holds, sagas } = await waiting(source);
  return {
    approvals: approvals.map(({ operationId, agentId, title, details, choices, since, deadline }) => ({
      operation: operationId,
      agent: agentId,
      title: redactor.text(title),
      request: redactor.shown(details ?? null, wholeLimits),
      choices,
      askedAt: since,
      ...(deadline === undefined ? {} : { deadlineAt: deadline }),
    })),
    holds: holds.map(({ operationId, agentId, activity, input, error, since }) => ({
      operation: operationId,
      agent: agentId,
      activity,
      ...(input === undefined ? {} : { input: redactor.shown(input, briefLimits) }),
      since,
      ...(error === undefined ? {} : { message: firstLine(redactor.text(errorOf(error).message)) }),
    })),
    sagas: sagas.map((saga) => sagaLine(saga, redactor)),
  };
}

function sagaLine({ saga, agentId, status, steps, plan }: Saga, redactor: Redactor): PeoplePage['sagas'][number] {
  const held = steps.find(({ undoing, status: stands }) => undoing?.status === 'held' || stands === 'held');
  const error = held?.undoing?.error ?? held?.error ?? plan?.error;
  return {
    saga,
    agent: agentId,
    status,
    ...(held === undefined ? {} : { step: held.activity }),
    ...(error === undefined ? {} : { message: firstLine(redactor.text(error.message)) }),
  };
}

export async function countsOf(source: Source): Promise<RuntimePage['counts']> {
  const { agents, mailbox, timers, openOperations, deadLetters, bytes } = await source.counts();
  return { agents, mailbox, timers, openOperations, deadLetters, bytes };
}

export async function runtimePage(source: Source, monitor: Monitor): Promise<RuntimePage> {
  const [counts, nodes] = await Promise.all([countsOf(source), source.store.nodes()]);
  const now = source.clock.now();
  return {
    counts,
    nodes: nodes.map(({ node, name, host, pid, seenAt, expiresAt }) => ({ node, name, host, pid, seenAt, isUp: expiresAt > now })),
    ...(source.runtime === undefined ? {} : { series: monitor.series() }),
  };
}
