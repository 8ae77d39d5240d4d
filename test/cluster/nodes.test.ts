/** Two nodes in one process on one store: what code may call from either, and a node that cannot reach its store. */

import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { activity, createRuntime, memory, reply, supervisor, type Runtime, type RuntimeEvent, type RuntimeOptions } from 'statewarden';
import { faultyStore, type FaultyStore } from 'statewarden/testing';
import type { Store } from '#src/persistence/store.js';

const leaseMs = 400;
const begun: string[] = [];
const aborted: string[] = [];
let release: () => void = () => undefined;

const work = activity<undefined, string>({
  name: 'work',
  onUnknown: 'retry',
  run: (_, { agentId, signal }) => {
    begun.push(agentId);
    return new Promise((resolve, reject) => {
      release = () => resolve('done');
      signal.addEventListener('abort', () => {
        aborted.push(agentId);
        reject(signal.reason as Error);
      });
    });
  },
});
const counter = setup({ types: { context: {} as { n: number }, events: {} as { type: 'ADD' } | { type: 'GET' } } }).createMachine({
  context: { n: 0 },
  on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) }, GET: { actions: reply(({ context }) => context.n) } },
});
const worker = setup({ types: { context: {} as { n: number }, events: {} as { type: 'ADD' } }, actors: { work } }).createMachine({
  context: { n: 0 },
  initial: 'working',
  on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  states: { working: { invoke: { src: 'work', onDone: 'done' } }, done: {} },
});
const agents = { counter: { machine: counter, version: 1 }, worker: { machine: worker, version: 1 } };
type Node = Runtime<typeof agents> & { readonly seen: RuntimeEvent[] };

async function open(store: Store, name: string, options: RuntimeOptions<typeof agents>['node'] = {}): Promise<Node> {
  const runtime = await createRuntime({ store, agents, node: { name, leaseMs, ...options } });
  const seen: RuntimeEvent[] = [];
  runtime.events$.subscribe((event) => seen.push(event));
  return Object.assign(runtime, { seen });
}

