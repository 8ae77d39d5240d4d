/**
 * The tables, readable with any SQLite shell. Keys are integers where rows are many: a two-part text key costs ten times the time of an append.
 * `agents` is updated by every commit, so nothing that commits change every time is indexed and nothing large stands in its rows.
 *
 * The journal is only appended to. Each row names its agent's row before it (`previous`), and the agent its last one (`journal`): an index by agent would
 * have every commit of a large fleet write a page of its own, thirty times as many bytes.
 */

/** Raised with every change of the tables. */
export const schemaVersion = 7;

const notes = `CREATE TABLE notes (
  topic TEXT NOT NULL, author TEXT NOT NULL, data TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (topic, author)
) WITHOUT ROWID;`;

/** Two, so that all of a breaker's and all of an agent's are found without looking at any other. Both are empty while nothing is parked. */
const parked = `CREATE INDEX ledger_parked ON ledger (agent) WHERE parked_by IS NOT NULL;
CREATE INDEX ledger_parked_by ON ledger (parked_by) WHERE parked_by IS NOT NULL;`;

/** For what a person is to look at, and for sagas: empty while there is neither. */
const flagged = `CREATE INDEX ledger_attention ON ledger (status) WHERE status IN ('held', 'unknown');
CREATE INDEX ledger_saga ON ledger (agent) WHERE saga IS NOT NULL;`;

/** For what artifacts are still needed. */
const pointed = 'CREATE INDEX ledger_artifact ON ledger (artifact) WHERE artifact IS NOT NULL;';

/** Artifacts that archived agents need: their archives, and the results within them. */
const archives = `CREATE TABLE archives (artifact TEXT NOT NULL, agent INTEGER NOT NULL, PRIMARY KEY (artifact, agent)) WITHOUT ROWID;
CREATE INDEX archives_agent ON archives (agent);`;

/** What brings the tables of an older version to the next one, by the version they come to. */
export const upgrades: Readonly<Record<number, string>> = {
  2: 'ALTER TABLE dead_letters ADD COLUMN message_id TEXT',
  3: `ALTER TABLE agents ADD COLUMN supervisor TEXT;
    ALTER TABLE agents ADD COLUMN suspect TEXT;
    ALTER TABLE dead_letters ADD COLUMN details TEXT`,
  4: `ALTER TABLE ledger ADD COLUMN parked_by TEXT; ${parked} ${notes}`,
  // An intent was no promise that nothing had begun: but for questions, and for what waits for a breaker.
  5: `ALTER TABLE ledger ADD COLUMN saga TEXT;
    ALTER TABLE ledger ADD COLUMN compensates TEXT;
    ALTER TABLE ledger ADD COLUMN resolutions TEXT;
    ALTER TABLE ledger ADD COLUMN artifact TEXT;
    ${flagged}
    ${pointed}
    UPDATE ledger SET status = 'started'
      WHERE settled_in = 0 AND status = 'intended' AND parked_by IS NULL AND activity NOT IN ('ask', 'spend')`,
  6: `ALTER TABLE agents ADD COLUMN archive TEXT; ${archives}`,
  // Leases went by the time of day.
  7: `ALTER TABLE agents ADD COLUMN trace TEXT; ALTER TABLE mailbox ADD COLUMN trace TEXT;
    ALTER TABLE nodes ADD COLUMN lapses REAL`,
};

export const schema = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('application', 'statewarden'), ('schema', ${String(schemaVersion)});

CREATE TABLE nodes (
  node INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, process TEXT NOT NULL,
  opened_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, closed_at INTEGER,
  robbed INTEGER NOT NULL DEFAULT 0, lapses REAL
);
CREATE INDEX nodes_open ON nodes (expires_at) WHERE closed_at IS NULL;

