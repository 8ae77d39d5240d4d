/**
 * Mailboxes against a queue for each sender and receiver: whoever sends, by whatever way, through restarts and lost replies, each accepted message is
 * taken once and in the order in which its sender sent it; what nobody takes is a dead letter.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { assign, enqueueActions, setup } from 'xstate';
import { memory, tell, type Runtime, type Store } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import type { Fault } from 'statewarden/testing';
import { join } from 'node:path';
import { inFolder } from '../bad-input/failing.js';
import { journalOf, Lives, type Ending } from './lives.js';
import { runs, timeoutMs } from './runs.js';

type SinkEvent = { type: 'MAIL'; sender: string; n: number } | { type: 'END' };

/** Takes whatever comes, until it ends. */
const sink = setup({
  types: { context: {} as { taken: string[] }, events: {} as SinkEvent },
}).createMachine({
  id: 'sink',
  context: { taken: [] },
  initial: 'open',
  states: {
    open: {
      on: {
        MAIL: { actions: assign({ taken: ({ context, event }) => [...context.taken, `${event.sender} ${String(event.n)}`] }) },
        END: 'ended',
      },
    },
    ended: { type: 'final' },
  },
});

interface RelayEvent {
  type: 'PASS';
  to: string;
  numbers: number[];
  named: boolean;
}

/** Tells others: each number of an event is a message of its own. */
const relay = setup({ types: { events: {} as RelayEvent } }).createMachine({
  id: 'relay',
  on: {
    PASS: {
      actions: enqueueActions(({ enqueue, event, self }) => {
        for (const n of event.numbers) {
          const mail = { type: 'MAIL', sender: self.id, n };
          enqueue(tell(event.to, mail, event.named ? { messageId: `${self.id} ${String(n)}` } : {}));
        }
      }),
    },
  },
});

const agents = { sink: { machine: sink, version: 1 }, relay: { machine: relay, version: 1 } };
type Kinds = typeof agents;

/** One message, or a few, of a sender to a receiver. */
interface Sending {
  readonly from: 'code' | 'code with ids' | 'neighbour' | 'r0' | 'r1' | 'r1 with ids';
  readonly to: 's0' | 's1';
  readonly count: number;
  /** Its last message is sent twice, where it has an id. */
  readonly again: boolean;
}

interface Round {
  readonly faults: readonly (Fault | undefined)[];
  readonly sendings: readonly Sending[];
  readonly ends: 's0' | 's1' | undefined;
  /** While it is under way, or when it is over. */
  readonly restart: { readonly ending: Ending; readonly midway: boolean } | undefined;
}

const sending: fc.Arbitrary<Sending> = fc.record({
  from: fc.constantFrom<Sending['from'][]>('code', 'code with ids', 'neighbour', 'r0', 'r1', 'r1 with ids'),
  to: fc.constantFrom('s0', 's1'),
  count: fc.integer({ min: 1, max: 3 }),
  again: fc.boolean(),
});
const round: fc.Arbitrary<Round> = fc.record({
  faults: fc.array(fc.constantFrom<(Fault | undefined)[]>({ fault: 'before' }, { fault: 'after' }, undefined), { maxLength: 6 }),
  sendings: fc.array(sending, { maxLength: 6 }),
  ends: fc.option(fc.constantFrom('s0', 's1'), { nil: undefined, freq: 12 }),
  restart: fc.option(fc.record({ ending: fc.constantFrom<Ending[]>('closed', 'cut', 'killed'), midway: fc.boolean() }), {
    nil: undefined,
    freq: 2,
  }),
});

/** What the senders know, by receiver: `sender number`. */
class Model {
  readonly accepted = new Map<string, Set<string>>([
    ['s0', new Set()],
    ['s1', new Set()],
  ]);
  /** Refused because the receiver has ended. */
  readonly refused = new Set<string>();
  readonly ended = new Set<string>();
  numbers = 0;
}

const unknown: ReadonlySet<string> = new Set(['STORE_POISONED', 'RUNTIME_CLOSED', 'LEASE_LOST']);

/** Sends the messages of one sender to one receiver, all at once. */
async function deliver(model: Model, runtime: Runtime<Kinds>, { from, to, count, again }: Sending): Promise<void> {
  const numbers = Array.from({ length: count }, () => (model.numbers += 1));
  if (from.startsWith('r')) {
    const named = from.endsWith('ids');
    const last = numbers.at(-1) as number;
    const event: RelayEvent = { type: 'PASS', to, numbers: named && again ? [...numbers, last] : numbers, named };
    await settledAs(runtime.agent<'relay'>(from.slice(0, 2)).send(event), undefined); // its journal says what it took
    return;
  }
  const agent = runtime.agent<'sink'>(to);
  const sends = numbers.map(async (n) => {
    const name = `${from} ${String(n)}`;
    const event: SinkEvent = { type: 'MAIL', sender: from, n };
    const options = from === 'code with ids' ? { messageId: name } : {};
    const outcomes = [await settledAs(agent.send(event, options), to, model)];
    if (from === 'code with ids' && again) outcomes.push(await settledAs(agent.send(event, options), to, model));
    if (outcomes.includes('accepted')) model.accepted.get(to)?.add(name);
    else if (outcomes.every((outcome) => outcome === 'refused')) model.refused.add(name);
  });
  await Promise.all(sends);
}

async function settledAs(sent: Promise<unknown>, to: string | undefined, model?: Model): Promise<'accepted' | 'refused' | 'unknown'> {
  try {
    await sent;
    return 'accepted';
  } catch (error) {
    const { code } = error as { code: string };
    if (unknown.has(code)) return 'unknown';
    expect(code, String((error as Error).stack)).to.equal('DEAD_LETTER');
    expect(model?.ended.has(to ?? ''), 'a dead letter for an agent that nobody has ended').to.equal(true);
    return 'refused';
  }
}

