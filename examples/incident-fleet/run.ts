/**
 * One process's part in an outage: opens the runtime, starts the tree or finds it at work, and waits for the commander. When nothing is left but dead letters it does what a person would do: looks at
 * them, deploys the fix, redrives them. It may be killed at any line: the next process does the same and goes on.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createRuntime, type Runtime, type RuntimeEvent, type SupervisorRef, type TreeNode } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { boardFile } from './board.js';
import { Journal, readJournal } from './journal.js';
import type { Outage } from './outage.js';
import { Progress, type Output } from './progress.js';
import { boardInWords, lettersInWords, treeInWords } from './report.js';
import type { Board } from './team/commander.js';
import { ids } from './team/events.js';
import { teamKinds, teamTree, type TeamKinds } from './team/team.js';
import { UsageError } from './usage-error.js';
import { judge, type Success, type Verdict } from './witness.js';
import { World } from './world.js';

export interface RunRequest {
  readonly dir: string;
  readonly outage: Outage;
  readonly paceMs: number;
  readonly fresh: boolean;
  /** Where the outage is watched, and where it is told of in the end. */
  readonly watched: Output;
  readonly told: (line: string) => void;
  /** Aborted to stop in good order. */
  readonly signal: AbortSignal;
}

export interface Summary extends Verdict {
  readonly incidents: number;
  readonly closed: number;
  /** Incidents that became dead letters on the way, and those of them that were closed after all. */
  readonly deadLetters: number;
  readonly redriven: number;
  /** Dead letters that are there in the end. */
  readonly left: number;
  /** Of agents, by their supervisors. */
  readonly restarts: number;
  readonly boardPath: string;
  readonly boardSha256: string;
}

/** The outage cannot be fought: `message` is for people. */
export class RunFailedError extends Error {
  override readonly name = 'RunFailedError';
}

/** Stopped in good order before the end. */
export class RunStoppedError extends Error {
  override readonly name = 'RunStoppedError';
}

const leaseMs = 2_000;

export const journalName = 'journal.jsonl';
const files = ['outage.sha256', 'agents.db', 'agents.db-wal', 'agents.db-shm', journalName, 'fix.deployed', 'board.json'];

/** @throws UsageError, RunFailedError, RunStoppedError, and what the runtime throws. */
export async function run(request: RunRequest): Promise<Summary> {
  const { dir, outage, watched, told, signal } = request;
  const at = (name: string): string => join(dir, name);
  const past = await prepare(request);
  told(announcement(outage, past));
  const journal = new Journal(at(journalName));
  journal.append({ type: 'open', recorded: past.ledger.map(({ key }) => key) });
  const world = new World({ outage, journal, journalPath: at(journalName), fixPath: at('fix.deployed'), paceMs: request.paceMs });
  const runtime = await createRuntime({
    store: sqlite(at('agents.db')),
    agents: teamKinds(world),
    budgets: { pages: { limit: outage.pages } },
    node: { leaseMs },
  });
  const progress = new Progress(watched);
  const say = (lines: readonly string[]): void => {
    progress.stop();
    for (const line of lines) told(line);
  };
  try {
    progress.watch(runtime);
    const tree = past.over ? undefined : await runtime.supervise(teamTree(world));
    progress.watchBoard(runtime);
    const board = await Promise.race([fight(runtime, world, say, progress), mishap(runtime.events$, tree), stopped(signal)]);
    const rows = Object.values(board);
    const count = (fits: (row: (typeof rows)[number]) => boolean): number => rows.filter(fits).length;
    const { text, sha256 } = boardFile(outage.name, board);
    writeWhole(at('board.json'), text);
    const ledger = await ledgerOf(runtime.store);
    const [root] = (await runtime.tree()).filter(({ id }) => id === 'incident');
    say(['', ...boardInWords(board)]);
    const summary: Summary = {
      incidents: rows.length,
      closed: count(({ status }) => status === 'closed'),
      deadLetters: count(({ buried }) => buried !== ''),
      redriven: count(({ buried, status }) => buried !== '' && status === 'closed'),
      left: (await runtime.deadLetters.list()).length,
      restarts: root === undefined ? 0 : restartsOf(root),
      ...judge(readJournal(at(journalName)), ledger),
      boardPath: at('board.json'),
      boardSha256: sha256,
    };
    await tree?.shutdown();
    return summary;
  } finally {
    progress.stop();
    await runtime.close();
    journal.append({ type: 'close' });
    journal.close();
  }
}

