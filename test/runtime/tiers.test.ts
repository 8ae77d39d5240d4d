import { expect } from 'chai';
import { assign, fromCallback, setup } from 'xstate';
import { activity, createRuntime, memory, reply, tell, type RuntimeEvent, type RuntimeOptions, type Store } from 'statewarden';
import { memoryArtifacts, type ArtifactStore } from 'statewarden/artifacts';
import { faultyStore } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { ManualClock, settled } from './manual-clock.js';

const calls: string[] = [];
const charge = activity({ name: 'charge', key: (input: string) => input, run: (input) => `${input}, call ${String(calls.push(input))}` });
const work = setup({
  types: {
    context: {} as { count: number; paid: string },
    events: {} as
      | { type: 'INC' }
      | { type: 'ASK' }
      | { type: 'TELL'; to: string }
      | { type: 'PAY' }
      | { type: 'SLEEP' }
      | { type: 'LISTEN' }
      | { type: 'END' },
    output: {} as number,
  },
  actors: { charge, listening: fromCallback(() => undefined) },
}).createMachine({
  id: 'work',
  context: { count: 0, paid: '' },
  initial: 'idle',
  output: ({ context }) => context.count,
  on: {
    INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    ASK: { actions: reply(({ context }) => context.count) },
    TELL: { actions: tell(({ event }) => event.to, { type: 'INC' }) },
    END: '.ended',
  },
  states: {
    idle: { on: { PAY: 'paying', SLEEP: 'sleeping', LISTEN: 'listening' } },
    paying: {
      invoke: { src: 'charge', input: 'order-7', onDone: { target: 'idle', actions: assign({ paid: ({ event }) => event.output }) } },
    },
    sleeping: { after: { 10_000_000: 'idle' } },
    listening: { invoke: { src: 'listening' } },
    ended: { type: 'final' },
  },
});
const agents = { work: { machine: work, version: 1 } };

interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly artifacts: ArtifactStore;
  readonly events: RuntimeEvent[];
  open(more?: Partial<RuntimeOptions<typeof agents>>): ReturnType<typeof createRuntime<typeof agents>>;
  /** Ids of the agents that are archived, in order. */
  archived(): Promise<string[]>;
  /** Lets rounds go by until these are archived and no others, and one more. Packing takes other threads: what it waits for is no timer. */
  archives(...ids: string[]): Promise<void>;
}

const finishedAfterMs = 10_000;
const idleAfterMs = 100_000;
const everyMs = 1_000;

