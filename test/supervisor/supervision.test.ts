/** Supervisors at work: agents that fail are brought back as the tree says, from where they stood, and lose nothing. */

import { expect } from 'chai';
import { config } from 'rxjs';
import {
  createRuntime,
  memory,
  supervisor,
  type ChildSpec,
  type Runtime,
  type RuntimeEvent,
  type Strategy,
  type SupervisorSpec,
} from 'statewarden';
import { SimulatedClock, settled } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { agents, open, trouble, until, type Agents } from './team.js';

const child = (id: string, more: Partial<ChildSpec> = {}): ChildSpec => ({ id, kind: 'worker', ...more });
const team = (more: Partial<SupervisorSpec> = {}): SupervisorSpec =>
  supervisor({ id: 'team', intensity: 100, children: [child('a'), child('b'), child('c')], ...more });
const ups = (seen: readonly RuntimeEvent[], type: 'restarted' | 'suspended' | 'spawned'): string[] =>
  seen.flatMap((event) => (event.type === type ? [event.agentId] : []));

async function statuses(runtime: Runtime<Agents>, id = 'team'): Promise<Record<string, string>> {
  const [root] = (await runtime.tree()).filter((tree) => tree.id === id);
  return Object.fromEntries((root?.children ?? []).map((one) => [one.id, one.status]));
}
const allRunning = async (runtime: Runtime<Agents>): Promise<boolean> =>
  Object.values(await statuses(runtime)).every((status) => status === 'running');

