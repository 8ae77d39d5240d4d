/** A Firestore store in bad weather: lost answers, refusals, silence, a database that was wiped, clocks that are wrong. */

import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, StatewardenError } from 'statewarden';
import { firestore, type FirestoreOptions } from 'statewarden/firestore';
import { connect } from '#src/persistence/firestore/client.js';
import type { AgentCommit, OpenedStore } from '#src/persistence/store.js';
import { applied, message, segment, taken } from '#src/testing/store-cases/scene.js';
import { describeFirestore, firestoreEmulator, FirestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { FirestoreWire } from '../cloud/firestore-wire.js';

const at = 1_700_000_000_000;

async function failure(work: Promise<unknown>): Promise<StatewardenError> {
  try {
    await work;
  } catch (error) {
    expect(error).to.be.instanceOf(StatewardenError);
    return error as StatewardenError;
  }
  throw new Error('it did not fail');
}

describeFirestore('firestore() in bad weather', function () {
  this.timeout(30_000);
  let emulator: FirestoreEmulator;
  let wire: FirestoreWire;
  let project: string;
  let keys = 0;
  const opened: OpenedStore[] = [];

  before(async function () {
    this.timeout(60_000);
    emulator = await firestoreEmulator();
  });
  beforeEach(async () => {
    wire = await new FirestoreWire(emulator.host).start();
    project = newProject();
  });
  afterEach(async () => {
    wire.weather = () => undefined;
    for (const store of opened.splice(0)) await store.close();
    wire.stop();
  });

  const store = (more: Partial<FirestoreOptions> = {}) => firestore({ project, emulator: wire.host, ...more });
  const open = async (more: Partial<FirestoreOptions> = {}, now = Date.now, ttlMs = 5_000): Promise<OpenedStore> => {
    const one = await store(more).open({ lease: { name: 'node', ttlMs }, now });
    opened.push(one);
    return one;
  };
  const birth = (one: OpenedStore, id: string, more: Partial<AgentCommit> = {}): AgentCommit => ({
    key: one.node * 2 ** 32 + (keys += 1),
    id,
    fence: 1,
    expected: 0,
    sequenceNumber: 1,
    at,
    create: { kind: 'counter', version: 1, input: undefined },
    segment: segment(1),
    ...more,
  });
  const turn = ({ create: _, ...rest }: AgentCommit, more: Partial<AgentCommit> = {}): AgentCommit => ({
    ...rest,
    expected: 1,
    sequenceNumber: 2,
    segment: segment(2),
    ...more,
  });

  describe('a lost answer', () => {
    for (const code of [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.INTERNAL, status.UNKNOWN, status.CANCELLED]) {
      it(`to a commit that was written, with ${status[code]}, is unknown to its caller, who reads back`, async () => {
        const one = await open();
        const first = birth(one, 'a');
        await applied(one, first);
        wire.weather = (method) => (method === 'Commit' ? { lose: code } : undefined);
        const error = await failure(one.commit([turn(first)]));
        expect(error).to.include({ code: 'STORE_UNAVAILABLE', disposition: 'retry' });
        wire.weather = () => undefined;
        expect(await one.heads([first.key])).to.deep.equal([{ fence: 1, sequenceNumber: 2 }]);
        await applied(one, turn(first, { expected: 2, sequenceNumber: 3, segment: segment(3) }));
        expect(await one.check()).to.deep.equal([]);
      });
    }

    it('is asked for once and never tried again unseen', async () => {
      const one = await open();
      const before = wire.counts.get('Commit') ?? 0;
      wire.weather = (method) => (method === 'Commit' ? { lose: status.UNAVAILABLE } : undefined);
      await failure(one.commit([birth(one, 'a')]));
      expect(wire.counts.get('Commit')).to.equal(before + 1);
    });

    it('of a runtime’s commit costs nothing: the event is recorded once, and acknowledged', async () => {
      const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: 'ADD' } } }).createMachine({
        id: 'counter',
        context: { count: 0 },
        on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
      });
      await using runtime = await createRuntime({ store: store(), agents: { counter: { machine: counter, version: 1 } } });
      const agent = await runtime.spawn('counter', { id: 'c' });
      const start = wire.counts.get('Commit') ?? 0;
      wire.weather = (method, nth) => (method === 'Commit' && (nth - start) % 2 === 1 ? { lose: status.UNAVAILABLE } : undefined);
      for (let event = 1; event <= 5; event += 1) expect((await agent.send({ type: 'ADD' })).sequenceNumber).to.equal(event + 1);
      wire.weather = () => undefined;
      expect((await agent.snapshot()).context).to.deep.equal({ count: 5 });
    });
  });

  it('waits for no answer longer than it may', async () => {
    const one = await open({ timeoutMs: 300 });
    wire.weather = (method) => (method === 'Commit' ? { silent: true } : undefined);
    const began = Date.now();
    expect(await failure(one.commit([birth(one, 'a')]))).to.include({ code: 'STORE_UNAVAILABLE' });
    expect(Date.now() - began).to.be.within(250, 3_000);
  });

  it('answers rightly when each answer takes a second', async () => {
    const one = await open();
    const first = birth(one, 'a');
    wire.weather = () => ({ delayMs: 1_000 });
    await applied(one, first);
    await applied(one, turn(first));
    wire.weather = () => undefined;
    expect(await one.heads([first.key])).to.deep.equal([{ fence: 1, sequenceNumber: 2 }]);
  });

  describe('a refusal', () => {
    const written: readonly (readonly [status, string, string, RegExp])[] = [
      [status.PERMISSION_DENIED, 'STORE_POISONED', 'terminal', /roles\/datastore\.user/],
      [status.UNAUTHENTICATED, 'STORE_POISONED', 'terminal', /gcloud auth application-default login/],
      [status.RESOURCE_EXHAUSTED, 'STORE_UNAVAILABLE', 'retry', /quota/],
      [status.UNAVAILABLE, 'STORE_UNAVAILABLE', 'retry', /cannot be reached/],
      [status.DEADLINE_EXCEEDED, 'STORE_UNAVAILABLE', 'retry', /read back/],
      [status.INVALID_ARGUMENT, 'STORE_POISONED', 'terminal', /./],
      [status.UNIMPLEMENTED, 'STORE_POISONED', 'terminal', /FIRESTORE_EMULATOR_HOST/],
    ];
    for (const [code, name, disposition, hint] of written) {
      it(`of a commit with ${status[code]} is a ${name}`, async () => {
        const one = await open();
        wire.weather = (method) => (method === 'Commit' ? { refuse: code } : undefined);
        const error = await failure(one.commit([birth(one, 'a')]));
        expect(error).to.include({ code: name, disposition });
        expect(error.hint).to.match(hint);
      });
    }

    it('with ABORTED is tried again', async () => {
      const one = await open();
      const start = wire.counts.get('Commit') ?? 0;
      wire.weather = (method, nth) => (method === 'Commit' && nth - start <= 2 ? { refuse: status.ABORTED } : undefined);
      await applied(one, birth(one, 'a'));
      wire.weather = (method) => (method === 'Commit' ? { refuse: status.ABORTED } : undefined);
      expect(await failure(one.commit([birth(one, 'b')]))).to.include({ code: 'STORE_UNAVAILABLE' });
    });

    const opening: readonly (readonly [status, string, RegExp])[] = [
      [status.PERMISSION_DENIED, 'STORE_OPEN', /roles\/datastore\.user/],
      [status.UNAUTHENTICATED, 'STORE_OPEN', /application-default login/],
      [status.NOT_FOUND, 'STORE_OPEN', /gcloud firestore databases create/],
      [status.FAILED_PRECONDITION, 'STORE_OPEN', /Native mode/],
      [status.RESOURCE_EXHAUSTED, 'STORE_UNAVAILABLE', /quota/],
      [status.UNAVAILABLE, 'STORE_UNAVAILABLE', /network/],
    ];
    for (const [code, name, hint] of opening) {
      it(`with ${status[code]} when it is opened is a ${name}`, async () => {
        wire.weather = () => ({ refuse: code });
        const error = await failure(open());
        expect(error).to.include({ code: name });
        expect(error.hint).to.match(hint);
      });
    }

    it('to open where nothing listens says so', async () => {
      const error = await failure(open({ emulator: '127.0.0.1:1', timeoutMs: 2_000 }));
      expect(error).to.include({ code: 'STORE_UNAVAILABLE', disposition: 'retry' });
    });

    it('is given where a tool looks and there is no store', async () => {
      expect(await failure(open({ mustExist: true }))).to.include({ code: 'STORE_OPEN' });
      await (await open()).close();
      await (await open({ mustExist: true })).close();
    });
  });

  it('says what to install when the package is not there', async () => {
    const settings = { project: 'p', database: '(default)', preferRest: false, emulator: undefined, settings: {} };
    const error = await failure(connect(settings, () => Promise.reject(new Error('Cannot find package'))));
    expect(error).to.include({ code: 'CAPABILITY_MISSING' });
    expect(error.hint).to.include('npm install @google-cloud/firestore');
  });

  describe('a database that was wiped under an open store', () => {
    const calls: readonly (readonly [string, (one: OpenedStore, first: AgentCommit) => Promise<unknown>])[] = [
      ['a commit', (one, first) => one.commit([turn(first)])],
      ['a new agent', (one) => one.commit([birth(one, 'new')])],
      ['the end of an agent', (one, first) => one.commit([turn(first, { status: 'done' })])],
      ['reading back', (one, first) => one.heads([first.key])],
      ['a post', (one) => one.post([message('a')], 10)],
      ['a post to nobody', (one) => one.post([message('nobody')], 10)],
      ['taking agents', (one) => one.load(['a'])],
      ['looking an agent up', (one) => one.lookup(['a'])],
      ['a heartbeat', (one) => one.heartbeat()],
      ['a note', (one) => one.publish([{ topic: 't', author: 'n', data: '1', at }])],
    ];
    for (const again of [false, true]) {
      for (const [what, call] of calls) {
        it(`${again ? 'and begun anew by another node ' : ''}refuses ${what}, and says why`, async () => {
          const one = await open();
          const first = birth(one, 'a');
          await applied(one, first);
          await emulator.wipe(project);
          if (again) {
            const other = await open();
            expect(other.node).to.equal(one.node);
            await applied(other, birth(other, 'a'));
          }
          const error = await failure(call(one, first));
          expect(error).to.include({ code: 'STORE_POISONED', disposition: 'terminal' });
          expect(error.message).to.match(again ? /begun anew/ : /wiped/);
          expect(error.hint).to.match(/emulator keeps nothing/);
        });
      }
    }
  });

  it('stops a runtime whose emulator was restarted, with an explanation', async function () {
    this.timeout(60_000);
    const own = await FirestoreEmulator.start();
    const counter = setup({}).createMachine({ id: 'counter', on: { ADD: {} } });
    await using runtime = await createRuntime({
      store: firestore({ project, emulator: own.host, timeoutMs: 2_000 }),
      agents: { counter: { machine: counter, version: 1 } },
    });
    const { port } = own;
    const agent = await runtime.spawn('counter', { id: 'c' });
    await own.stop();
    const sent = failure(agent.send({ type: 'ADD' }));
    const restarted = await FirestoreEmulator.start(port);
    try {
      const error = await sent;
      expect(error).to.include({ code: 'STORE_POISONED' });
      expect(error.message).to.match(/wiped/);
      expect(await failure(runtime.spawn('counter', { id: 'd' }))).to.include({ code: 'STORE_POISONED' });
    } finally {
      await restarted.stop();
    }
  });

  describe('clocks that are a minute wrong', () => {
    for (const skewMs of [-60_000, 60_000]) {
      it(`by ${String(skewMs)} ms: a live node keeps its agents, one that is gone loses them in time`, async () => {
        const ttlMs = 700;
        const one = await open({}, Date.now, ttlMs);
        const first = birth(one, 'a');
        await applied(one, first);
        const other = await open({}, () => Date.now() + skewMs, ttlMs);
        expect((await other.load(['a']))[0]?.outcome).to.equal('owned');
        expect(await other.runnable({ after: 0, limit: 10 })).to.deep.equal([]);
        for (let beat = 0; beat < 4; beat += 1) {
          await new Promise((resolve) => setTimeout(resolve, ttlMs / 2));
          expect(await one.heartbeat()).to.equal(true);
          expect((await other.load(['a']))[0]?.outcome).to.equal('owned');
        }
        await new Promise((resolve) => setTimeout(resolve, ttlMs + 100));
        expect((await taken(other, 'a')).record).to.include({ fence: 2, owner: other.node });
        expect(await one.commit([turn(first)])).to.deep.equal([{ outcome: 'refused', fence: 2, sequenceNumber: 1 }]);
        expect(await one.heartbeat()).to.equal(false);
      });
    }
  });
});