async function world(store: Store = memory()): Promise<World> {
  const clock = new ManualClock();
  const artifacts = await memoryArtifacts().open({ now: () => clock.now() });
  const events: RuntimeEvent[] = [];
  const scene: World = {
    clock,
    store,
    artifacts,
    events,
    open: async (more) => {
      const archive = { artifacts, finishedAfterMs, idleAfterMs, everyMs };
      const node = { leaseMs: 1_000_000_000 };
      const runtime = await createRuntime({ store, agents, clock, archive, node, ...more });
      runtime.events$.subscribe((event) => void events.push(event));
      return runtime;
    },
    archives: async (...ids) => {
      const { archived } = scene;
      for (let tries = 0; tries < 200 && (await archived()).join() !== ids.join(); tries += 1) {
        await clock.advance(everyMs / 2);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await clock.advance(everyMs);
      expect(await archived()).to.deep.equal(ids);
    },
    archived: async () => {
      const opened = await store.open({ now: () => clock.now() });
      const records = await opened.list({ limit: 1_000 });
      await opened.close();
      return records.flatMap(({ id, archive }) => (archive === undefined ? [] : [id])).sort();
    },
  };
  return scene;
}

const told = (events: readonly RuntimeEvent[], type: RuntimeEvent['type']): string[] =>
  events.flatMap((event) => (event.type === type && 'agentId' in event ? [event.agentId] : []));

describe('tiers', () => {
  it('archives agents that have ended, or been idle, for long enough, and no others', async () => {
    const { clock, open, archived, events, archives } = await world();
    await using runtime = await open();
    for (const id of ['idle', 'busy', 'timer', 'done', 'watched']) await runtime.spawn('work', { id });
    await runtime.agent<'work'>('done').send({ type: 'END' });
    await runtime.agent<'work'>('timer').send({ type: 'SLEEP' });
    await runtime.agent<'work'>('busy').send({ type: 'LISTEN' });
    const watching = runtime.agent<'work'>('watched').snapshots$.subscribe();
    await clock.advance(finishedAfterMs - 1);
    expect(await archived()).to.deep.equal([]);
    await archives('done');
    await clock.advance(idleAfterMs);
    await archives('done', 'idle');
    watching.unsubscribe();
    await archives('done', 'idle', 'watched');
    expect(told(events, 'archived')).to.deep.equal(['done', 'idle', 'watched']);
    expect((await runtime.store.counts()).journalSegments).to.be.greaterThan(0);
    expect(await runtime.store.check()).to.deep.equal([]);
  });

  it('brings an agent back for an event, a question, an event from another agent, a look; and archives it again', async () => {
    const { clock, open, archived, events, archives } = await world();
    await using runtime = await open();
    const other = await runtime.spawn('work', { id: 'other' });
    await runtime.spawn('work', { id: 'a' });
    const a = runtime.agent<'work'>('a');
    await a.send({ type: 'INC' });
    const wakes: (() => Promise<unknown>)[] = [
      () => a.send({ type: 'INC' }),
      () => a.ask({ type: 'ASK' }),
      async () => {
        await other.send({ type: 'TELL', to: 'a' });
        await a.waitFor(({ context }) => context.count >= 3);
      },
      () => a.snapshot(),
      () =>
        runtime.store
          .post([{ to: 'a', messageId: 'm', event: '{"type":"INC"}', from: undefined, replyTo: undefined, acceptedAt: 1 }], 10)
          .then(() => a.waitFor(({ context }) => context.count === 4)),
    ];
    for (const wake of wakes) {
      await clock.advance(idleAfterMs);
      await archives('a', 'other');
      await wake();
      expect(await archived()).to.not.include('a');
    }
    expect((await a.snapshot()).context.count).to.equal(4);
    expect(await a.ask({ type: 'ASK' })).to.equal(4);
    expect(told(events, 'unarchived').filter((id) => id === 'a')).to.have.lengthOf(5);
    expect(await runtime.store.check()).to.deep.equal([]);
  });

  it('finds the old one when an archived agent is spawned again, alive or ended', async () => {
    const { clock, open, archived, archives } = await world();
    await using runtime = await open();
    await (await runtime.spawn('work', { id: 'a' })).send({ type: 'INC' });
    const done = await runtime.spawn('work', { id: 'done' });
    await done.send({ type: 'INC' });
    await done.send({ type: 'END' });
    await clock.advance(idleAfterMs);
    await archives('a', 'done');
    expect((await (await runtime.spawn('work', { id: 'a' })).snapshot()).context.count).to.equal(1);
    const again = await runtime.spawn('work', { id: 'done' });
    expect(await again.result()).to.equal(1);
    expect(await archived()).to.deep.equal(['done']);
    expect((await again.snapshot()).status).to.equal('done');
    // It has been looked at: it stays for as long as after its end.
    await clock.advance(finishedAfterMs / 2);
    expect(await archived()).to.deep.equal([]);
    const error = await failing('DEAD_LETTER', () => again.send({ type: 'INC' }));
    expect(error.message).to.include('has ended');
    await failing('UNKNOWN_KIND', () => runtime.spawn('nothing' as 'work', { id: 'a' }));
  });

  it('takes an event once that is sent twice with one id, before it was archived and after, and while it is', async () => {
    const { clock, open, archived, archives } = await world();
    await using runtime = await open();
    await runtime.spawn('work', { id: 'a' });
    const a = runtime.agent<'work'>('a');
    await a.send({ type: 'INC' }, { messageId: 'first' });
    await clock.advance(idleAfterMs);
    await archives('a');
    const post = { to: 'a', messageId: 'first', event: '{"type":"INC"}', from: undefined, replyTo: undefined, acceptedAt: 1 };
    expect(await runtime.store.post([post], 10)).to.deep.equal([{ outcome: 'duplicate', sequenceNumber: 2 }]);
    expect(await archived()).to.deep.equal(['a']);
    expect(await a.send({ type: 'INC' }, { messageId: 'first' })).to.deep.equal({ sequenceNumber: 2, duplicate: true });
    expect((await a.send({ type: 'INC' }, { messageId: 'second' })).duplicate).to.equal(false);
    expect((await a.snapshot()).context.count).to.equal(2);
  });

  it('does nothing twice that has a user key, although the agent that did it is archived', async () => {
    calls.length = 0;
    const { clock, open, archives } = await world();
    await using runtime = await open();
    const first = await runtime.spawn('work', { id: 'first' });
    await first.send({ type: 'PAY' });
    await first.waitFor(({ context }) => context.paid !== '');
    await clock.advance(idleAfterMs);
    await archives('first');
    const second = await runtime.spawn('work', { id: 'second' });
    await second.send({ type: 'PAY' });
    expect((await second.waitFor(({ context }) => context.paid !== '')).context.paid).to.equal('order-7, call 1');
    expect(calls).to.have.lengthOf(1);
    expect((await first.snapshot()).context.paid).to.equal('order-7, call 1');
    const [record] = await runtime.store.lookup(['first']);
    expect(await runtime.store.operations(record?.key ?? 0)).to.have.lengthOf(1);
  });

  it('brings agents back in another life, by a runtime that archives nothing itself', async () => {
    const { clock, open, archived, artifacts, archives } = await world();
    {
      await using runtime = await open();
      await (await runtime.spawn('work', { id: 'a' })).send({ type: 'INC' });
      await clock.advance(idleAfterMs);
      await archives('a');
    }
    await using runtime = await open({ archive: { artifacts, everyMs: Infinity } });
    expect(await runtime.agent<'work'>('a').ask({ type: 'ASK' })).to.equal(1);
    await clock.advance(idleAfterMs + 3 * everyMs);
    expect(await archived()).to.deep.equal([]);
  });

  it('says what is missing when there is no artifact store, and loses nothing of what was sent meanwhile', async () => {
    const { clock, open, archived, archives } = await world();
    {
      await using runtime = await open();
      await runtime.spawn('work', { id: 'a' });
      await clock.advance(idleAfterMs);
      await archives('a');
    }
    {
      await using runtime = await open({ archive: undefined as never });
      const error = await failing('AGENT_ARCHIVED', () => runtime.agent<'work'>('a').send({ type: 'INC' }));
      expect(error.hint).to.include('archive: { artifacts }');
      await failing('AGENT_ARCHIVED', () => runtime.agent<'work'>('a').snapshot());
      await runtime.store.post(
        [{ to: 'a', messageId: undefined, event: '{"type":"INC"}', from: undefined, replyTo: undefined, acceptedAt: 1 }],
        10,
      );
      await settled();
    }
    expect(await archived()).to.deep.equal(['a']);
    await using runtime = await open();
    expect((await runtime.agent<'work'>('a').waitFor(({ context }) => context.count === 1)).context.count).to.equal(1);
  });

  it('waits for an artifact store that does not answer, and then takes the mail', async () => {
    const { clock, open, artifacts, events, archives } = await world();
    let away = true;
    const flaky: ArtifactStore = Object.assign(Object.create(artifacts) as ArtifactStore, {
      put: artifacts.put.bind(artifacts),
      list: artifacts.list.bind(artifacts),
      remove: artifacts.remove.bind(artifacts),
      get: (pointer: never) => (away ? Promise.reject(new Error('EIO')) : artifacts.get(pointer)),
    });
    await using runtime = await open({ archive: { artifacts: flaky, idleAfterMs, everyMs } });
    await runtime.spawn('work', { id: 'a' });
    await clock.advance(idleAfterMs);
    await archives('a');
    const error = await failing('STORE_UNAVAILABLE', () => runtime.agent<'work'>('a').send({ type: 'INC' }));
    expect(error.message).to.include('EIO');
    const other = await runtime.spawn('work', { id: 'other' });
    await other.send({ type: 'TELL', to: 'a' });
    await clock.advance(60_000);
    expect(events.filter(({ type }) => type === 'store').length).to.be.within(2, 12);
    away = false;
    await clock.advance(20_000);
    expect(await runtime.agent<'work'>('a').ask({ type: 'ASK' })).to.equal(1);
  });

  it('goes on with the others when one cannot be archived, or the store fails in between', async () => {
    const store = faultyStore(memory());
    const { clock, open, archives } = await world(store);
    await using runtime = await open();
    for (const id of ['a', 'b', 'c']) await runtime.spawn('work', { id });
    store.plan('archive', { fault: 'before' }, { fault: 'after' });
    await clock.advance(idleAfterMs);
    await archives('a', 'b', 'c');
    store.plan('restore', { fault: 'before' }, { fault: 'after' });
    await failing('STORE_UNAVAILABLE', () => runtime.agent<'work'>('a').send({ type: 'INC' }));
    await failing('STORE_UNAVAILABLE', () => runtime.agent<'work'>('a').send({ type: 'INC' }));
    await runtime.agent<'work'>('a').send({ type: 'INC' });
    expect(await runtime.agent<'work'>('a').ask({ type: 'ASK' })).to.equal(1);
  });

  it('removes archives that nobody needs any more, and no others', async () => {
    const { clock, open, artifacts, archives } = await world();
    await using runtime = await open({ results: { sweepMs: 20_000, graceMs: 1_000 } });
    for (const id of ['a', 'b']) await runtime.spawn('work', { id });
    await clock.advance(idleAfterMs);
    await archives('a', 'b');
    const count = async (): Promise<number> => (await artifacts.list({ limit: 10 })).artifacts.length;
    expect(await count()).to.equal(2);
    await runtime.agent<'work'>('a').snapshot();
    await clock.advance(25_000);
    expect(await count()).to.equal(1);
    await runtime.agent<'work'>('b').snapshot();
    await clock.advance(25_000);
    expect(await count()).to.equal(0);
  });

  it('leaves supervisors, their children that are up, and budgets where they are', async () => {
    const { supervisor } = await import('statewarden');
    const { clock, open, archived, archives } = await world();
    await using runtime = await open({ budgets: { tokens: { limit: 5 } } });
    const team = await runtime.supervise(supervisor({ id: 'team' }));
    const child = await team.spawn('work', { id: 'child', restart: 'temporary' } as never);
    await clock.advance(idleAfterMs + 5 * everyMs);
    expect(await archived()).to.deep.equal([]);
    await child.send({ type: 'END' });
    await clock.advance(finishedAfterMs);
    await archives('child');
    expect(await runtime.agent<'work'>('child').result()).to.equal(0);
  });

  it('says what is wrong with its options', async () => {
    const { open, artifacts } = await world();
    const wrong = (archive: unknown) => failing('BAD_INPUT', () => open({ archive: archive as never }));
    expect((await wrong({})).hint).to.include('files(');
    expect((await wrong(null)).message).to.include('no artifact store');
    expect((await wrong({ artifacts: memoryArtifacts() })).message).to.include('not opened');
    expect((await wrong({ artifacts, finishedAfterMs: -1 })).message).to.equal('archive.finishedAfterMs is -1');
    expect((await wrong({ artifacts, idleAfterMs: NaN })).message).to.equal('archive.idleAfterMs is NaN');
    expect((await wrong({ artifacts, everyMs: 1 })).hint).to.include('100');
  });
});
