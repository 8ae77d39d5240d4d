/** What is counted, by name, unit and attributes; and that nothing of it reaches the runtime. */

import { expect } from 'chai';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { consecutiveBreaker } from 'statewarden/breakers';
import { activity, createRuntime, memory, type Store } from 'statewarden';
import { openTelemetry } from 'statewarden/opentelemetry';
import { faultyStore } from 'statewarden/testing';
import { setup } from 'xstate';
import { agents } from './machines.js';

class Collected {
  readonly #exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  readonly provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: this.#exporter, exportIntervalMillis: 3_600_000 })],
  });

  async collect(): Promise<ReadonlyMap<string, MetricData>> {
    await this.provider.forceFlush();
    const [last] = this.#exporter.getMetrics().slice(-1);
    return new Map((last?.scopeMetrics ?? []).flatMap(({ metrics }) => metrics.map((metric) => [metric.descriptor.name, metric])));
  }
}

const calls = activity({
  name: 'call',
  run: async () => {
    throw Object.assign(new Error('no'), { disposition: 'terminal' });
  },
  retry: { attempts: 1 },
  breaker: consecutiveBreaker({ name: 'calls', failures: 1 }),
});
const caller = setup({ actors: { calls } }).createMachine({
  initial: 'calling',
  states: { calling: { invoke: { src: 'calls', onDone: 'end', onError: 'end' } }, end: { type: 'final' } },
});
const kinds = { ...agents, caller: { machine: caller, version: 1 } };

