/** What a plan needs to know, read in its transaction with one query: where agents stand, what waits for them, which message ids were accepted, and whether the database is still the one that was opened. */

import type { AgentKey } from '../store.js';
import { isKeptBySender } from '../kept-by-sender.js';
import { scatter } from './keys.js';
import type { Known, Waiting } from './known.js';
import { longTextOf } from './mutations.js';
import { isFinal, type World } from './plan.js';
import { agentColumns, agentRecord } from './rows.js';
import type { Transaction } from './link.js';
import { integers, pairs, text, texts, type Row } from './wire.js';

/** What is to be read. Agents are found by key or id; everything of theirs by id. */
export class Wants {
  readonly keys = new Set<AgentKey>();
  readonly ids = new Set<string>();
  /** Whose mailbox is to be known whole. */
  readonly mailboxes = new Set<string>();
  /** Of those, whose mail may become dead letters. */
  readonly burials = new Set<string>();
  /** Whose mailbox is to be counted. */
  readonly counted = new Set<string>();
  readonly marks: (readonly [id: string, messageId: string])[] = [];
  letters = false;
}

const query = `SELECT
  ARRAY(SELECT AS STRUCT ${agentColumns}, (SELECT t.position FROM tails t WHERE t.agent = a.agent) AS tail
    FROM agents a WHERE a.agent IN UNNEST(@agents)) AS by_key,
  ARRAY(SELECT AS STRUCT ${agentColumns}, (SELECT t.position FROM tails t WHERE t.agent = a.agent) AS tail,
      IF(a.id IN UNNEST(@counted), (SELECT COUNT(*) FROM mailbox m WHERE m.agent = a.agent), NULL) AS waiting
    FROM agents a WHERE a.id IN UNNEST(@ids)) AS by_id,
  ARRAY(SELECT AS STRUCT a.key, m.position, m.message_id, m.reply_to, k.sequence_number AS mark, m.sender,
      IF(a.id IN UNNEST(@burials) OR STARTS_WITH(m.event, @long), m.event, '') AS event
    FROM agents a JOIN mailbox m ON m.agent = a.agent LEFT JOIN marks k ON k.agent = m.agent AND k.message_id = m.message_id
    WHERE a.id IN UNNEST(@mailboxes) ORDER BY m.agent, m.position) AS mail,
  ARRAY(SELECT AS STRUCT a.key, k.message_id, k.sequence_number
    FROM UNNEST(@marks) AS wanted JOIN agents a ON a.id = wanted.id JOIN marks k ON k.agent = a.agent AND k.message_id = wanted.name) AS marks,
  (SELECT value FROM statewarden_meta WHERE name = 'epoch') AS epoch`;

export class ReadWorld implements World {
  readonly isRead = true;
  /** Of the database, as it is now. */
  readonly epoch: string | undefined;
  letters: number | undefined;
  readonly #agents = new Map<AgentKey, Known>();
  readonly #ids = new Map<string, AgentKey>();
  readonly #marks = new Map<string, number>();
  readonly #counts = new Map<AgentKey, number>();

  private constructor(row: Row, wants: Wants) {
    this.epoch = row['epoch'] as string | undefined;
    const mail = new Map<AgentKey, Map<number, Waiting>>();
    for (const message of row['mail'] as Row[]) {
      const key = message['key'] as AgentKey;
      const mailbox = mail.get(key) ?? mail.set(key, new Map()).get(key);
      mailbox?.set(message['position'] as number, waitingOf(message));
    }
    for (const found of [...(row['by_key'] as Row[]), ...(row['by_id'] as Row[])]) {
      const record = agentRecord(found);
      const { key, id, fence, sequenceNumber } = record;
      this.#agents.set(key, {
        key,
        agent: scatter(key),
        id,
        fence,
        sequenceNumber,
        tail: found['tail'] as number | undefined,
        waiting: wants.mailboxes.has(id) ? (mail.get(key) ?? new Map()) : undefined,
        ended: isFinal(record.status),
        longCheckpoint: true,
        record,
      });
      this.#ids.set(id, key);
      if (typeof found['waiting'] === 'number') this.#counts.set(key, found['waiting']);
    }
    for (const mark of row['marks'] as Row[]) {
      this.#marks.set(nameOf(mark['key'] as AgentKey, mark['message_id'] as string), mark['sequence_number'] as number);
    }
  }

  static async read(transaction: Transaction, wants: Wants): Promise<ReadWorld> {
    for (const id of wants.mailboxes) wants.ids.add(id);
    const [row] = await transaction.query(query, {
      agents: integers(Array.from(wants.keys, scatter)),
      ids: texts(wants.ids),
      counted: texts(wants.counted),
      mailboxes: texts(wants.mailboxes),
      burials: texts(wants.burials),
      long: text('\u0001'),
      marks: pairs(wants.marks),
    });
    const world = new ReadWorld(row as Row, wants);
    if (wants.letters) await world.readLetters(transaction);
    return world;
  }

  /** By itself, since all who bury anything meet in this row. */
  async readLetters(transaction: Transaction): Promise<void> {
    const [row] = await transaction.query("SELECT value FROM counters WHERE name = 'dead-letters'");
    this.letters = (row?.['value'] as number | undefined) ?? 0;
  }

  agent(key: AgentKey): Known | undefined {
    return this.#agents.get(key);
  }

  byId(id: string): Known | undefined {
    const key = this.#ids.get(id);
    return key === undefined ? undefined : this.#agents.get(key);
  }

  mark(agent: AgentKey, messageId: string): number | undefined {
    return this.#marks.get(nameOf(agent, messageId));
  }

  count(agent: AgentKey): number | undefined {
    return this.#counts.get(agent);
  }
}

const nameOf = (key: AgentKey, messageId: string): string => `${String(key)} ${messageId}`;

/** Of a row with `message_id`, `reply_to`, `event`, `sender` and its id's `mark`. */
function waitingOf(row: Row): Waiting {
  const event = row['event'] as string;
  return {
    messageId: row['message_id'] as string | undefined,
    marked: row['mark'] === 0,
    keptBySender: isKeptBySender(row['reply_to'] as string | undefined),
    isLong: longTextOf(event) !== undefined,
    letter: { event, from: row['sender'] as string | undefined },
  };
}
