/**
 * A question to another agent, as actor logic: the event goes to the other's mailbox in this agent's own commit, the other
 * answers with `reply(…)`, and the answer is this actor's output. Both survive a crash of either side.
 */

import { fromPromise, type AnyActorLogic, type EventObject, type PromiseActorLogic } from 'xstate';
import { checkEvent } from '../actors/event-check.js';
import type { Asked } from '../actors/operation.js';
import { BadInputError, TimeoutError } from '../core/errors.js';

export interface Question<TEvent extends EventObject = EventObject> {
  /** Id of the agent that is asked. */
  readonly to: string;
  readonly event: TEvent;
  /** After so long without an answer the actor fails with `TimeoutError`. Default: waits for ever. */
  readonly timeoutMs?: number;
}

const questions = new WeakSet<AnyActorLogic>();

/** `setup({ actors: { askPlanner: ask<Plan>() } })`, `invoke: { src: 'askPlanner', input: { to: 'planner', event: … }, onDone }`. */
export function ask<TReply = unknown, TEvent extends EventObject = EventObject>(): PromiseActorLogic<TReply, Question<TEvent>> {
  const logic = fromPromise<TReply, Question<TEvent>>(() =>
    Promise.reject(new BadInputError('ask() needs a runtime', { hint: 'Spawn the machine with createRuntime(…).spawn(…).' })),
  );
  questions.add(logic);
  return logic;
}

/** What the other agent is asked. @throws BadEventError */
export function questionOf(input: unknown, operationId: string): Asked {
  const { to, event } = input as Question;
  return { to, event: checkEvent(event), messageId: `question ${operationId}` };
}

/** When it fails for want of an answer. */
export function expiryOf(input: unknown, now: number): number | undefined {
  const { timeoutMs } = input as Question;
  return timeoutMs === undefined ? undefined : now + timeoutMs;
}

export function unanswered(input: unknown): TimeoutError {
  const { to, timeoutMs } = input as Question;
  return new TimeoutError(`agent "${to}" did not answer within ${String(timeoutMs)} ms`, {
    hint: 'Look at it with `statewarden show`; its machine answers with reply(…).',
  });
}

export function isQuestion(logic: AnyActorLogic): boolean {
  return questions.has(logic);
}
