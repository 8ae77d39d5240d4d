import { expect } from 'chai';
import { serve } from '@hono/node-server';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { approval, approvalsHandler, createRuntime, memory, type ApprovalsHandlerOptions, type Runtime } from 'statewarden';
import { caller } from './caller.js';
import { ManualClock, settled } from './manual-clock.js';

interface Service extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly clock: ManualClock;
  readonly url: string;
  ask(id: string, request: object): Promise<string>;
  call(path: string, init?: RequestInit): Promise<{ status: number; type: string | null; body: Record<string, unknown>; headers: Headers }>;
  decide(operationId: string, body: unknown, headers?: Record<string, string>): ReturnType<Service['call']>;
}

async function service(options: ApprovalsHandlerOptions = {}): Promise<Service> {
  const clock = new ManualClock();
  const runtime = (await createRuntime({
    store: memory(),
    clock,
    agents: { asker: { machine: caller(approval()), version: 1 } },
  })) as unknown as Runtime;
  const server = await new Promise<Server>((resolve) => {
    const opened = serve({ fetch: approvalsHandler(runtime, options), port: 0, hostname: '127.0.0.1' }, () => resolve(opened as Server));
  });
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const call: Service['call'] = async (path, init) => {
    const response = await fetch(`${url}${path}`, init);
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: JSON.parse(text) as Record<string, unknown>,
      headers: response.headers,
    };
  };
  return {
    runtime,
    clock,
    url,
    call,
    ask: async (id, request) => {
      await runtime.spawn('asker', { id, input: request });
      await settled();
      return (await runtime.approvals.list({ agentId: id }))[0]?.operationId ?? '';
    },
    decide: (operationId, body, headers = { 'content-type': 'application/json' }) =>
      call(`/${encodeURIComponent(operationId)}`, {
        method: 'POST',
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await runtime.close();
    },
  };
}