describe('a supervisor at work', () => {
  it('starts its children in order, nested ones before what comes after them, and stops them in the reverse order', async () => {
    await using runtime = await open();
    const inner = supervisor({ id: 'inner', children: [child('b'), child('c')] });
    const tree = await runtime.supervise(team({ children: [child('a'), inner, child('d')] }));
    expect(ups(runtime.seen, 'spawned').filter((id) => id.length === 1)).to.deep.equal(['a', 'b', 'c', 'd']);
    await tree.shutdown();
    expect(ups(runtime.seen, 'suspended')).to.deep.equal(['d', 'c', 'b', 'inner', 'a', 'team']);
    expect(await tree.ended).to.deep.equal({ type: 'shutdown' });
    expect((await runtime.tree())[0]).to.include({ id: 'team', status: 'ended', agent: 'suspended' });
    // Declared again, it goes on where it stood.
    await runtime.supervise(team({ children: [child('a'), inner, child('d')] }));
    expect((await runtime.tree())[0]?.children?.map(({ id, status }) => `${id} ${status}`)).to.deep.equal([
      'a running',
      'inner running',
      'd running',
    ]);
  });

  const strategies: Readonly<Record<Strategy, readonly string[]>> = {
    'one-for-one': ['b'],
    'one-for-all': ['a', 'b', 'c'],
    'rest-for-one': ['b', 'c'],
  };
  for (const [strategy, restarted] of Object.entries(strategies) as [Strategy, readonly string[]][]) {
    for (const restart of ['permanent', 'transient', 'temporary'] as const) {
      for (const how of ['normal', 'failed', 'shutdown'] as const) {
        const restarts = restart === 'permanent' || (restart === 'transient' && how === 'failed');
        it(`${strategy}, ${restart}, ${how}: ${restarts ? 'brought back' : 'left alone'}`, async () => {
          await using runtime = await open({ limits: { maxDeliveries: 1 } });
          await runtime.supervise(team({ strategy, children: [child('a'), child('b', { restart }), child('c')] }));
          for (const id of ['a', 'b', 'c']) await runtime.agent<'worker'>(id).send({ type: 'N', n: 1 });
          const b = runtime.agent<'worker'>('b');
          if (how === 'normal') await b.send({ type: 'END' });
          else if (how === 'shutdown') await b.stop();
          else await failing('DEAD_LETTER', () => b.send({ type: 'FAIL', how: 'assign' }));
          if (restarts) {
            await until(() => ups(runtime.seen, 'restarted').length >= restarted.length);
            await until(() => allRunning(runtime));
            expect(ups(runtime.seen, 'restarted')).to.deep.equal(restarted);
            // What failed goes on where it stood; what was done begins anew.
            expect((await b.snapshot()).context.taken).to.deep.equal(how === 'failed' ? [1] : []);
            expect((await runtime.agent<'worker'>('c').snapshot()).context.taken).to.deep.equal([1]);
          } else {
            await until(async () => (await statuses(runtime))['b'] === (restart === 'temporary' ? undefined : 'ended'));
            expect(ups(runtime.seen, 'restarted')).to.deep.equal([]);
            const status = { normal: 'done', failed: 'error', shutdown: 'stopped' }[how];
            expect((await runtime.store.lookup(['b']))[0]?.status).to.equal(status);
          }
        });
      }
    }
  }

  describe('says why an agent failed', () => {
    beforeEach(() => (trouble.left = 1));
    const messages = {
      assign: 'assign broke',
      guard: 'guard broke',
      action: 'action broke',
      inline: 'inline broke',
      value: 'function',
      input: 'input broke',
      activity: 'no such account',
      child: 'child broke',
    };
    const reasons: Readonly<Record<string, string>> = { inline: 'action', value: 'not-serializable' };
    for (const [how, message] of Object.entries(messages)) {
      it(`${how}: ${message}`, async () => {
        await using runtime = await open({ limits: { maxDeliveries: 1 } });
        await runtime.supervise(team());
        const a = runtime.agent<'worker'>('a');
        await a.send({ type: 'FAIL', how }).catch(() => undefined);
        await until(() => runtime.seen.some(({ type }) => type === 'restarted'));
        const [failed] = runtime.seen.filter((event) => event.type === 'failed');
        expect(failed).to.include({ agentId: 'a', reason: reasons[how] ?? how });
        const failure = (await runtime.tree())[0]?.children?.[0]?.failure;
        expect(failure?.reason).to.equal(reasons[how] ?? how);
        expect(failure?.message).to.include(message);
      });
    }

    it('heartbeat: an agent with work under way that makes no progress', async () => {
      const clock = new SimulatedClock();
      await using runtime = await open({ clock });
      await runtime.supervise(team({ children: [child('a', { heartbeatMs: 1_000 }), child('b', { heartbeatMs: 1_000 })] }));
      await runtime.agent<'worker'>('a').send({ type: 'FAIL', how: 'hang' });
      await clock.advance(900);
      expect(runtime.seen.some(({ type }) => type === 'failed')).to.equal(false);
      await clock.advance(700);
      await settled(20);
      const failed = runtime.seen.filter((event) => event.type === 'failed');
      expect(
        failed.map(({ agentId, reason }) => `${agentId} ${reason}`),
        'b is idle',
      ).to.deep.equal(['a heartbeat']);
      expect(failed[0]?.error).to.include({ code: 'HUNG_AGENT' });
      await runtime.close({ graceMs: 0 });
    });
  });

  it('tries an event three times, keeps it as a dead letter with all that was known, and goes on with the next one', async () => {
    await using runtime = await open();
    await runtime.supervise(team());
    const a = runtime.agent<'worker'>('a');
    const others = [1, 2, 3].map((n) => a.send({ type: 'N', n }));
    const bad = a.send({ type: 'FAIL', how: 'assign' }, { messageId: 'bad' });
    const later = [4, 5, 6].map((n) => a.send({ type: 'N', n }));
    await Promise.all([...others, bad, ...later]);
    await a.waitFor(({ context }) => context.taken.length === 6);
    expect((await a.snapshot()).context.taken).to.deep.equal([1, 2, 3, 4, 5, 6]);
    const [letter, ...more] = await runtime.store.deadLetters({ after: 0, limit: 10 });
    expect(more).to.deep.equal([]);
    expect(letter).to.include({ to: 'a', messageId: 'bad', reason: 'assign' });
    const details = JSON.parse(letter?.details ?? '') as Record<string, unknown>;
    expect(details).to.include({ deliveries: 3, message: 'assign broke', sequenceNumber: 4, state: '"idle"' });
    expect(details['stack']).to.include('RangeError');
    // It may fail as often as it will: the supervisor does not give up over it.
    expect((await runtime.tree())[0]?.status).to.equal('running');
    expect(await a.send({ type: 'FAIL', how: 'assign' }, { messageId: 'bad' })).to.include({ sequenceNumber: 0 });
  });

  it('tells whoever asked that the question is a dead letter', async () => {
    await using runtime = await open();
    await runtime.supervise(team());
    const error = await failing('DEAD_LETTER', () => runtime.agent<'worker'>('a').ask({ type: 'ASK' }));
    expect(error.message).to.include('asked in vain');
  });

  it('brings back timers as they were, and puts one aside whose event fails', async () => {
    const clock = new SimulatedClock();
    await using runtime = await open({ clock });
    await runtime.supervise(team());
    const a = runtime.agent<'worker'>('a');
    await a.send({ type: 'TICK', ms: 1_000 });
    await a.send({ type: 'TICK', ms: 500, fails: true });
    await clock.advance(600);
    await settled(30);
    const [letter] = await runtime.store.deadLetters({ after: 0, limit: 10 });
    expect(letter).to.include({ to: 'a', reason: 'assign' });
    await clock.advance(600);
    expect((await a.snapshot()).context.taken).to.deep.equal([-1]);
  });

  it('gives up after more restarts than its intensity, up to the root, which stays down until it is told otherwise', async () => {
    const store = memory();
    await using runtime = await open({ store });
    const inner = supervisor({ id: 'inner', intensity: 1, restart: 'transient', children: [child('a')] });
    const tree = await runtime.supervise(team({ intensity: 1, children: [child('z'), inner] }));
    const ended = tree.ended;
    trouble.left = 4;
    await runtime.agent<'worker'>('a').send({ type: 'FAIL', how: 'activity' });
    expect(await ended).to.deep.equal({ type: 'intensity', child: 'inner' });
    const ends = runtime.seen.filter(({ type }) => type === 'supervisor-ended');
    expect(ends.map(({ at: _, ...end }) => end)).to.deep.equal([
      ...[1, 2].map(() => ({ type: 'supervisor-ended', agentId: 'inner', exit: 'intensity', child: 'a' })),
      { type: 'supervisor-ended', agentId: 'team', exit: 'intensity', child: 'inner' },
    ]);
    expect(await statuses(runtime)).to.deep.equal({ z: 'down', inner: 'down' });
    expect((await failing('SUPERVISION', () => tree.spawn('worker', { id: 'y' }))).hint).to.include('revive');
    expect((await failing('SUPERVISION', () => runtime.supervise(team()))).message).to.include('has given up');
    const again = await runtime.supervise(team({ intensity: 1, children: [child('z'), inner] }), { revive: true });
    expect((await again.which()).map(({ id, status }) => `${id} ${status}`)).to.deep.equal(['z running', 'inner running']);
  });

  it('ends with its significant children', async () => {
    await using runtime = await open();
    const children = [child('a', { significant: true, restart: 'temporary' }), child('b')];
    const tree = await runtime.supervise(team({ autoShutdown: 'any-significant', children }));
    await runtime.agent<'worker'>('a').send({ type: 'END' });
    expect(await tree.ended).to.deep.equal({ type: 'significant-child', child: 'a' });
    expect((await runtime.store.lookup(['b']))[0]?.status).to.equal('suspended');
  });

  it('takes children in and lets them go by hand', async () => {
    await using runtime = await open();
    const tree = await runtime.supervise(team({ children: [] }));
    const x = await tree.spawn('worker', { id: 'x' });
    await tree.spawn('worker', { id: 'x' });
    await x.send({ type: 'N', n: 1 });
    expect(await tree.count()).to.deep.equal({ specs: 1, active: 1, supervisors: 0, workers: 1 });
    await tree.terminate('x');
    expect(await x.send({ type: 'N', n: 2 }), 'waits in its mailbox').to.deep.equal({ sequenceNumber: 0, duplicate: false });
    expect((await failing('SUPERVISION', () => tree.spawn('worker', { id: 'x' }))).message).to.include('already-present');
    await tree.restart('x');
    await x.waitFor(({ context }) => context.taken.length === 2);
    expect((await failing('SUPERVISION', () => tree.delete('x'))).message).to.include('running');
    await tree.terminate('x');
    await tree.delete('x');
    expect(await tree.which()).to.deep.equal([]);
    expect((await runtime.store.lookup(['x']))[0]?.status).to.equal('stopped');
    expect((await failing('SUPERVISION', () => tree.restart('x'))).message).to.include('not-found');
    const nested = await tree.supervise(supervisor({ id: 'more', children: [child('y')] }));
    expect(await nested.count()).to.include({ workers: 1 });
    await tree.terminate('more');
    expect((await runtime.store.lookup(['y']))[0]?.status).to.equal('suspended');
  });

  it('answers for a child that fails as soon as it is up', async () => {
    await using runtime = await open();
    const tree = await runtime.supervise(team({ children: [child('a')], delay: { initialMs: 5, jitter: 'none' } }));
    trouble.left = Infinity;
    await runtime.agent<'worker'>('a').send({ type: 'FAIL', how: 'activity' });
    for (let time = 0; time < 3; time += 1) {
      await tree.terminate('a');
      await tree.restart('a');
    }
    trouble.left = 0;
    await until(async () => (await runtime.store.lookup(['a']))[0]?.state === '"idle"');
    expect((await tree.which())[0]).to.include({ id: 'a', status: 'running' });
  });

  it('refuses what cannot be started before anything is, naming the place', async () => {
    await using runtime = await open();
    const inner = supervisor({ id: 'inner', children: [child('b', { input: { fail: 'context' } })] });
    const error = await failing('SUPERVISION', () => runtime.supervise(team({ children: [child('a'), inner] })));
    expect(error.message).to.equal('supervisor "team" › supervisor "inner" › child "b" cannot be started: context broke');
    await failing('UNKNOWN_KIND', () => runtime.supervise(team({ children: [child('a'), { id: 'b', kind: 'nobody' }] })));
    await failing('BAD_INPUT', () => runtime.supervise(team({ children: [child('a'), child('a')] })));
    await failing('BAD_INPUT', () => runtime.supervise(team({ intensity: -1 })));
    expect((await runtime.store.counts()).agents).to.include({ active: 0, suspended: 0 });
    await runtime.spawn('worker', { id: 'a' });
    expect((await failing('SUPERVISION', () => runtime.supervise(team()))).message).to.include('agent "a" exists and has no supervisor');
    await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents: { 'statewarden.x': agents.worker } }));
  });

  it('waits before restarts as its delay says, also across a restart of the process', async () => {
    const clock = new SimulatedClock();
    const store = memory();
    const spec = team({ delay: { initialMs: 1_000, jitter: 'none' } });
    {
      await using runtime = await open({ store, clock, limits: { maxDeliveries: 1 } });
      await runtime.supervise(spec);
      await failing('DEAD_LETTER', () => runtime.agent<'worker'>('b').send({ type: 'FAIL', how: 'assign' }));
      await clock.advance(500);
      expect(await statuses(runtime)).to.deep.equal({ a: 'running', b: 'waiting', c: 'running' });
    }
    await using runtime = await open({ store, clock });
    await clock.advance(400);
    expect((await statuses(runtime))['b']).to.equal('waiting');
    await clock.advance(200);
    await settled(20);
    expect(await statuses(runtime)).to.deep.equal({ a: 'running', b: 'running', c: 'running' });
  });

  it('brings back a child that another node has taken and let go of', async () => {
    const store = memory();
    await using runtime = await open({ store });
    await runtime.supervise(team());
    const b = runtime.agent<'worker'>('b');
    await b.send({ type: 'N', n: 1 });
    // Its clock is far ahead, so that every lease has run out.
    const other = await store.open({ lease: { name: 'other', ttlMs: 1_000 }, now: () => Date.now() + 3_600_000 });
    await other.load(['b']);
    await other.close();
    await failing('LEASE_LOST', () => b.send({ type: 'N', n: 2 }));
    await until(async () => ups(runtime.seen, 'restarted').includes('b') && (await allRunning(runtime)));
    expect((await b.snapshot()).context.taken).to.deep.equal([1]);
    const [root] = await runtime.tree();
    expect(root?.children?.[1]).to.include({ id: 'b', restarts: 1 });
    expect(root?.children?.[1]?.failure).to.include({ reason: 'lease-lost' });
  });

  it('hears of a child whose turn cannot be written', async () => {
    await using runtime = await open();
    await runtime.supervise(team());
    const b = runtime.agent<'worker'>('b');
    await b.send({ type: 'N', n: 1 });
    await failing('NOT_SERIALIZABLE', () => b.send({ type: 'FAIL', how: 'passing' }));
    await until(async () => ups(runtime.seen, 'restarted').includes('b') && (await allRunning(runtime)));
    expect((await b.snapshot()).context.taken).to.deep.equal([1]);
    expect((await runtime.tree())[0]?.children?.[1]?.failure).to.include({ reason: 'store' });
  });

  it('never lets a listener that throws harm an agent', async () => {
    await using runtime = await open();
    await runtime.supervise(team());
    const a = runtime.agent<'worker'>('a');
    a.snapshots$.subscribe(() => {
      throw new Error('listener broke');
    });
    const errors: unknown[] = [];
    // Where rxjs puts what a listener throws; without it, it ends up in the process.
    config.onUnhandledError = (error) => errors.push(error);
    try {
      await a.send({ type: 'N', n: 1 });
      await a.send({ type: 'N', n: 2 });
      await until(() => errors.length > 0);
    } finally {
      config.onUnhandledError = null;
    }
    expect((await a.snapshot()).context.taken).to.deep.equal([1, 2]);
    expect(runtime.seen.some(({ type }) => type === 'failed')).to.equal(false);
  });
});
