/**
 * One process's part in a run: finds the unfinished run or begins one, opens the runtime, watches the team until the planner has the report,
 * and counts what was called. It may be killed at any line: the next process does the same and goes on.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime, type Runtime, type RuntimeEvent } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { ledgerOf, nextRunId, pastRuns, type PastRun } from './archive.js';
import { CallLog, readCallLog } from './call-log.js';
import { survey, type CorpusSource } from './corpus.js';
import type { Report } from './findings.js';
import type { LanguageModel } from './model/language-model.js';
import { Progress, type Output } from './progress.js';
import { Provider } from './provider.js';
import { render } from './report.js';
import { plannerId } from './team/events.js';
import type { PlannerInput } from './team/planner.js';
import { teamKinds, type TeamKinds } from './team/team.js';
import { UsageError } from './usage-error.js';
import { crashesOf, tally, type Tally } from './witness.js';

export interface RunRequest {
  readonly dir: string;
  readonly source: CorpusSource;
  readonly question: string | undefined;
  readonly researchers: number;
  readonly model: LanguageModel;
  readonly paceMs: number;
  readonly flakyEvery: number;
  /** Go on with this run; undefined: the unfinished one, or a new one. */
  readonly run: string | undefined;
  readonly fresh: boolean;
  readonly output: Output;
  /** Aborted to stop in good order. */
  readonly signal: AbortSignal;
}

export interface Summary extends Tally {
  readonly run: string;
  /** Processes that were killed while they worked on it. */
  readonly crashes: number;
  readonly reportPath: string;
  readonly reportSha256: string;
}

/** The team cannot finish: `message` is for people. */
export class RunFailedError extends Error {
  override readonly name = 'RunFailedError';
}

/** Stopped in good order before the end. */
export class RunStoppedError extends Error {
  override readonly name = 'RunStoppedError';
}

const leaseMs = 2_000;

/** @throws UsageError, CorpusError, RunFailedError, RunStoppedError, and what the runtime throws. */
export async function run(request: RunRequest): Promise<Summary> {
  const { dir, source, output, signal, model, paceMs, flakyEvery } = request;
  prepare(dir);
  const storePath = join(dir, 'agents.db');
  const logPath = join(dir, 'calls.jsonl');
  const reportPath = join(dir, 'report.md');

  const past = await pastRuns(storePath);
  const id = chooseRun(past, request);
  const input = inputOf(request, id);
  const before = past.find((one) => one.id === id);
  if (before === undefined) survey(source); // tells at once when there is nothing to read
  const recorded = (before?.ledger ?? []).filter(({ succeeded }) => succeeded).map(({ key }) => key);
  output.write(`${announcement(id, input, before, recorded.length)}\n`);

  const log = new CallLog(logPath);
  log.append({ type: 'open', run: id, pid: process.pid, at: Date.now(), recorded, about: { ...input } });
  const provider = new Provider({ model, log, paceMs, flakyEvery, now: Date.now });
  const publish = async (report: Report): Promise<string> => writeReport(reportPath, report);
  const runtime = await createRuntime({
    store: sqlite(storePath),
    agents: teamKinds({ source, provider, publish, concurrency: request.researchers }),
    node: { leaseMs },
  });
  const progress = new Progress(output);
  try {
    if (request.fresh) await Promise.all(past.filter((one) => !one.finished).map((one) => abandon(runtime, one.id)));
    const planner = await runtime.spawn('planner', { id: plannerId(id), input });
    progress.watch(runtime, id);
    const result = await Promise.race([planner.result(), mishap(runtime.events$, id), stopped(signal)]);
    progress.stop();
    if ('failure' in result) throw new RunFailedError(result.failure);
    const reportSha256 = sha256(readFileSync(reportPath, 'utf8'));
    const lines = readCallLog(logPath);
    const ledger = await ledgerOf(runtime.store, id);
    return { run: id, ...tally(id, lines, ledger), crashes: crashesOf(id, lines), reportPath, reportSha256 };
  } finally {
    progress.stop();
    await runtime.close();
    log.append({ type: 'close', run: id, pid: process.pid, at: Date.now() });
    log.close();
  }
}

/** Makes the folder that everything is kept in. @throws UsageError */
export function prepare(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot make the folder "${dir}": ${(error as Error).message}`, 'Name another folder with --dir.');
  }
}

/** The run to work on. @throws UsageError when an unfinished one is about something else. */
export function chooseRun(past: readonly PastRun[], request: RunRequest): string {
  if (request.run !== undefined) return request.run;
  const unfinished = past.findLast((one) => !one.finished);
  if (unfinished === undefined || request.fresh) return nextRunId(past);
  // The first process of a run wrote down what it was begun with; without that nothing speaks against going on.
  const about = readCallLog(join(request.dir, 'calls.jsonl')).find((line) => line.type === 'open' && line.run === unfinished.id);
  if (about?.type !== 'open') return unfinished.id;
  const wanted = inputOf(request, unfinished.id);
  const differences = (['question', 'root', 'researchers', 'model'] as const).filter((key) => wanted[key] !== about.about[key]);
  if (differences.length === 0) return unfinished.id;
  const what = differences.map((key) => `${key === 'root' ? 'folder' : key}: ${JSON.stringify(about.about[key])}`).join(', ');
  throw new UsageError(
    `${unfinished.id} is unfinished and was begun with ${what}`,
    'Call it as it was begun to finish it, add --fresh to drop it, or name another --dir.',
  );
}

function inputOf({ source, question, researchers, model }: RunRequest, run: string): PlannerInput {
  const packages = source.kind === 'packages';
  return {
    run,
    question: question ?? (packages ? 'What should one know about the packages installed here?' : 'What do these documents say?'),
    open: question === undefined,
    researchers,
    name: packages ? 'the installed packages' : `“${source.label}”`,
    root: source.root,
    model: model.name,
  };
}

function announcement(id: string, input: PlannerInput, before: PastRun | undefined, recorded: number): string {
  if (before === undefined) return `starting ${id}: ${input.question}`;
  if (before.finished) return `${id} is finished: nothing to do`;
  return `resuming ${id}: ${String(recorded)} of ${String(before.ledger.length)} calls already done`;
}

async function abandon(runtime: Runtime<TeamKinds>, run: string): Promise<void> {
  const agents = await runtime.store.list({ prefix: `${run}/`, status: 'active', limit: 10_000 });
  await Promise.all(agents.map(({ id }) => runtime.agent(id).stop()));
}

/** Rejects when an agent of the run fails or is parked: then nobody will ever report. */
function mishap(events: { subscribe(next: (event: RuntimeEvent) => void): unknown }, run: string): Promise<never> {
  return new Promise((_, reject) => {
    events.subscribe((event) => {
      if (!('agentId' in event) || !event.agentId.startsWith(`${run}/`)) return;
      if (event.type === 'parked' || (event.type === 'ended' && event.status === 'error')) {
        reject(
          new RunFailedError(
            `agent ${event.agentId} ${event.type === 'parked' ? 'is parked' : 'failed'}: ${event.error?.message ?? 'unknown error'}`,
          ),
        );
      }
    });
  });
}

function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new RunStoppedError('stopped'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** Whole or not at all: a kill in the middle leaves the former report. */
function writeReport(path: string, report: Report): string {
  const text = render(report);
  const draft = `${path}.draft`;
  writeFileSync(draft, text);
  renameSync(draft, path);
  return sha256(text);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