describe('metrics', function () {
  this.timeout(60_000);
  let collected: Collected;
  beforeEach(() => (collected = new Collected()));
  afterEach(() => collected.provider.shutdown());

  const open = (store: Store = memory(), storeCounts = true, logger?: (...values: unknown[]) => void) =>
    createRuntime({
      store,
      agents: kinds,
      telemetry: openTelemetry({ tracerProvider: false, meterProvider: collected.provider, storeCounts }),
      ...(logger === undefined ? {} : { logger }),
    });

  it('count turns, commits, checkpoints, recoveries, activities, breakers, dead letters and what the store holds', async () => {
    const store = memory();
    {
      await using runtime = await open(store);
      await runtime.spawn('breaker', { id: 'b-1' });
    }
    await using runtime = await open(store);
    const agent = runtime.agent<'breaker'>('b-1');
    for (let n = 0; n < 5; n += 1) await agent.send({ type: 'UP' });
    await (await runtime.spawn('caller', { id: 'c-1' })).result();
    await runtime
      .agent<'caller'>('c-1')
      .send({ type: 'LATE' } as never)
      .catch(() => undefined);
    const metrics = await collected.collect();
    const units = Object.fromEntries([...metrics].map(([name, { descriptor }]) => [name, descriptor.unit]));
    expect(units).to.include({
      'statewarden.turn.duration': 's',
      'statewarden.commit.duration': 's',
      'statewarden.commit.size': '{turn}',
      'statewarden.commit.bytes': 'By',
      'statewarden.checkpoint.duration': 's',
      'statewarden.checkpoint.size': 'By',
      'statewarden.state.growth': 'By',
      'statewarden.recovery.duration': 's',
      'statewarden.activity.duration': 's',
      'statewarden.activity.phases': '{phase}',
      'statewarden.dead_letters': '{message}',
      'statewarden.dead_letters.waiting': '{message}',
      'statewarden.mailbox.depth': '{message}',
      'statewarden.agents': '{agent}',
      'statewarden.agents.resident': '{agent}',
      'statewarden.breakers': '{breaker}',
      'statewarden.store.size': 'By',
    });
    const points = (name: string) => metrics.get(name)?.dataPoints ?? [];
    const countOf = (name: string, attributes: Record<string, unknown>): unknown => {
      const point = points(name).find((one) => Object.entries(attributes).every(([key, value]) => one.attributes[key] === value));
      const value = point?.value;
      return typeof value === 'object' ? (value as { readonly count: number }).count : value;
    };
    // Of both lives: the provider is the process's.
    expect(countOf('statewarden.turn.duration', { 'statewarden.agent.kind': 'breaker' })).to.equal(6);
    expect(
      countOf('statewarden.recovery.duration', { 'statewarden.agent.kind': 'breaker', 'statewarden.recovery.outcome': 'resumed' }),
    ).to.equal(1);
    expect(
      countOf('statewarden.activity.duration', { 'statewarden.activity.name': 'call', 'statewarden.activity.phase': 'failed' }),
    ).to.equal(1);
    expect(countOf('statewarden.dead_letters', { 'statewarden.dead_letter.reason': 'agent-ended' })).to.equal(1);
    expect(countOf('statewarden.dead_letters.waiting', {})).to.equal(1);
    expect(countOf('statewarden.agents', { 'statewarden.agent.status': 'done' })).to.equal(1);
    expect(countOf('statewarden.agents', { 'statewarden.agent.status': 'active' })).to.equal(1);
    expect(countOf('statewarden.breakers', { 'statewarden.breaker.name': 'calls', 'statewarden.breaker.state': 'open' })).to.equal(1);
    expect(countOf('statewarden.breakers', { 'statewarden.breaker.name': 'calls', 'statewarden.breaker.state': 'closed' })).to.equal(0);
    expect(countOf('statewarden.mailbox.depth', {})).to.equal(0);
    const { counts } = { counts: await runtime.store.counts() };
    expect(countOf('statewarden.store.size', {})).to.equal(counts.bytes);
    const growth = points('statewarden.state.growth').reduce((sum, { value }) => sum + (value as number), 0);
    expect(growth).to.be.greaterThan(0);
    const attributes = [...metrics.values()].flatMap(({ dataPoints }) => dataPoints.flatMap((point) => Object.values(point.attributes)));
    expect(attributes.filter((value) => /^[bc]-1/.test(String(value)))).to.deep.equal([]);
  });

  it('read the store once for each collection, and not at all when told so', async () => {
    const store = faultyStore(memory());
    {
      await using runtime = await open(store);
      await runtime.spawn('breaker', { id: 'b-1' });
      const before = store.calls('counts');
      await collected.collect();
      await collected.collect();
      expect(store.calls('counts') - before).to.equal(2);
    }
    const after = store.calls('counts');
    // One that was closed is not asked any more.
    await collected.collect();
    expect(store.calls('counts')).to.equal(after);
    await using silent = await open(store, false);
    expect((await collected.collect()).has('statewarden.agents.resident')).to.equal(true);
    expect(store.calls('counts')).to.equal(after);
    expect(silent.store.node).to.be.greaterThan(0);
  });

  it('leave the runtime alone when the store does not answer', async () => {
    const store = faultyStore(memory());
    const told: unknown[] = [];
    await using runtime = await open(store, true, (...values) => told.push(...values));
    const agent = await runtime.spawn('breaker', { id: 'b-1' });
    store.plan('counts', { fault: 'before' });
    const metrics = await collected.collect();
    expect(metrics.get('statewarden.agents.resident')?.dataPoints[0]?.value).to.equal(1);
    expect(metrics.get('statewarden.mailbox.depth')?.dataPoints ?? []).to.deep.equal([]);
    expect(told[0]).to.equal('telemetry:');
    expect(told[1]).to.have.property('code', 'STORE_UNAVAILABLE');
    await agent.send({ type: 'UP' });
  });

  it('refuse what provides nothing', () => {
    for (const options of [{ tracerProvider: {} }, { meterProvider: null }, { tracerProvider: 'otlp' }]) {
      expect(() => openTelemetry(options as never))
        .to.throw()
        .with.property('code', 'BAD_INPUT');
    }
  });

  it('refuse what is no telemetry', async () => {
    for (const telemetry of [null, 'on', {}]) {
      const refused = await createRuntime({ store: memory(), agents, telemetry: telemetry as never }).catch((error: unknown) => error);
      expect(refused).to.have.property('code', 'BAD_INPUT');
    }
  });
});