async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 8_000; !(await is());) {
    expect(Date.now()).to.be.lessThan(end);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A store that only one node cannot reach. */
function remote(inner: Store): FaultyStore {
  return faultyStore({ name: inner.name, capabilities: { ...inner.capabilities, remote: true }, open: (options) => inner.open(options) });
}

describe('two nodes on one store', () => {
  beforeEach(() => {
    begun.length = aborted.length = 0;
  });

  it('give an agent at rest to the code that asks it, looks at it or stops it, wherever that is', async () => {
    const store = memory();
    await using a = await open(store, 'a');
    await using b = await open(store, 'b');
    await a.spawn('counter', { id: 'c' });
    await a.agent<'counter'>('c').send({ type: 'ADD' });
    expect(await b.agent<'counter'>('c').ask({ type: 'GET' })).to.equal(1);
    await a.agent<'counter'>('c').send({ type: 'ADD' });
    expect((await a.agent<'counter'>('c').snapshot()).context).to.deep.equal({ n: 2 });
    await b.agent<'counter'>('c').send({ type: 'ADD' });
    expect((await b.agent<'counter'>('c').waitFor(({ context }) => context.n === 3)).context).to.deep.equal({ n: 3 });
    await a.agent('c').stop();
    expect(a.seen.filter(({ type }) => type === 'handed-over').length).to.be.greaterThan(0);
  });

  it('take over from one that has come and gone while nobody looked', async () => {
    const store = memory();
    // It looks at who is there every quarter of a term.
    await using a = await open(store, 'a', { leaseMs: 60_000 });
    {
      await using b = await open(store, 'b', { leaseMs: 60_000 });
      await b.spawn('worker', { id: 'w' });
      await until(() => begun.length === 1);
      await b.close({ graceMs: 0 });
    }
    await until(() => begun.length === 2);
    expect(a.seen.filter(({ type }) => type === 'nodes')).to.deep.equal([]);
    release();
    await a.agent<'worker'>('w').waitFor(({ value }) => value === 'done');
  });

  it('hear of the end of an agent that was given up while they waited for it, on a store that takes its time', async () => {
    const store = memory();
    const slow: Store = {
      ...store,
      open: async (options) => {
        const opened = await store.open(options);
        const later: typeof opened.release = async (keys) => {
          await new Promise((resolve) => setTimeout(resolve, 150));
          return opened.release(keys);
        };
        return new Proxy(opened, {
          get: (target, name) => {
            const value: unknown = name === 'release' ? later : Reflect.get(target, name);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        });
      },
    };
    await using a = await open(slow, 'a');
    await using b = await open(store, 'b');
    await a.spawn('counter', { id: 'c' });
    const end = a
      .agent('c')
      .result()
      .catch((error: unknown) => error);
    expect((await b.agent<'counter'>('c').snapshot()).context).to.deep.equal({ n: 0 });
    await b.agent('c').stop();
    expect(await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 5_000, 'nothing'))])).to.have.property(
      'code',
      'AGENT_STOPPED',
    );
  });

  it('do not where they are told not to, and never one that is at work or has a supervisor', async () => {
    const store = memory();
    await using a = await open(store, 'a', { spread: false });
    await using b = await open(store, 'b');
    await a.spawn('counter', { id: 'c' });
    await a.spawn('worker', { id: 'w' });
    await a.supervise(supervisor({ id: 'team', children: [{ id: 'child', kind: 'counter' }] }));
    const refused = async (id: string): Promise<unknown> =>
      b
        .agent(id)
        .snapshot()
        .then(
          () => undefined,
          (error: unknown) => (error as { code?: unknown }).code,
        );
    expect(await Promise.all([refused('c'), refused('w'), refused('child')])).to.deep.equal(['AGENT_OWNED', 'AGENT_OWNED', 'AGENT_OWNED']);
    release();
  });

  it('hand over what belongs to the other, mail and timers with it, and keep what code here has called lately', async () => {
    const store = memory();
    await using a = await open(store, 'a');
    const ids = Array.from({ length: 40 }, (_, index) => `c-${String(index)}`);
    for (const id of ids) await a.spawn('counter', { id });
    await using b = await open(store, 'b');
    const called = ids.slice(0, 10);
    for (const id of called) await a.agent<'counter'>(id).ask({ type: 'GET' });
    const owners = async (): Promise<(number | undefined)[]> => (await a.store.lookup(ids)).map((record) => record?.owner);
    await until(async () => {
      const of = await owners();
      return of.slice(10).filter((owner) => owner === b.store.node).length > 8 && !of.includes(undefined);
    });
    expect(new Set((await owners()).slice(0, 10))).to.deep.equal(new Set([a.store.node]));
    await Promise.all(ids.map((id, index) => (index % 2 === 0 ? a : b).agent<'counter'>(id).send({ type: 'ADD' })));
    const all = ids.map((id) => a.agent<'counter'>(id).waitFor(({ context }) => context.n === 1));
    for (const { context } of await Promise.all(all)) expect(context.n).to.equal(1);
  });

  it('keep a tree together when two take over from one', async () => {
    const store = memory();
    const a = await open(store, 'a');
    await using b = await open(store, 'b');
    await using c = await open(store, 'c');
    const teams = Array.from({ length: 12 }, (_, index) => `team-${String(index)}`);
    for (const id of teams)
      await a.supervise(
        supervisor({ id, children: Array.from({ length: 4 }, (_, index) => ({ id: `${id}/${String(index)}`, kind: 'worker' as const })) }),
      );
    await a.close({ graceMs: 0 });
    const members = teams.flatMap((id) => [id, ...Array.from({ length: 4 }, (_, index) => `${id}/${String(index)}`)]);
    const owners = async (): Promise<Map<string, number | undefined>> => {
      const records = await b.store.lookup(members);
      return new Map(members.map((id, index) => [id, records[index]?.owner]));
    };
    await until(async () => [...(await owners()).values()].every((owner) => owner === b.store.node || owner === c.store.node));
    const of = await owners();
    for (const id of members) expect(of.get(id), id).to.equal(of.get(id.split('/')[0] as string));
    expect(new Set(of.values()).size, 'both have some').to.equal(2);
  });
});

