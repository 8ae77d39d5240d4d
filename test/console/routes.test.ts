/** Every route of the console, on both embedded stores: beside a runtime, and on what it left in its store. */

import { expect } from 'chai';
import Database from 'libsql';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory, type Runtime } from 'statewarden';
import { serveConsole, serveStore, type ServedConsole } from 'statewarden/console';
import { sqlite } from 'statewarden/sqlite';
import type * as api from '#src/console/api.js';
import { ask, get, order } from './asking.js';
import { fillFleet, openFleet, until } from './fleet.js';

const folder = mkdtempSync(join(tmpdir(), 'statewarden-console-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const path = encodeURIComponent;

for (const name of ['memory', 'sqlite']) {
  describe(`the console of a runtime on ${name}`, () => {
    let runtime: Runtime;
    let served: ServedConsole;
    before(async () => {
      runtime = await openFleet(name === 'memory' ? memory() : sqlite(join(folder, 'routes.db')));
      await fillFleet(runtime);
      served = await serveConsole(runtime, { port: 0 });
    });
    after(async () => {
      await served.close();
      await runtime.close();
    });

    it('says what it is', async () => {
      const about = await get<api.About>(served, '/api/about');
      expect(about).to.include({ live: true, acts: true });
      expect(about.store).to.contain(name);
      expect(about.replays).to.include.members(['order', 'worker']);
      expect(about.version).to.match(/^\d+\.\d+\.\d+/);
    });

    it('lists agents in order of id, page by page, with the counts of all', async () => {
      const ids: string[] = [];
      for (let after = ''; ;) {
        const page = await get<api.AgentList>(served, `/api/agents?limit=3&after=${path(after)}`);
        expect(page.agents.length).to.be.at.most(3);
        ids.push(...page.agents.map(({ id }) => id));
        expect(Object.values(page.counts).reduce((sum, n) => sum + n, 0)).to.equal(8);
        if (page.next === undefined) break;
        after = page.next;
      }
      expect(ids).to.deep.equal(['letters/l-1', 'loans/l-1', 'orders/o-1', 'orders/o-2', 'orders/o-3', 'team', 'w-1', 'w-2']);
    });

    it('filters them by prefix, kind, status and state', async () => {
      const ids = async (query: string): Promise<string[]> =>
        (await get<api.AgentList>(served, `/api/agents?${query}`)).agents.map(({ id }) => id);
      expect(await ids('prefix=orders/')).to.deep.equal(['orders/o-1', 'orders/o-2', 'orders/o-3']);
      expect(await ids('kind=worker')).to.deep.equal(['w-1', 'w-2']);
      expect(await ids('status=done')).to.deep.equal(['orders/o-2']);
      expect(await ids('state=PAY')).to.deep.equal(['orders/o-3']);
      expect(await ids('state=nowhere')).to.deep.equal([]);
      const { status, body } = await ask(served, '/api/agents?status=gone');
      expect([status, body.code]).to.deep.equal([400, 'BAD_INPUT']);
    });

    it('shows an agent with its insides, and none of its secrets', async () => {
      const { body, text } = await ask<api.AgentDetail>(served, `/api/agents/${path('orders/o-1')}`);
      expect(body).to.include({ id: 'orders/o-1', kind: 'order', status: 'active', state: 'open', sequenceNumber: 2, replays: true });
      expect(body.context?.value).to.deep.equal({
        items: ['tea', 'cup'],
        since: '1970-01-01T00:00:00.000Z',
        apiKey: '…redacted',
        tokens: 12,
      });
      expect(body.children).to.deep.include({ path: 'packer', src: 'packer', status: 'active', state: 'packing' });
      expect(body.timers[0]).to.include({ delayMs: 86_400_000, policy: 'deadline' });
      expect(body.takes).to.include.members(['ADD', 'PAY', 'CLOSE']);
      expect(body.node?.name).to.equal('one');
      expect(text).not.to.match(/hunter2|sk-live/);
    });

    it('shows its operations, and an ended one with its output', async () => {
      const paying = await get<api.AgentDetail>(served, `/api/agents/${path('orders/o-3')}`);
      expect(paying.operations[0]).to.include({ activity: 'pay', attempts: 1 });
      expect(JSON.stringify(paying.operations)).to.contain('the bank is closed').and.not.contain('hunter22');
      const done = await get<api.AgentDetail>(served, `/api/agents/${path('orders/o-2')}`);
      expect(done).to.include({ status: 'done' });
      expect(done.outcome?.value).to.equal(0);
      expect(done.takes).to.deep.equal([]);
    });

    it('answers 404 for an agent that there is not, with the nearest id', async () => {
      for (const rest of ['', '/turns', '/at/1']) {
        const { status, body } = await ask(served, `/api/agents/${path('orders/o-11')}${rest}`);
        expect([status, body.code]).to.deep.equal([404, 'UNKNOWN_AGENT']);
        expect(body.hint).to.contain('"orders/o-1"');
      }
    });

    it('tells its turns with states and effects', async () => {
      const page = await get<api.TurnPage>(served, `/api/agents/${path('orders/o-1')}/turns`);
      expect(page.turns.map(({ kind, type, state }) => [kind, type, state])).to.deep.equal([
        ['start', 'start', 'open'],
        ['event', 'ADD', 'open'],
      ]);
      expect(page.turns[1]?.payload?.value).to.deep.equal({ item: 'cup', password: '…redacted' });
      expect(page.turns[0]?.asked?.timers).to.have.length(1);
      expect(page.more).to.equal(false);
      const last = await get<api.TurnPage>(served, `/api/agents/${path('orders/o-1')}/turns?last=1`);
      expect(last.turns.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal([2]);
    });

    it('goes back in time, with what changed', async () => {
      const now = await get<api.Moment>(served, `/api/agents/${path('orders/o-1')}/at/2`);
      expect(now.state).to.equal('open');
      expect(now.before).to.deep.equal({ state: 'open' });
      expect(now.changes).to.deep.equal([{ path: '/items/1', kind: 'added', after: 'cup' }]);
      expect((now.context.value as { apiKey: string }).apiKey).to.equal('…redacted');
      const { status, body } = await ask(served, `/api/agents/${path('orders/o-1')}/at/99`);
      expect([status, body.code]).to.deep.equal([400, 'BAD_INPUT']);
    });

    it('draws machines, and names the nearest kind', async () => {
      const page = await get<api.MachinePage>(served, '/api/machines/order?version=1');
      expect(page.chart?.root.states?.map(({ key }) => key)).to.deep.equal(['open', 'paying', 'closed']);
      const { status, body } = await ask(served, '/api/machines/ordre');
      expect([status, body.code]).to.deep.equal([404, 'UNKNOWN_KIND']);
      expect(body.hint).to.contain('"order"');
      expect((await ask(served, '/api/machines/order?version=7')).body.hint).to.contain('version 1');
    });

    it('shows the tree, breakers, people, dead letters and the runtime', async () => {
      const [team] = await get<api.Branch[]>(served, '/api/tree');
      expect(team).to.include({ id: 'team', type: 'supervisor', strategy: 'one-for-one' });
      expect(team?.children.map(({ id, type, kind }) => [id, type, kind])).to.deep.equal([
        ['w-1', 'agent', 'worker'],
        ['w-2', 'agent', 'worker'],
      ]);
      const breakers = await get<api.BreakerLine[]>(served, '/api/breakers');
      expect(breakers.find((one) => one.name === 'bank')).to.include({ state: 'closed', calls: 1, failures: 1 });
      const people = await get<api.PeoplePage>(served, '/api/people');
      expect(people.approvals[0]).to.include({ agent: 'loans/l-1', title: 'Lend 10,000 to Ada?' });
      expect(people.approvals[0]?.choices).to.deep.equal(['approved', 'rejected']);
      expect(people.approvals[0]?.request.value).to.deep.equal({ score: 712, secret: '…redacted' });
      expect(people.holds[0]).to.include({ agent: 'letters/l-1', activity: 'post' });
      const letters = await get<api.LetterPage>(served, '/api/dead-letters');
      const [group] = letters.groups;
      expect(letters.groups).to.deep.equal([
        { group: group?.group, reason: 'agent-ended', type: letters.letters[0]?.type, message: '', count: 1 },
      ]);
      const ofGroup = await get<api.LetterPage>(served, `/api/dead-letters?group=${String(group?.group)}`);
      expect(ofGroup).to.deep.equal(letters);
      expect((await get<api.LetterPage>(served, '/api/dead-letters?group=none')).letters).to.deep.equal([]);
      expect(letters.letters[0]).to.include({ to: 'orders/o-2', type: 'PAY', reason: 'agent-ended' });
      const page = await get<api.RuntimePage>(served, '/api/runtime');
      expect(page.counts.agents.active).to.equal(7);
      expect(page.nodes[0]).to.include({ name: 'one', isUp: true });
      expect(page.series?.turns).to.deep.equal([]);
    });

    it('carries out what is ordered', async () => {
      const sent = await order<api.Done>(served, `/api/agents/${path('orders/o-1')}/send`, { event: { type: 'ADD', item: 'jug' } });
      expect([sent.status, sent.body]).to.deep.equal([200, { done: true, sequenceNumber: 3 }]);
      const bad = await order<api.Failure>(served, `/api/agents/${path('orders/o-1')}/send`, { event: 'ADD' });
      expect([bad.status, bad.body.code]).to.deep.equal([400, 'BAD_EVENT']);
      expect((await order<api.Failure>(served, '/api/agents/nobody/stop', {})).status).to.equal(404);

      const people = await get<api.PeoplePage>(served, '/api/people');
      const decide = `/api/people/approvals/${path(people.approvals[0]?.operation ?? '')}`;
      expect((await order<api.Failure>(served, decide, { order: 'approve' })).status).to.equal(400);
      expect((await order<api.Done>(served, decide, { order: 'approve', by: 'ada' })).body).to.deep.equal({ done: true });
      expect(await runtime.agent('loans/l-1').result()).to.include({ by: 'ada' });
      expect((await order<api.Failure>(served, decide, { order: 'reject', by: 'bob' })).status).to.equal(409);
      const hold = `/api/people/holds/${path(people.holds[0]?.operation ?? '')}`;
      expect((await order<api.Done>(served, hold, { order: 'done', by: 'ada', result: 7 })).status).to.equal(200);
      expect(await runtime.agent('letters/l-1').result()).to.equal(7);

      const letters = await get<api.LetterPage>(served, '/api/dead-letters');
      const positions = letters.letters.map(({ position }) => position);
      expect((await order<api.Failure>(served, '/api/dead-letters/redrive', { positions })).status).to.equal(400);
      expect((await order<api.Done>(served, '/api/dead-letters/redrive', { positions, to: 'orders/o-1' })).body.count).to.equal(1);
      await until('it is paying', async () => (await runtime.store.lookup(['orders/o-1']))[0]?.state === '"paying"');
      expect((await order<api.Done>(served, '/api/dead-letters/discard', { positions })).body.count).to.equal(0);

      expect((await order<api.Done>(served, '/api/breakers/bank', { order: 'open' })).status).to.equal(200);
      expect((await get<api.BreakerLine[]>(served, '/api/breakers')).find((one) => one.name === 'bank')?.state).to.equal('isolated');
      expect((await order<api.Done>(served, '/api/breakers/bank', { order: 'auto' })).status).to.equal(200);
      const unknown = await order<api.Failure>(served, '/api/breakers/bnak', { order: 'open' });
      expect([unknown.status, unknown.body.hint]).to.deep.equal([404, 'Did you mean "bank"?']);
      expect((await order<api.Failure>(served, '/api/people/sagas/trip', { order: 'resume', by: 'ada' })).status).to.equal(400);
    });

    it('stops and restarts: a child through its supervisor, where it stood', async () => {
      await runtime.agent('w-1').send({ type: 'WORK' } as never);
      expect((await order<api.Done>(served, '/api/agents/w-1/stop', {})).status).to.equal(200);
      expect((await runtime.store.lookup(['w-1']))[0]?.status).to.equal('suspended');
      expect((await order<api.Done>(served, '/api/agents/w-1/restart', {})).status).to.equal(200);
      expect((await order<api.Done>(served, '/api/agents/w-1/restart', {})).status, 'of one that is up').to.equal(200);
      expect(await runtime.agent('w-1').snapshot()).to.have.property('value', 'working');
      const alone = await order<api.Failure>(served, `/api/agents/${path('orders/o-1')}/restart`, {});
      expect([alone.status, alone.body.code]).to.deep.equal([400, 'BAD_INPUT']);
      expect((await order<api.Done>(served, `/api/agents/${path('orders/o-1')}/stop`, {})).status).to.equal(200);
      expect((await runtime.store.lookup(['orders/o-1']))[0]?.status).to.equal('stopped');
    });

    it('ends with its runtime', async () => {
      const other = await openFleet(memory());
      const beside = await serveConsole(other, { port: 0 });
      await get(beside, '/api/about');
      await other.close();
      const error = await ask(beside, '/api/about').then(
        () => undefined,
        (thrown: unknown) => (thrown as NodeJS.ErrnoException).code,
      );
      expect(error).to.equal('ECONNREFUSED');
    });
  });
}

describe('the console of a store alone', () => {
  const file = join(folder, 'rest.db');
  let served: ServedConsole;
  let close: () => Promise<void>;
  before(async () => {
    const runtime = await openFleet(sqlite(file));
    await fillFleet(runtime);
    await runtime.close();
    const store = await sqlite(file).open({ now: Date.now });
    served = await serveStore(store, { port: 0, storeName: 'sqlite:rest.db' });
    close = async () => {
      await served.close();
      await store.close();
    };
  });
  after(() => close());

  it('shows what is there without code: charts from the stored machine, turns without states and why', async () => {
    expect(await get<api.About>(served, '/api/about')).to.include({ live: false, acts: false, store: 'sqlite:rest.db' });
    const detail = await get<api.AgentDetail>(served, `/api/agents/${path('orders/o-3')}`);
    expect(detail).to.include({ replays: false, state: 'paying' });
    expect((detail.context?.value as { apiKey: string }).apiKey).to.equal('…redacted');
    expect((await get<api.MachinePage>(served, '/api/machines/order')).chart?.id).to.equal('order');
    const page = await get<api.TurnPage>(served, `/api/agents/${path('orders/o-3')}/turns`);
    expect(page.turns.map(({ type }) => type)).to.deep.equal(['start', 'PAY']);
    expect(page.why).to.include({ code: 'UNKNOWN_KIND' });
    expect(page.turns[0]).not.to.have.property('state');
    const kept = page.turns.find((turn) => turn.checkpoint === true)?.sequenceNumber ?? 0;
    expect(await get<api.Moment>(served, `/api/agents/${path('orders/o-3')}/at/${String(kept)}`)).to.include({ state: 'paying' });
    const { status, body } = await ask(served, `/api/agents/${path('orders/o-3')}/at/1`);
    expect([status, body.code]).to.deep.equal([404, 'UNKNOWN_KIND']);
    const runtime = await get<api.RuntimePage>(served, '/api/runtime');
    expect(runtime).not.to.have.property('series');
    expect(runtime.nodes).to.deep.equal([]);
    expect((await get<api.BreakerLine[]>(served, '/api/breakers')).map(({ name }) => name)).to.deep.equal(['bank']);
  });

  it('takes no orders, whatever the token', async () => {
    const { status, body } = await order<api.Failure>(served, '/api/agents/w-1/stop', {}, 'x'.repeat(32));
    expect([status, body.code]).to.deep.equal([403, 'READ_ONLY']);
  });

  it('says what is damaged, and shows the rest', async () => {
    const file = join(folder, 'damaged.db');
    const runtime = await openFleet(sqlite(file));
    await fillFleet(runtime);
    await runtime.close();
    const database = new Database(file);
    database.exec(
      "UPDATE checkpoints SET data = replace(data, 'pot', 'pit') WHERE agent = (SELECT key FROM agents WHERE id = 'orders/o-3')",
    );
    database.close();
    const store = await sqlite(file).open({ now: Date.now });
    const beside = await serveStore(store, { port: 0, storeName: 'sqlite:damaged.db' });
    try {
      const detail = await get<api.AgentDetail>(beside, `/api/agents/${path('orders/o-3')}`);
      expect(detail.damage?.code).to.equal('CORRUPT_RECORD');
      expect(detail).to.include({ kind: 'order', status: 'active', state: 'paying' });
      expect(detail).not.to.have.property('context');
      expect((await get<api.AgentList>(beside, '/api/agents')).agents).to.have.length(8);
    } finally {
      await beside.close();
      await store.close();
    }
  });
});