/** Waits for the commander's board. Dead letters are looked at, and redriven once the fix is deployed. */
async function fight(
  runtime: Runtime<TeamKinds>,
  world: World,
  say: (lines: readonly string[]) => void,
  progress: Progress,
): Promise<Board> {
  const commander = runtime.agent<'commander'>(ids.commander);
  const { value } = await commander.waitFor((snapshot) => snapshot.value !== 'watching');
  const groups = value === 'awaitingFix' ? await runtime.deadLetters.groups() : [];
  // None when the process before this one was killed after it had redriven them.
  if (groups.length > 0) {
    const trees = await runtime.tree();
    say(['', 'Nothing is left but dead letters:', '', ...lettersInWords(groups), '']);
    say([...trees.filter(({ id }) => id === 'incident').flatMap((tree) => treeInWords(tree)), '']);
    world.deployFix();
    const { redriven } = await runtime.deadLetters.redrive({});
    say([`The fix is deployed, and ${String(redriven)} dead letters are redriven.`]);
    progress.watch(runtime);
    progress.watchBoard(runtime);
  }
  return commander.result();
}

function announcement(outage: Outage, { ledger, over, begun }: Past): string {
  if (over) return `the outage of ${outage.name} is over: nothing to do`;
  const size = `${String(outage.services.length)} services, ${String(outage.faults.length)} scripted faults`;
  return begun ? `resuming: ${String(ledger.length)} calls already done` : `an outage: ${outage.name} (${size})`;
}

/** Makes the folder that everything is kept in, and tells what is in it. @throws UsageError when it is another outage's, or somebody works there */
export async function prepare({ dir, outage, fresh }: RunRequest): Promise<Past> {
  // Nothing is taken away from a process that is at work.
  if (fresh) await look(join(dir, 'agents.db'));
  const mark = join(dir, 'outage.sha256');
  try {
    mkdirSync(dir, { recursive: true });
    if (fresh) for (const name of files) rmSync(join(dir, name), { force: true });
    if (!existsSync(mark)) writeWhole(mark, `${outage.sha256}\n`);
  } catch (error) {
    throw new UsageError(`cannot use the folder "${dir}": ${(error as Error).message}`, 'Name another folder with --dir.');
  }
  if (readFileSync(mark, 'utf8').trim() === outage.sha256) return look(join(dir, 'agents.db'));
  throw new UsageError(
    `"${dir}" holds another outage, or this one as it was before its script or log was changed`,
    'Add --fresh to forget it, or name another --dir.',
  );
}

export interface Past {
  readonly begun: boolean;
  readonly over: boolean;
  readonly ledger: readonly Success[];
}

/** @throws UsageError when another process works there now. */
async function look(path: string): Promise<Past> {
  if (!existsSync(path)) return { begun: false, over: false, ledger: [] };
  const store = await sqlite(path).open({ now: Date.now });
  try {
    const busy = (await store.nodes()).find(({ expiresAt, host, pid }) => expiresAt > Date.now() && (host !== hostname() || isAlive(pid)));
    if (busy !== undefined)
      throw new UsageError(
        `process ${String(busy.pid)} is at work in this folder`,
        'Wait until it has finished, stop it, or name another --dir.',
      );
    const [commander] = await store.lookup([ids.commander]);
    return { begun: commander !== undefined, over: commander?.status === 'done', ledger: await ledgerOf(store) };
  } finally {
    await store.close();
  }
}

const calls: readonly string[] = ['scan', 'diagnose', 'remediate', 'page'];

/** All calls whose success is recorded, by whatever key they carried. */
async function ledgerOf(store: Runtime['store']): Promise<Success[]> {
  const agents = await store.list({ limit: 10_000 });
  const ledgers = await Promise.all(agents.map(({ key }) => store.operations(key)));
  return ledgers
    .flat()
    .filter(({ activity, status }) => calls.includes(activity) && status === 'succeeded')
    .map(({ id, userKey, settledAt }) => ({ key: userKey ?? id, settledAt }));
}

/** Rejects when the tree has given up, or an agent is parked: then nobody will ever close anything. */
function mishap(
  events: { subscribe(next: (event: RuntimeEvent) => void): unknown },
  tree: Pick<SupervisorRef, 'ended'> | undefined,
): Promise<never> {
  return new Promise((_, reject) => {
    events.subscribe((event) => {
      if (event.type === 'parked') reject(new RunFailedError(`agent ${event.agentId} is parked: ${event.error.message}`));
    });
    tree?.ended.then(
      (exit) => reject(new RunFailedError(`the supervision tree has ended (${exit.type}${'child' in exit ? ` of ${exit.child}` : ''})`)),
      () => undefined,
    );
  });
}

function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new RunStoppedError('stopped'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

function restartsOf({ restarts, children = [] }: TreeNode): number {
  return children.reduce((sum, child) => sum + restartsOf(child), restarts);
}

/** Whole or not at all: a kill in the middle leaves the former file. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.draft`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