describe('a node that cannot reach its store', () => {
  beforeEach(() => {
    begun.length = aborted.length = 0;
  });

  it('ends what it runs within its term, and goes on when it can, with nothing lost', async () => {
    const store = remote(memory());
    await using a = await open(store, 'a');
    await a.spawn('worker', { id: 'w' });
    await until(() => begun.length === 1);
    const cutAt = Date.now();
    store.decide(() => ({ fault: 'before' }));
    const sent = a.agent<'worker'>('w').send({ type: 'ADD' });
    await until(() => aborted.length === 1);
    expect(Date.now() - cutAt).to.be.at.most(leaseMs + 200);
    expect(a.seen.some((event) => event.type === 'lease' && event.state === 'lapsed')).to.equal(true);
    expect(begun).to.deep.equal(['w']);
    // The first looks at what became of its agents fail: a later one does it.
    let looks = 0;
    store.decide((method) => (method === 'heads' && (looks += 1) <= 4 ? { fault: 'before' } : undefined));
    expect((await sent).sequenceNumber).to.be.greaterThan(1);
    await until(() => begun.length === 2);
    release();
    const { context } = await a.agent<'worker'>('w').waitFor((snapshot) => snapshot.matches('done'));
    expect(context).to.deep.equal({ n: 1 });
    expect(a.seen.flatMap((event) => (event.type === 'lease' ? [event.state] : []))).to.deep.equal(['lapsed', 'renewed']);
  });

  it('loses to another what that one has taken meanwhile, and writes nothing of its own', async () => {
    const inner = memory();
    const store = remote(inner);
    await using a = await open(store, 'a');
    await a.spawn('worker', { id: 'w' });
    await until(() => begun.length === 1);
    store.decide(() => ({ fault: 'before' }));
    const late = a
      .agent<'worker'>('w')
      .send({ type: 'ADD' })
      .then(
        () => 'taken',
        (error: unknown) => (error as { code?: unknown }).code,
      );
    await until(() => aborted.length === 1);
    await using b = await open(inner, 'b');
    await until(() => begun.length === 2);
    store.decide(undefined);
    expect(await late).to.equal('LEASE_LOST');
    release();
    const { context } = await b.agent<'worker'>('w').waitFor((snapshot) => snapshot.matches('done'));
    expect(context, 'what the other could not record is not there').to.deep.equal({ n: 0 });
    expect(begun, 'only its new holder has run it since').to.deep.equal(['w', 'w']);
  });

  it('is not stopped where the store is no further away than the others', async () => {
    const inner = memory();
    const store = faultyStore(inner);
    await using a = await open(store, 'a');
    await a.spawn('worker', { id: 'w' });
    await until(() => begun.length === 1);
    store.decide((method) => (method === 'heartbeat' ? { fault: 'before' } : undefined));
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs));
    expect(aborted).to.deep.equal([]);
    release();
    await a.agent<'worker'>('w').waitFor((snapshot) => snapshot.matches('done'));
  });

  it('begins nothing before it knows what it still has, when it had no processor for a term', async () => {
    const inner = memory();
    let resume: () => void = () => undefined;
    let stopped = Promise.resolve();
    let signs = 0;
    // What it writes is written, and it hears of it late; its signs of life are as late.
    const starving: Store = {
      ...inner,
      open: async (options) => {
        const opened = await inner.open(options);
        const commit: typeof opened.commit = async (commits) => {
          const outcomes = await opened.commit(commits);
          await stopped;
          return outcomes;
        };
        const heartbeat: typeof opened.heartbeat = async () => {
          await stopped;
          signs += 1;
          return opened.heartbeat();
        };
        return new Proxy(opened, {
          get: (target, name) => {
            if (name === 'commit') return commit;
            if (name === 'heartbeat') return heartbeat;
            const value: unknown = Reflect.get(target, name);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        });
      },
    };
    await using a = await open(starving, 'a');
    stopped = new Promise((resolve) => (resume = resolve));
    const born = a.spawn('worker', { id: 'w' }).catch(() => undefined);
    await using b = await open(inner, 'b');
    await until(() => begun.length === 1);
    const before = signs;
    resume();
    await born;
    await until(() => signs > before);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(begun).to.deep.equal(['w']);
    release();
    await b.agent<'worker'>('w').waitFor((snapshot) => snapshot.matches('done'));
    expect(begun).to.deep.equal(['w']);
  });
});
