/**
 * Fights the outage in a child process, kills it with SIGKILL at random points, and starts it again until it is over. Where to kill is drawn from a seed as numbers of begun
 * calls, so that every kill falls inside the run on a fast machine as on a slow one; the exact moment is left to chance.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournal } from './journal.js';
import { journalName, prepare, run, RunFailedError, RunStoppedError, type RunRequest, type Summary } from './run.js';

export interface ChaosRequest extends RunRequest {
  readonly kills: number;
  readonly seed: number;
  /** The fight as a command: `main.js` and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
}

export interface ChaosSummary extends Summary {
  /** The same outage without any kill leaves the same board. */
  readonly identical: boolean;
}

/** Tells a child that it is one: it reports to its parent and ends with it. */
export const childMark = 'INCIDENT_FLEET_CHILD';

const pollMs = 4;

export async function chaos(request: ChaosRequest): Promise<ChaosSummary> {
  const { dir, told, signal, kills, seed, paceMs } = request;
  await prepare(request);
  const reference = await undisturbed(request);
  told(`an undisturbed run begins ${String(reference.begun)} calls; now with ${String(kills)} kills`);
  const path = join(dir, journalName);
  const earlier = begunCalls(path);
  const draw = randomFrom(seed);
  const points = Array.from({ length: kills }, () => 1 + Math.floor(draw() * (reference.begun - 1))).sort((one, other) => one - other);
  for (let crashes = 0; ;) {
    const env = { ...process.env, [childMark]: '1' };
    const child = fork(request.script, request.args, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const point = points[crashes];
    // Each process comes as far as a call of its own.
    const calls = point === undefined ? 0 : Math.max(earlier + point, begunCalls(path) + 1);
    const kill = point === undefined ? undefined : { path, calls, delayMs: draw() * (2 * paceMs + 2) };
    const outcome = await watch(child, signal, kill);
    if (outcome !== 'killed') return { ...outcome, crashes, identical: outcome.boardSha256 === reference.boardSha256 };
    crashes += 1;
    told(`killed with SIGKILL: ${String(crashes)} of ${String(kills)}, after ${String(begunCalls(path) - earlier)} calls`);
  }
}

/** The same outage in one piece, without waiting, in a folder of its own. */
async function undisturbed(request: RunRequest): Promise<{ readonly boardSha256: string; readonly begun: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'incident-fleet-'));
  try {
    const silent = { write: () => undefined, live: false, columns: 80 };
    const { boardSha256 } = await run({ ...request, dir, fresh: false, paceMs: 0, watched: silent, told: () => undefined });
    return { boardSha256, begun: begunCalls(join(dir, journalName)) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Resolves to the child's summary, or to `killed`. @throws RunFailedError when it ends otherwise. */
async function watch(
  child: ChildProcess,
  signal: AbortSignal,
  kill: { readonly path: string; readonly calls: number; readonly delayMs: number } | undefined,
): Promise<'killed' | Summary> {
  let summary: Summary | undefined;
  child.on('message', (message) => (summary = message as Summary));
  let over = false;
  const ended = once(child, 'exit').then(([code, by]: (number | string | null)[]) => {
    over = true;
    return { code, by };
  });
  if (kill !== undefined) {
    while (!over && !signal.aborted && begunCalls(kill.path) < kill.calls) await Promise.race([ended, sleep(pollMs)]);
    await Promise.race([ended, sleep(kill.delayMs)]);
    if (!over) child.kill('SIGKILL');
  }
  if (signal.aborted) child.kill('SIGINT');
  const stop = (): boolean => child.kill('SIGINT');
  signal.addEventListener('abort', stop, { once: true });
  const { code, by } = await ended;
  signal.removeEventListener('abort', stop);
  if (signal.aborted) throw new RunStoppedError('stopped');
  if (by === 'SIGKILL' && kill !== undefined) return 'killed';
  if (code === 0 && summary !== undefined) return summary;
  throw new RunFailedError(`the fight ended with ${by === null ? `exit code ${String(code)}` : String(by)}`);
}

function begunCalls(path: string): number {
  return readJournal(path).filter(({ type }) => type === 'start').length;
}

/** mulberry32: the same numbers from the same seed, everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
