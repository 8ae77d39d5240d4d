/** One store with one latency: what a load costs at the wire, and what Google's own client reaches over the same wire afterwards. */

import { join } from 'node:path';
import { measure } from '../child.js';
import { median, round } from '../statistics.js';
import type { LoadFigures, LoadParameters, Span, Stage } from './load.js';
import type { Place } from './places.js';
import type { RawFigures, RawParameters } from './raw.js';
import { CountingWire, type CloudStore, type Purpose, type Server } from './servers.js';

export interface Sizes {
  readonly agents: number;
  readonly warmMs: number;
  readonly idleMs: number;
  readonly loneMs: number;
  readonly loadMs: number;
  readonly rawMs: number;
}

/** Of the raw client's batches. */
export const batchSize = 20;

/** What must be reached, under load. */
export const limits = { roundTripsPerGroup: 1, eventsPerGroup: 20 } as const;

export interface StageFigures {
  readonly seconds: number;
  readonly acknowledged: number;
  readonly eventsPerSecond: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly groups: number;
  readonly eventsPerGroup: { readonly mean: number; readonly p50: number; readonly max: number };
  /** Calls that carry events, and any that nobody knows the purpose of. */
  readonly roundTrips: number;
  readonly roundTripsPerGroup: number;
  readonly roundTripsPerEvent: number;
  /** All calls at the wire, by name and purpose. */
  readonly wire: Readonly<Record<string, number>>;
  /** What was sent for a purpose that nobody knows. */
  readonly unknown: readonly string[];
  /** The same for what goes by the clock and not by events. */
  readonly otherCallsPerSecond: Readonly<Record<string, number>>;
  /** All requests by the driver's own count, and the same at the wire; null where the driver does not count. */
  readonly counted: { readonly driver: number; readonly wire: number } | null;
}

export interface Measured {
  readonly latencyMs: number;
  readonly bytesPerEvent: number;
  /** Calls a second while nothing is sent. */
  readonly idleCallsPerSecond: Readonly<Record<string, number>>;
  readonly lone: StageFigures;
  readonly load: StageFigures;
  readonly raw: RawFigures;
  readonly ratios: {
    /** Durable events/s against documents or rows/s of the raw client, each committed alone or in batches of twenty. */
    readonly vsOneAtATime: number;
    readonly vsBatches: number;
    /** Times of a lone agent's acknowledged send and of the raw client's commit. */
    readonly loneVsRawCommit: number;
  };
  readonly met: { readonly roundTripsPerGroup: boolean; readonly eventsPerGroup: boolean };
}

export async function measureStore(store: CloudStore, server: Server, latencyMs: number, sizes: Sizes): Promise<Measured> {
  const place = await server.place();
  const wire = await CountingWire.start(place.port, store, latencyMs);
  try {
    const behind: Place = { ...place, port: wire.port };
    const { agents, warmMs, idleMs, loneMs, loadMs, rawMs } = sizes;
    const figures = await run<LoadFigures>('load', { place: behind, agents, warmMs, idleMs, loneMs, loadMs } satisfies LoadParameters);
    const { bytesPerEvent } = figures.load;
    const raw = await run<RawFigures>('raw', {
      place: behind,
      bytes: bytesPerEvent,
      batch: batchSize,
      warmMs: rawMs / 4,
      ms: rawMs,
    } satisfies RawParameters);
    const load = stageFigures(figures.load, wire);
    const lone = stageFigures(figures.lone, wire);
    return {
      latencyMs,
      bytesPerEvent,
      idleCallsPerSecond: perSecond(wire.within(figures.idle), figures.idle),
      lone,
      load,
      raw,
      ratios: {
        vsOneAtATime: round(load.eventsPerSecond / raw.one.perSecond),
        vsBatches: round(load.eventsPerSecond / raw.batch.perSecond),
        loneVsRawCommit: round(lone.ackP50Ms / raw.one.p50Ms),
      },
      met: {
        // A request may begin before the stretch that is measured and be answered within it, or the other way round.
        roundTripsPerGroup: Math.round(load.roundTripsPerGroup * load.groups) <= limits.roundTripsPerGroup * load.groups + 1,
        eventsPerGroup: load.eventsPerGroup.mean >= limits.eventsPerGroup,
      },
    };
  } finally {
    await wire.stop();
  }
}

/** Far longer than any of them takes. */
const timeoutMs = 180_000;

function run<T>(script: string, parameters: object): Promise<T> {
  return measure<T>({ script: join(import.meta.dirname, `${script}.js`), parameters, timeoutMs });
}

function stageFigures(stage: Stage, wire: CountingWire): StageFigures {
  const { span, acknowledged, groups, calls } = stage;
  const seconds = (span.until - span.from) / 1_000;
  const number = (...purposes: readonly Purpose[]): number => purposes.reduce((all, purpose) => all + sum(wire.within(span, purpose)), 0);
  const roundTrips = number('group', 'other');
  const events = groups.reduce((all, turns) => all + turns, 0);
  const isCounted = Object.keys(calls).length > 0;
  return {
    seconds: round(seconds),
    acknowledged,
    eventsPerSecond: round(acknowledged / seconds),
    ackP50Ms: stage.p50Ms,
    ackP99Ms: stage.p99Ms,
    groups: groups.length,
    eventsPerGroup: { mean: round(events / groups.length), p50: median(groups), max: Math.max(...groups) },
    roundTrips,
    roundTripsPerGroup: round(roundTrips / groups.length),
    roundTripsPerEvent: round(roundTrips / acknowledged),
    wire: wire.within(span),
    unknown: wire.unknown(span),
    otherCallsPerSecond: perSecond({ ...wire.within(span, 'lease'), ...wire.within(span, 'mail'), ...wire.within(span, 'look') }, span),
    counted: isCounted ? { driver: sum(calls), wire: number('group', 'other', 'look', 'lease') } : null,
  };
}

function perSecond(counts: Readonly<Record<string, number>>, { from, until }: Span): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, round(count / ((until - from) / 1_000), 3)]));
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
