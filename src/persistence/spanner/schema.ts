/**
 * The tables, as steps that are never changed once they are released: each brings a database of one version to the next. GoogleSQL.
 *
 * All that belongs to an agent is interleaved in its row, whose key has its bits reversed (`keys.ts`): one agent's rows stand together, and those of agents that were made one after the other far apart. Two tables hold nothing but where
 * things stand, in their key: `heads` an agent's fence and sequence number, `tails` the last position of its mailbox. To write a row of `heads` under the expected key is to check both, without reading (`plan.ts`).
 *
 * Times of the contract are epoch milliseconds (FLOAT64). Columns of type TIMESTAMP are Spanner's own commit times.
 */

/** The version that this code reads and writes. */
export const schemaVersion = 2;

const under = 'INTERLEAVE IN PARENT agents ON DELETE CASCADE';
const committed = 'TIMESTAMP OPTIONS (allow_commit_timestamp = true)';

/** What brings a database to a version, by that version. */
export const migrations: Readonly<Record<number, { readonly title: string; readonly statements: readonly string[] }>> = {
  1: {
    title: 'tables of version 1',
    statements: [
      'CREATE TABLE counters (name STRING(64) NOT NULL, value INT64 NOT NULL) PRIMARY KEY (name)',
      `CREATE TABLE nodes (
        node INT64 NOT NULL, name STRING(MAX) NOT NULL, host STRING(MAX) NOT NULL, pid INT64 NOT NULL, ttl_ms FLOAT64 NOT NULL,
        opened ${committed}, seen ${committed}, closed ${committed}, robbed INT64 NOT NULL
      ) PRIMARY KEY (node)`,
      `CREATE TABLE presences (incarnation STRING(36) NOT NULL, node INT64 NOT NULL, written ${committed}) PRIMARY KEY (incarnation)`,
      `CREATE TABLE agents (
        agent INT64 NOT NULL, key INT64 NOT NULL, shard INT64 NOT NULL, id STRING(MAX) NOT NULL, kind STRING(MAX) NOT NULL, version INT64 NOT NULL,
        status STRING(16) NOT NULL, sequence_number INT64 NOT NULL, fence INT64 NOT NULL, owner INT64, checkpoint_sequence_number INT64 NOT NULL,
        busy_shard INT64, supervisor STRING(MAX), suspect STRING(MAX), outcome STRING(MAX), state STRING(MAX), input STRING(MAX),
        archive STRING(MAX), created_at FLOAT64 NOT NULL, updated_at FLOAT64 NOT NULL, written ${committed}
      ) PRIMARY KEY (agent)`,
      'CREATE UNIQUE INDEX agents_by_id ON agents (id)',
      'CREATE INDEX agents_by_key ON agents (shard, key)',
      'CREATE NULL_FILTERED INDEX agents_busy ON agents (busy_shard, key)',
      `CREATE TABLE heads (agent INT64 NOT NULL, fence INT64 NOT NULL, sequence_number INT64 NOT NULL, written ${committed})
        PRIMARY KEY (agent, fence, sequence_number), ${under}`,
      `CREATE TABLE tails (agent INT64 NOT NULL, position INT64 NOT NULL, written ${committed}) PRIMARY KEY (agent, position), ${under}`,
      `CREATE TABLE journal (
        agent INT64 NOT NULL, last INT64 NOT NULL, first INT64 NOT NULL, entries STRING(MAX) NOT NULL, checksum INT64 NOT NULL, written ${committed}
      ) PRIMARY KEY (agent, last), ${under}`,
      `CREATE TABLE checkpoints (
        agent INT64 NOT NULL, sequence_number INT64 NOT NULL, version INT64 NOT NULL, schema STRING(MAX) NOT NULL, data STRING(MAX) NOT NULL,
        checksum INT64 NOT NULL, written ${committed}
      ) PRIMARY KEY (agent), ${under}`,
      `CREATE TABLE timers (
        agent INT64 NOT NULL, id STRING(MAX) NOT NULL, shard INT64 NOT NULL, due_at FLOAT64 NOT NULL, delay_ms FLOAT64 NOT NULL,
        policy STRING(16) NOT NULL, target STRING(MAX) NOT NULL, event STRING(MAX) NOT NULL
      ) PRIMARY KEY (agent, id), ${under}`,
      'CREATE INDEX timers_due ON timers (shard, due_at)',
      `CREATE TABLE mailbox (
        agent INT64 NOT NULL, position INT64 NOT NULL, shard INT64 NOT NULL, message_id STRING(MAX), event STRING(MAX) NOT NULL, sender STRING(MAX),
        reply_to STRING(MAX), accepted_at FLOAT64 NOT NULL, origin INT64 NOT NULL, arrived ${committed}
      ) PRIMARY KEY (agent, position), ${under}`,
      'CREATE INDEX mailbox_arrivals ON mailbox (shard, arrived) STORING (origin)',
      `CREATE TABLE marks (agent INT64 NOT NULL, message_id STRING(MAX) NOT NULL, sequence_number INT64 NOT NULL)
        PRIMARY KEY (agent, message_id), ${under}`,
      `CREATE TABLE ledger (
        agent INT64 NOT NULL, id STRING(MAX) NOT NULL, key INT64 NOT NULL, activity STRING(MAX) NOT NULL, path STRING(MAX) NOT NULL,
        status STRING(16) NOT NULL, attempts INT64 NOT NULL, user_key STRING(MAX), input STRING(MAX), outcome STRING(MAX), next_retry_at FLOAT64,
        intended_in INT64 NOT NULL, settled_in INT64 NOT NULL, intended_at FLOAT64 NOT NULL, settled_at FLOAT64, parked_by STRING(MAX),
        saga STRING(MAX), compensates STRING(MAX), resolutions STRING(MAX), artifact STRING(MAX),
        is_open BOOL, parked_shard INT64, attention STRING(16), saga_shard INT64, shard INT64 NOT NULL, written ${committed}
      ) PRIMARY KEY (agent, id), ${under}`,
      'CREATE NULL_FILTERED INDEX ledger_open ON ledger (agent, is_open), INTERLEAVE IN agents',
      'CREATE NULL_FILTERED INDEX ledger_user_key ON ledger (activity, user_key)',
      'CREATE NULL_FILTERED INDEX ledger_parked ON ledger (parked_shard, key)',
      'CREATE NULL_FILTERED INDEX ledger_parked_by ON ledger (parked_by, parked_shard, key)',
      'CREATE NULL_FILTERED INDEX ledger_attention ON ledger (attention, shard, key)',
      'CREATE NULL_FILTERED INDEX ledger_saga ON ledger (saga_shard, key)',
      'CREATE NULL_FILTERED INDEX ledger_artifact ON ledger (artifact)',
      `CREATE TABLE effects (
        agent INT64 NOT NULL, id STRING(MAX) NOT NULL, path STRING(MAX) NOT NULL, type STRING(MAX) NOT NULL, params STRING(MAX),
        event STRING(MAX) NOT NULL, context STRING(MAX)
      ) PRIMARY KEY (agent, id), ${under}`,
      `CREATE TABLE archives (agent INT64 NOT NULL, artifact STRING(MAX) NOT NULL) PRIMARY KEY (agent, artifact), ${under}`,
      'CREATE INDEX archives_artifact ON archives (artifact)',
      `CREATE TABLE dead_letters (
        shard INT64 NOT NULL, position INT64 NOT NULL, recipient STRING(MAX) NOT NULL, message_id STRING(MAX), event STRING(MAX) NOT NULL,
        sender STRING(MAX), reason STRING(MAX) NOT NULL, details STRING(MAX), buried_at FLOAT64 NOT NULL
      ) PRIMARY KEY (shard, position)`,
      'CREATE INDEX dead_letters_to ON dead_letters (recipient, position)',
      `CREATE TABLE machines (kind STRING(MAX) NOT NULL, version INT64 NOT NULL, schema STRING(MAX) NOT NULL, definition STRING(MAX) NOT NULL)
        PRIMARY KEY (kind, version, schema)`,
      `CREATE TABLE notes (topic STRING(MAX) NOT NULL, author STRING(MAX) NOT NULL, data STRING(MAX) NOT NULL, noted_at FLOAT64 NOT NULL, written ${committed})
        PRIMARY KEY (topic, author)`,
      `CREATE TABLE texts (owner INT64 NOT NULL, place STRING(MAX) NOT NULL, part INT64 NOT NULL, content STRING(MAX) NOT NULL)
        PRIMARY KEY (owner, place, part)`,
    ],
  },
  2: {
    title: 'places in traces',
    statements: ['ALTER TABLE agents ADD COLUMN trace STRING(MAX)', 'ALTER TABLE mailbox ADD COLUMN trace STRING(MAX)'],
  },
};

/** Made before the first migration. `statewarden_meta`, because it is looked for in databases that may hold anything. */
export const metaTable = 'CREATE TABLE statewarden_meta (name STRING(64) NOT NULL, value STRING(MAX) NOT NULL) PRIMARY KEY (name)';
