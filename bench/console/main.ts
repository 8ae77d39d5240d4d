/**
 * `npm run bench:console`: what the console must reach, measured on the SQLite store of this machine, and an exit code that says whether it does: first answers on 100,000 agents; how far an open page is behind at 1,000 turns a
 * second; what a page costs the runtime, and that it costs nothing when none is open. Beside one another in one run, taken in turns.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import { fork, type ChildProcess } from 'node:child_process';
import { counter } from '../machines.js';
import { findChromium } from '../../test/console-page/chromium.js';
import { median, percentile } from '../statistics.js';
import { createRuntime, serveConsole, serveStore, sqlite, stately, type ServedConsole } from '../statewarden.js';
import { costsWhileNobodyLooks, type Cost } from './off.js';
import type { Lags } from './page.js';
import { paints } from './paint.js';

const manyAgents = 100_000;
const folder = mkdtempSync(join(tmpdir(), 'statewarden-bench-console-'));
let missed = 0;

function line(what: string, measured: string, goal: string, met: boolean): void {
  if (!met) missed += 1;
  process.stdout.write(`${what.padEnd(58)} ${measured.padStart(24)}   ${goal}: ${met ? 'met' : 'MISSED'}\n`);
}

async function timed(console: ServedConsole, path: string): Promise<number> {
  const began = performance.now();
  const response = await fetch(`${console.url}api/${path}`);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${path}: ${String(response.status)}`);
  return performance.now() - began;
}

async function manyAgentsStore(path: string): Promise<void> {
  await using runtime = await createRuntime({
    store: sqlite(path),
    agents: { counter: { machine: counter, version: 1 }, other: { machine: counter, version: 1 } },
  });
  for (let made = 0; made < manyAgents; made += 2_000) {
    await Promise.all(
      Array.from({ length: 2_000 }, (_, index) => {
        const n = made + index;
        return runtime.spawn(n % 100 === 0 ? 'other' : 'counter', { id: `agents/${String(n).padStart(6, '0')}` });
      }),
    );
  }
  for (let turn = 0; turn < 50; turn += 1) await runtime.agent('agents/050000').send({ type: 'ADD', amount: 1 });
}

async function firstAnswers(path: string): Promise<void> {
  const store = await sqlite(path).open({ now: Date.now });
  try {
    for (const [what, query] of [
      ['an agent: its page', 'agents/agents%2F050000'],
      ['an agent: its turns', 'agents/agents%2F050000/turns?last=100'],
      ['first page of the list', 'agents'],
      ['list by prefix, at the end', 'agents?prefix=agents/0999'],
      ['list by kind', 'agents?kind=other'],
      ['list by status that none has', 'agents?status=error'],
      ['list by state that none has: 5,000 looked at', 'agents?state=nowhere'],
      ['tree', 'tree'],
      ['runtime', 'runtime'],
    ] as const) {
      // Each on a console that has nothing read yet: the first is what somebody waits for.
      const times: number[] = [];
      for (let time = 0; time < 5; time += 1) {
        const served = await serveStore(store, { port: 0, storeName: 'sqlite' });
        times.push(await timed(served, query));
        await served.close();
      }
      line(
        `${what}, of ${manyAgents.toLocaleString('en')} agents`,
        `${median(times).toFixed(0)} ms, worst ${Math.max(...times).toFixed(0)} ms`,
        '< 1,000 ms',
        Math.max(...times) < 1_000,
      );
    }
    await firstPaint(store);
  } finally {
    await store.close();
  }
}

async function firstPaint(store: Parameters<typeof serveStore>[0]): Promise<void> {
  const browser = findChromium();
  if (browser === undefined) {
    line("an agent's page in a browser: first paint", 'no chromium on the PATH', '< 1,000 ms', false);
    return;
  }
  const open = async (): Promise<{ url: string; close: () => Promise<void> }> => {
    const served = await serveStore(store, { port: 0, storeName: 'sqlite' });
    return { url: `${served.url}#/agents/agents%2F050000`, close: () => served.close() };
  };
  const taken = await paints(browser, 5, open);
  for (const [what, key] of [
    ['first paint', 'first'],
    ['state and context are there', 'shown'],
    ['chart is drawn', 'drawn'],
  ] as const) {
    const times = taken.map((paint) => paint[key]);
    const said = `${median(times).toFixed(0)} ms, worst ${Math.max(...times).toFixed(0)} ms`;
    line(`an agent's page in a browser: ${what}`, said, '< 1,000 ms', Math.max(...times) < 1_000);
  }
}

/** A page in a process of its own, as a browser is: it must not be paid for by the thread that is measured. */
async function openPage(url: string): Promise<{ lags: () => Promise<Lags>; close: () => Promise<void> }> {
  const child: ChildProcess = fork(fileURLToPath(new URL('page.js', import.meta.url)), [url]);
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`the page ended with ${String(code)}`)));
  });
  return {
    lags: async () => {
      child.send('lags');
      return new Promise((resolve) => child.once('message', (message) => resolve(message as Lags)));
    },
    close: async () => {
      child.kill();
      await new Promise((resolve) => child.once('exit', resolve));
      await setTimeout(200);
    },
  };
}

