/** What is to be undone, and in which order: the ledger read backwards. */

import type { OperationRecord } from '../../persistence/store.js';
import type { ResolvedActivity } from '../activity.js';

/** Names in the ledger. */
export const planActivity = 'compensation.plan';
export const settleActivity = 'compensation.settle';
export const undoActivity = 'compensation.undo';

/** An operation that is to be undone, or of which must be known first whether it was done. */
export interface PlannedStep {
  readonly saga: string;
  readonly operation: string;
  readonly activity: string;
  /** It has been undone before, perhaps. */
  readonly doubtful?: true;
}

export interface Plan {
  /** Of which nobody knows whether they were done, newest first. While there are any, nothing is undone. */
  readonly unknown: readonly PlannedStep[];
  /** One after the other; what is within one, at the same time. */
  readonly rounds: readonly (readonly PlannedStep[])[];
}

export interface Reading extends Plan {
  /** Ids of those that have not ended. */
  readonly open: readonly string[];
  /** Of a pivot that has succeeded. */
  readonly passed: OperationRecord | undefined;
  /** Activities that no machine has any more, or that nothing undoes any more. */
  readonly lost: readonly string[];
}

/** A saga's own steps, without what undoes them. */
export function stepsOf(operations: readonly OperationRecord[], saga: string): OperationRecord[] {
  return operations.filter((operation) => operation.saga === saga && operation.compensates === undefined);
}

/** Newest first: by the turn that took the outcome; those that were given up in one turn by when they were asked for. */
export function newestFirst(one: OperationRecord, other: OperationRecord): number {
  return other.settledIn - one.settledIn || other.intendedIn - one.intendedIn || (one.id < other.id ? 1 : -1);
}

/** Reads an agent's ledger. `activities`: by name. */
export function readPlan(
  operations: readonly OperationRecord[],
  saga: string,
  activities: ReadonlyMap<string, Pick<ResolvedActivity, 'undoing'>>,
): Reading {
  const steps = stepsOf(operations, saga).sort(newestFirst);
  const undos = operations.filter((operation) => operation.saga === saga && operation.compensates !== undefined);
  const open = [...steps, ...undos.filter(({ activity }) => activity !== planActivity)].filter(({ settledIn }) => settledIn === 0);
  const planned = (step: OperationRecord): PlannedStep => {
    const before = undos.some((undo) => undo.activity === undoActivity && undo.compensates === step.id && undo.status === 'unknown');
    return { saga, operation: step.id, activity: step.activity, ...(before ? { doubtful: true } : {}) };
  };
  const rounds: PlannedStep[][] = [];
  const lost = new Set<string>();
  let together = false;
  for (const step of steps.filter(({ status }) => status === 'succeeded' || status === 'unknown')) {
    const undoing = activities.get(step.activity)?.undoing;
    if (undoing === undefined) lost.add(step.activity);
    else if (undoing.pivot || step.status === 'unknown') continue;
    else {
      if (together && undoing.independent) rounds.at(-1)?.push(planned(step));
      else rounds.push([planned(step)]);
      together = undoing.independent;
    }
  }
  return {
    open: open.map(({ id }) => id),
    passed: steps.find(({ status, activity }) => status === 'succeeded' && activities.get(activity)?.undoing?.pivot === true),
    lost: [...lost],
    unknown: steps.filter(({ status }) => status === 'unknown').map(planned),
    rounds,
  };
}
