/** The writer thread: owns the database, answers requests one after the other, and looks now and then for mail from other processes. */

import { parentPort, receiveMessageOnPort, workerData as untypedData, type MessagePort } from 'node:worker_threads';
import { writeSync } from 'node:fs';
import { systemClock } from '../../core/clock.js';
import { TurnPulse } from '../../core/turn-pulse.js';
import { Records } from '../encryption/records.js';
import { recordKeysOf, type ThreadKeys } from '../encryption/thread-keys.js';
import type {
  AgentFilter,
  AgentKey,
  ArchiveOrder,
  ExpiryPage,
  FlaggedPage,
  MachineRecord,
  MessageRecord,
  NoteName,
  NoteRecord,
  ParkedPage,
  RemoveOrder,
  WholeAgent,
} from '../store.js';
import { Database } from './database.js';
import type { EndlessTurn } from './endless-turn.js';
import { hostTime } from './host-time.js';
import type { Moment } from './liveness.js';
import { toThrown, type Answer, type Request, type WriterData } from './protocol.js';
import { ServingSignal } from './signal.js';
import { packOutcomes, readTape, type Tape } from './tape.js';
import { TurnWatch, type Look } from './turn-watch.js';

const port = parentPort;
if (port === null) throw new Error('writer.js runs in a worker thread');
const workerData = untypedData as WriterData;
const signal = new ServingSignal(workerData.signal);
const answer = (message: Answer): void => port.postMessage(message);

/** How often another process's writes are looked for. */
const pollMs = 50;
/**
 * One who sends, waits, and sends again does so within this time. To wake a processor that has gone to sleep may take as long as the sync of
 * a quick disk.
 */
const watchfulMs = 0.15;
const checkPage = 500;
/** After SIGABRT, which a debugger or a listener may hold up. */
const abortMs = 1_000;

let database: Database | undefined;
let watching = false;
let polledAt = 0;
let watch: TurnWatch | undefined;
/** Of an encrypted store. */
let turnKeys: ThreadKeys | undefined;
/** The difference between the caller's clock and this thread's, so that leases follow an injected clock. */
let clockSkew = 0;

