/** A thousand transitions a second, looked at over the relay: a client that reads gets all, one that reads slowly is told what it did not get, one that does not read costs a bounded little, and nobody costs nothing. */

import { expect } from 'chai';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { assign, setup } from 'xstate';
import { createRuntime, memory } from 'statewarden';
import { stately } from 'statewarden/inspector';

const token = 'a-token-for-the-tests';
const ticker = setup({
  types: { context: {} as { n: number; text: string }, events: {} as { type: 'TICK'; n: number }, input: {} as number },
}).createMachine({
  id: 'ticker',
  context: ({ input }) => ({ n: 0, text: 'x'.repeat(input) }),
  initial: 'tick',
  states: {
    tick: { on: { TICK: { target: 'tock', actions: assign({ n: ({ event }) => event.n }) } } },
    tock: { on: { TICK: { target: 'tick', actions: assign({ n: ({ event }) => event.n }) } } },
  },
});
const agents = 10;

/** Of what came by way of a socket. */
interface Tally {
  readonly events: number;
  readonly snapshots: number;
  readonly told: number;
  /** Latest `n` by session. */
  readonly latest: Readonly<Record<string, number>>;
  /** Most that a message was old when it came, in ms. */
  readonly behind: number;
  readonly inOrder: boolean;
}

/** A client in a thread of its own, as a page is in a process of its own. `pauseMs`: after each twenty messages; Infinity: it reads nothing. */
const clientCode = `
const { parentPort, workerData } = require('node:worker_threads');
const { WebSocket } = require('ws');
const socket = new WebSocket(workerData.url);
const tally = { events: 0, snapshots: 0, told: 0, latest: {}, behind: 0, inOrder: true };
socket.on('open', () => parentPort.postMessage('open'));
socket.on('error', () => undefined);
socket.on('close', () => parentPort.postMessage('closed'));
let count = 0;
socket.on('message', (data) => {
  const { type, event, snapshot, sessionId, createdAt } = JSON.parse(data);
  tally.behind = Math.max(tally.behind, Date.now() - Number(createdAt));
  if (type === '@xstate.event' && event.type === 'statewarden.left-out') tally.told += event.messages;
  else if (type === '@xstate.event') tally.events += 1;
  else if (type === '@xstate.snapshot') {
    tally.snapshots += 1;
    const { n } = snapshot.context;
    if (n < (tally.latest[sessionId] ?? 0)) tally.inOrder = false;
    tally.latest[sessionId] = n;
  }
  if (workerData.pauseMs > 0 && workerData.pauseMs !== Infinity && ++count % 20 === 0) {
    socket.pause();
    setTimeout(() => socket.resume(), workerData.pauseMs);
  }
});
if (workerData.pauseMs === Infinity) socket.on('open', () => socket.pause());
parentPort.on('message', (what) => (what === 'read' ? socket.resume() : parentPort.postMessage(tally)));
`;

class Client {
  readonly #worker: Worker;
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;

  constructor(url: string, pauseMs: number) {
    this.#worker = new Worker(clientCode, { eval: true, workerData: { url, pauseMs } });
    const said = (word: string): Promise<void> =>
      new Promise((resolve) => this.#worker.on('message', (message) => (message === word ? resolve() : undefined)));
    [this.opened, this.closed] = [said('open'), said('closed')];
  }

  read(): void {
    this.#worker.postMessage('read');
  }

  tally(): Promise<Tally> {
    return new Promise((resolve) => {
      const take = (message: Tally | string): void => {
        if (typeof message === 'string') return;
        this.#worker.off('message', take);
        resolve(message);
      };
      this.#worker.on('message', take);
      this.#worker.postMessage('tally');
    });
  }

  async until(isSo: (tally: Tally) => boolean): Promise<Tally> {
    for (;;) {
      const tally = await this.tally();
      if (isSo(tally)) return tally;
      await setTimeout(50);
    }
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

interface Scene extends AsyncDisposable {
  readonly look: (pauseMs?: number) => Promise<Client>;
  /** So many turns of each agent, so far apart. */
  readonly run: (turns: number, everyMs: number) => Promise<void>;
}

async function scene(
  size: number,
  limits: { readonly messages?: number; readonly size?: number; readonly stalledMs?: number } = {},
): Promise<Scene> {
  let url = '';
  const runtime = await createRuntime({
    store: memory(),
    agents: { ticker: { machine: ticker, version: 1 } },
    inspect: stately({ token, limits, onListening: (found) => (url = found) }),
  });
  const all = await Promise.all(Array.from({ length: agents }, (_, n) => runtime.spawn('ticker', { id: `t-${String(n)}`, input: size })));
  const clients: Client[] = [];
  let n = 0;
  return {
    look: async (pauseMs = 0) => {
      const client = new Client(`ws://${new URL(url).host}/?token=${token}`, pauseMs);
      clients.push(client);
      await client.opened;
      return client;
    },
    run: async (turns, everyMs) => {
      const began = performance.now();
      for (let turn = 0; turn < turns; turn += 1) {
        n += 1;
        await Promise.all(all.map((agent) => agent.send({ type: 'TICK', n })));
        await setTimeout(Math.max(0, began + (turn + 1) * everyMs - performance.now()));
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.end()));
      await runtime.close();
    },
  };
}

describe('the relay under a thousand transitions a second', function () {
  this.timeout(60_000);

  it('brings all of five seconds to a client that reads, in order', async () => {
    await using it = await scene(200);
    const client = await it.look();
    await client.until(({ snapshots }) => snapshots === agents);
    await it.run(500, agents);
    const tally = await client.until(({ latest }) => Object.values(latest).every((one) => one === 500));
    const { events, snapshots, told, inOrder, behind } = tally;
    const whole = { events: 500 * agents, snapshots: 501 * agents, told: 0, inOrder: true };
    expect({ events, snapshots, told, inOrder }).to.deep.equal(whole);
    if (process.env['STATEWARDEN_MEASURE'] !== undefined) process.stdout.write(`behind by at most ${String(behind)} ms\n`);
  });

  it('tells one that reads slowly how much it did not get, and brings it to where the agents are', async () => {
    await using it = await scene(20_000, { messages: 200, size: 5_000_000 });
    const client = await it.look(50);
    await client.until(({ snapshots }) => snapshots === agents);
    // More than the sockets' own buffers hold.
    const turns = 200;
    await it.run(turns, 0);
    const end = await client.until(({ latest }) => Object.values(latest).every((one) => one === turns));
    expect(end.told).to.be.greaterThan(0);
    expect(end.events + (end.snapshots - agents) + end.told).to.equal(2 * turns * agents);
    expect(end.inOrder).to.equal(true);
  });

  it('lets go of one that never reads, and goes on for the others', async () => {
    await using it = await scene(20_000, { messages: 200, size: 5_000_000, stalledMs: 500 });
    const [deaf, other] = [await it.look(Infinity), await it.look()];
    await it.run(100, 20);
    deaf.read();
    await deaf.closed;
    await other.until(({ latest }) => Object.keys(latest).length === agents && Object.values(latest).every((one) => one === 100));
  });
});
