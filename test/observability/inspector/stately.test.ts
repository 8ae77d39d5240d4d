/**
 * Live agents in the Stately inspector: the protocol against the published package's own client, adapter and server, and a relay that lets in whom it should, bounds what waits, and does nothing while
 * nobody looks.
 */

import { createWebSocketInspector, createWebSocketReceiver } from '@statelyai/inspect';
import { createInspectorServer } from '@statelyai/inspect/server';
import { expect } from 'chai';
import { createServer, type AddressInfo } from 'node:net';
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { createActor, createMachine, setup } from 'xstate';
import { createRuntime, memory, type RuntimeOptions } from 'statewarden';
import { stately, type StatelyOptions } from 'statewarden/inspector';
import { Relay, type Client } from '#src/observability/inspector/relay.js';
import { agents, Heard } from './machines.js';

interface Message {
  readonly type: string;
  readonly sessionId: string;
  readonly rootId: string;
  readonly name: string;
  readonly parentId?: string;
  readonly definition: string;
  readonly event: { readonly type: string } & Record<string, unknown>;
  readonly snapshot: {
    readonly status: string;
    readonly value?: unknown;
    readonly context?: Record<string, unknown>;
    readonly tags?: string[];
  };
}

const token = 'a-token-of-this-test';

/** A runtime with a relay, and the address of its socket. */
async function inspected(options: StatelyOptions = {}, more: Partial<RuntimeOptions> = {}) {
  let url = '';
  const inspect = stately({ token, onListening: (at) => void (url = at), ...options });
  const runtime = await createRuntime({ store: memory(), agents, ...more, inspect } as never as RuntimeOptions<typeof agents>);
  const host = new URL(url === '' ? 'http://none' : url).host;
  return { runtime, url, host, socketUrl: `ws://${host}/?token=${token}`, [Symbol.asyncDispose]: () => runtime.close() };
}

/** As the package's page hears it. */
function receive(server: string): Heard<Message> {
  const heard = new Heard<Message>();
  createWebSocketReceiver({ server }).subscribe((event) => heard.next(event as unknown as Message));
  return heard;
}

/** Of a try to connect: the status, 101 when it was let in. */
function knock(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('open', () => {
      resolve(101);
      socket.terminate();
    });
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === undefined ? undefined : reject(error)));
  });
}

