/** The nodes of a file and their leases. Times for people are by the store's clock; until when a lease lasts is by the host's (`hostTime`). */

import type { NodeLease, NodeRecord } from '../store.js';
import type { Connection } from './driver.js';
import { isAlive, processIdentity, thisHost, type Moment, type NodeRow } from './liveness.js';
import { nodeRecord } from './rows.js';

export class Nodes {
  readonly #connection: Connection;
  readonly #lease: NodeLease | undefined;
  /** 0: an observer. */
  node = 0;

  constructor(connection: Connection, lease: NodeLease | undefined) {
    this.#connection = connection;
    this.#lease = lease;
  }

  get leaseMs(): number {
    return this.#lease?.ttlMs ?? Infinity;
  }

  /** Gets a number and a lease. */
  enter({ name, ttlMs }: NodeLease, { now, host }: Moment): void {
    const { lastInsertRowid } = this.#connection
      .prepare('INSERT INTO nodes (name, host, pid, process, opened_at, seen_at, expires_at, lapses) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(name, thisHost, process.pid, processIdentity(process.pid), now, now, now + ttlMs, host + ttlMs);
    this.node = Number(lastInsertRowid);
  }

  /** All that ever were, by number. */
  rows(): Map<number, NodeRow> {
    const rows = this.#connection.prepare('SELECT * FROM nodes').all() as unknown as NodeRow[];
    return new Map(rows.map((row) => [row.node, row]));
  }

  alive(moment: Moment): NodeRecord[] {
    return [...this.rows().values()].filter((row) => isAlive(row, moment)).map(nodeRecord);
  }

  /** Live nodes other than this one. */
  others(moment: Moment): number[] {
    const rows = this.#connection
      .prepare('SELECT * FROM nodes WHERE closed_at IS NULL AND node <> ? AND IIF(lapses IS NULL, expires_at > ?, lapses > ?)')
      .all(this.node, moment.now, moment.host);
    return (rows as unknown as NodeRow[]).filter((row) => isAlive(row, moment)).map((row) => row.node);
  }

  /** Extends the lease. */
  extend({ now, host }: Moment): void {
    this.#connection
      .prepare('UPDATE nodes SET seen_at = ?, expires_at = ?, lapses = ? WHERE node = ?')
      .run(now, now + this.leaseMs, host + this.leaseMs, this.node);
  }

  /** Extends the lease. False when it had run out and another node has taken agents. */
  heartbeat(moment: Moment): boolean {
    const row = this.#connection.prepare('SELECT robbed FROM nodes WHERE node = ?').get(this.node);
    this.extend(moment);
    this.#connection.prepare('UPDATE nodes SET robbed = 0 WHERE node = ?').run(this.node);
    return row?.['robbed'] === 0;
  }

  rob(node: number): void {
    this.#connection.prepare('UPDATE nodes SET robbed = 1 WHERE node = ?').run(node);
  }

  leave(now: number): void {
    this.#connection.prepare('UPDATE nodes SET closed_at = ?, seen_at = ? WHERE node = ?').run(now, now, this.node);
  }
}
