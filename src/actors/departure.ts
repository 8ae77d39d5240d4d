/**
 * How a supervised agent goes down: with a turn that failed, with its supervisor's end, or because it hangs. All of it is in the draft with which it
 * leaves memory (`Agent.goDown`), so whoever brings it back finds either the agent as it was or the whole of this.
 */

import { DeadLetterError, type StatewardenError } from '../core/errors.js';
import type { AgentCommit } from '../persistence/store.js';
import { agentFailed } from './agent-failure.js';
import type { Agent } from './agent.js';
import type { Collector } from './collector.js';
import type { Draft, Receipt } from './draft.js';
import { effectRecords } from './effect-records.js';
import type { EventOrigin } from './entry.js';
import { nameOf, recordFailure, report, type Cause } from './setback.js';

/** A turn has failed: nothing of it happened, and the agent is down. `taken`: it is in the draft already. */
export function failTurn(agent: Agent, cause: Cause, error: unknown, draft: Draft, taken: boolean): void {
  agent.sequenceNumber -= 1;
  if (taken) draft.takeBackTurn();
  draft.undoTurn();
  agent.broken = true;
  if (draft.create !== undefined) {
    agent.drop(agentFailed(agent.id, error), draft);
    return;
  }
  recordFailure(agent, draft, cause, error, agent.collector.childFailed);
  agent.goDown(draft);
  if (cause.outcome !== undefined) draft.setOperation(cause.outcome.left());
}

/** It makes no progress: as if a turn had failed. */
export function failHung(agent: Agent, error: StatewardenError): void {
  if (agent.status !== 'active' || agent.leaving || agent.gone || agent.collector.inTurn) return;
  const draft = agent.draft();
  recordFailure(agent, draft, { hung: true }, error, false);
  agent.goDown(draft);
}

/** A supervisor is at its end. */
export function exit(agent: Agent, draft: Draft, { text, how, message }: NonNullable<Collector['exit']>): void {
  agent.collector.exit = undefined;
  draft.outcome = text;
  if (agent.supervisor !== undefined) {
    const failure = { reason: 'supervisor' as const, message, at: agent.host.clock.now() };
    report(agent, draft, { how, counts: true, ...(how === 'failed' ? { failure } : {}) });
  }
  agent.goDown(draft);
}

/** Puts an event into the agent's own mailbox, with the commit of going down. */
export function postAgain(
  agent: Agent,
  event: string,
  origin: EventOrigin | undefined,
  trace: string | undefined,
  resolve: (receipt: Receipt) => void,
  reject: (error: Error) => void,
): void {
  const draft = agent.draft();
  const { id: messageId, reply: replyTo } = origin ?? {};
  // The same event sent again while it failed for the last time.
  if (messageId !== undefined && draft.deadLetters?.some((letter) => letter.messageId === messageId) === true) {
    reject(
      new DeadLetterError(`the event with message id "${messageId}" is a dead letter of agent "${agent.id}"`, {
        hint: 'It failed too often: see `statewarden dead-letters`. Correct the cause, then redrive it.',
      }),
    );
    return;
  }
  // It needs an id by which it is known when it fails again.
  const id = messageId ?? nameOf(agent.fence, (agent.host.uses += 1));
  const acceptedAt = agent.host.clock.now();
  (draft.messages ??= []).push({ to: agent.id, messageId: id, event, from: undefined, replyTo, acceptedAt, trace });
  draft.awaitCommit(() => resolve({ sequenceNumber: 0, duplicate: false }), reject);
}

/** The last commit of an agent whose live actors are broken. Whoever brings it back finds its open operations by the ledger. */
export function lastCommit(agent: Agent, draft: Draft): AgentCommit {
  const effects = effectRecords(agent.root, draft.effects, false);
  const { key, id, fence, sequenceNumber } = agent;
  const at = agent.host.clock.now();
  return draft.toCommit({ key, id, fence, at, sequenceNumber, checkpoint: draft.kept, effects, state: undefined, busy: false });
}
