/**
 * Which nodes are alive. A node is gone when it closed, when its lease ran out, or when it was a process of this host that is not there
 * any more: so a killed process's agents can be taken over at once. A process is known by its number and start time, since numbers come again.
 */

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface NodeRow {
  readonly node: number;
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  readonly process: string;
  readonly opened_at: number;
  readonly seen_at: number;
  readonly expires_at: number;
  readonly closed_at: number | null;
  /** When its lease is over, by the host's time; null: written by a version that went by the time of day. */
  readonly lapses: number | null;
}

/** Now: by the clock of the store, and by the host's (`hostTime`). */
export interface Moment {
  readonly now: number;
  readonly host: number;
}

/** A lease that is to last for longer than it was given for was given before the host was started anew. */
const slackMs = 1_000;

function isLapsed({ lapses, seen_at, expires_at }: NodeRow, { now, host }: Moment): boolean {
  return lapses === null ? expires_at <= now : lapses <= host || lapses - host > expires_at - seen_at + slackMs;
}

/** This machine as processes see it: containers that share a file but not their processes differ. */
export const thisHost = `${hostname()} ${quietly(() => readlinkSync('/proc/self/ns/pid'))}`.trim();

/** Start time of a process in clock ticks; empty where it cannot be read, and for one that is dead and waits for its parent to notice. */
export function processIdentity(pid: number): string {
  const stat = quietly(() => readFileSync(`/proc/${String(pid)}/stat`, 'latin1'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
}

export function isAlive(row: NodeRow, moment: Moment): boolean {
  if (row.closed_at !== null || isLapsed(row, moment)) return false;
  if (row.host !== thisHost) return true;
  try {
    process.kill(row.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return row.process === '' || row.process === processIdentity(row.pid);
}

function quietly(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
