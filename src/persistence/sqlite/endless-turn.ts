/**
 * What becomes of a turn that does not end, inside a transaction of the writer: its event is put aside as a dead letter, or, when there is no event to
 * put aside (a first turn, an activity's outcome), its agent ends in error. Nothing else of the agent changes: the next start goes on without it.
 */

import { encodeThrown } from '../../core/codec.js';
import { EndlessTurnError } from '../../core/errors.js';
import type { TurnInProgress } from '../../core/turn-pulse.js';
import type { Records } from '../encryption/records.js';
import { isKeptBySender, mailPrefix } from '../kept-by-sender.js';
import { isFinal } from './commits.js';
import type { Connection, Value } from './driver.js';

export interface EndlessTurn {
  readonly agentId: string;
  readonly kind: string;
  readonly sequenceNumber: number;
  readonly event: string | undefined;
  /** Position of the dead letter. */
  readonly letter: number | undefined;
  /** There was no event to put aside: the agent has ended in error. */
  readonly ended: boolean;
}

const reason = 'endless-turn';

/** Undefined when the agent is not this node's any more, or was never stored. `records`: of an encrypted store, where what is written here is sealed as all else. */
export function recordEndlessTurn(
  connection: Connection,
  node: number,
  turn: TurnInProgress,
  at: number,
  records?: Records,
): EndlessTurn | undefined {
  const { agent: key, sequenceNumber } = turn;
  const one = (sql: string, ...values: Value[]): Record<string, Value> | undefined => connection.prepare(sql).get(...values);
  const run = (sql: string, ...values: Value[]): number | bigint => connection.prepare(sql).run(...values).lastInsertRowid;
  const agent = one('SELECT id, kind, status, owner, supervisor FROM agents WHERE key = ?', key);
  if (agent?.['owner'] !== node) return undefined;
  const [agentId, kind] = [agent['id'] as string, agent['kind'] as string];
  const told = { agentId, kind, sequenceNumber, event: undefined, letter: undefined, ended: false };
  const bury = (event: Value, sender: Value, messageId: Value, to: Value = agentId): EndlessTurn => {
    const letter = run(
      'INSERT INTO dead_letters (recipient, event, sender, reason, at, message_id) VALUES (?, ?, ?, ?, ?, ?)',
      to,
      event,
      sender,
      reason,
      at,
      messageId,
    );
    // It is told on standard error, where nothing of an encrypted store belongs.
    return { ...told, event: records === undefined ? (event as string) : 'an encrypted event', letter: Number(letter) };
  };
  /** An event of nobody's message id. */
  const sealed = (event: string, to: string, from: string | undefined): string =>
    records === undefined ? event : records.event({ to, from, messageId: undefined, event });
  const error = new EndlessTurnError(`turn ${String(sequenceNumber)} of agent "${agentId}" did not end`, {
    hint: 'Look for a loop in the machine: an `always` whose guard stays true, a `raise` that raises itself.',
  });
  const answerSender = (sender: string, replyTo: string): void => {
    const tag = decodeURIComponent(replyTo.slice(mailPrefix.length, replyTo.indexOf(' ')));
    const answer = `{"type":"statewarden.replied","tag":${JSON.stringify(tag)},"error":${encodeThrown(error)},"kept":true}`;
    run(
      'INSERT INTO mailbox (agent, event, sender, accepted_at) SELECT key, ?, ?, ? FROM agents WHERE id = ?',
      sealed(answer, sender, agentId),
      agentId,
      at,
      sender,
    );
  };
  if (turn.mail !== undefined) {
    const mail = one('SELECT event, sender, message_id, reply_to FROM mailbox WHERE position = ? AND agent = ?', turn.mail, key);
    if (mail !== undefined) {
      run('DELETE FROM mailbox WHERE position = ?', turn.mail);
      const replyTo = (mail['reply_to'] ?? undefined) as string | undefined;
      if (isKeptBySender(replyTo)) {
        const sender = mail['sender'] as string;
        const stored = { to: agentId, from: sender, messageId: (mail['message_id'] ?? undefined) as string | undefined };
        const event = mail['event'] as string;
        answerSender(sender, replyTo as string);
        if (records === undefined) return bury(event, agentId, null, sender);
        // Its receiver is another one now, and what is sealed is bound to that.
        const opened = openedBy(records, { ...stored, event });
        // Under a data key that is younger than this thread's: it is kept where it is.
        if (opened === undefined) return bury(event, sender, mail['message_id'] as Value);
        return bury(sealed(opened, sender, agentId), agentId, null, sender);
      }
      return bury(mail['event'] as Value, mail['sender'] as Value, mail['message_id'] as Value);
    }
  }
  if (turn.timer !== undefined) run('DELETE FROM timers WHERE agent = ? AND id = ?', key, turn.timer);
  // Code that sent an event too long to be kept has it still: it was not told that the event is durable.
  if (turn.source !== 'other')
    return turn.event === undefined
      ? { ...told, event: undefined, letter: undefined }
      : bury(sealed(turn.event, agentId, undefined), null, null);
  if (isFinal(agent['status'])) return told;
  const thrown = encodeThrown(error);
  const outcome = records === undefined ? thrown : records.seal(thrown, key, agentId, 'outcome');
  run("UPDATE agents SET status = 'error', outcome = ?, busy = 0, updated_at = ? WHERE key = ?", outcome, at, key);
  run(
    `INSERT INTO dead_letters (recipient, event, sender, reason, at, message_id)
      SELECT ?, event, sender, 'agent-ended', ?, message_id FROM mailbox WHERE agent = ? ORDER BY position`,
    agentId,
    at,
    key,
  );
  for (const table of ['mailbox', 'timers', 'effects']) run(`DELETE FROM ${table} WHERE agent = ?`, key);
  run(
    "UPDATE ledger SET status = CASE status WHEN 'succeeded' THEN status WHEN 'started' THEN 'unknown' WHEN 'held' THEN 'unknown' ELSE 'cancelled' END, next_retry_at = NULL, settled_in = ?, settled_at = ? WHERE agent = ? AND settled_in = 0",
    sequenceNumber,
    at,
    key,
  );
  if (agent['supervisor'] !== null) {
    // No failure that is worth a restart: it would end the next process too.
    const failure = { reason: 'endless-turn', message: error.message, at };
    const report = JSON.stringify({ type: 'statewarden.exited', id: agentId, how: 'shutdown', counts: false, failure, at, random: 0 });
    run(
      'INSERT INTO mailbox (agent, event, sender, accepted_at) SELECT key, ?, ?, ? FROM agents WHERE id = ?',
      sealed(report, agent['supervisor'] as string, agentId),
      agentId,
      at,
      agent['supervisor'] as Value,
    );
  }
  return { ...told, ended: true };
}

function openedBy(records: Records, stored: Parameters<Records['openEvent']>[0]): string | undefined {
  try {
    return records.openEvent(stored);
  } catch {
    return undefined;
  }
}
