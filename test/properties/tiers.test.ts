/**
 * Two nodes, one store, agents that grow cold: whatever comes while one is being archived or brought back, by whatever way and to whichever node, each event that was acknowledged is taken once, and no event twice.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { assign, setup } from 'xstate';
import { createRuntime, memory, tell, type Runtime, type Store } from 'statewarden';
import { memoryArtifacts, type ArtifactStore } from 'statewarden/artifacts';
import { archiveAgents } from 'statewarden/tiers';
import { ManualClock, settled } from '../runtime/manual-clock.js';
import { runs, timeoutMs } from './runs.js';

const box = setup({
  types: { context: {} as { taken: number[] }, events: {} as { type: 'TAKE'; n: number } | { type: 'PASS'; n: number; to: string } },
}).createMachine({
  id: 'box',
  context: { taken: [] },
  on: {
    TAKE: { actions: assign({ taken: ({ context, event }) => [...context.taken, event.n] }) },
    PASS: {
      actions: tell(
        ({ event }) => event.to,
        ({ event }) => ({ type: 'TAKE', n: event.n }),
        { messageId: ({ event }) => `m${String(event.n)}` },
      ),
    },
  },
});
const agents = { box: { machine: box, version: 1 } };
const ids = ['a', 'b', 'c'] as const;
const idleAfterMs = 1_000;

type Deed =
  /** `again`: the number of one that was sent before, if there is one. */
  | { readonly do: 'send' | 'pass' | 'post'; readonly node: number; readonly to: number; readonly again: number | undefined }
  | { readonly do: 'look'; readonly node: number; readonly to: number }
  | { readonly do: 'cool' | 'archive' }
  | { readonly do: 'restart'; readonly node: number };

const node = fc.nat(1);
const to = fc.nat(ids.length - 1);
const deed: fc.Arbitrary<{ readonly deed: Deed; readonly ticks: number }> = fc.record({
  deed: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('send' as const, 'pass' as const, 'post' as const),
        node,
        to,
        again: fc.option(fc.nat(20), { nil: undefined, freq: 3 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('look' as const), node, to }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('cool' as const, 'archive' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), node }) },
  ),
  // How long the next one waits for this one: not at all, a little, until it is done.
  ticks: fc.constantFrom(0, 1, 2, 3, 5, 8, 40),
});

class World {
  readonly clock = new ManualClock();
  readonly store: Store = memory();
  readonly runtimes: Runtime<typeof agents>[] = [];
  readonly acknowledged = new Map<string, Set<number>>(ids.map((id) => [id, new Set()]));
  archived = 0;
  #artifacts: ArtifactStore | undefined;
  #next = 0;

