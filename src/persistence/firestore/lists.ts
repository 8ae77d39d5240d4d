/** Lists over all agents: what can run, what is due, operations, dead letters, ids. Each is a walk along one field that sorts as the list does, so that no query needs an index of several. */

import { afterPrefix, byCodePoint } from '../text-order.js';
import type {
  AgentFilter,
  AgentKey,
  AgentOperation,
  AgentRecord,
  AgentStatus,
  DeadLetter,
  DueTimer,
  FlaggedPage,
  MachineRecord,
  NoteRecord,
  OperationPage,
  OperationRecord,
  ParkedPage,
  StoreCounts,
} from '../store.js';
import type { Calls, Doc, Query } from './calls.js';
import { agentName, joined, joinedEnd, operationPlace, padded } from './places.js';
import { agentRecord, artifactNames, deadLetter, isFinal, machineRecord, noteRecord, operationRecord } from './rows.js';

/** Documents that are read together when some of them may not be wanted. */
const page = 300;
const inLimit = 30;
/** After every text that begins with digits. */
const end = '\u{10ffff}';

interface Walk {
  readonly collection: Query['collection'];
  readonly field: string;
  readonly from: string | number;
  /** It begins with `from` itself, not after it. */
  readonly including?: boolean;
  /** Not in it. */
  readonly to?: string | number;
  readonly select?: readonly string[];
}

type Owner = Pick<AgentRecord, 'owner' | 'status'>;

