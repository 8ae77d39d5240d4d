/** Plays a scenario with a policy and a seed, and gives back what happened. Deterministic: the same three give the same recording. */

import type { Guard, Policy } from '../policies/policy.js';
import { Calendar, firstMonday, peakRate, secondMs, weekMs } from './calendar.js';
import { Callers } from './callers.js';
import { Conditions } from './conditions.js';
import { Recording } from './recording.js';
import type { Scenario } from '../scenarios/scenario.js';
import { Seeded } from './seeded.js';
import { Service } from './service.js';
import { VirtualTime } from './virtual-time.js';

export interface Run {
  readonly recording: Recording;
  /** What the policy learned, when it can say. */
  readonly saved: unknown;
}

const oldMs = 5_000;

export async function play(scenario: Scenario, policy: Policy, seed: number, saved?: unknown): Promise<Run> {
  const beginAt = firstMonday + scenario.week * weekMs + scenario.beginMs;
  const endAt = beginAt + scenario.lengthMs;
  const stream = (name: string): Seeded => new Seeded(seed, `${name}-${String(scenario.week)}`);
  const time = new VirtualTime(beginAt);
  const calendar = new Calendar(seed, { from: beginAt, to: endAt, withBlips: scenario.blips });
  const conditions = new Conditions(calendar, beginAt, scenario.faults);
  const service = new Service(time, stream('service'), conditions, scenario.shortage ?? 'slower');
  const recording = new Recording(beginAt, scenario.lengthMs);
  const park = scenario.callers === 'park';
  const nodes = scenario.fleet?.nodes ?? 1;

  // Made inside the run: a library's timers must be virtual from the first.
  const guards: Guard[] = [];
  const callers: Callers[] = [];
  const states: string[] = [];
  const begin = (): void => {
    for (let node = 0; node < nodes; node += 1) {
      const guard = policy.make({
        clock: time,
        random: stream(`guard-${String(node)}`),
        node: `node-${String(node)}`,
        nodes,
        park,
        saved,
        service,
        conditions,
      });
      guards.push(guard);
      states.push(guard.state());
      callers.push(
        new Callers({
          time,
          service,
          conditions,
          recording,
          random: stream(`retries-${String(node)}`),
          guard,
          node,
          manner: scenario.callers,
          detailed: scenario.detailed,
        }),
      );
      arrive(node, stream(`arrivals-${String(node)}`));
    }
    if (scenario.fleet?.shared === true && guards.some((guard) => guard.exchange !== undefined)) exchange();
    sample();
    for (const fault of scenario.faults) if (fault.kind === 'outage') time.at(beginAt + fault.fromMs, () => service.goDown());
  };

  /** A Poisson process whose rate follows the day: drawn at the peak's rate and thinned. */
  const arrive = (node: number, random: Seeded): void => {
    const most = scenario.fleet?.ratePerNode ?? peakRate;
    const next = (): void => {
      const now = time.now();
      if (scenario.fleet !== undefined || random.next() * most < calendar.rate(now)) callers[node]?.request();
      time.at(now + random.exponential(secondMs / most), next);
    };
    time.at(beginAt + random.exponential(secondMs / most), next);
  };

  const exchange = (): void => {
    guards.forEach((from, node) => {
      const counters = from.exchange?.();
      if (counters === undefined) return;
      guards.forEach((to, other) => other !== node && to.hear?.(`node-${String(node)}`, counters));
    });
    time.settled();
    time.at(time.now() + secondMs, exchange);
  };

  const sample = (): void => {
    const now = time.now();
    recording.sample(now, {
      waiting: scenario.detailed ? callers.reduce((sum, each) => sum + each.waitingSince(now - oldMs), 0) : 0,
      capacity: conditions.capacity(now),
      threshold: guards[0]?.threshold?.(),
      rate: guards[0]?.admittedRate?.(),
    });
    time.at(now + secondMs, sample);
  };

  const observe = (): void => {
    for (let node = 0; node < guards.length; node += 1) {
      const state = guards[node]!.state();
      if (state === states[node]) continue;
      recording.changed(time.now(), node, states[node] ?? state, state);
      states[node] = state;
    }
  };

  time.at(beginAt, begin);
  await time.run(endAt, observe);
  return { recording, saved: guards[0]?.saved?.() };
}
