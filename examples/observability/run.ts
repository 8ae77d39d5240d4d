/** Two lives of the newsroom, with `kill -9` between them. It is killed at rest: two writers are at work that takes for ever, and all that there is to tell has been sent. What a process has not sent when it is killed nobody can bring back. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { audit, drawing, wantedMetrics, type Audit, type Line } from './audit.js';
import { Collector } from './collector.js';
import type { Finding } from './crew.js';
import { topics, type NewsroomOrder } from './newsroom.js';

export const newsroomMark = 'STATEWARDEN_EXAMPLE_NEWSROOM';

export interface Summary extends Audit {
  readonly killed: boolean;
  readonly report: readonly Finding[];
}

export interface RunOptions {
  readonly script: string;
  readonly dir: string | undefined;
  readonly tell: (line: string) => void;
}

const patienceMs = 60_000;

export async function run({ script, dir, tell }: RunOptions): Promise<Summary> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'statewarden-observability-')));
  await mkdir(folder, { recursive: true });
  await using collector = new Collector();
  try {
    const address = await collector.listen();
    const lines: Line[] = [];
    const live = (life: 1 | 2): Life => new Life(script, { life, file: join(folder, 'newsroom.db'), collector: address }, lines);
    const first = live(1);
    await first.until(() => isAtRest(collector, lines), 'the writers to be at work and all of it to be told');
    first.kill();
    tell(`killed with ${String(collector.spans.length)} spans sent; started again`);
    const killed = (await first.ended()) === 'SIGKILL';
    const second = live(2);
    await second.ended();
    const summary = { ...audit(collector, lines), killed, report: second.report ?? [] };
    const faults = [...summary.faults];
    if (!killed) faults.push('the first life ended by itself');
    if (summary.report.length !== topics.length) faults.push('the report is not whole');
    for (const line of drawing(collector.spans)) tell(line);
    return { ...summary, faults };
  } finally {
    if (dir === undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** One writer has told, the others are at work; a span for every turn that the log tells of has come, and every metric. */
function isAtRest({ spans, metrics }: Collector, lines: readonly Line[]): boolean {
  const told = (of: (event: Readonly<Record<string, unknown>>) => boolean): number =>
    lines.filter((line) => of((line['statewarden'] ?? {}) as Readonly<Record<string, unknown>>)).length;
  const begun = told(({ type, activity, phase }) => type === 'activity' && activity === 'research' && phase === 'started');
  const written = told(({ type, event }) => type === 'turn' && event === 'WRITTEN');
  const turns = told(({ type }) => type === 'turn');
  const commits = told(({ type, turns: of }) => type === 'commit' && (of as number) > 0);
  const came = (prefix: string): number => spans.filter(({ name }) => name.startsWith(prefix)).length;
  const names = metrics.get('1');
  return (
    begun === topics.length &&
    written === 1 &&
    came('turn ') === turns &&
    came('commit') === commits &&
    came('publish') === 1 &&
    wantedMetrics.every((name) => names?.has(name) === true)
  );
}

class Life {
  readonly #process: ChildProcess;
  readonly #ended: Promise<string | number | null>;
  report: readonly Finding[] | undefined;
  #errors = '';
  #killed = false;
  #late = false;

  constructor(script: string, order: NewsroomOrder, lines: Line[]) {
    this.#process = spawn(process.execPath, [script], {
      env: { ...process.env, [newsroomMark]: JSON.stringify(order) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#process;
    stderr?.on('data', (text: Buffer) => (this.#errors += text.toString()));
    const read = createInterface({ input: stdout as NonNullable<typeof stdout> });
    read.on('line', (text) => {
      let line: Line;
      try {
        line = JSON.parse(text) as Line;
      } catch {
        return; // cut by the kill
      }
      if (line['report'] === undefined) lines.push(line);
      else this.report = line['report'] as readonly Finding[];
    });
    const closed = once(read, 'close');
    this.#ended = once(this.#process, 'exit').then(async ([code, signal]) => {
      await closed;
      return (signal ?? code) as string | number | null;
    });
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const end = Date.now() + patienceMs;
    while (!holds()) {
      const isOver = this.#process.exitCode !== null || Date.now() > end;
      if (isOver) {
        this.kill();
        throw new Error(`waited for ${what}\n${this.#errors}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  kill(): void {
    this.#killed = true;
    this.#process.kill('SIGKILL');
  }

  /** The signal or the code. @throws Error when it has failed */
  async ended(): Promise<string | number | null> {
    const timer = setTimeout(() => {
      this.#late = true;
      this.#process.kill('SIGKILL');
    }, patienceMs);
    const how = await this.#ended;
    clearTimeout(timer);
    if (this.#late || !(how === 0 || (how === 'SIGKILL' && this.#killed)))
      throw new Error(`the newsroom ended with ${String(how)}\n${this.#errors}`);
    return how;
  }
}
