/**
 * `statewarden send ID EVENT`: puts an event into an agent's mailbox, durably. Whichever node runs the agent takes it, now or when it next
 * starts. A mistyped id is refused, not kept as a dead letter; an agent that has ended takes nothing more.
 */

import { encode } from '../../core/codec.js';
import { BadEventError, EventTooLargeError, MailboxFullError } from '../../core/errors.js';
import { movedError } from '../../persistence/moving/mark.js';
import type { AgentRecord, PostOutcome } from '../../persistence/store.js';
import { findAgent } from '../agent-id.js';
import { brief, printable } from '../output.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

/** A runtime's default limits. */
const mailboxLimit = 10_000;
const eventBytesLimit = 1_048_576;

/** @throws UsageError, BadEventError, EventTooLargeError, UnknownAgentError, MailboxFullError */
export async function send(session: Session, id: string, eventText: string, messageId: string | undefined): Promise<ExitCode> {
  const event = parseEvent(eventText);
  const { output } = session;
  const agent = await findAgent(session, id, 'exact');
  const outcome = await post(session, agent, event, messageId);
  if (output.json) output.document({ id: agent.id, messageId: messageId ?? null, ...outcomeDocument(outcome) });
  else output.line(await inWords(session, agent, outcome));
  return outcome.outcome === 'dead-letter' ? 1 : 0;
}

/** `event`: encoded. @throws MailboxFullError, StoreMovedError */
export async function post({ store, now }: Session, { id }: AgentRecord, event: string, messageId: string | undefined): Promise<Posted> {
  const moved = await movedError(store);
  if (moved !== undefined) throw moved;
  const [outcome] = await store.post([{ to: id, messageId, event, from: undefined, replyTo: undefined, acceptedAt: now() }], mailboxLimit);
  if (outcome !== undefined && outcome.outcome !== 'full') return outcome;
  throw new MailboxFullError(`the mailbox of "${id}" holds ${String(mailboxLimit)} events`, {
    hint: 'Start the runtime that runs it, or wait until it has taken some.',
  });
}

/** The encoded event: of a JSON object, or of a bare type. @throws UsageError, BadEventError, EventTooLargeError */
export function parseEvent(text: string): string {
  const hint = `Give a type, START, or a JSON object with one: '{"type":"START","topic":"fsync"}'.`;
  let event: unknown;
  if (/^\s*[[{"]/.test(text)) {
    try {
      event = JSON.parse(text);
    } catch (error) {
      throw new UsageError(`the event is not JSON: ${(error as Error).message}`, hint);
    }
  } else event = { type: text.trim() };
  const type = typeof event === 'object' && event !== null && !Array.isArray(event) ? (event as { type?: unknown }).type : undefined;
  if (typeof type !== 'string' || type === '') throw new BadEventError('an event is an object with a string type', { hint });
  if (type === '*' || type.startsWith('xstate.') || type.startsWith('statewarden.')) {
    throw new BadEventError(`the event type "${type}" is reserved`, { hint: 'Use a type of your own.' });
  }
  const encoded = encode(event, 'event');
  const bytes = Buffer.byteLength(encoded);
  if (bytes > eventBytesLimit) {
    throw new EventTooLargeError(`the event takes ${String(bytes)} bytes, more than ${String(eventBytesLimit)}`, {
      hint: 'Keep the value elsewhere and send a reference.',
    });
  }
  return encoded;
}

export type Posted = Exclude<PostOutcome, { outcome: 'full' }>;

export function outcomeDocument(outcome: Posted): object {
  switch (outcome.outcome) {
    case 'accepted':
      return { outcome: 'accepted', position: outcome.position };
    case 'duplicate':
      return { outcome: 'duplicate', sequenceNumber: outcome.sequenceNumber };
    case 'dead-letter':
      return { outcome: 'dead-letter', reason: outcome.reason };
  }
}

/** `what`: is in the mailbox now. */
export async function inWords({ store, output }: Session, agent: AgentRecord, outcome: Posted, what = ''): Promise<string> {
  const id = printable(agent.id);
  switch (outcome.outcome) {
    case 'accepted': {
      const accepted = `${output.paint('green', 'accepted')}: ${what === '' ? '' : `${printable(what)}, `}in the mailbox of ${id}`;
      if (agent.status === 'parked') return `${accepted}, which is parked (${printable(brief(agent.outcome))})`;
      const nodes = await store.nodes();
      return nodes.length > 0 ? accepted : `${accepted}; no runtime is up, it is taken when one starts`;
    }
    case 'duplicate':
      return `duplicate: that message id was ${outcome.sequenceNumber === 0 ? 'accepted before and waits' : `taken as event ${String(outcome.sequenceNumber)}`}`;
    case 'dead-letter':
      return `${output.paint('red', 'dead letter')}: ${outcome.reason === 'agent-ended' ? `${id} has ended (${agent.status})` : `${id} is gone`}`;
  }
}
