/**
 * A runtime's metrics, from its events and, for gauges, from its store: once for each collection, however many gauges read it. Attributes have few values, and no agent's id is among them. Nothing of this reaches the runtime: what fails is told
 * to its logger.
 */

import type { Attributes, BatchObservableCallback, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { Subscription } from '../../core/observables.js';
import { BadInputError } from '../../core/errors.js';
import type { RuntimeEvent } from '../../core/runtime-event.js';
import type { TelemetrySource } from '../telemetry.js';

interface MetricsOptions {
  readonly storeCounts: boolean;
  readonly failed: (error: unknown) => void;
}

/** Histograms of seconds. */
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const bytes = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
const amounts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

const states = ['closed', 'degraded', 'open', 'ramping', 'isolated'] as const;

export class Metrics {
  readonly #meter: Meter;
  readonly #options: MetricsOptions;
  readonly #record: (event: RuntimeEvent) => void;
  #subscription: Subscription | undefined;
  #collecting: { readonly callback: BatchObservableCallback; readonly gauges: Observable[] } | undefined;

  constructor(meter: Meter, options: MetricsOptions) {
    this.#meter = meter;
    this.#options = options;
    this.#record = recorder(meter);
  }

  start(source: TelemetrySource): void {
    if (this.#subscription !== undefined)
      throw new BadInputError('one opened telemetry was given two runtimes', { hint: 'It is opened anew for each.' });
    const { failed } = this.#options;
    this.#subscription = source.events.subscribe((event) => {
      try {
        this.#record(event);
      } catch (error) {
        failed(error);
      }
    });
    const observe = [standing(this.#meter, source)];
    const stored = this.#options.storeCounts ? holding(this.#meter, source) : undefined;
    if (stored !== undefined) observe.push(stored);
    const callback: BatchObservableCallback = async (result) => {
      for (const gauges of observe) await gauges.observe(result).catch(failed);
    };
    const gauges = observe.flatMap((one) => one.gauges);
    this.#meter.addBatchObservableCallback(callback, gauges);
    this.#collecting = { callback, gauges };
  }

  stop(): void {
    this.#subscription?.unsubscribe();
    if (this.#collecting !== undefined) this.#meter.removeBatchObservableCallback(this.#collecting.callback, this.#collecting.gauges);
    this.#collecting = undefined;
  }
}

interface Gauges {
  readonly gauges: Observable[];
  observe(result: BatchObservableResult): Promise<void>;
}

/** What is so in this process. */
function standing(meter: Meter, source: TelemetrySource): Gauges {
  const resident = meter.createObservableGauge('statewarden.agents.resident', { unit: '{agent}', description: 'Agents in memory' });
  const breakers = meter.createObservableGauge('statewarden.breakers', {
    unit: '{breaker}',
    description: 'Breakers in a state; of the keys of a registry, so many',
  });
  return {
    gauges: [resident, breakers],
    async observe(result) {
      result.observe(resident, source.resident());
      const counted = new Map<string, { readonly level: string; readonly counts: Map<string, number> }>();
      for (const { name, level, state } of source.breakers()) {
        const [registry = name] = name.split('/');
        let of = counted.get(registry);
        if (of === undefined) counted.set(registry, (of = { level, counts: new Map(states.map((one) => [one, 0])) }));
        of.counts.set(state, (of.counts.get(state) ?? 0) + 1);
      }
      for (const [name, { level, counts }] of counted) {
        for (const [state, count] of counts) {
          result.observe(breakers, count, {
            'statewarden.breaker.name': name,
            'statewarden.breaker.level': level,
            'statewarden.breaker.state': state,
          });
        }
      }
    },
  };
}

/** What the store holds, of all nodes. */
function holding(meter: Meter, source: TelemetrySource): Gauges {
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`statewarden.${name}`, { unit, description });
  const agents = gauge('agents', '{agent}', 'Agents in the store');
  const mailbox = gauge('mailbox.depth', '{message}', 'Messages that wait in mailboxes');
  const letters = gauge('dead_letters.waiting', '{message}', 'Dead letters that wait for somebody');
  const timers = gauge('timers', '{timer}', 'Timers that are set');
  const operations = gauge('operations.open', '{operation}', 'Operations without an outcome');
  const effects = gauge('effects.unsettled', '{effect}', 'Named actions that were committed and not yet run');
  const size = gauge('store.size', 'By', 'Bytes that the store takes');
  return {
    gauges: [agents, mailbox, letters, timers, operations, effects, size],
    async observe(result) {
      const counts = await source.counts();
      for (const [status, count] of Object.entries(counts.agents)) result.observe(agents, count, { 'statewarden.agent.status': status });
      result.observe(mailbox, counts.mailbox);
      result.observe(letters, counts.deadLetters);
      result.observe(timers, counts.timers);
      result.observe(operations, counts.openOperations);
      result.observe(effects, counts.unsettledEffects);
      result.observe(size, counts.bytes);
    },
  };
}

/** What happens. */
function recorder(meter: Meter): (event: RuntimeEvent) => void {
  const histogram = (name: string, unit: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(`statewarden.${name}`, { unit, description, advice: { explicitBucketBoundaries } });
  const counter = (name: string, unit: string, description: string) => meter.createCounter(`statewarden.${name}`, { unit, description });
  const turns = histogram('turn.duration', 's', 'How long turns run in memory', seconds);
  const commits = histogram('commit.duration', 's', 'From the sealing of a commit group until it is durable', seconds);
  const groups = histogram('commit.size', '{turn}', 'Turns in a commit group', amounts);
  const written = counter('commit.bytes', 'By', 'Bytes of journals and checkpoints that became durable');
  const checkpoints = histogram('checkpoint.duration', 's', 'The same, of groups with a checkpoint', seconds);
  const sizes = histogram('checkpoint.size', 'By', 'Size of checkpoints', bytes);
  const growth = meter.createUpDownCounter('statewarden.state.growth', {
    unit: 'By',
    description: 'By how much checkpoints were larger than the ones before',
  });
  const recoveries = histogram('recovery.duration', 's', 'How long it took to bring agents back', seconds);
  const restarts = counter('restarts', '{restart}', 'Agents brought up again by their supervisors');
  const attempts = histogram('activity.duration', 's', 'How long attempts of activities took', seconds);
  const news = counter('activity.phases', '{phase}', 'What became of operations');
  const letters = counter('dead_letters', '{message}', 'Events that no agent could take');
  const changes = counter('breaker.changes', '{change}', 'Changes of the state of breakers');
  const kindOf = (kind: string): Attributes => ({ 'statewarden.agent.kind': kind });
  return (event) => {
    switch (event.type) {
      case 'turn':
        turns.record(event.durationMs / 1_000, kindOf(event.kind));
        return;
      case 'commit':
        commits.record(event.durationMs / 1_000);
        if (event.turns > 0) groups.record(event.turns);
        if (event.checkpoints > 0) checkpoints.record(event.durationMs / 1_000);
        written.add(event.bytes);
        return;
      case 'checkpoint':
        sizes.record(event.bytes, kindOf(event.kind));
        growth.add(event.grownBytes, kindOf(event.kind));
        return;
      case 'recovery':
        recoveries.record(event.durationMs / 1_000, { ...kindOf(event.kind), 'statewarden.recovery.outcome': event.outcome });
        return;
      case 'restarted':
        restarts.add(1, kindOf(event.kind));
        return;
      case 'activity': {
        const attributes = { 'statewarden.activity.name': event.activity, 'statewarden.activity.phase': event.phase };
        news.add(1, attributes);
        if (event.durationMs !== undefined) attempts.record(event.durationMs / 1_000, attributes);
        return;
      }
      case 'dead-letter':
        letters.add(1, { 'statewarden.dead_letter.reason': event.reason });
        return;
      case 'breaker': {
        const [registry = event.breaker] = event.breaker.split('/');
        changes.add(1, {
          'statewarden.breaker.name': registry,
          'statewarden.breaker.level': event.level,
          'statewarden.breaker.state': event.to,
        });
        return;
      }
      default:
    }
  };
}
