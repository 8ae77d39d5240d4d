import { expect } from 'chai';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  activity,
  approval,
  createRuntime,
  logAlerts,
  memory,
  webhookAlerts,
  type AlertSink,
  type Alert,
  type Runtime,
  type RuntimeEvent,
  type Store,
} from 'statewarden';
import { failing } from '../bad-input/failing.js';
import { caller } from './caller.js';
import { ManualClock, settled } from './manual-clock.js';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A receiver on a port of its own. `answers`: what it says to the next requests, then 204; `hang`: nothing. */
class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly answers: (number | 'hang')[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let text = '';
      request.on('data', (part: Buffer) => (text += part.toString()));
      request.on('end', () => {
        const body = (text === '' ? {} : JSON.parse(text)) as Received['body'];
        this.received.push({ path: `${request.method ?? ''} ${request.url ?? ''}`, headers: request.headers, body });
        const answer = this.answers.shift() ?? 204;
        if (answer === 'hang') return;
        response.writeHead(answer, answer === 302 ? { location: '/elsewhere' } : {}).end(answer === 204 ? undefined : 'no');
      });
    });
  }

  static async open(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/hooks?to=desk`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    expect(tries, what).to.be.below(2_000);
    await pause(2);
  }
}

interface World {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly events: RuntimeEvent[];
  open(...alerts: AlertSink[]): Promise<Runtime>;
}

function world(): World {
  const store = memory();
  const clock = new ManualClock();
  const events: RuntimeEvent[] = [];
  const pay = activity({
    name: 'pay',
    onUnknown: 'hold',
    run: () => {
      throw Object.assign(new Error('cut'), { code: 'ECONNRESET' });
    },
  });
  return {
    store,
    clock,
    events,
    open: async (...alerts) => {
      const runtime = (await createRuntime({
        store,
        clock,
        alerts,
        agents: { payer: { machine: caller(pay), version: 1 }, asker: { machine: caller(approval()), version: 1 } },
      })) as unknown as Runtime;
      runtime.events$.subscribe((event) => events.push(event));
      return runtime;
    },
  };
}
const failures = ({ events }: World): string[] => events.flatMap((event) => (event.type === 'alert-failed' ? [event.error.message] : []));
const alertsIn = ({ events }: World): string[] => events.flatMap((event) => (event.type === 'alert' ? [event.alert] : []));

describe('alerts', () => {
  it('are posted to a webhook as JSON, with a key that stays the same', async () => {
    await using desk = await Receiver.open();
    const one = world();
    await using runtime = await one.open(webhookAlerts(desk.url, { headers: { authorization: 'Bearer desk' } }));
    await runtime.spawn('payer', { id: 'orders/ö', input: 1 });
    await until('received', () => desk.received.length === 1);
    const [{ path, headers, body } = {} as Received] = desk.received;
    const [hold] = await runtime.holds.list();
    expect(path).to.equal('POST /hooks?to=desk');
    expect(headers).to.include({ 'content-type': 'application/json', authorization: 'Bearer desk' });
    expect(decodeURIComponent(headers['idempotency-key'] as string)).to.equal(body['id']);
    expect(body).to.include({ type: 'alert', alert: 'held', agentId: 'orders/ö', activity: 'pay', operationId: hold?.operationId });
    expect(body['at']).to.equal(one.clock.now());
    expect(body['error']).to.include({ name: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN', message: body['message'] });
    expect((body['error'] as { hint: string }).hint).to.include('statewarden holds done|retry|fail');
  });

  it('are posted as the receiver wants them', async () => {
    await using desk = await Receiver.open();
    const one = world();
    const sink = webhookAlerts(new URL(desk.url), { body: ({ message, alert }) => ({ text: `${alert}: ${message}` }) });
    await using runtime = await one.open(sink);
    await runtime.spawn('asker', { id: 'a', input: { title: 'Lend?' } });
    await until('received', () => desk.received.length === 1);
    expect(desk.received[0]?.body).to.deep.equal({ text: 'approval-requested: Lend?' });
  });

  it('are told again while the receiver fails, with growing waits, and once it has taken them no more', async () => {
    await using desk = await Receiver.open();
    desk.answers.push(500, 302, 429);
    const one = world();
    await using runtime = await one.open(webhookAlerts(desk.url));
    await settled();
    const before = one.clock.armed;
    await runtime.spawn('asker', { id: 'a', input: { title: 'Lend?' } });
    for (const [index, waitMs] of [1_000, 2_000, 4_000].entries()) {
      await until(`request ${String(index + 1)}`, () => desk.received.length === index + 1);
      await until('it waits', () => one.clock.armed > before);
      await one.clock.advance(waitMs - 1);
      expect(desk.received).to.have.lengthOf(index + 1);
      await one.clock.advance(1);
    }
    await until('taken', () => desk.received.length === 4);
    await one.clock.advance(60_000);
    expect(desk.received.map(({ path }) => path)).to.deep.equal(Array.from({ length: 4 }, () => 'POST /hooks?to=desk'));
    expect(new Set(desk.received.map(({ headers }) => headers['idempotency-key']))).to.have.property('size', 1);
    expect(failures(one)).to.deep.equal([]);
    expect(one.clock.armed).to.be.at.most(before);
  });

  it('are given up after five times, which is told; other receivers hear of them all the same', async () => {
    await using desk = await Receiver.open();
    desk.answers.push(...Array.from({ length: 9 }, () => 503));
    const one = world();
    const heard: Alert[] = [];
    const broken: AlertSink = () => {
      throw new Error('always');
    };
    await using runtime = await one.open(webhookAlerts(desk.url), broken, (alert) => void heard.push(alert));
    await runtime.spawn('asker', { id: 'a', input: { title: 'Lend?' } });
    for (let seconds = 0; failures(one).length < 2; seconds += 1) {
      expect(seconds, 'given up').to.be.below(500);
      await one.clock.advance(1_000);
      await pause(5);
    }
    await one.clock.advance(60_000);
    expect(failures(one)).to.deep.equal(['always', `${new URL(desk.url).origin}/hooks answered 503`]);
    expect(desk.received).to.have.lengthOf(5);
    expect(heard).to.have.lengthOf(1);
    expect(alertsIn(one)).to.deep.equal(['approval-requested']);
  });

  it('count as failed when the receiver says nothing in time, or is not there', async () => {
    await using desk = await Receiver.open();
    desk.answers.push('hang');
    const alert = { type: 'alert', id: 'x', alert: 'held', agentId: 'a', operationId: 'o', activity: 'pay', message: 'm', at: 1 } as const;
    const thrown = await Promise.resolve(webhookAlerts(desk.url, { timeoutMs: 50 })(alert)).catch((error: unknown) => error);
    expect(thrown).to.have.property('name', 'TimeoutError');
    const url = desk.url;
    await desk[Symbol.asyncDispose]();
    const gone = await Promise.resolve(webhookAlerts(url)(alert)).catch((error: unknown) => error);
    expect(gone).to.be.instanceOf(TypeError);
  });

  it('are told again at the next start of what still waits, with the same id, and of nothing else', async () => {
    const one = world();
    const first: Alert[] = [];
    const runtime = await one.open((alert) => {
      first.push(alert);
      throw new Error('away');
    });
    await runtime.spawn('payer', { id: 'a', input: 1 });
    await runtime.spawn('asker', { id: 'b', input: { title: 'Lend?' } });
    await runtime.spawn('asker', { id: 'c', input: { title: 'Decided meanwhile?' } });
    await settled();
    const decided = (await runtime.approvals.list()).find(({ agentId }) => agentId === 'c');
    await runtime.approvals.decide(decided?.operationId ?? '', 'approved', { by: 'ada' });
    await runtime.agent('c').result();
    expect(first.map(({ alert, agentId }) => `${alert} ${agentId}`)).to.have.members([
      'approval-requested b',
      'approval-requested c',
      'held a',
    ]);
    await runtime.close();
    await one.clock.advance(60_000);
    expect(first, 'nothing is told when the runtime is closed').to.have.lengthOf(3);
    const again: Alert[] = [];
    await using next = await one.open((alert) => void again.push(alert));
    await settled();
    const byAgent = (alerts: readonly Alert[], agent: string): unknown[] =>
      alerts.filter(({ agentId }) => agentId === agent).map(({ id, alert, message }) => [id, alert, message]);
    expect(again).to.have.lengthOf(2);
    for (const agent of ['a', 'b']) expect(byAgent(again, agent)).to.deep.equal(byAgent(first, agent));
    expect(await next.holds.list()).to.have.lengthOf(1);
  });

  it('are written as lines of JSON, with what an error says', () => {
    const lines: string[] = [];
    const error = Object.assign(new Error('nobody knows'), { code: 'OUTCOME_UNKNOWN', hint: 'Find out.' });
    const alert = { type: 'alert', id: 'x', alert: 'held', agentId: 'a', operationId: 'o', activity: 'pay', message: 'm', at: 1 } as const;
    void logAlerts((line) => void lines.push(line))({ ...alert, error });
    void logAlerts((line) => void lines.push(line))(alert);
    expect(lines.every((line) => line.endsWith('\n') && !line.slice(0, -1).includes('\n'))).to.equal(true);
    expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal([
      { ...alert, error: { name: 'Error', message: 'nobody knows', code: 'OUTCOME_UNKNOWN', hint: 'Find out.' } },
      alert,
    ]);
  });

  it('go nowhere that cannot take them', async () => {
    await failing('BAD_INPUT', () => webhookAlerts('desk'));
    await failing('BAD_INPUT', () => webhookAlerts('mailto:desk@example.com'));
    for (const timeoutMs of [0, -1, NaN, Infinity, 0.5])
      await failing('BAD_INPUT', () => webhookAlerts('https://desk.example', { timeoutMs }));
    await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents: {}, alerts: ['https://desk.example'] as never }));
  });
});
