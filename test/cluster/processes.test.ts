/** Several processes on one file: who has which agent, seen from outside while nodes come, go and are killed. */

import { expect } from 'chai';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inFolder } from '../crash/lives.js';
import { tickerPath, type Order, type Tick } from './ticker.js';

const agents = 40;

class Cluster {
  readonly #folder: string;
  readonly #nodes = new Map<string, ChildProcess>();

  constructor(folder: string) {
    this.#folder = folder;
    writeFileSync(this.#log, '');
  }

  get #log(): string {
    return join(this.#folder, 'ticks.jsonl');
  }

  async start(name: string): Promise<void> {
    const child = fork(tickerPath, [join(this.#folder, 'agents.db'), this.#log, name], { execArgv: ['--no-warnings'] });
    this.#nodes.set(name, child);
    expect((await once(child, 'message'))[0]).to.equal('up');
  }

  async order(name: string, order: Order): Promise<void> {
    const child = this.#nodes.get(name) as ChildProcess;
    const done = order.order === 'close' ? once(child, 'exit') : once(child, 'message');
    child.send(order);
    await done;
  }

  kill(name: string): void {
    this.#nodes.get(name)?.kill('SIGKILL');
  }

  killAll(): void {
    for (const child of this.#nodes.values()) child.kill('SIGKILL');
  }

  ticks(): Tick[] {
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Tick);
  }

  /** Who ran each agent last. */
  holders(ticks = this.ticks()): Map<string, string> {
    return new Map(ticks.map(({ agent, node }) => [agent, node]));
  }

  /** How many agents each node has run last. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const node of this.holders().values()) counts[node] = (counts[node] ?? 0) + 1;
    return counts;
  }

  async until(what: string, is: () => boolean, ms = 15_000): Promise<void> {
    for (const end = Date.now() + ms; !is();) {
      expect(Date.now(), `${what}; ${JSON.stringify(this.counts())}`).to.be.lessThan(end);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** How long each of these went without being run after a time, in order. */
  gaps(of: ReadonlySet<string>, since: number): number[] {
    const first = new Map<string, number>();
    for (const { agent, at } of this.ticks()) if (of.has(agent) && at > since && !first.has(agent)) first.set(agent, at);
    expect(first.size, 'all go on').to.equal(of.size);
    return [...first.values()].map((at) => at - since).sort((one, other) => one - other);
  }
}

const held = (cluster: Cluster, node: string): Set<string> =>
  new Set([...cluster.holders()].filter(([, holder]) => holder === node).map(([agent]) => agent));

describe('several processes on one file', function () {
  this.timeout(90_000);

  it('share the agents evenly, take them over from one that is killed or stops, and never run one twice at a time', () =>
    inFolder(async (folder) => {
      const cluster = new Cluster(folder);
      const isEven = (nodes: number) => (): boolean => {
        const counts = Object.values(cluster.counts());
        return counts.length >= nodes && Math.min(...counts) >= agents / nodes / 2;
      };
      try {
        await cluster.start('a');
        await cluster.order('a', { order: 'spawn', count: agents });
        await cluster.until('a runs all', () => cluster.holders().size === agents);
        expect(cluster.counts()).to.deep.equal({ a: agents });

        await cluster.start('b');
        await cluster.until('b has its share', isEven(2));
        await cluster.start('c');
        await cluster.until('c has its share', isEven(3));

        const lost = held(cluster, 'b');
        const killedAt = Date.now();
        cluster.kill('b');
        await cluster.until('the agents of b go on', () => {
          const since = new Set(cluster.ticks().flatMap(({ agent, at, node }) => (at > killedAt && node !== 'b' ? [agent] : [])));
          return [...lost].every((agent) => since.has(agent));
        });
        const adopted = cluster.gaps(lost, killedAt);
        expect(adopted.at(-1), `the last one of ${String(lost.size)}`).to.be.at.most(5_000);

        const left = held(cluster, 'c');
        await cluster.order('c', { order: 'close' });
        const stoppedAt = Date.now();
        await cluster.until('a has all', () => cluster.counts()['a'] === agents);
        const handed = cluster.gaps(left, stoppedAt);
        expect(handed[Math.floor(handed.length / 2)], 'most are handed over in well under a second').to.be.at.most(1_500);

        // Whoever has an agent counts on from where the last one stopped; after a kill the call under way is made again.
        const last = new Map<string, Tick>();
        for (const tick of cluster.ticks().sort((one, other) => one.at - other.at)) {
          const before = last.get(tick.agent);
          if (before !== undefined) {
            const again = before.n === tick.n && before.node === 'b' && tick.node !== 'b' && tick.at > killedAt;
            expect(again ? tick.n : before.n + 1, `${JSON.stringify(before)} ${JSON.stringify(tick)}`).to.equal(tick.n);
          }
          last.set(tick.agent, tick);
        }
      } finally {
        cluster.killAll();
      }
    }));
});
