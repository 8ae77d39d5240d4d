/**
 * What the steps of an undoing do: read the ledger, find out, undo. What each comes to is written with the record of the operation that it is about, in one commit: an operation is `compensated` exactly when
 * its undoing is recorded.
 */

import type { Agent } from '../../actors/agent.js';
import type { KeptResult, Operation, OperationOutcome } from '../../actors/operation.js';
import { decode, encode } from '../../core/codec.js';
import { sleep, type Clock } from '../../core/clock.js';
import { errorMessage } from '../../core/errors.js';
import { CompensationFailedError, NoOutcomeError, OutcomeUnknownError, PivotPassedError } from '../../core/operation-errors.js';
import { failpoint } from '../../core/failpoint.js';
import type { OpenedStore, OperationRecord } from '../../persistence/store.js';
import type { ActivityContext, ResolvedActivity } from '../activity.js';
import { freely, type Reconciled } from '../caution.js';
import { classOf } from '../failure-class.js';
import type { Results } from '../results.js';
import { TerminalError } from '../retry.js';
import { deedOf } from './compensation.js';
import { planActivity, readPlan, settleActivity, undoActivity, type Plan, type PlannedStep } from './plan.js';

export interface SagasOptions {
  readonly store: Pick<OpenedStore, 'operations'>;
  readonly clock: Clock;
  readonly results: Pick<Results, 'keep' | 'valueOf'>;
  /** Those that the runtime's machines declare, by name. */
  readonly activities: ReadonlyMap<string, ResolvedActivity>;
}

/** What is known of a step of which nobody knew. */
type Settled = { readonly done: true; readonly kept: KeptResult } | { readonly done: false };
/** The same as the outside says it. */
type Said = { readonly done: true; readonly result: unknown } | { readonly done: false };

const plain = { concurrency: Infinity, key: undefined, timeoutMs: undefined, profile: 'standard' } as const;
/** How often the ledger is looked at again while steps of the saga are under way: as often as it takes. */
const untilAllHaveEnded = { attempts: Infinity, initialMs: 100, maximumMs: 5_000 } as const;
/** How long before a store that is away is asked again. */
const storeWaitMs = 500;

export class Sagas {
  readonly #options: SagasOptions;
  /** The record of the operation that each is about. */
  readonly #subjects = new WeakMap<Operation, OperationRecord>();

  constructor(options: SagasOptions) {
    this.#options = options;
  }

  /** What a step of an undoing is run as; undefined: it is none. */
  activityOf(agent: Agent, operation: Operation): ResolvedActivity | undefined {
    const deed = deedOf(operation.logic);
    if (deed === undefined) return undefined;
    if (deed === 'plan') return this.#planning(agent, operation);
    const step = operation.input as PlannedStep;
    const subject = this.#options.activities.get(step.activity);
    return deed === 'settle' ? this.#settling(agent, operation, step, subject) : this.#undoing(agent, operation, step, subject);
  }

  /** Another record that changes with this outcome. */
  along(operation: Operation, outcome: OperationOutcome): OperationRecord | undefined {
    const subject = outcome.ok ? this.#subjects.get(operation) : undefined;
    if (subject === undefined || !outcome.ok) return undefined;
    if (deedOf(operation.logic) === 'undo') return { ...subject, status: 'compensated' };
    const settled = outcome.value as Settled;
    return settled.done
      ? { ...subject, status: 'succeeded', outcome: settled.kept.text, artifact: settled.kept.artifact }
      : { ...subject, status: 'failed' };
  }

