/**
 * An agent as it is to be in another store, and whether two are the same. What a store gives out itself is not part of an agent: its key, its fence, who holds it, where its mail stands in the queue of all. Nor is the address of code that
 * waits for an answer: its process has ended.
 */

import { createHash } from 'node:crypto';
import { codePrefix } from '../kept-by-sender.js';
import type { AgentKey, MailboxRecord, WholeAgent } from '../store.js';

/** With another key. */
export function transplanted(agent: WholeAgent, key: AgentKey): WholeAgent {
  return {
    ...agent,
    record: { ...agent.record, key, owner: undefined },
    mailbox: agent.mailbox.map((mail) => ({ ...mail, agent: key, replyTo: replyToElsewhere(mail) })),
  };
}

function replyToElsewhere({ replyTo }: MailboxRecord): string | undefined {
  return replyTo?.startsWith(codePrefix) === true ? undefined : replyTo;
}

/** SHA-256 of all that is the same in every store. */
export function likeness({
  record,
  input,
  checkpoint,
  journal,
  timers,
  operations,
  effects,
  mailbox,
  marks,
  artifacts,
}: WholeAgent): string {
  const { key: _key, fence: _fence, owner: _owner, ...rest } = record;
  const mail = mailbox.map(({ position: _position, agent: _agent, ...one }) => ({
    ...one,
    replyTo: replyToElsewhere({ ...one } as MailboxRecord),
  }));
  const content = [
    canonical(rest),
    input ?? null,
    checkpoint === undefined ? null : canonical(checkpoint),
    journal.map(canonical),
    sorted(timers.map(canonical)),
    sorted(operations.map(canonical)),
    sorted(effects.map(canonical)),
    mail.map(canonical),
    sorted(marks.map(canonical)),
    sorted(artifacts),
  ];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** One text for a record, however its members are ordered and whichever of the absent ones it has. */
function canonical(record: object): string {
  return JSON.stringify(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

function sorted(texts: readonly string[]): string[] {
  return [...texts].sort();
}