const methods: Readonly<Record<string, (database: Database, at: Moment, ...parameters: never[]) => unknown>> = {
  commit: (db, _, tape: Tape) => packOutcomes(db.commit(readTape(tape))),
  heads: (db, _, keys: readonly AgentKey[]) => db.read((queries) => queries.heads(keys)),
  load: (db, at, agents: readonly (string | AgentKey)[]) => db.load(agents, at),
  lookup: (db, _, agents: readonly (string | AgentKey)[]) => db.read((queries) => agents.map((agent) => queries.agent(agent))),
  runnable: (db, at, { after, limit, unheld }: { after: number; limit: number; unheld?: boolean }) =>
    db.read((queries) => queries.runnable(after, limit, unheld === true ? [...db.others(at), db.node] : db.others(at))),
  release: (db, _, agents: readonly AgentKey[]) => db.release(agents),
  dueTimers: (db, at, { before, limit }: { before: number; limit: number }) =>
    db.read((queries) => queries.dueTimers(before, limit, db.others(at))),
  post: (db, at, messages: readonly MessageRecord[], cap: number) => db.post(messages, cap, at.now),
  mark: (db, _, agent: AgentKey, messageId: string) => db.read((queries) => queries.mark(agent, messageId)),
  keyed: (db, _, activity: string, userKey: string) => db.read((queries) => queries.keyed(activity, userKey)),
  parked: (db, _, page: ParkedPage) => db.read((queries) => queries.parked(page)),
  flagged: (db, _, page: FlaggedPage) => db.read((queries) => queries.flagged(page)),
  hasArtifacts: (db, _, names: readonly string[]) => db.read((queries) => queries.hasArtifacts(names)),
  expire: (db, _, page: ExpiryPage) => db.expire(page),
  whole: (db, _, agents: readonly AgentKey[]) => db.read((queries) => agents.map((agent) => queries.whole(agent))),
  install: (db, at, agents: readonly WholeAgent[]) => db.wholes(at, (wholes) => agents.map((agent) => wholes.install(agent))),
  archive: (db, at, orders: readonly ArchiveOrder[]) =>
    db.wholes(at, (wholes, isFree) => orders.map((order) => wholes.archive(order, isFree))),
  restore: (db, at, agent: WholeAgent) => db.wholes(at, (wholes) => wholes.restore(agent)),
  remove: (db, at, orders: readonly RemoveOrder[]) =>
    db.wholes(at, (wholes, isFree) => orders.map((order) => wholes.remove(order, isFree))),
  reclaim: (db, at) => db.reclaim(at),
  publish: (db, _, notes: readonly NoteRecord[]) => db.publish(notes),
  notes: (db, _, prefix: string, since: number | undefined) => db.notes(prefix, since),
  retract: (db, _, names: readonly NoteName[]) => db.retract(names),
  saveMachines: (db, _, machines: readonly MachineRecord[]) => db.saveMachines(machines),
  machines: (db, _, kind: string | undefined) => db.read((queries) => queries.machines(kind)),
  mailbox: (db, _, agent: AgentKey, after: number) => db.read((queries) => queries.mailbox(agent, after)),
  heartbeat: (db, at) => db.heartbeat(at),
  nodes: (db, at) => db.nodes(at),
  list: (db, _, filter: AgentFilter) => db.list(filter),
  inspect: (db, _, agent: string | AgentKey) =>
    db.read((queries) => {
      const record = queries.agent(agent);
      return record === undefined ? undefined : queries.loaded(record, undefined);
    }),
  journal: (db, _, agent: AgentKey, { after, limit }: { after: number; limit: number }) =>
    db.read((queries) => queries.journal(agent, after, limit)),
  operations: (db, _, agent: AgentKey) => db.read((queries) => queries.operations(agent)),
  deadLetters: (db, _, { after, limit, to }: { after: number; limit: number; to?: string }) =>
    db.read((queries) => queries.deadLetters(after, limit, to)),
  redrive: (db, at, positions: readonly number[], to: string | undefined, cap: number) => db.redrive(positions, to, cap, at.now),
  discard: (db, _, positions: readonly number[]) => db.discard(positions),
  counts: (db) => db.read((queries) => queries.counts()),
  check,
  watch: () => {
    watching = true;
  },
  watchTurns: (db, _, memory: SharedArrayBuffer, limitMs: number, keys: ThreadKeys | undefined) => {
    turnKeys = keys;
    // A node says that it is alive every third of its lease, and it takes two looks to see that it cannot: both must fit into the rest, with room for a slow machine.
    watch = new TurnWatch(new TurnPulse(memory), limitMs, db.leaseMs / 8, systemClock.elapsed());
  },
  close: (db, at) => {
    database = undefined;
    db.close(at.now);
  },
};

function check(db: Database): string[] {
  const faults = db.read((queries) => queries.integrity());
  if (faults.length > 0) return faults;
  const { agents } = db.read((queries) => queries.counts());
  const total = Object.values(agents).reduce((sum, count) => sum + count, 0);
  let done = 0;
  for (let after: number | undefined = 0; after !== undefined;) {
    const from: number = after;
    const page = db.read((queries) => queries.checkRecords(from, checkPage));
    faults.push(...page.faults);
    done += page.done;
    after = page.next;
    answer({ progress: [done, total] });
  }
  return faults;
}

function moment(): Moment {
  const now = systemClock.now() + clockSkew;
  return { now, host: hostTime(now) };
}

function poll(): void {
  polledAt = systemClock.elapsed();
  try {
    const mail = database?.foreignMail(moment()) ?? [];
    if (mail.length > 0) answer({ mail });
  } catch {
    // The next request meets the same trouble and tells it.
  }
}

/** The thread that takes turns says nothing any more while one lasts. */
function lookAtTurns(database: Database, { lasting, endless }: Look): void {
  const at = moment();
  if (endless === undefined) {
    if (lasting) database.keepLease(at);
    return;
  }
  let what: string;
  try {
    const turn = database.endless(endless, at.now, turnKeys && new Records(recordKeysOf(turnKeys)));
    what = turn === undefined ? 'an agent that is not stored' : inWords(turn);
  } catch (error) {
    what = `agent ${String(endless.agent)}; it could not be recorded (${String(error)})`;
  }
  // The main thread, which prints for everybody else, does not.
  writeSync(2, `statewarden: a turn does not end: ${what}. Ending the process.\n`);
  process.kill(process.pid, 'SIGABRT');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, abortMs);
  process.kill(process.pid, 'SIGKILL');
}

