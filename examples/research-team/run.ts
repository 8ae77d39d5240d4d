/**
 * One process's part in a run: finds the unfinished run or begins one, opens the runtime, watches the team until the planner has the report,
 * and counts what was called. It may be killed at any line: the next process does the same and goes on.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, type Runtime, type RuntimeEvent } from 'statewarden';
import { artifactsAt, storeAt } from 'statewarden/urls';
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
  /** URLs; without them the agents are in `agents.db` in `dir`, and so are large values. */
  readonly store: string | undefined;
  readonly artifacts: string | undefined;
  readonly source: CorpusSource;
  readonly question: string | undefined;
  readonly researchers: number;
  readonly model: LanguageModel;
  readonly paceMs: number;
  readonly flakyEvery: number;
  /** Go on with this run; undefined: the unfinished one, or a new one. */
  readonly run: string | undefined;
  readonly fresh: boolean;
  /** Other processes may have a part in it. */
  readonly shared: boolean;
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
/** What is longer than so many bytes is a large value. */
const inlineBytes = 1_024;
const lookMs = 1_000;

/** @throws UsageError, CorpusError, RunFailedError, RunStoppedError, and what the runtime throws. */
export async function run(request: RunRequest): Promise<Summary> {
  const { dir, source, output, signal, model, paceMs, flakyEvery } = request;
  prepare(dir);
  const url = storeOf(request);
  const logPath = join(dir, 'calls.jsonl');
  const reportPath = join(dir, 'report.md');

  const past = await pastRuns(url);
  const id = chooseRun(past, request);
  const input = inputOf(request, id);
  const before = past.find((one) => one.id === id);
  if (before === undefined) survey(source); // tells at once when there is nothing to read
  const recorded = (before?.ledger ?? []).filter(({ succeeded }) => succeeded).map(({ key }) => key);
  output.write(`${announcement(id, input, before, recorded.length)}\n`);

  const store = await storeAt(url);
  const artifacts = request.artifacts === undefined ? undefined : await (await artifactsAt(request.artifacts)).open({ now: Date.now });
  const log = new CallLog(logPath);
  log.append({ type: 'open', run: id, pid: process.pid, at: Date.now(), recorded, about: { ...input } });
  const provider = new Provider({ model, log, paceMs, flakyEvery, now: Date.now });
  const publish = async (report: Report): Promise<string> => writeReport(reportPath, report);
  const runtime = await createRuntime({
    store,
    agents: teamKinds({ source, provider, publish, concurrency: request.researchers }),
    node: { leaseMs },
    ...(artifacts === undefined ? {} : { results: { artifacts, inlineBytes } }),
  });
  const progress = new Progress(output);
  const over = new AbortController();
  try {
    if (request.fresh) await Promise.all(past.filter((one) => !one.finished).map((one) => abandon(runtime, one.id)));
    const planner = await runtime.spawn('planner', { id: plannerId(id), input });
    if (request.shared) progress.watchOwn(runtime, id);
    else progress.watch(runtime, id);
    const result = await Promise.race([planner.result(), mishap(runtime, id, over.signal), stopped(signal)]);
    progress.stop();
    if ('failure' in result) throw new RunFailedError(result.failure);
    const reportSha256 = sha256(readFileSync(reportPath, 'utf8'));
    const lines = readCallLog(logPath);
    const ledger = await ledgerOf(runtime.store, id);
    return { run: id, ...tally(id, lines, ledger), crashes: crashesOf(id, lines, isAlive), reportPath, reportSha256 };
  } finally {
    over.abort();
    progress.stop();
    await runtime.close();
    await artifacts?.close();
    log.append({ type: 'close', run: id, pid: process.pid, at: Date.now() });
    log.close();
  }
}

export function storeOf({ store, dir }: Pick<RunRequest, 'store' | 'dir'>): string {
  return store ?? join(dir, 'agents.db');
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

/** Rejects when an agent of the run fails or is parked, here or in another process: then nobody will ever report. */
async function mishap(runtime: Runtime<TeamKinds>, run: string, over: AbortSignal): Promise<never> {
  const fail = (id: string, what: string, why = 'see `statewarden show`'): RunFailedError =>
    new RunFailedError(`agent ${id} ${what}: ${why}`);
  const here = new Promise<never>((_, reject) => {
    runtime.events$.subscribe((event: RuntimeEvent) => {
      if (!('agentId' in event) || !event.agentId.startsWith(`${run}/`)) return;
      if (event.type === 'parked') reject(fail(event.agentId, 'is parked', event.error.message));
      else if (event.type === 'ended' && event.status === 'error') reject(fail(event.agentId, 'failed', event.error?.message));
    });
  });
  const elsewhere = async (): Promise<never> => {
    for (;;) {
      await sleep(lookMs, undefined, { signal: over });
      for (const status of ['parked', 'error'] as const) {
        const [found] = await runtime.store.list({ prefix: `${run}/`, status, limit: 1 });
        if (found !== undefined) throw fail(found.id, status === 'parked' ? 'is parked' : 'failed');
      }
    }
  };
  return Promise.race([
    here,
    elsewhere().catch((error: unknown) => (over.aborted || !(error instanceof RunFailedError) ? here : Promise.reject(error))),
  ]);
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
  const draft = `${path}.${String(process.pid)}.draft`;
  writeFileSync(draft, text);
  renameSync(draft, path);
  return sha256(text);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