  #planning(agent: Agent, operation: Operation): ResolvedActivity {
    const { saga } = operation.input as { readonly saga: string };
    return {
      ...plain,
      name: planActivity,
      retry: untilAllHaveEnded,
      caution: freely,
      run: async (): Promise<Plan> => {
        failpoint('compensation:plan');
        const operations = await this.#options.store.operations(agent.key);
        const { open, passed, lost, unknown, rounds } = readPlan(operations, saga, this.#options.activities);
        if (open.length > 0)
          throw new Error(`${String(open.length)} steps of saga "${saga}" are under way: ${open.slice(0, 3).join(', ')}`);
        if (passed !== undefined) {
          throw new PivotPassedError(
            `saga "${saga}" is not undone: ${passed.activity} has succeeded, and from there it only goes forward`,
            {
              hint: 'Go on in onError: retry what is left, or call a person.',
              saga,
              operationId: passed.id,
            },
          );
        }
        if (lost.length > 0) throw new TerminalError(`no machine declares how to undo ${lost.join(', ')} any more`);
        return { unknown, rounds };
      },
      lastWord: (error) => (error instanceof PivotPassedError ? undefined : this.#failed(saga, operation, 'cannot be planned', error)),
      resolve: async ({ order, by }) =>
        order === 'done'
          ? { ok: true, value: { unknown: [], rounds: [] } satisfies Plan }
          : { ok: false, error: this.#failed(saga, operation, `was abandoned by ${by}`, undefined) },
    };
  }

  #settling(agent: Agent, operation: Operation, step: PlannedStep, subject: ResolvedActivity | undefined): ResolvedActivity {
    return {
      ...plain,
      name: settleActivity,
      profile: subject?.profile ?? 'standard',
      retry: subject?.retry ?? {},
      classify: subject?.classify,
      timeoutMs: subject?.timeoutMs,
      caution: freely,
      run: async (_, context): Promise<Settled> => {
        const record = await this.#load(agent, operation, step);
        failpoint('compensation:settle');
        if (record.status === 'succeeded') return { done: true, kept: { text: record.outcome ?? 'null', artifact: record.artifact } };
        if (record.status === 'failed') return { done: false };
        const said = await settle(record, subject, context);
        // One that cannot be kept is a person's to replace by one that can.
        return said.done ? { done: true, kept: await this.#options.results.keep(said.result, step.activity, context.signal) } : said;
      },
      lastWord: (error) =>
        new OutcomeUnknownError(
          `nobody knows whether ${step.activity} was carried out, so saga "${step.saga}" cannot be undone yet: ${errorMessage(error)}`,
          {
            hint: `Find out, then say so: statewarden holds done|fail ${JSON.stringify(operation.record.id)}; done takes its result.`,
            cause: error,
            operationId: step.operation,
          },
        ),
      resolve: async ({ order, result, abandons, by }) => {
        if (abandons === true) {
          const what = `was abandoned by ${by} while nobody knew whether ${step.activity} was carried out`;
          return { ok: false, error: this.#failed(step.saga, operation, what, undefined) };
        }
        await this.#loaded(agent, operation, step);
        const kept = { text: encode(result, 'the result') };
        return { ok: true, value: (order === 'done' ? { done: true, kept } : { done: false }) satisfies Settled };
      },
    };
  }

  #undoing(agent: Agent, operation: Operation, step: PlannedStep, subject: ResolvedActivity | undefined): ResolvedActivity {
    const undoing = subject?.undoing;
    return {
      ...plain,
      name: undoActivity,
      profile: undoing?.profile ?? subject?.profile ?? 'standard',
      retry: undoing?.retry ?? subject?.retry ?? {},
      classify: undoing?.classify ?? subject?.classify,
      timeoutMs: undoing?.timeoutMs,
      caution: undoing?.caution ?? freely,
      run: async (_, context): Promise<string> => {
        const record = await this.#load(agent, operation, step);
        failpoint('compensation:undo');
        if (record.status === 'compensated') return step.operation;
        if (undoing?.compensate === undefined) throw new TerminalError(`no machine declares how to undo ${step.activity} any more`);
        if (record.status !== 'succeeded' || record.outcome === undefined) {
          throw new NoOutcomeError(`operation ${JSON.stringify(step.operation)} of ${step.activity} has no recorded outcome to undo`, {
            hint: 'Undo it by hand, then say so: statewarden saga skip.',
          });
        }
        const output = await this.#options.results.valueOf(record);
        await undoing.compensate(record.input === undefined ? undefined : decode(record.input), output, context);
        return step.operation;
      },
      lastWord: (error) => this.#failed(step.saga, operation, `cannot undo ${step.activity}`, error),
      resolve: async ({ order, by }) => {
        await this.#loaded(agent, operation, step);
        if (order === 'done') return { ok: true, value: step.operation };
        return {
          ok: false,
          error: this.#failed(step.saga, operation, `was abandoned by ${by} when it could not undo ${step.activity}`, undefined),
        };
      },
    };
  }

  #failed(saga: string, { record }: Operation, what: string, cause: unknown): CompensationFailedError {
    const why = cause === undefined ? '' : `: ${errorMessage(cause)}`;
    return new CompensationFailedError(`the compensation of saga "${saga}" ${what}${why}`, {
      hint:
        cause === undefined
          ? 'What is left of it is undone by hand: see `statewarden saga show`.'
          : 'Correct the cause, then: statewarden saga resume; or undo it by hand and: statewarden saga skip.',
      cause,
      saga,
      operationId: record.compensates === undefined || record.compensates === everything ? record.id : record.compensates,
    });
  }

  async #load(agent: Agent, operation: Operation, step: PlannedStep): Promise<OperationRecord> {
    const record = (await this.#options.store.operations(agent.key)).find(({ id }) => id === step.operation);
    if (record === undefined) throw new TerminalError(`operation ${JSON.stringify(step.operation)} is not in the ledger`);
    this.#subjects.set(operation, record);
    return record;
  }

  /** As often as it takes: a person has spoken, and that is written. */
  async #loaded(agent: Agent, operation: Operation, step: PlannedStep): Promise<void> {
    while (!agent.gone) {
      try {
        await this.#load(agent, operation, step);
        return;
      } catch (error) {
        if (error instanceof TerminalError) return;
        await sleep(this.#options.clock, storeWaitMs);
      }
    }
  }
}

/** Whether it may have been done already, by one that was given up. */
export function isDoubtful({ logic, input }: Operation): boolean {
  return deedOf(logic) === 'undo' && (input as PlannedStep).doubtful === true;
}

/** Stands for the id of an operation in the record of a plan, which is about all of them. */
export const everything = '*';

/** Whether a step was carried out: the outside is asked, or it is run with its own key. @throws what says that neither is possible */
async function settle(record: OperationRecord, subject: ResolvedActivity | undefined, context: ActivityContext): Promise<Said> {
  const input = record.input === undefined ? undefined : decode(record.input);
  const key = record.userKey ?? record.id;
  if (subject?.caution.reconcile !== undefined) {
    const said = (await subject.caution.reconcile(input, key, context)) as Reconciled<unknown> | undefined;
    if (said?.outcome === 'done') return { done: true, result: said.result };
    if (said?.outcome === 'not-done') return { done: false };
    throw new TerminalError('the outside cannot tell');
  }
  if (subject?.caution.onUnknown !== 'retry') throw new TerminalError('it has no reconcile and must not be run again');
  try {
    const { agentId, attempt, intendedAt, heartbeat } = context;
    const again = { agentId, attempt, intendedAt, heartbeat, signal: context.signal, operationId: record.id, idempotencyKey: key };
    return { done: true, result: await subject.run(input, again) };
  } catch (error) {
    if (classOf(error, subject) === 'persistent') return { done: false };
    throw error;
  }
}
