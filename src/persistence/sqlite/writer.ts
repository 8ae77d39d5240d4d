/** The writer thread: owns the database, answers requests one after the other, and looks now and then for mail from other processes. */

import { parentPort, workerData } from 'node:worker_threads';
import type { AgentCommit, AgentFilter, AgentKey, MachineRecord, MessageRecord } from '../store.js';
import { Database, type DatabaseOptions } from './database.js';
import { toThrown, type Answer, type Request } from './protocol.js';

const port = parentPort;
if (port === null) throw new Error('writer.js runs in a worker thread');
const answer = (message: Answer): void => port.postMessage(message);

/** How often another process's writes are looked for. */
const pollMs = 50;
const checkPage = 500;

let database: Database | undefined;
let polling: NodeJS.Timeout | undefined;
/** The difference between the caller's clock and this thread's, so that leases follow an injected clock. */
let clockSkew = 0;

const methods: Readonly<Record<string, (database: Database, now: number, ...parameters: never[]) => unknown>> = {
  commit: (db, _, commits: readonly AgentCommit[]) => db.commit(commits),
  heads: (db, _, keys: readonly AgentKey[]) => db.read((queries) => queries.heads(keys)),
  load: (db, now, agents: readonly (string | AgentKey)[]) => db.load(agents, now),
  lookup: (db, _, agents: readonly (string | AgentKey)[]) => db.read((queries) => agents.map((agent) => queries.agent(agent))),
  runnable: (db, now, { after, limit }: { after: number; limit: number }) => db.read((queries) => queries.runnable(after, limit, db.others(now))),
  dueTimers: (db, now, { before, limit }: { before: number; limit: number }) => db.read((queries) => queries.dueTimers(before, limit, db.others(now))),
  post: (db, now, messages: readonly MessageRecord[], cap: number) => db.post(messages, cap, now),
  mark: (db, _, agent: AgentKey, messageId: string) => db.read((queries) => queries.mark(agent, messageId)),
  succeeded: (db, _, activity: string, userKey: string) => db.read((queries) => queries.succeeded(activity, userKey)),
  saveMachines: (db, _, machines: readonly MachineRecord[]) => db.saveMachines(machines),
  machines: (db, _, kind: string | undefined) => db.read((queries) => queries.machines(kind)),
  mailbox: (db, _, agent: AgentKey, after: number) => db.read((queries) => queries.mailbox(agent, after)),
  heartbeat: (db, now) => db.heartbeat(now),
  nodes: (db, now) => db.nodes(now),
  list: (db, _, filter: AgentFilter) => db.list(filter),
  inspect: (db, _, agent: string | AgentKey) =>
    db.read((queries) => {
      const record = queries.agent(agent);
      return record === undefined ? undefined : queries.loaded(record, undefined);
    }),
  journal: (db, _, agent: AgentKey, { after, limit }: { after: number; limit: number }) => db.read((queries) => queries.journal(agent, after, limit)),
  operations: (db, _, agent: AgentKey) => db.read((queries) => queries.operations(agent)),
  deadLetters: (db, _, { after, limit }: { after: number; limit: number }) => db.read((queries) => queries.deadLetters(after, limit)),
  counts: (db) => db.read((queries) => queries.counts()),
  check,
  watch: () => {
    polling ??= setInterval(poll, pollMs);
  },
  close: (db, now) => {
    clearInterval(polling);
    database = undefined;
    db.close(now);
  },
};

function check(db: Database): string[] {
  const faults = db.read((queries) => queries.integrity());
  if (faults.length > 0) return faults;
  const { agents } = db.read((queries) => queries.counts());
  const total = Object.values(agents).reduce((sum, count) => sum + count, 0);
  let done = 0;
  for (let after: number | undefined = 0; after !== undefined; ) {
    const from: number = after;
    const page = db.read((queries) => queries.checkRecords(from, checkPage));
    faults.push(...page.faults);
    done += page.done;
    after = page.next;
    answer({ progress: [done, total] });
  }
  return faults;
}

function poll(): void {
  try {
    const mail = database?.foreignMail(performance.timeOrigin + performance.now() + clockSkew) ?? [];
    if (mail.length > 0) answer({ mail });
  } catch {
    // The next request meets the same trouble and tells it.
  }
}

port.on('message', ({ method, parameters, now }: Request) => {
  try {
    clockSkew = now - (performance.timeOrigin + performance.now());
    if (method === 'open') {
      database = new Database(workerData as DatabaseOptions, now);
      answer({ value: { node: database.node, driver: database.driver } });
      return;
    }
    if (database === undefined) throw new Error('the store is closed');
    answer({ value: methods[method]?.(database, now, ...(parameters as never[])) });
  } catch (error) {
    answer(toThrown(error));
  }
});