/** 1,000 turns a second, each of which says when it was sent, to one agent that a page of the console, or of the inspector, watches. */
async function lag(where: 'page' | 'inspector'): Promise<void> {
  let relay = '';
  await using runtime = await createRuntime({
    store: sqlite(join(folder, `${where}-lag.db`)),
    agents: { counter: { machine: counter, version: 1 } },
    ...(where === 'inspector' ? { inspect: stately({ onListening: (url) => void (relay = url) }) } : {}),
  });
  const agent = await runtime.spawn('counter', { id: 'a' });
  const served = where === 'page' ? await serveConsole(runtime, { port: 0 }) : undefined;
  const page = await openPage(served === undefined ? socketOf(relay) : `${served.url}api/stream?agent=a&topics=agents,counts`);
  const seconds = 10;
  const began = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let n = 0; n < seconds * 1_000;) {
    const due = Math.min(seconds * 1_000, Math.floor(performance.now() - began));
    for (; n < due; n += 1) sent.push(agent.send({ type: 'ADD', amount: 1, at: Date.now() } as never));
    await setTimeout(2);
  }
  await Promise.all(sent);
  const rate = (seconds * 1_000) / ((performance.now() - began) / 1_000);
  await setTimeout(500);
  const { lags, turns, skipped } = await page.lags();
  await page.close();
  await served?.close();
  const worst = Math.max(...lags);
  line(
    `lag of ${where === 'page' ? 'a page' : 'the inspector'} at ${rate.toFixed(0)} turns a second`,
    `p50 ${percentile(lags, 0.5).toFixed(0)}, worst ${worst.toFixed(0)} ms`,
    '< 1,000 ms',
    worst < 1_000,
  );
  const all = turns + skipped === seconds * 1_000;
  line('turns told one by one; and not', `${String(turns)}; ${String(skipped)}`, 'all of them', all && rate > 900);
}

/** As the relay's page finds its socket: by the token in its own address, behind the `#`. */
function socketOf(relay: string): string {
  const { host, hash } = new URL(relay);
  return `ws://${host}/?${hash.slice(1)}`;
}

/** The same events without a console and with one page open, in turns. */
async function cost(): Promise<void> {
  await using runtime = await createRuntime({
    store: sqlite(join(folder, 'cost.db')),
    agents: { counter: { machine: counter, version: 1 } },
  });
  const agents = await Promise.all(Array.from({ length: 50 }, (_, index) => runtime.spawn('counter', { id: `a-${String(index)}` })));
  const perRound = 1_000;
  /** As fast as it goes. */
  const flatOut = async (): Promise<number> => {
    const began = performance.now();
    for (let round = 0; round < 12; round += 1) {
      await Promise.all(
        Array.from({ length: perRound }, (_, index) =>
          (agents[index % agents.length] as (typeof agents)[number]).send({ type: 'ADD', amount: 1 }),
        ),
      );
    }
    return (12 * perRound) / ((performance.now() - began) / 1_000);
  };
  /** Processor time of this process for 1,000 turns a second over three seconds: a rate that is kept either way says nothing. */
  const steady = async (): Promise<number> => {
    const before = process.cpuUsage();
    const began = performance.now();
    const sent: Promise<unknown>[] = [];
    for (let n = 0; n < 3_000;) {
      const due = Math.min(3_000, Math.floor(performance.now() - began));
      for (; n < due; n += 1) sent.push((agents[n % agents.length] as (typeof agents)[number]).send({ type: 'ADD', amount: 1 }));
      await setTimeout(2);
    }
    await Promise.all(sent);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / ((performance.now() - began) / 1_000);
  };
  for (let warm = 0; warm < 4; warm += 1) await flatOut();
  const rates = { none: [] as number[], open: [] as number[] };
  const loads = { none: [] as number[], open: [] as number[] };
  for (let time = 0; time < 9; time += 1) {
    rates.none.push(await flatOut());
    const served = await serveConsole(runtime, { port: 0 });
    const page = await openPage(`${served.url}api/stream?agent=a-0&topics=agents,counts`);
    rates.open.push(await flatOut());
    if (time < 5) loads.open.push(await steady());
    await page.close();
    await served.close();
    if (time < 5) loads.none.push(await steady());
  }
  const pairs = (one: readonly number[], other: readonly number[]): number =>
    median(one.map((rate, index) => 1 - (other[index] as number) / rate)) * 100;
  const open = pairs(rates.none, rates.open);
  const spread = (100 * (percentile(rates.none, 0.75) - percentile(rates.none, 0.25))) / median(rates.none);
  // What it takes of the one thread that everything runs on, at the load that the goal names; the other figure is for whoever works flat out while looking.
  const taken = (median(loads.open) - median(loads.none)) / 10;
  line('one page open, 1,000 turns a second: of the processor', `${taken.toFixed(1)} %`, '≤ 5 %', taken <= 5);
  const flat = `${median(rates.open).toFixed(0)} of ${median(rates.none).toFixed(0)}/s, ${open.toFixed(0)} % ± ${spread.toFixed(0)}`;
  process.stdout.write(`${'one page open, as many turns as there can be'.padEnd(58)} ${flat.padStart(24)}   no goal\n`);
}

/** What neither shows to anybody costs nothing: not more than a second runtime that has neither. */
async function off(): Promise<void> {
  const { none, ...others } = await costsWhileNobodyLooks(folder);
  const said = ({ lost, low, high }: Cost): string => `${lost.toFixed(1)} % (${low.toFixed(1)} to ${high.toFixed(1)})`;
  process.stdout.write(`${'neither, beside neither: processor lost'.padEnd(58)} ${said(none).padStart(24)}   the noise\n`);
  for (const [what, cost] of Object.entries(others)) {
    line(`${what} there, nobody looks: processor lost`, said(cost), '0 %, within noise', cost.low <= Math.max(0, none.high));
  }
}

try {
  const many = join(folder, 'many.db');
  const only = process.argv[2];
  if (only === undefined || only === 'many') {
    await manyAgentsStore(many);
    await firstAnswers(many);
  }
  if (only === undefined || only === 'lag') for (const where of ['page', 'inspector'] as const) await lag(where);
  if (only === undefined || only === 'off') await off();
  if (only === undefined || only === 'cost') await cost();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = missed === 0 ? 0 : 1;