function inWords({ agentId, kind, sequenceNumber, event, letter, ended }: EndlessTurn): string {
  const turn = `turn ${String(sequenceNumber)} of agent ${JSON.stringify(agentId)} (${kind})`;
  if (letter !== undefined) return `${turn}, with ${(event as string).slice(0, 200)}: now dead letter ${String(letter)}`;
  if (ended) return `${turn}, which has no event that could be put aside: the agent has ended in error`;
  return `${turn}, with an event that is not kept: whoever sent it was not told that it is durable`;
}

function handle({ method, parameters, at, alone }: Request, number: number): void {
  try {
    clockSkew = at.now - systemClock.now();
    if (method === 'open') {
      database = new Database(workerData.options, at);
      answer({ value: { node: database.node, driver: database.driver } });
      return;
    }
    if (database === undefined) throw new Error('the store is closed');
    const value = methods[method]?.(database, at, ...(parameters as never[]));
    if (!alone || (value as readonly unknown[])[0] !== 0) answer({ value });
    else if (!signal.tell(number)) answer({ told: true });
  } catch (error) {
    answer(toThrown(error));
  }
}

/** So many requests to commit are answered together with the one before them, at the most. */
const gatheredRequests = 7;

/** Commits that have come in while the thread was busy: one transaction, one sync. Each request is told of its own. */
function commitTogether(requests: readonly Request[]): void {
  try {
    const groups = requests.map(({ parameters, at }) => {
      clockSkew = at.now - systemClock.now();
      return readTape(parameters[0] as Tape);
    });
    if (database === undefined) throw new Error('the store is closed');
    const outcomes = packOutcomes(database.commit(groups.flat()));
    let from = 0;
    for (const { length } of groups) answer({ value: outcomes.slice(from, (from += length)) });
  } catch (error) {
    requests.forEach(() => answer(toThrown(error)));
  }
}

/** Looks for the next request a little while before it sleeps; true when there is one. */
function watchFor(seen: number): boolean {
  const until = systemClock.elapsed() + watchfulMs;
  while (systemClock.elapsed() < until) {
    if (signal.raised !== seen) return true;
  }
  return false;
}

/**
 * Waits on a word of shared memory that the main thread raises with each request: an event loop would take some 50 µs more to wake up,
 * a third of a synced write.
 */
function serve(inbox: MessagePort): void {
  let seen = 0;
  let open = true;
  let lone = false;
  let ahead: Request | undefined;
  const receive = (): Request | undefined => {
    const next = ahead ?? (receiveMessageOnPort(inbox) as { message: Request } | undefined)?.message;
    ahead = undefined;
    return next;
  };
  /** The requests to commit that wait behind this one. */
  const others = ({ method, alone }: Request): readonly Request[] => {
    const found: Request[] = [];
    while (method === 'commit' && !alone && found.length < gatheredRequests) {
      ahead = receive();
      if (ahead?.method !== 'commit') break;
      found.push(ahead);
      ahead = undefined;
    }
    return found;
  };
  while (open) {
    const request = receive();
    if (request !== undefined) {
      const number = signal.begin();
      const more = others(request);
      more.forEach(() => signal.begin());
      if (more.length > 0) commitTogether([request, ...more]);
      else handle(request, number);
      ({ lone } = request);
      open = request.method !== 'close';
      // Under steady load the wait below never times out.
      if (watching && systemClock.elapsed() - polledAt > pollMs) poll();
      continue;
    }
    const { raised } = signal;
    if (lone && raised === seen && watchFor(seen)) continue;
    if (raised === seen && signal.sleep(seen, Math.min(watching ? pollMs : Infinity, watch?.everyMs ?? Infinity)) === 'timed-out') {
      const now = systemClock.elapsed();
      if (watching && now - polledAt >= pollMs) poll();
      if (watch !== undefined && database !== undefined && watch.isDue(now)) lookAtTurns(database, watch.look(now));
    }
    seen = raised;
  }
}

serve(port);