async function exchange(inner: Store, rounds: readonly Round[], uncommittedTurns: number): Promise<void> {
  await using lives = new Lives(inner, { agents, limits: { uncommittedTurns } });
  await lives.start();
  for (const id of ['s0', 's1']) await lives.runtime.spawn('sink', { id });
  for (const id of ['r0', 'r1']) await lives.runtime.spawn('relay', { id });
  const neighbour = await lives.neighbour();
  const model = new Model();
  try {
    for (const { faults, sendings, ends, restart } of rounds) {
      let call = 0;
      lives.store.decide((method) => {
        if (method !== 'commit' && method !== 'heads') return undefined;
        call += 1;
        return faults[call - 1];
      });
      const under = sendings.map((one) => deliver(model, one.from === 'neighbour' ? neighbour : lives.runtime, one));
      if (ends !== undefined) {
        model.ended.add(ends);
        under.push(settledAs(lives.runtime.agent<'sink'>(ends).send({ type: 'END' }), ends, model).then(() => undefined));
      }
      if (restart?.midway === true) await lives.restart(restart.ending);
      await lives.through(Promise.all(under));
      lives.store.decide(undefined);
      if (restart?.midway === false) await lives.restart(restart.ending);
    }
    await lives.clock.advance(2_000);
    // Another node's mail in a file is met by looking, in real time.
    const waiting = async (): Promise<boolean> => (await lives.runtime.store.counts()).mailbox > 0;
    for (let tries = 0; tries < 300 && (await waiting()); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await lives.clock.advance(20);
    }
    await checkMail(model, lives);
  } finally {
    await lives.through(neighbour.close({ graceMs: 0 }));
  }
}

async function checkMail(model: Model, lives: Lives<Kinds>): Promise<void> {
  const { store } = lives.runtime;
  // What the relays took, they told: each number once.
  for (const id of ['r0', 'r1']) {
    for (const { event } of (await journalOf(store, id)).slice(1)) {
      const { to, numbers } = event as unknown as RelayEvent;
      for (const n of numbers) model.accepted.get(to)?.add(`${id} ${String(n)}`);
    }
  }
  const letters = (await store.deadLetters({ after: 0, limit: 100_000 })).map(({ to, event, reason }) => {
    expect(reason).to.equal('agent-ended');
    const { type, sender, n } = JSON.parse(event) as { type: string; sender?: string; n?: number };
    return { to, name: type === 'END' ? type : `${sender ?? ''} ${String(n)}` };
  });
  for (const to of ['s0', 's1']) {
    const taken = (await journalOf(store, to)).slice(1).flatMap(({ event }) => {
      const mail = event as unknown as SinkEvent;
      return mail.type === 'MAIL' ? [{ sender: mail.sender, n: mail.n, name: `${mail.sender} ${String(mail.n)}` }] : [];
    });
    const names = taken.map(({ name }) => name);
    expect(names, 'taken once').to.deep.equal([...new Set(names)]);
    for (const sender of new Set(taken.map((mail) => mail.sender))) {
      const numbers = taken.filter((mail) => mail.sender === sender).map(({ n }) => n);
      expect(numbers, `in the order in which ${sender} sent them to ${to}`).to.deep.equal([...numbers].sort((one, other) => one - other));
    }
    const [record] = await store.lookup([to]);
    const dead = letters.filter((letter) => letter.to === to).map(({ name }) => name);
    if (record?.status === 'active') expect(dead).to.deep.equal([]);
    const kept = new Set([...names, ...dead]);
    const lost = [...(model.accepted.get(to) ?? [])].filter((name) => !kept.has(name));
    expect(lost, 'accepted and lost').to.deep.equal([]);
    expect(
      names.filter((name) => dead.includes(name)),
      'taken and a dead letter',
    ).to.deep.equal([]);
    expect(
      names.filter((name) => model.refused.has(name)),
      'refused and taken',
    ).to.deep.equal([]);
  }
  expect((await store.counts()).mailbox, 'still waiting').to.equal(0);
  expect(await store.check()).to.deep.equal([]);
}

/** A reply is lost on the way of one message, and the next one of the same sender overtakes nothing. */
const overtaking: readonly Round[] = [
  {
    faults: [{ fault: 'after' }],
    sendings: [
      { from: 'r1', to: 's0', count: 1, again: false },
      { from: 'r1 with ids', to: 's0', count: 1, again: false },
    ],
    ends: undefined,
    restart: undefined,
  },
];
const examples: [Round[], number][] = [
  [[...overtaking], 1],
  [[...overtaking, ...overtaking], 2],
];

describe('mailboxes', () => {
  const rounds = fc.array(round, { minLength: 1, maxLength: 5 });
  const uncommitted = fc.constantFrom(1, 2, 1_000);

  it('lose nothing, double nothing and keep each sender’s order (in memory)', async () => {
    const property = fc.asyncProperty(rounds, uncommitted, (given, turns) => exchange(memory(), given, turns));
    await fc.assert(property, { ...runs(200), examples });
  }).timeout(timeoutMs);

  it('lose nothing, double nothing and keep each sender’s order (in a file)', async () => {
    const property = fc.asyncProperty(rounds, uncommitted, (given, turns) =>
      inFolder((folder) => exchange(sqlite(join(folder, 'agents.db')), given, turns)),
    );
    await fc.assert(property, { ...runs(10), examples });
  }).timeout(timeoutMs);
});