describe('approvals over HTTP', () => {
  it('are listed, shown and decided', async () => {
    await using desk = await service();
    const { runtime, clock } = desk;
    const id = await desk.ask('loans/l-1', { title: 'Lend?', details: { cents: 5, on: new Date(0) }, deadlineMs: 60_000 });
    const document = {
      agentId: 'loans/l-1',
      operationId: id,
      since: clock.now(),
      title: 'Lend?',
      choices: ['approved', 'rejected'],
      details: { cents: 5, on: { $sw: 'date', v: 0 } },
      deadline: clock.now() + 60_000,
    };
    const list = await desk.call('/');
    expect(list).to.include({ status: 200, type: 'application/json' });
    expect(list.headers.get('cache-control')).to.equal('no-store');
    expect(list.body).to.deep.equal({ approvals: [document] });
    expect((await desk.call(`/${encodeURIComponent(id)}`)).body).to.deep.equal(document);
    const answer = await desk.decide(id, { decision: 'approved', by: 'ada', note: 'seen' });
    expect(answer.status).to.equal(200);
    expect(answer.body).to.deep.equal({ operationId: id, decision: 'approved', by: 'ada', note: 'seen' });
    expect(await runtime.agent('loans/l-1').result()).to.include({ decision: 'approved', by: 'ada', note: 'seen' });
    expect((await desk.call('/')).body).to.deep.equal({ approvals: [] });
  });

  it('stand under any prefix', async () => {
    await using desk = await service();
    const id = await desk.ask('a', { title: 'Lend?' });
    for (const path of ['/desk/approvals', '/desk/approvals/', '/desk/approvals?of=all']) {
      expect((await desk.call(path)).body['approvals']).to.have.lengthOf(1);
    }
    expect((await desk.call(`/desk/approvals/${encodeURIComponent(id)}?x=1`)).body['operationId']).to.equal(id);
  });

  it('are decided once: 409 says who was first; past the deadline it is 410', async () => {
    await using desk = await service();
    const id = await desk.ask('a', { title: 'Lend?' });
    const answers = await Promise.all(['ada', 'bob', 'cyd'].map((by) => desk.decide(id, { decision: 'approved', by })));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409, 409]);
    const first = answers.find(({ status }) => status === 200)?.body['by'];
    for (const { body, type } of answers.filter(({ status }) => status === 409)) {
      expect(type).to.equal('application/problem+json');
      expect(body).to.include({ type: 'urn:statewarden:approvals:not-held', code: 'NOT_HELD', status: 409, by: first });
    }
    expect((await desk.call(`/${encodeURIComponent(id)}`)).status).to.equal(409);
    const late = await desk.ask('b', { title: 'Lend?', deadlineMs: 1_000 });
    await desk.clock.advance(1_000);
    expect((await desk.decide(late, { decision: 'approved', by: 'ada' })).body).to.include({ status: 410, code: 'APPROVAL_EXPIRED' });
    expect((await desk.call(`/${encodeURIComponent(late)}`)).status).to.equal(410);
  });

  it('are signed by who asks, whatever the body says', async () => {
    const authenticate = async (request: Request): Promise<string | undefined> =>
      Promise.resolve(/^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1]);
    await using desk = await service({ authenticate });
    const id = await desk.ask('a', { title: 'Lend?' });
    const headers = { 'content-type': 'application/json', authorization: 'Bearer ada' };
    for (const refused of [await desk.call('/'), await desk.call('/%', {}), await desk.decide(id, { decision: 'approved', by: 'ada' })]) {
      expect(refused.body).to.include({ status: 401, code: 'UNAUTHENTICATED' });
    }
    const forged = await desk.decide(id, { decision: 'approved', by: 'bob' }, headers);
    expect(forged.body).to.include({ status: 400, code: 'BAD_INPUT', title: 'by is "bob", and "ada" asks' });
    expect(await desk.runtime.approvals.list()).to.have.lengthOf(1);
    expect((await desk.decide(id, { decision: 'rejected' }, headers)).body).to.include({ by: 'ada', note: null });
    expect(await desk.runtime.agent('a').result()).to.include({ decision: 'rejected', by: 'ada' });
    const other = await desk.ask('b', { title: 'Lend?' });
    expect((await desk.decide(other, { decision: 'rejected', by: 'ada' }, headers)).status).to.equal(200);
  });

  it('refuse what they cannot take, and change nothing', async () => {
    await using desk = await service();
    const id = await desk.ask('a', { title: 'Lend?' });
    const good = { decision: 'approved', by: 'ada' };
    const longNote = { ...good, note: 'x'.repeat(70_000) };
    const refusals = [
      [400, await desk.decide(id, '{"decision"')],
      [400, await desk.decide(id, '')],
      [400, await desk.decide(id, ['approved'])],
      [400, await desk.decide(id, 'null')],
      [400, await desk.decide(id, { by: 'ada' })],
      [400, await desk.decide(id, { decision: 'approved' })],
      [400, await desk.decide(id, { ...good, by: 7 })],
      [400, await desk.decide(id, { ...good, by: ' ' })],
      [400, await desk.decide(id, { ...good, note: 7 })],
      [400, await desk.decide(id, { ...good, decision: 'maybe' })],
      [400, await desk.call('/%E0%A4%A', { method: 'POST' })],
      [400, await desk.call('/%E0%A4%A')],
      [404, await desk.decide('a:nothing:1', good)],
      [404, await desk.call('/a:nothing:1')],
      [405, await desk.call('/', { method: 'POST', body: '{}' })],
      [405, await desk.call(`/${encodeURIComponent(id)}`, { method: 'DELETE' })],
      [413, await desk.decide(id, longNote)],
      [415, await desk.decide(id, good, { 'content-type': 'text/plain' })],
      [415, await desk.decide(id, 'decision=approved&by=ada', { 'content-type': 'application/x-www-form-urlencoded' })],
    ] as const;
    for (const [status, refused] of refusals) {
      expect(refused.status, JSON.stringify(refused.body)).to.equal(status);
      expect(refused.type).to.equal('application/problem+json');
      expect(refused.body['status']).to.equal(status);
      expect(refused.body['hint']).to.be.a('string').with.length.above(5);
    }
    expect(refusals[14][1].headers.get('allow')).to.equal('GET');
    expect(await desk.runtime.approvals.list()).to.have.lengthOf(1);
    const accepted = await desk.decide(id, good, { 'content-type': 'application/json; charset=utf-8' });
    expect(accepted.status).to.equal(200);
  });

  it('stop reading a body without an end at its limit', async () => {
    await using desk = await service();
    const id = await desk.ask('a', { title: 'Lend?' });
    const { hostname, port } = new URL(desk.url);
    const socket = connect(Number(port), hostname);
    const piece = `1000\r\n${'x'.repeat(4_096)}\r\n`;
    let answer = '';
    let sent = 0;
    socket.on('error', () => undefined);
    socket.on('data', (part: Buffer) => (answer += part.toString()));
    socket.write(
      `POST /${encodeURIComponent(id)} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    for (; sent < 5_000 && !answer.includes('\r\n\r\n') && !socket.destroyed; sent += 1) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.destroy();
    expect(answer).to.match(/^HTTP\/1\.1 413 /);
    expect(sent).to.be.below(5_000);
  });

  it('say that the runtime is away, to be asked again', async () => {
    await using desk = await service();
    await desk.runtime.close();
    const { status, body, headers } = await desk.call('/');
    expect({ status, code: body['code'], retry: headers.get('retry-after') }).to.deep.equal({
      status: 503,
      code: 'RUNTIME_CLOSED',
      retry: '1',
    });
  });
});