  async open(index: number): Promise<void> {
    const artifacts = (this.#artifacts ??= slow(await memoryArtifacts().open({ now: () => this.clock.now() })));
    const archive = { artifacts, idleAfterMs, everyMs: 500 };
    const node = { name: `n${String(index)}`, leaseMs: 1_000_000_000 };
    const runtime = await createRuntime({ store: this.store, agents, clock: this.clock, archive, node });
    runtime.events$.subscribe(({ type }) => void (type === 'archived' && (this.archived += 1)));
    this.runtimes[index] = runtime;
  }

  /** The numbers 0 … 99 go to the first agent, and so on: a number is for one receiver. */
  #number(to: number, again: number | undefined): number {
    if (again !== undefined && again < this.#next) return to * 100 + again;
    this.#next += 1;
    return to * 100 + this.#next - 1;
  }

  async do(deed: Deed): Promise<void> {
    switch (deed.do) {
      case 'send':
      case 'pass':
      case 'post':
      case 'look': {
        const runtime = this.runtimes[deed.node] as Runtime<typeof agents>;
        const id = ids[deed.to] as string;
        if (deed.do === 'look') {
          await runtime.agent<'box'>(id).snapshot();
          return;
        }
        const n = this.#number(deed.to, deed.again);
        const messageId = `m${String(n)}`;
        if (deed.do === 'send') await runtime.agent<'box'>(id).send({ type: 'TAKE', n }, { messageId });
        else if (deed.do === 'pass') await runtime.agent<'box'>('relay').send({ type: 'PASS', n, to: id });
        else {
          const event = JSON.stringify({ type: 'TAKE', n });
          await runtime.store.post([{ to: id, messageId, event, from: undefined, replyTo: undefined, acceptedAt: 1 }], 1_000);
        }
        this.acknowledged.get(id)?.add(n);
        return;
      }
      case 'cool':
        await this.clock.advance(idleAfterMs + 600);
        return;
      case 'archive': {
        const opened = await this.store.open({ now: () => this.clock.now() });
        const report = await archiveAgents({
          store: opened,
          artifacts: this.#artifacts as ArtifactStore,
          now: () => this.clock.now(),
          ids,
        });
        this.archived += report.archived.length;
        await opened.close();
        return;
      }
      case 'restart':
        await (this.runtimes[deed.node] as Runtime<typeof agents>).close({ graceMs: 0 });
        await this.open(deed.node);
    }
  }
}

/** Takes as long as several deeds. */
function slow(artifacts: ArtifactStore): ArtifactStore {
  const wait = async (): Promise<void> => {
    for (let tick = 0; tick < 60; tick += 1) await setImmediate();
  };
  return {
    name: artifacts.name,
    put: (content) => wait().then(() => artifacts.put(content)),
    get: (pointer) => wait().then(() => artifacts.get(pointer)),
    read: (pointer) => artifacts.read(pointer),
    list: (page) => artifacts.list(page),
    remove: (doomed, notAfter) => artifacts.remove(doomed, notAfter),
    close: () => artifacts.close(),
  };
}

/** What waits for another node waits for its clock. */
async function pumped<T>({ clock }: World, promise: Promise<T>): Promise<T> {
  let done = false;
  const end = promise.finally(() => (done = true));
  end.catch(() => undefined);
  for (; !done;) await clock.advance(20);
  return end;
}

/** What may happen to a sender when its node closes or does not hold the agent: it was not told that the event is durable. */
const fair = new Set(['RUNTIME_CLOSED', 'AGENT_OWNED']);

describe('agents that grow cold', function () {
  this.timeout(timeoutMs);

  it('take each acknowledged event once, whatever comes while they are archived or brought back', async () => {
    let archived = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 5, maxLength: 40 }), async (deeds) => {
        const world = new World();
        await world.open(0);
        await world.open(1);
        for (const id of [...ids, 'relay']) await world.runtimes[0]?.spawn('box', { id });
        const under: Promise<void>[] = [];
        for (const { deed, ticks } of deeds) {
          const done = world.do(deed).catch((error: unknown) => {
            if (!fair.has((error as { code?: string }).code ?? '')) throw error;
          });
          done.catch(() => undefined);
          // A node is closed and opened by one hand at a time.
          if (deed.do === 'restart') await pumped(world, Promise.all([...under, done]));
          under.push(done);
          for (let tick = 0; tick < ticks; tick += 1) await setImmediate();
        }
        await pumped(world, Promise.all(under));
        await world.clock.advance(100);
        for (const runtime of world.runtimes) await pumped(world, runtime.close());
        archived += world.archived;
        // A last life takes what was left in mailboxes.
        await world.open(0);
        const runtime = world.runtimes[0] as Runtime<typeof agents>;
        for (const id of ids) {
          const expected = [...(world.acknowledged.get(id) ?? [])];
          await runtime.agent<'box'>(id).snapshot();
          for (let tries = 0; tries < 50; tries += 1) {
            const { taken } = (await runtime.agent<'box'>(id).snapshot()).context;
            if (expected.every((n) => taken.includes(n))) break;
            await settled(5);
          }
          const { taken } = (await runtime.agent<'box'>(id).snapshot()).context;
          expect(new Set(taken).size, `${id} took ${taken.join()}`).to.equal(taken.length);
          expect(taken, id).to.include.members(expected);
        }
        expect(await runtime.store.check()).to.deep.equal([]);
        expect(await runtime.deadLetters.list()).to.deep.equal([]);
        await runtime.close();
      }),
      runs(120),
    );
    expect(archived).to.be.greaterThan(40);
  });
});