CREATE TABLE agents (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
  sequence_number INTEGER NOT NULL, fence INTEGER NOT NULL, owner INTEGER,
  checkpoint_sequence_number INTEGER NOT NULL, busy INTEGER NOT NULL,
  journal INTEGER NOT NULL DEFAULT 0,
  state TEXT, outcome TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  supervisor TEXT, suspect TEXT, archive TEXT, trace TEXT
);
CREATE INDEX agents_busy ON agents (key) WHERE busy = 1;

CREATE TABLE inputs (agent INTEGER PRIMARY KEY, input TEXT);

CREATE TABLE journal (
  position INTEGER PRIMARY KEY,
  agent INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  entries TEXT NOT NULL, checksum INTEGER NOT NULL, previous INTEGER NOT NULL
);

CREATE TABLE checkpoints (
  agent INTEGER PRIMARY KEY,
  sequence_number INTEGER NOT NULL, version INTEGER NOT NULL, schema TEXT NOT NULL,
  data TEXT NOT NULL, checksum INTEGER NOT NULL
);

CREATE TABLE mailbox (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  agent INTEGER NOT NULL, message_id TEXT, event TEXT NOT NULL,
  sender TEXT, reply_to TEXT, accepted_at INTEGER NOT NULL, trace TEXT
);
CREATE INDEX mailbox_agent ON mailbox (agent);
CREATE UNIQUE INDEX mailbox_message ON mailbox (agent, message_id) WHERE message_id IS NOT NULL;

CREATE TABLE marks (
  agent INTEGER NOT NULL, message_id TEXT NOT NULL, sequence_number INTEGER NOT NULL,
  PRIMARY KEY (agent, message_id)
) WITHOUT ROWID;

CREATE TABLE timers (
  agent INTEGER NOT NULL, id TEXT NOT NULL, due_at INTEGER NOT NULL, delay_ms REAL NOT NULL,
  policy TEXT NOT NULL, target TEXT NOT NULL, event TEXT NOT NULL,
  PRIMARY KEY (agent, id)
) WITHOUT ROWID;
CREATE INDEX timers_due ON timers (due_at);

CREATE TABLE ledger (
  agent INTEGER NOT NULL, id TEXT NOT NULL, activity TEXT NOT NULL, path TEXT NOT NULL,
  status TEXT NOT NULL, attempts INTEGER NOT NULL, user_key TEXT, input TEXT, outcome TEXT,
  next_retry_at INTEGER, intended_in INTEGER NOT NULL, settled_in INTEGER NOT NULL,
  intended_at INTEGER NOT NULL, settled_at INTEGER, parked_by TEXT,
  saga TEXT, compensates TEXT, resolutions TEXT, artifact TEXT,
  PRIMARY KEY (agent, id)
) WITHOUT ROWID;
CREATE INDEX ledger_open ON ledger (agent) WHERE settled_in = 0;
CREATE INDEX ledger_user_key ON ledger (activity, user_key) WHERE user_key IS NOT NULL;
${parked}
${flagged}
${pointed}

CREATE TABLE effects (
  agent INTEGER NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, type TEXT NOT NULL,
  params TEXT, event TEXT NOT NULL, context TEXT,
  PRIMARY KEY (agent, id)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  recipient TEXT NOT NULL, event TEXT NOT NULL, sender TEXT, reason TEXT NOT NULL, at INTEGER NOT NULL, message_id TEXT, details TEXT
);

CREATE TABLE machines (
  kind TEXT NOT NULL, version INTEGER NOT NULL, schema TEXT NOT NULL, definition TEXT NOT NULL,
  PRIMARY KEY (kind, version, schema)
) WITHOUT ROWID;

${notes}

${archives}

CREATE VIEW events AS
  SELECT agents.id AS agent, json_extract(entry.value, '$.seq') AS sequence_number,
    datetime(json_extract(entry.value, '$.at') / 1000, 'unixepoch') AS at, entry.value AS entry
  FROM journal JOIN agents ON agents.key = journal.agent, json_each(journal.entries) AS entry;
`;