export class Lists {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Walks along a field, part by part, until there are enough. */
  async #walk<T>(
    { collection, field, from, to, select, including = false }: Walk,
    limit: number,
    keep: (docs: readonly Doc[]) => Promise<readonly T[]> | readonly T[],
  ): Promise<T[]> {
    const found: T[] = [];
    for (let after = from, isFirst = including; found.length < limit; isFirst = false) {
      const size = Math.min(page, Math.max(limit, 10));
      const { docs } = await this.#calls.query({
        collection,
        where: [
          [field, isFirst ? 'GREATER_THAN_OR_EQUAL' : 'GREATER_THAN', after],
          ...(to === undefined ? [] : [[field, 'LESS_THAN', to] as const]),
        ],
        order: [[field, 'ASCENDING']],
        limit: size,
        ...(select === undefined ? {} : { select }),
      });
      found.push(...(await keep(docs)));
      if (docs.length < size) break;
      after = docs.at(-1)?.fields[field] as string | number;
    }
    return found.slice(0, limit);
  }

  /** `ended`: is told of agents that have ended and have mail all the same. */
  async runnable(after: AgentKey, limit: number, others: ReadonlySet<number>, ended: (agent: AgentKey) => void): Promise<AgentKey[]> {
    const free = (record: Owner): boolean => record.owner === undefined || !others.has(record.owner);
    const [busy, mailed] = await Promise.all([
      this.#walk({ collection: 'agents', field: 'runs', from: after, select: ['key', 'runs', 'owner', 'status'] }, limit, (docs) =>
        docs.filter((doc) => free(doc.fields as unknown as Owner)).map((doc) => doc.fields['key'] as number),
      ),
      this.#walk({ collection: 'mailbox', field: 'agent', from: after, select: ['agent'] }, limit, async (docs) => {
        const keys = [...new Set(docs.map((doc) => doc.fields['agent'] as number))];
        const owners = await this.owners(keys);
        return keys.filter((key) => {
          const owner = owners.get(key);
          if (isFinal(owner?.status)) ended(key);
          return owner?.status === 'active' && free(owner);
        });
      }),
    ]);
    return [...new Set([...busy, ...mailed])].sort((one, other) => one - other).slice(0, limit);
  }

  async owners(keys: readonly AgentKey[]): Promise<ReadonlyMap<AgentKey, Owner>> {
    const { docs } = await this.#calls.get(
      keys.map((key) => this.#calls.path('agents', agentName(key))),
      { select: ['owner', 'status'] },
    );
    return new Map(
      keys.flatMap((key, index) => (docs[index] === undefined ? [] : [[key, docs[index].fields as unknown as Owner] as const])),
    );
  }

  async dueTimers(before: number, limit: number, others: ReadonlySet<number>): Promise<DueTimer[]> {
    // Several may be due at once: the walk goes by place, which says which.
    const where = {
      collection: 'timers' as const,
      field: 'place',
      from: '',
      to: before === Infinity ? end : padded(Math.max(0, Math.ceil(before))),
      select: ['agent', 'id', 'dueAt', 'place'],
    };
    return this.#walk(where, limit, async (docs) => {
      const owners = others.size === 0 ? undefined : await this.owners([...new Set(docs.map((doc) => doc.fields['agent'] as number))]);
      return docs
        .map(({ fields }) => ({ agent: fields['agent'] as number, id: fields['id'] as string, dueAt: fields['dueAt'] as number }))
        .filter(({ agent, dueAt }) => {
          const owner = owners?.get(agent)?.owner;
          return dueAt < before && (owner === undefined || !others.has(owner));
        });
    });
  }

  async keyed(activity: string, userKey: string): Promise<OperationRecord | undefined> {
    const { docs } = await this.#calls.query({ collection: 'ledger', where: [['keyed', 'EQUAL', joined(activity, userKey)]] });
    const rank = ({ status }: OperationRecord): number => (status === 'succeeded' ? 1 : 0);
    return docs
      .map(operationRecord)
      .filter((found) => found.activity === activity && found.userKey === userKey)
      .filter(({ status, outcome }) => (status === 'succeeded' && outcome !== undefined) || status === 'held' || status === 'unknown')
      .sort((one, other) => rank(one) - rank(other) || (one.settledAt ?? 0) - (other.settledAt ?? 0))
      .at(-1);
  }

  async parked({ by, ...rest }: ParkedPage): Promise<AgentOperation[]> {
    if (by === undefined) return this.#operations(rest, 'parkedPlace', undefined, () => true);
    return this.#operations(rest, 'parkedByPlace', by, ({ parkedBy }) => parkedBy === by);
  }

  flagged({ flag, ...rest }: FlaggedPage): Promise<AgentOperation[]> {
    if (flag === 'saga') return this.#operations(rest, 'sagaPlace', undefined, () => true);
    return this.#operations(rest, 'flagPlace', flag, ({ status }) => status === flag);
  }

  /** Along a field that is an operation's place, or `first` and its place. */
  async #operations(
    { after, limit, agents }: OperationPage,
    field: string,
    first: string | undefined,
    wanted: (operation: OperationRecord) => boolean,
  ): Promise<AgentOperation[]> {
    const begin = after === undefined ? undefined : operationPlace(after.agent, after.id);
    const whole = (place: string): string => (first === undefined ? place : joined(first, place));
    const read = (from: string, to: string, keep: (found: AgentOperation) => boolean): Promise<AgentOperation[]> =>
      this.#walk({ collection: 'ledger', field, from, to }, limit, (docs) =>
        docs.map(agentOperation).filter((found) => wanted(found.operation) && keep(found)),
      );
    if (agents === undefined) {
      const from = begin === undefined ? whole('') : whole(begin);
      return read(from, first === undefined ? end : joinedEnd(first), () => true);
    }
    const found: AgentOperation[] = [];
    for (const agent of [...new Set(agents)].sort((one, other) => one - other)) {
      if (found.length >= limit || (after !== undefined && agent < after.agent)) continue;
      const from = after?.agent === agent && begin !== undefined ? begin : `${padded(agent)} `;
      found.push(...(await read(whole(from), whole(`${padded(agent)}!`), (one) => one.agent === agent)));
    }
    return found.slice(0, limit);
  }

  async hasArtifacts(names: readonly string[]): Promise<boolean[]> {
    const wanted = [...new Set(names)];
    const found = new Set<string>();
    for (let index = 0; index < wanted.length; index += inLimit) {
      const part = wanted.slice(index, index + inLimit);
      const [results, archives] = await Promise.all([
        this.#calls.query({ collection: 'ledger', where: [['artifact', 'IN', part]], select: ['artifact'] }),
        this.#calls.query({ collection: 'archives', where: [['artifacts', 'ARRAY_CONTAINS_ANY', part]], select: ['artifacts'] }),
      ]);
      for (const { fields } of results.docs) found.add(fields['artifact'] as string);
      for (const name of archives.docs.flatMap(artifactNames)) found.add(name);
    }
    return names.map((name) => found.has(name));
  }

  async notes(prefix: string, since = -Infinity): Promise<NoteRecord[]> {
    const to = afterPrefix(prefix);
    const { docs } = await this.#calls.query({
      collection: 'notes',
      ...(prefix === ''
        ? {}
        : {
            where: [
              ['topic', 'GREATER_THAN_OR_EQUAL', prefix] as const,
              ...(to === undefined ? [] : [['topic', 'LESS_THAN', to] as const]),
            ],
          }),
    });
    return docs
      .map(noteRecord)
      .filter(({ topic, at }) => topic.startsWith(prefix) && at >= since)
      .sort((one, other) => byCodePoint(one.topic, other.topic) || byCodePoint(one.author, other.author));
  }

  async machines(kind: string | undefined): Promise<MachineRecord[]> {
    const { docs } = await this.#calls.query({
      collection: 'machines',
      ...(kind === undefined ? {} : { where: [['kind', 'EQUAL', kind]] }),
    });
    return docs.map(machineRecord).sort((one, other) => byCodePoint(one.kind, other.kind) || one.version - other.version);
  }

  list({ kind, status, prefix = '', after = '', limit }: AgentFilter): Promise<AgentRecord[]> {
    const [field, first] =
      kind !== undefined
        ? (['byKind', kind] as const)
        : status !== undefined
          ? (['byStatus', status] as const)
          : (['id', undefined] as const);
    const whole = (id: string): string => (first === undefined ? id : joined(first, id));
    const past = afterPrefix(prefix);
    const to = past === undefined ? (first === undefined ? undefined : joinedEnd(first)) : whole(past);
    const including = byCodePoint(after, prefix) < 0;
    return this.#walk(
      { collection: 'agents', field, from: whole(including ? prefix : after), including, ...(to === undefined ? {} : { to }) },
      limit,
      (docs) =>
        docs
          .map(agentRecord)
          .filter((record) => (kind === undefined || record.kind === kind) && (status === undefined || record.status === status))
          .filter(({ id }) => id.startsWith(prefix)),
    );
  }

  async deadLetters(after: number, limit: number, to: string | undefined): Promise<DeadLetter[]> {
    if (to === undefined)
      return this.#walk({ collection: 'deadLetters', field: 'position', from: after }, limit, (docs) => docs.map(deadLetter));
    const where = { collection: 'deadLetters' as const, field: 'toPlace', from: joined(to, padded(after)), to: joinedEnd(to) };
    return this.#walk(where, limit, (docs) => docs.map(deadLetter).filter((letter) => letter.to === to));
  }

  async counts(): Promise<StoreCounts> {
    const count = async (query: Query): Promise<number> => (await this.#calls.total(query)).count;
    const of = (status: AgentStatus): Promise<number> => count({ collection: 'agents', where: [['status', 'EQUAL', status]] });
    const [
      active,
      done,
      error,
      stopped,
      parked,
      suspended,
      journal,
      checkpoints,
      mailbox,
      timers,
      openOperations,
      unsettledEffects,
      deadLetters,
    ] = await Promise.all([
      of('active'),
      of('done'),
      of('error'),
      of('stopped'),
      of('parked'),
      of('suspended'),
      this.#calls.total({ collection: 'journal' }, 'bytes'),
      this.#calls.total({ collection: 'checkpoints' }, 'bytes'),
      count({ collection: 'mailbox' }),
      count({ collection: 'timers' }),
      count({ collection: 'ledger', where: [['settledIn', 'EQUAL', 0]] }),
      count({ collection: 'effects' }),
      count({ collection: 'deadLetters' }),
    ]);
    return {
      agents: { active, done, error, stopped, parked, suspended },
      journalSegments: journal.count,
      checkpoints: checkpoints.count,
      mailbox,
      timers,
      openOperations,
      unsettledEffects,
      deadLetters,
      bytes: journal.sum + checkpoints.sum,
    };
  }

  /** Agents in order of key. */
  agents(after: AgentKey, limit: number): Promise<AgentRecord[]> {
    return this.#walk({ collection: 'agents', field: 'key', from: after }, limit, (docs) => docs.map(agentRecord));
  }

  /** Operations in order of agent and id. */
  ledger(after: OperationPage['after'], limit: number): Promise<Doc[]> {
    const from = after === undefined ? '' : operationPlace(after.agent, after.id);
    return this.#walk({ collection: 'ledger', field: 'place', from }, limit, (docs) => docs);
  }
}

function agentOperation(doc: Doc): AgentOperation {
  return { agent: doc.fields['agent'] as number, agentId: doc.fields['agentId'] as string, operation: operationRecord(doc) };
}
