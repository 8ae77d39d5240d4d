/** One attempt as its activity sees it, and as those see it who watch. */

import type { Clock } from '../core/clock.js';
import { errorOf } from '../core/codec.js';
import { failpoint } from '../core/failpoint.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { WithoutTime } from '../actors/host.js';
import type { OperationOutcome } from '../actors/operation.js';
import type { ActivityContext } from './activity.js';
import type { FailureClass } from './failure-class.js';
import type { Run } from './run.js';

/** What tells an attempt to end. A controller costs more than the rest of an attempt: it is made for those that look at the signal. */
export class Abort {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  readonly now = (reason: Error): void => {
    this.#reason = reason;
    this.#controller?.abort(reason);
  };

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
}

function contextOf({ agent, operation: { record } }: Run, attempt: number, abort: Abort): ActivityContext {
  return {
    get signal() {
      return abort.signal;
    },
    idempotencyKey: record.userKey ?? record.id,
    attempt,
    agentId: agent.id,
    operationId: record.id,
    intendedAt: record.intendedAt,
    heartbeat: () => {
      agent.beats += 1;
    },
  };
}

/** Begins it: what it comes to, or a promise of that. */
export function begin(run: Run, attempt: number, abort: Abort): unknown {
  const { agent, operation, activity } = run;
  const context = contextOf(run, attempt, abort);
  if (agent.traced === undefined) return activity.run(operation.input, context);
  const { id: operationId, compensates } = operation.record;
  const call = { agent, activity: activity.name, operationId, attempt, compensates, parent: run.askedIn };
  const span = (run.span = agent.traced.tracing.call(call));
  operation.trace = span.trace ?? operation.trace;
  return span.within(() => activity.run(operation.input, context));
}

/** It has come to this. */
export function attempted(run: Run, outcome: OperationOutcome): void {
  failpoint('activity:end');
  run.ended?.();
  if (!outcome.ok) run.span?.failed(outcome.error);
  run.span?.ended();
  run.span = undefined;
}

/** It may have been begun, says the ledger from here on. */
export async function writeStarted({ agent, operation }: Run): Promise<void> {
  agent.updateOperation(operation, { status: 'started', nextRetryAt: undefined });
  await agent.whenCommitted().catch(() => undefined);
  failpoint('activity:started');
}

/** What is told of an attempt besides that it was. */
export interface Told {
  readonly outcome?: OperationOutcome;
  /** It ended while no attempt ran. */
  readonly waited?: boolean;
  readonly failure?: FailureClass | undefined;
  readonly nextRetryAt?: number | undefined;
  readonly breaker?: string;
  readonly error?: Error;
}

export type ActivityPhase = Extract<RuntimeEvent, { type: 'activity' }>['phase'];

export function activityEvent(
  clock: Clock,
  run: Run,
  phase: ActivityPhase,
  attempt: number,
  { outcome, waited, failure, nextRetryAt, breaker, error }: Told,
): WithoutTime<RuntimeEvent> {
  const { record, trace } = run.operation;
  return {
    type: 'activity',
    agentId: run.agent.id,
    activity: run.activity.name,
    operationId: record.id,
    ...(record.compensates === undefined ? {} : { compensates: record.compensates }),
    phase,
    attempt,
    ...(outcome === undefined || waited === true ? {} : { durationMs: clock.elapsed() - run.startedAt }),
    ...(nextRetryAt === undefined ? {} : { nextRetryAt }),
    ...(breaker === undefined ? {} : { breaker }),
    ...(failure === undefined ? {} : { failure }),
    ...(error === undefined ? {} : { error }),
    ...(trace === undefined ? {} : { trace }),
    ...(outcome === undefined || outcome.ok ? {} : { error: errorOf(outcome.error) }),
  };
}
