/**
 * Kills processes of a crew with SIGKILL at random points until the job is done, and compares the report with that of an undisturbed run in one process, on SQLite. Where to kill is drawn from a seed as numbers of finished
 * calls, so that every kill falls inside the run on a fast machine as on a slow one; the exact moment is left to chance.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crew, finishedCalls, type CrewRequest } from './crew.js';
import { run, type RunRequest, type Summary } from './run.js';

export interface ChaosRequest extends CrewRequest {
  readonly kills: number;
  readonly seed: number;
}

export interface ChaosSummary extends Summary {
  /** The same question to the same documents without any kill gives the same report. */
  readonly identical: boolean;
}

export async function chaos(request: ChaosRequest): Promise<ChaosSummary> {
  const { dir, output, kills, seed, paceMs } = request;
  const reference = await undisturbed(request);
  output.write(`an undisturbed run makes ${String(reference.calls)} calls; now with ${String(kills)} kills\n`);
  const logPath = join(dir, 'calls.jsonl');
  const earlier = finishedCalls(logPath);
  const draw = randomFrom(seed);
  const points = Array.from({ length: kills }, () => 1 + Math.floor(draw() * Math.max(1, reference.calls - 3))).sort(
    (one, other) => one - other,
  );
  const crew = new Crew(request);
  let crashes = 0;
  for (const point of points) {
    const killed = await crew.killAt({ calls: earlier + point, delayMs: draw() * (2 * paceMs + 2), which: draw() });
    if (!killed) break;
    crashes += 1;
    output.write(`killed with SIGKILL: ${String(crashes)} of ${String(kills)}, after ${String(finishedCalls(logPath) - earlier)} calls\n`);
  }
  const summary = await crew.result();
  return { ...summary, crashes, identical: summary.reportSha256 === reference.reportSha256 };
}

const undisturbedly = { store: undefined, artifacts: undefined, shared: false, run: undefined, fresh: false, paceMs: 0 } as const;

/** The same job in one piece, without waiting, in a folder of its own. */
async function undisturbed(request: RunRequest): Promise<Summary> {
  const dir = mkdtempSync(join(tmpdir(), 'research-team-'));
  try {
    const output = { write: () => undefined, live: false, columns: 80 };
    return await run({ ...request, dir, ...undisturbedly, output });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
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
