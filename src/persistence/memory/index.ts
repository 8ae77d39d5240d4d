/** Provisional memory store. */
import type { AgentCommit, AgentKey, AgentRecord, CheckpointRecord, CommitOutcome, DeadLetter, EffectRecord, JournalSegment, LoadedAgent, LoadOutcome, MachineRecord, MailboxRecord, MessageRecord, NodeLease, NodeRecord, OpenedStore, OperationRecord, PostOutcome, Store, TimerRecord } from '../store.js';

interface Row { record: AgentRecord; input: string | undefined; checkpoint?: CheckpointRecord; journal: JournalSegment[]; timers: Map<string, TimerRecord>; operations: Map<string, OperationRecord>; effects: Map<string, EffectRecord>; mailbox: Map<number, MailboxRecord>; marks: Map<string, number> }

class Data { rows = new Map<AgentKey, Row>(); ids = new Map<string, Row>(); nodes = new Map<number, NodeRecord>(); dead: DeadLetter[] = []; machines: MachineRecord[] = []; node = 0; position = 0; opened = new Set<Opened>(); }

export function memory(): Store {
  const data = new Data();
  return { name: 'memory:', capabilities: { durable: false, shared: true }, open: async ({ lease, now }) => new Opened(data, lease, now) };
}

class Opened implements OpenedStore {
  readonly node: number; #listener: ((keys: readonly AgentKey[]) => void) | undefined; #data: Data; #lease: NodeLease | undefined; #now: () => number;
  constructor(data: Data, lease: NodeLease | undefined, now: () => number) {
    this.#data = data; this.#lease = lease; this.#now = now;
    this.node = lease === undefined ? 0 : ++data.node;
    if (lease) data.nodes.set(this.node, { node: this.node, name: lease.name, host: 'h', pid: process.pid, openedAt: now(), seenAt: now(), expiresAt: now() + lease.ttlMs });
    data.opened.add(this);
  }
  #find(a: string | number): Row | undefined { return typeof a === 'string' ? this.#data.ids.get(a) : this.#data.rows.get(a); }
  #alive(owner: number | undefined): NodeRecord | undefined { const n = owner === undefined ? undefined : this.#data.nodes.get(owner); return n && n.expiresAt > this.#now() ? n : undefined; }
  #free(row: Row): boolean { return row.record.owner === this.node || this.#alive(row.record.owner) === undefined; }
  async commit(commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[]> { await Promise.resolve(); return commits.map((c) => this.#one(c)); }
  #one(c: AgentCommit): CommitOutcome {
    const d = this.#data; let row = d.rows.get(c.key);
    if (c.create) {
      const old = d.ids.get(c.id); if (old) return { outcome: 'exists', record: old.record };
      row = { record: { key: c.key, id: c.id, kind: c.create.kind, version: c.create.version, status: 'active', sequenceNumber: 0, fence: c.fence, owner: this.node, checkpointSequenceNumber: 0, busy: false, outcome: undefined, state: undefined, createdAt: c.at, updatedAt: c.at }, input: c.create.input, journal: [], timers: new Map(), operations: new Map(), effects: new Map(), mailbox: new Map(), marks: new Map() };
      d.rows.set(c.key, row); d.ids.set(c.id, row);
    }
    if (!row) return { outcome: 'refused', fence: 0, sequenceNumber: 0 };
    if (row.record.fence !== c.fence || row.record.sequenceNumber !== c.expected || c.taken?.some((p) => !row.mailbox.has(p))) return { outcome: 'refused', fence: row.record.fence, sequenceNumber: row.record.sequenceNumber };
    row.record = { ...row.record, sequenceNumber: c.sequenceNumber, updatedAt: c.at, status: c.status ?? row.record.status, outcome: c.outcome ?? row.record.outcome, state: c.state ?? row.record.state, busy: c.busy ?? row.record.busy, checkpointSequenceNumber: c.checkpoint?.sequenceNumber ?? row.record.checkpointSequenceNumber };
    if (c.segment) row.journal.push(c.segment);
    if (c.checkpoint) row.checkpoint = c.checkpoint;
    if (c.timersCleared === 'all') row.timers.clear(); else for (const t of c.timersCleared ?? []) row.timers.delete(t);
    for (const t of c.timers ?? []) row.timers.set(t.id, t);
    for (const p of c.taken ?? []) row.mailbox.delete(p);
    for (const m of c.marks ?? []) row.marks.set(m.messageId, m.sequenceNumber);
    for (const o of c.operations ?? []) row.operations.set(o.id, o);
    for (const e of c.effects ?? []) row.effects.set(e.id, e);
    for (const e of c.effectsSettled ?? []) row.effects.delete(e);
    if (c.status && ['done', 'error', 'stopped'].includes(c.status)) { for (const m of row.mailbox.values()) this.#dead(m, 'agent-ended'); row.mailbox.clear(); }
    for (const l of c.deadLetters ?? []) d.dead.push({ ...l, position: ++d.position });
    const spawned = (c.spawns ?? []).map((s) => {
      const old = d.ids.get(s.id); if (old) return old.record;
      const made: Row = { record: { key: s.key, id: s.id, kind: s.kind, version: s.version, status: 'active', sequenceNumber: 0, fence: 0, owner: undefined, checkpointSequenceNumber: 0, busy: false, outcome: undefined, state: undefined, createdAt: c.at, updatedAt: c.at }, input: s.input, journal: [], timers: new Map(), operations: new Map(), effects: new Map(), mailbox: new Map(), marks: new Map() };
      d.rows.set(s.key, made); d.ids.set(s.id, made); return made.record;
    });
    const messages = (c.messages ?? []).map((m) => this.#post(m, Infinity, false));
    return { outcome: 'applied', messages, spawned };
  }
  #dead(m: MessageRecord, reason: string): void { this.#data.dead.push({ position: ++this.#data.position, to: m.to, event: m.event, from: m.from, reason, at: this.#now() }); }
  #post(m: MessageRecord, cap: number, tell: boolean): PostOutcome {
    const row = this.#data.ids.get(m.to);
    if (!row) { this.#dead(m, 'no-such-agent'); return { outcome: 'dead-letter', reason: 'no-such-agent' }; }
    if (!['active', 'parked'].includes(row.record.status)) { this.#dead(m, 'agent-ended'); return { outcome: 'dead-letter', reason: 'agent-ended' }; }
    if (m.messageId !== undefined) { const seq = row.marks.get(m.messageId); if (seq !== undefined) return { outcome: 'duplicate', sequenceNumber: seq }; for (const x of row.mailbox.values()) if (x.messageId === m.messageId) return { outcome: 'duplicate', sequenceNumber: 0 }; }
    if (row.mailbox.size >= cap) return { outcome: 'full' };
    const position = ++this.#data.position; row.mailbox.set(position, { ...m, position, agent: row.record.key });
    if (tell) for (const o of this.#data.opened) if (o !== this) o.#listener?.([row.record.key]);
    return { outcome: 'accepted', position, agent: row.record.key };
  }
  async heads(keys: readonly AgentKey[]): ReturnType<OpenedStore['heads']> { return keys.map((k) => { const r = this.#data.rows.get(k)?.record; return r && { fence: r.fence, sequenceNumber: r.sequenceNumber }; }); }
  async load(agents: readonly (string | AgentKey)[]): Promise<readonly LoadOutcome[]> {
    await Promise.resolve();
    return agents.map((a): LoadOutcome => {
      const row = this.#find(a); if (!row) return { outcome: 'absent' };
      const final = ['done', 'error', 'stopped'].includes(row.record.status); let downSince: number | undefined;
      if ((!final || row.record.busy) && row.record.owner !== this.node) {
        const node = this.#alive(row.record.owner); if (node) return { outcome: 'owned', record: row.record, node };
        downSince = row.record.owner === undefined ? undefined : (this.#data.nodes.get(row.record.owner)?.seenAt ?? row.record.updatedAt);
        row.record = { ...row.record, owner: this.node, fence: row.record.fence + 1 };
      }
      return { outcome: 'loaded', ...this.#view(row), downSince };
    });
  }
  #view(row: Row): LoadedAgent {
    const base = row.checkpoint?.sequenceNumber ?? 0;
    return { record: row.record, input: row.input, checkpoint: row.checkpoint, tail: row.journal.filter((s) => s.lastSequenceNumber > base), timers: [...row.timers.values()], operations: [...row.operations.values()].filter((o) => o.status === 'intended' || o.settledIn > base), effects: [...row.effects.values()], mailbox: [...row.mailbox.values()], marks: [...row.marks].slice(-1024).map(([messageId, sequenceNumber]) => ({ messageId, sequenceNumber })), marksComplete: row.marks.size <= 1024, downSince: undefined };
  }
  async lookup(agents: readonly (string | AgentKey)[]): ReturnType<OpenedStore['lookup']> { return agents.map((a) => this.#find(a)?.record); }
  async runnable({ after, limit }: { after: number; limit: number }): Promise<readonly AgentKey[]> { return [...this.#data.rows.values()].filter((r) => r.record.key > after && this.#free(r) && (r.record.busy || (r.record.status === 'active' && (r.mailbox.size > 0 || r.record.sequenceNumber === 0)))).map((r) => r.record.key).sort((a, b) => a - b).slice(0, limit); }
  async dueTimers({ before, limit }: { before: number; limit: number }): ReturnType<OpenedStore['dueTimers']> { return [...this.#data.rows.values()].filter((r) => this.#free(r)).flatMap((r) => [...r.timers.values()].filter((t) => t.dueAt < before).map((t) => ({ agent: r.record.key, id: t.id, dueAt: t.dueAt }))).sort((a, b) => a.dueAt - b.dueAt).slice(0, limit); }
  async post(messages: readonly MessageRecord[], cap: number): Promise<readonly PostOutcome[]> { return messages.map((m) => this.#post(m, cap, true)); }
  async mark(agent: AgentKey, id: string): Promise<number | undefined> { return this.#data.rows.get(agent)?.marks.get(id); }
  async succeeded(activity: string, key: string): Promise<OperationRecord | undefined> { for (const r of this.#data.rows.values()) for (const o of r.operations.values()) if (o.activity === activity && o.userKey === key && o.status === 'succeeded') return o; return undefined; }
  async saveMachines(m: readonly MachineRecord[]): Promise<void> { this.#data.machines.push(...m); }
  async machines(): Promise<readonly MachineRecord[]> { return this.#data.machines; }
  onForeignMail(listener: (agents: readonly AgentKey[]) => void): void { this.#listener = listener; }
  async mailbox(agent: AgentKey, after: number): Promise<readonly MailboxRecord[]> { return [...(this.#data.rows.get(agent)?.mailbox.values() ?? [])].filter((m) => m.position > after); }
  async heartbeat(): Promise<boolean> { const n = this.#data.nodes.get(this.node); if (!n || !this.#lease) return false; this.#data.nodes.set(this.node, { ...n, seenAt: this.#now(), expiresAt: this.#now() + this.#lease.ttlMs }); return true; }
  async nodes(): Promise<readonly NodeRecord[]> { return [...this.#data.nodes.values()]; }
  async list({ limit }: { limit: number }): Promise<readonly AgentRecord[]> { return [...this.#data.rows.values()].map((r) => r.record).slice(0, limit); }
  async inspect(a: string | AgentKey): Promise<LoadedAgent | undefined> { const r = this.#find(a); return r && this.#view(r); }
  async journal(a: AgentKey): Promise<readonly JournalSegment[]> { return this.#data.rows.get(a)?.journal ?? []; }
  async operations(a: AgentKey): Promise<readonly OperationRecord[]> { return [...(this.#data.rows.get(a)?.operations.values() ?? [])]; }
  async deadLetters(): Promise<readonly DeadLetter[]> { return this.#data.dead; }
  async counts(): ReturnType<OpenedStore['counts']> { throw new Error('provisional'); }
  async check(): Promise<readonly string[]> { return []; }
  async close(): Promise<void> { this.#data.nodes.delete(this.node); this.#data.opened.delete(this); }
}
