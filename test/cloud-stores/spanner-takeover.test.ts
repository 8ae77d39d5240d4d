/** Two processes on one database. One is killed; the other goes on with its agents, and none is ever run by both. Looked at from outside: by what the agents have done. */

import { expect } from 'chai';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spanner, type SpannerOptions } from 'statewarden/spanner';
import { roundsPath, type Round, type RoundsTask } from './process-rounds.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

const leaseMs = 2_000;
const each = 20;

describeSpanner('Two processes on Spanner', function () {
  this.timeout(60_000);
  let emulator: SpannerEmulator;
  let options: SpannerOptions;
  let folder: string;
  let children: ChildProcess[] = [];

  beforeEach(async () => {
    emulator = await SpannerEmulator.start();
    options = await emulator.database();
    folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
  });
  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    children = [];
    await emulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const idsOf = (name: string): string[] => Array.from({ length: each }, (_, index) => `${name}/${String(index)}`);

  async function start(name: string): Promise<ChildProcess> {
    const { project, instance, database } = options;
    const task: RoundsTask = {
      options: { project, instance, database },
      port: emulator.port,
      log: join(folder, 'rounds.jsonl'),
      agents: idsOf(name),
      leaseMs,
    };
    const child = fork(roundsPath, [JSON.stringify(task)], { execArgv: ['--no-warnings'] });
    children.push(child);
    const [said] = (await once(child, 'message')) as [string];
    expect(said).to.equal('ready');
    return child;
  }

  function rounds(): Round[] {
    const lines = readFileSync(join(folder, 'rounds.jsonl'), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Round);
  }

  /** When each of these agents was first run by the process, after a time; in order. */
  async function taken(agents: readonly string[], { pid }: ChildProcess, after: number, withinMs: number): Promise<number[]> {
    const end = Date.now() + withinMs;
    for (;;) {
      const found = agents.map((id) => rounds().find((round) => round.agent === id && round.pid === pid && round.at >= after)?.at);
      if (found.every((at) => at !== undefined) || Date.now() > end) {
        expect(found.filter((at) => at === undefined)).to.deep.equal([], 'agents that nobody took over');
        return (found as number[]).sort((one, other) => one - other);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Nobody's work was done by two processes at a time, and none of it twice but for what the dead one had under way. */
  function checkRounds(): void {
    const last = new Map<string, number>();
    const done = new Map<string, Set<number>>();
    for (const { agent, operation, pid } of rounds()) {
      const pids = done.get(operation) ?? done.set(operation, new Set()).get(operation);
      expect(pids?.has(pid), `${operation} was begun twice by one process`).to.equal(false);
      pids?.add(pid);
      const before = last.get(agent);
      if (before !== undefined && before !== pid) {
        const earlier = rounds().filter((round) => round.agent === agent);
        const change = earlier.findIndex((round) => round.pid === pid);
        expect(
          earlier.slice(change).every((round) => round.pid === pid),
          `${agent} went from one to the other and back`,
        ).to.equal(true);
      }
      last.set(agent, pid);
    }
  }

  async function checkStore(): Promise<void> {
    const store = await spanner(options).open({ now: Date.now });
    try {
      expect(await store.check()).to.deep.equal([]);
      expect((await store.counts()).agents.active).to.equal(2 * each);
    } finally {
      await store.close();
    }
  }

  it('go on with the agents of one that is killed, within 5 s, and none is run by both', async () => {
    const [one, other] = await Promise.all([start('one'), start('other')]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const killedAt = Date.now();
    one.kill('SIGKILL');
    const times = await taken(idsOf('one'), other, killedAt, 15_000);
    const p99 = (times[Math.ceil(times.length * 0.99) - 1] as number) - killedAt;
    process.stdout.write(`      ${String(each)} agents resumed after ${String((times[0] as number) - killedAt)} to ${String(p99)} ms\n`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    checkRounds();
    await checkStore();
    expect(p99).to.be.at.most(5_000);
  });

  it('go on with the agents of one that is stopped past its lease, which writes nothing when it wakes', async () => {
    const [one, other] = await Promise.all([start('one'), start('other')]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stoppedAt = Date.now();
    one.kill('SIGSTOP');
    await taken(idsOf('one'), other, stoppedAt, 15_000);
    one.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await checkStore();
    // What it had under way when it was stopped may be noted when it wakes; nothing that comes after.
    const late = rounds().filter(({ pid, at, agent }) => pid === one.pid && at > stoppedAt + 1_000 && agent.startsWith('one/'));
    expect(late.length).to.be.at.most(each);
    const store = await spanner(options).open({ now: Date.now });
    const records = await store.lookup(idsOf('one'));
    await store.close();
    expect(new Set(records.map((record) => record?.fence))).to.deep.equal(new Set([2]));
  });
});
