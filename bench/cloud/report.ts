/** What was measured of a store, as rows of the table and lines below it. */

import { milliseconds, perSecond, times } from '../format.js';
import type { Row } from '../workload.js';
import { batchSize, limits, type Measured, type StageFigures } from './measurement.js';

export function rowsOf(title: string, agents: number, { latencyMs, load, lone, raw, ratios, met }: Measured): Row[] {
  const workload = `${title}, ${String(latencyMs)} ms`;
  const row = (measure: string, ours: string, more: Partial<Row> = {}): Row => ({
    workload,
    measure,
    ours,
    against: '',
    theirs: '',
    ratio: '',
    ...more,
  });
  const { mean, p50, max } = load.eventsPerGroup;
  return [
    row(`${String(agents)} agents, durable events`, perSecond(load.eventsPerSecond), {
      against: 'raw client, one at a time',
      theirs: perSecond(raw.one.perSecond),
      ratio: times(ratios.vsOneAtATime),
    }),
    row('', '', {
      against: `raw client, ${String(batchSize)} at a time`,
      theirs: perSecond(raw.batch.perSecond),
      ratio: times(ratios.vsBatches),
    }),
    row('acknowledged send, p50', milliseconds(load.ackP50Ms)),
    row('acknowledged send, p99', milliseconds(load.ackP99Ms)),
    row('one agent alone, p50', milliseconds(lone.ackP50Ms), {
      against: 'raw client, a commit of one',
      theirs: milliseconds(raw.one.p50Ms),
      ratio: times(ratios.loneVsRawCommit),
    }),
    row('one agent alone, p99', milliseconds(lone.ackP99Ms), {
      against: 'raw client, a commit of one',
      theirs: milliseconds(raw.one.p99Ms),
    }),
    row('events a group, mean', mean.toFixed(1), { goal: `≥ ${String(limits.eventsPerGroup)}`, met: met.eventsPerGroup }),
    row('events a group, p50 and max', `${String(p50)}, ${String(max)}`),
    row('round trips a group', load.roundTripsPerGroup.toFixed(3), {
      goal: `≤ ${String(limits.roundTripsPerGroup)}`,
      met: met.roundTripsPerGroup,
    }),
    row('round trips an event', load.roundTripsPerEvent.toFixed(4), { against: 'raw client, one at a time', theirs: '1' }),
  ];
}

/** What went over the wire. */
export function notesOf(title: string, { latencyMs, load, idleCallsPerSecond }: Measured): string[] {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${String(count)} ${name}`)
      .join(', ') || 'none';
  return [
    `${title}, ${String(latencyMs)} ms: ${String(load.acknowledged)} events acknowledged in ${String(load.groups)} groups; at the wire ${list(load.wire)}${difference(load)}`,
    `  by the clock, a second: ${list(load.otherCallsPerSecond)}; when nothing is sent: ${list(idleCallsPerSecond)}`,
    ...load.unknown.map((text) => `  of unknown purpose: ${text}`),
  ];
}

function difference({ counted }: StageFigures): string {
  if (counted === null) return '';
  const { driver, wire } = counted;
  return driver === wire
    ? `; the driver’s onCall counts the same ${String(driver)}`
    : `; the driver’s onCall counts ${String(driver)}, the wire ${String(wire)}`;
}