function get(
  host: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const [hostname, port] = host.split(':');
    request({ hostname, port, headers }, (response) => {
      let body = '';
      response.on('data', (part) => (body += String(part)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const isEvent =
  (type: string) =>
  (message: Message): boolean =>
    message.type === '@xstate.event' && message.event.type === type;

describe('stately()', function () {
  this.timeout(60_000);

  it("is understood by the package's own receiver: agents that live, then what goes on", async () => {
    await using it = await inspected();
    const { runtime, socketUrl } = it;
    const agent = await runtime.spawn('seeker', { id: 's-1', input: { topic: 'wal', apiKey: 'k-1' } });
    const heard = receive(socketUrl);
    const root = await heard.first(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === 's-1#x:0');
    const helper = await heard.first(({ type, name }) => type === '@xstate.actor' && name === 'helper');
    const actor = heard.all.find(({ type }) => type === '@xstate.actor') as Message;
    expect(actor).to.include({ name: 's-1', sessionId: 's-1#x:0', rootId: 's-1#x:0' });
    expect(helper).to.include({ parentId: 's-1#x:0', rootId: 's-1#x:0' });
    expect(root.snapshot).to.deep.include({ status: 'active', value: 'resting', context: { topic: 'wal', apiKey: '[hidden]' } });
    const definition = JSON.parse(actor.definition) as { id: string; states: object };
    expect(Object.keys(definition.states)).to.deep.equal(['resting', 'looking', 'ended']);
    // What the page draws is a machine.
    expect(createMachine(definition as never).root.id).to.equal('seeker');

    await agent.send({ type: 'LOOK', password: 'p-1' });
    await heard.first(isEvent('LOOK'));
    const busy = await heard.first(({ type, snapshot }) => type === '@xstate.snapshot' && snapshot.value === 'looking');
    expect(busy.snapshot.tags).to.deep.equal(['busy']);
    const found = await heard.first(({ snapshot }) => snapshot?.context?.['found'] !== undefined);
    expect(found.snapshot.context).to.include({ found: 'found fsync' });
    expect(JSON.stringify(heard.all)).not.to.match(/k-1|p-1/);
    await agent.send({ type: 'END' });
    const end = await heard.first(({ sessionId, snapshot }) => sessionId === 's-1#x:0' && snapshot?.status === 'done');
    expect(end.snapshot.value).to.equal('ended');
  });

  it('tells each who joins of the agents as they are, in whatever order they come, and lets ended ones out', async () => {
    await using it = await inspected();
    const { runtime, socketUrl } = it;
    const first = receive(socketUrl);
    const one = await runtime.spawn('seeker', { id: 's-1', input: {} });
    await first.first(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === 's-1#x:0');
    const two = await runtime.spawn('seeker', { id: 's-2', input: {} });
    await one.send({ type: 'SET', context: { seen: 1 } });
    await two.send({ type: 'END' });
    await first.first(({ sessionId, snapshot }) => sessionId === 's-2#x:0' && snapshot?.status === 'done');
    const second = receive(socketUrl);
    const snapshot = await second.first(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === 's-1#x:0');
    expect(snapshot.snapshot.context).to.deep.equal({ seen: 1 });
    await one.send({ type: 'UP' });
    await Promise.all([first.first(isEvent('UP')), second.first(isEvent('UP'))]);
    expect(second.all.filter(({ rootId }) => rootId === 's-2#x:0')).to.deep.equal([]);
    const announced = second.all.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name);
    expect(announced).to.deep.equal(['s-1', 'helper']);
    expect(first.all.filter(isEvent('UP')).map(({ sessionId }) => sessionId.replace(/\d+$/, ''))).to.deep.equal(['s-1#x:', 's-1#x:']);
  });

  it('tells of agents of another life, and shows only those it is to show', async () => {
    const store = memory();
    {
      await using before = await createRuntime({ store, agents });
      for (const id of ['s-1', 't-1']) await before.spawn('seeker', { id, input: { id } });
    }
    await using it = await inspected({ filter: ({ id }) => id.startsWith('s-') }, { store });
    const { runtime, socketUrl } = it;
    const heard = receive(socketUrl);
    for (const id of ['t-1', 's-1']) await runtime.agent<'seeker'>(id).send({ type: 'UP' });
    const back = await heard.first(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === 's-1#x:0');
    expect(back.snapshot.context).to.deep.equal({ id: 's-1' });
    for (const id of ['t-1', 's-1']) await runtime.agent<'seeker'>(id).send({ type: 'SET', context: { id } });
    await heard.first(isEvent('SET'));
    expect(heard.all.some(({ rootId }) => rootId.startsWith('t-'))).to.equal(false);
  });

  it("lets the package's adapter in, and passes on what it sends", async () => {
    await using it = await inspected();
    const { runtime, socketUrl } = it;
    await runtime.spawn('seeker', { id: 's-1', input: {} });
    const heard = receive(socketUrl);
    await heard.first(({ type, name }) => type === '@xstate.actor' && name === 's-1');
    const inspector = createWebSocketInspector({ url: socketUrl });
    const actor = createActor(createMachine({ id: 'page', initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } }), {
      inspect: inspector.inspect,
    });
    actor.start();
    actor.send({ type: 'GO' });
    await heard.first(isEvent('GO'));
    expect(heard.all.find(({ type, name }) => type === '@xstate.actor' && name === 'page')?.rootId).to.equal(actor.sessionId);
    inspector.stop();
  });

  it("feeds the package's own server, whenever that comes", async () => {
    const port = await freePort();
    const server = `ws://127.0.0.1:${String(port)}`;
    await using it = await inspected({ server });
    const { runtime } = it;
    await runtime.spawn('seeker', { id: 's-1', input: {} });
    // It was not there yet.
    const own = createInspectorServer({ port, autoOpen: false });
    try {
      const heard = receive(server);
      const root = await heard.first(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === 's-1#x:0');
      expect(root.snapshot.value).to.equal('resting');
      await runtime.agent<'seeker'>('s-1').send({ type: 'LOOK' });
      await heard.first(isEvent('LOOK'));
    } finally {
      await runtime.close();
      own.stop();
    }
  });

  it("gives the package's own inspector, as a user's observer, what it can send", async () => {
    await using it = await inspected();
    const { socketUrl } = it;
    const heard = receive(socketUrl);
    const inspector = createWebSocketInspector({ url: socketUrl });
    await using runtime = await createRuntime({ store: memory(), agents, inspect: inspector.inspect as never });
    for (const id of ['s-1', 's-2']) await runtime.spawn('seeker', { id, input: { of: id } });
    await runtime.agent<'seeker'>('s-2').send({ type: 'LOOK' });
    await heard.first(isEvent('LOOK'));
    const roots = heard.all.filter(({ type, name }) => type === '@xstate.actor' && name.startsWith('s-'));
    // It looks at actors some time after it was told of them.
    expect(roots.map(({ sessionId, snapshot }) => [sessionId, snapshot.context?.['of']])).to.deep.equal([
      ['s-1#x:0', 's-1'],
      ['s-2#x:0', 's-2'],
    ]);
    inspector.stop();
  });

  it('leaves actors alone while nobody is connected', async () => {
    let system: { inspect: (observer: never) => { unsubscribe(): void } } | undefined;
    const machine = setup({}).createMachine({ id: 'm', on: { SHOW: { actions: (args) => void (system = args.system as never) }, UP: {} } });
    await using it = await inspected({}, { agents: { seeker: { machine, version: 1 } } as never });
    const { runtime, socketUrl } = it;
    const agent = await runtime.spawn('seeker', { id: 'm-1' } as never);
    await agent.send({ type: 'SHOW' } as never);
    if (system === undefined) throw new Error('the action was not run');
    const { inspect } = system;
    const calls: string[] = [];
    system.inspect = (observer) => {
      calls.push('inspect');
      const { unsubscribe } = inspect(observer);
      return { unsubscribe: () => (calls.push('unsubscribe'), unsubscribe()) };
    };
    await agent.send({ type: 'UP' });
    expect(calls).to.deep.equal([]);
    const socket = new WebSocket(socketUrl);
    const heard: string[] = [];
    socket.on('message', (data: Buffer) => heard.push(data.toString()));
    while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(calls).to.deep.equal(['inspect']);
    socket.close();
    while (calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    await agent.send({ type: 'UP' });
    expect(calls).to.deep.equal(['inspect', 'unsubscribe']);
    expect(heard).to.have.lengthOf(2);
  });

  describe('its relay', () => {
    it('lets in a page of this machine, of Stately, and of an origin that is named; no other', async () => {
      await using it = await inspected({ origins: ['https://inspector.example'] });
      const { host, socketUrl } = it;
      for (const origin of [
        `http://${host}`,
        'http://localhost:5173',
        'https://localhost',
        'http://[::1]:1',
        'https://stately.ai',
        'https://editor.stately.ai',
        'https://inspector.example',
      ]) {
        expect(await knock(socketUrl, { origin }), origin).to.equal(101);
      }
      for (const origin of [
        'https://evil.example',
        'https://stately.ai.evil.example',
        'https://evilstately.ai',
        'http://stately.ai',
        'http://localhost.evil.example',
        'null',
        'https://inspector.example:444',
      ]) {
        expect(await knock(socketUrl, { origin }), origin).to.equal(403);
      }
    });

    it('lets in nobody without the token, nor by another name for this machine', async () => {
      await using it = await inspected();
      const { host, url, socketUrl } = it;
      expect(await knock(`ws://${host}/`)).to.equal(401);
      for (const wrong of ['', 'x', token.slice(1), `${token}x`, token.toUpperCase()]) {
        expect(await knock(`ws://${host}/?token=${wrong}`), wrong).to.equal(401);
      }
      expect(await knock(socketUrl, { host: `evil.example:${host.split(':')[1] ?? ''}` })).to.equal(403);
      expect((await get(host, { host: 'evil.example' })).status).to.equal(403);
      expect(new URL(url).hash).to.equal(`#token=${token}`);
      const page = await get(host);
      expect(page).to.have.property('status', 200);
      expect(page.body).to.contain('<iframe id="inspector" src="https://stately.ai/inspect"').and.not.contain(token);
      expect(page.headers).to.include({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
    });

    it('says that its port is in use, and the runtime does not start', async () => {
      await using it = await inspected();
      const { host } = it;
      const failed = await inspected({ port: Number(host.split(':')[1]) }).catch((error: unknown) => error);
      expect(failed).to.include({ code: 'BAD_INPUT', message: `the inspector's port ${host.split(':')[1] ?? ''} is in use` });
    });

    it('says what is wrong with its options', () => {
      const wrong: readonly [StatelyOptions, RegExp][] = [
        [{ port: 70_000 }, /port is 70000/],
        [{ token: 'short' }, /token is too short/],
        [{ origins: ['inspector.example'] }, /origin "inspector.example" is none/],
        [{ origins: ['https://a.example/path'] }, /is none/],
        [{ page: 'javascript:alert(1)' }, /page is/],
        [{ server: 'http://localhost:8080' }, /server is "http:/],
      ];
      for (const [options, message] of wrong)
        expect(() => stately(options))
          .to.throw(message)
          .with.property('code', 'BAD_INPUT');
    });

    it('cuts off a client that never reads, and the agents go on', async () => {
      await using it = await inspected({ limits: { stalledMs: 1_500 } });
      const { runtime, socketUrl } = it;
      const agent = await runtime.spawn('seeker', { id: 's-1', input: {} });
      const socket = new WebSocket(socketUrl);
      await new Promise((resolve) => socket.on('open', resolve));
      const gone = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => undefined);
      socket.pause();
      const text = 'x'.repeat(9_000);
      const context = Object.fromEntries(Array.from({ length: 20 }, (_value, n) => [`t${String(n)}`, text]));
      // Far more than sockets hold.
      for (let n = 0; n < 150; n += 1) await agent.send({ type: 'SET', context: { ...context, n } });
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      socket.resume();
      await gone;
      await agent.send({ type: 'UP' });
      const heard = receive(socketUrl);
      const root = await heard.first(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === 's-1#x:0');
      expect(root.snapshot.context?.['n']).to.equal(149);
    });

    it('passes on no message that is none, and none that is too large', async () => {
      const clients: Client[] = [];
      const relay = new Relay({ token }, { joined: (client) => void clients.push(client) });
      await relay.listen();
      try {
        const heard = receive(relay.socketUrl);
        const sender = new WebSocket(relay.socketUrl);
        await new Promise((resolve) => sender.on('open', resolve));
        while (clients.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
        for (const text of ['{', 'null', '7', '{"type":"@xstate.event"}', '{"type":"other","sessionId":"x"}']) sender.send(text);
        sender.send(JSON.stringify({ type: '@xstate.event', sessionId: 'x', event: { type: 'LAST' } }));
        await heard.first(isEvent('LAST'));
        expect(heard.all).to.have.lengthOf(1);
        sender.on('error', () => undefined);
        const closed = new Promise<number>((resolve) => sender.on('close', resolve));
        sender.send('x'.repeat(2 * 1_048_576));
        expect(await closed).to.equal(1009);
      } finally {
        await relay.close();
      }
    });
  });
});
