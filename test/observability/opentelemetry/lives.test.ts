/** Where agents go, their trace goes: into the artifact store and back, to another node, through an undoing. */

import { expect } from 'chai';
import { createRuntime, memory } from 'statewarden';
import { memoryArtifacts } from 'statewarden/artifacts';
import { Outside, trip } from '../../runtime/trip.js';
import { agents } from './machines.js';
import { Spans, until } from './spans.js';

describe('traces', function () {
  this.timeout(60_000);
  let spans: Spans;

  beforeEach(() => {
    spans = new Spans();
    spans.register();
  });
  afterEach(() => spans.unregister());

  it('have the undoing of a saga in them, step by step', async () => {
    const outside = new Outside();
    const kinds = { trip: { machine: trip(outside), version: 1 } };
    await using runtime = await createRuntime({ store: memory(), agents: kinds, telemetry: spans.telemetry });
    const agent = await spans.within('request', () => runtime.spawn('trip', { id: 't-1', input: { trip: 'rome' } as never }));
    await agent.waitFor((snapshot) => (snapshot as { value: unknown }).value === 'booked');
    await spans.within('regret', async () => void (await agent.send({ type: 'UNDO' } as never)));
    await agent.waitFor((snapshot) => (snapshot as { value: unknown }).value === 'undone');
    expect(outside.log).to.deep.equal(['flight', 'hotel', 'undo hotel', 'undo flight']);
    const ofSteps = (): typeof spans.all =>
      spans.all.filter(({ attributes }) => String(attributes['statewarden.operation.compensates'] ?? '*') !== '*');
    await until(() => ofSteps().length === 2, 'both steps');
    const [hotel, flight] = ofSteps();
    expect(String(hotel?.attributes['statewarden.operation.compensates'])).to.include('hotel');
    expect(String(flight?.attributes['statewarden.operation.compensates'])).to.include('flight');
    for (const undone of [hotel, flight]) expect(spans.above(undone as never).slice(-2)).to.deep.equal(['turn trip UNDO', 'regret']);
    await until(() => spans.orphans().length === 0, 'all to have ended');
  });

  it('are those of an agent that comes back from the artifact store', async () => {
    const artifacts = await memoryArtifacts().open({ now: Date.now });
    const archive = { artifacts, finishedAfterMs: 1_000, idleAfterMs: 1, everyMs: 1_000 };
    await using runtime = await createRuntime({
      store: memory(),
      agents,
      archive,
      telemetry: spans.telemetry,
      limits: { residentAgents: 1 },
    });
    await spans.within('request', async () => void (await runtime.spawn('breaker', { id: 'b-1' })));
    const isArchived = { now: false };
    await until(() => {
      void runtime.store.lookup(['b-1']).then(([record]) => (isArchived.now = record?.archive !== undefined));
      return isArchived.now;
    }, 'it to be archived');
    await runtime.agent<'breaker'>('b-1').send({ type: 'UP' });
    expect(spans.above(spans.one('turn breaker UP'))).to.deep.equal(['turn breaker UP', 'spawn breaker', 'request']);
    expect(spans.above(spans.named('recover breaker')[0] as never).at(-1)).to.equal('request');
  });

  it('are those of an agent that was handed over to another node', async () => {
    const store = memory();
    const open = (name: string) => createRuntime({ store, agents, telemetry: spans.telemetry, node: { name, leaseMs: 1_000 } });
    await using one = await open('one');
    const handed: string[] = [];
    one.events$.subscribe((event) => void (event.type === 'handed-over' && handed.push(event.agentId)));
    for (let n = 0; n < 12; n += 1)
      await spans.within(`request ${String(n)}`, async () => void (await one.spawn('breaker', { id: `b-${String(n)}` })));
    await using two = await open('two');
    await until(() => handed.length > 0, 'one to be handed over');
    const [id = ''] = handed;
    await two.agent<'breaker'>(id).send({ type: 'UP' });
    await until(() => spans.named('turn breaker UP').length === 1, 'its turn');
    const turn = spans.one('turn breaker UP');
    expect(turn.attributes['statewarden.agent.id']).to.equal(id);
    expect(spans.above(turn).at(-1)).to.equal(`request ${id.slice(2)}`);
    expect(spans.above(spans.named('recover breaker').at(-1) as never).at(-1)).to.equal(`request ${id.slice(2)}`);
  });
});
