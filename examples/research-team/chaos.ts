/**
 * Runs the job in a child process, kills it with SIGKILL at random points, and starts it again until it is done. Where to kill is drawn from a seed as
 * numbers of finished calls, so that every kill falls inside the run on a fast machine as on a slow one; the exact moment is left to chance.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCallLog } from './call-log.js';
import { run, RunFailedError, RunStoppedError, type RunRequest, type Summary } from './run.js';

export interface ChaosRequest extends RunRequest {
  readonly run: string;
  readonly kills: number;
  readonly seed: number;
  /** The job as a command: `main.js` and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
}

export interface ChaosSummary extends Summary {
  /** The same question to the same documents without any kill gives the same report. */
  readonly identical: boolean;
}

/** Tells a child that it is one: it reports to its parent and ends with it. */
export const childMark = 'RESEARCH_TEAM_CHILD';

const pollMs = 4;

export async function chaos(request: ChaosRequest): Promise<ChaosSummary> {
  const { dir, run: id, output, signal, kills, seed } = request;
  const reference = await undisturbed(request);
  output.write(`an undisturbed run makes ${String(reference.calls)} calls; now with ${String(kills)} kills\n`);
  const logPath = join(dir, 'calls.jsonl');
  const earlier = finishedCalls(logPath);
  const draw = randomFrom(seed);
  const points = Array.from({ length: kills }, () => 1 + Math.floor(draw() * Math.max(1, reference.calls - 3))).sort(
    (one, other) => one - other,
  );
  let crashes = 0;
  for (;;) {
    const child = start(request);
    const point = points[crashes];
    const outcome = await watch(
      child,
      signal,
      point === undefined ? undefined : { logPath, calls: earlier + point, delayMs: draw() * (2 * request.paceMs + 2) },
    );
    if (outcome === 'killed') {
      crashes += 1;
      output.write(
        `killed with SIGKILL: ${String(crashes)} of ${String(kills)}, after ${String(finishedCalls(logPath) - earlier)} calls\n`,
      );
    } else {
      return { ...outcome, run: id, crashes, identical: outcome.reportSha256 === reference.reportSha256 };
    }
  }
}

/** The same job in one piece, without waiting, in a folder of its own. */
async function undisturbed(request: RunRequest): Promise<Summary> {
  const dir = mkdtempSync(join(tmpdir(), 'research-team-'));
  try {
    const output = { write: () => undefined, live: false, columns: 80 };
    return await run({ ...request, dir, run: undefined, fresh: false, paceMs: 0, output });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function start({ script, args, run: id }: ChaosRequest): ChildProcess {
  return fork(script, [...args, '--run', id], {
    env: { ...process.env, [childMark]: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** Resolves to the child's summary, or to `killed`. @throws RunFailedError when it ends otherwise. */
async function watch(
  child: ChildProcess,
  signal: AbortSignal,
  kill: { readonly logPath: string; readonly calls: number; readonly delayMs: number } | undefined,
): Promise<'killed' | Summary> {
  let summary: Summary | undefined;
  child.on('message', (message) => (summary = message as Summary));
  let over = false;
  const ended = once(child, 'exit').then(([code, by]: (number | string | null)[]) => {
    over = true;
    return { code, by };
  });
  if (kill !== undefined) {
    while (!over && !signal.aborted && finishedCalls(kill.logPath) < kill.calls) await Promise.race([ended, sleep(pollMs)]);
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
  throw new RunFailedError(`the job ended with ${by === null ? `exit code ${String(code)}` : String(by)}`);
}

function finishedCalls(logPath: string): number {
  return readCallLog(logPath).filter(({ type }) => type === 'done').length;
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
