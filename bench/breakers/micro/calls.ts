/**
 * What a guarded call costs: closed, failing with ten thousand calls in the window, and refused. Contenders take turns, so that a noisy moment meets all of them; medians. A process of its own, with real time.
 */

import { adaptiveBreaker, consecutiveBreaker, slidingWindowBreaker, type Breaker } from '../../statewarden.js';
import { answer, parameters } from '../../processes/parameters.js';
import { median } from '../../statistics.js';
import { cockatiel, opossum } from '../policies/peers.js';

const { calls, rounds } = parameters<{ readonly calls: number; readonly rounds: number }>();

interface Contender {
  readonly ours: boolean;
  execute(call: () => Promise<number>): Promise<unknown>;
}

const succeed = async (): Promise<number> => 1;
const failure = new Error('the service failed');
const fail = async (): Promise<number> => {
  throw failure;
};

async function contenders(): Promise<Map<string, Contender>> {
  const own = (breaker: Breaker): Contender => ({ ours: true, execute: (call) => breaker.execute(call) });
  const { circuitBreaker, handleAll, ConsecutiveBreaker, SamplingBreaker } = await cockatiel();
  const Opossum = opossum();
  const consecutive = circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker: new ConsecutiveBreaker(5) });
  const sampling = circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000 }) });
  const fired = new Opossum((call: () => Promise<number>) => call(), { timeout: false, resetTimeout: 60_000 });
  return new Map<string, Contender>([
    ['adaptive', own(adaptiveBreaker({ name: 'adaptive' }))],
    ['sliding window', own(slidingWindowBreaker({ name: 'sliding-window' }))],
    ['consecutive', own(consecutiveBreaker({ name: 'consecutive' }))],
    ['cockatiel consecutive', { ours: false, execute: (call) => consecutive.execute(call) }],
    ['cockatiel sampling', { ours: false, execute: (call) => sampling.execute(call) }],
    ['opossum', { ours: false, execute: (call) => fired.fire(call) }],
  ]);
}

/** Nanoseconds a call. */
async function timed(count: number, run: () => Promise<void>): Promise<number> {
  const begin = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - begin) / count;
}

async function repeat(count: number, call: () => Promise<unknown>): Promise<void> {
  for (let index = 0; index < count; index += 1) await call();
}

async function failing(count: number, contender: Contender): Promise<void> {
  for (let index = 0; index < count; index += 1) await contender.execute(fail).catch(() => undefined);
}

/** A failure and four successes, so that nothing opens. */
async function mixed(count: number, contender: Contender): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await contender.execute(fail).catch(() => undefined);
    await repeat(4, () => contender.execute(succeed));
  }
}

const bare: number[] = [];
const bareFailing: number[] = [];
const closed = new Map<string, number[]>();
const failed = new Map<string, number[]>();
const refused = new Map<string, number>();
const note = (figures: Map<string, number[]>, name: string, figure: number): void => {
  const known = figures.get(name);
  if (known === undefined) figures.set(name, [figure]);
  else known.push(figure);
};

const all = await contenders();
for (let round = 0; round < rounds; round += 1) {
  bare.push(await timed(calls, () => repeat(calls, succeed)));
  for (const [name, contender] of all) note(closed, name, await timed(calls, () => repeat(calls, () => contender.execute(succeed))));
}
const failures = 2_000;
for (let round = 0; round < rounds; round += 1) {
  bareFailing.push(await timed(failures, async () => { for (let index = 0; index < failures; index += 1) await fail().catch(() => undefined); })); // prettier-ignore
  for (const [name] of all) {
    // Each with a window of its own, filled within a second.
    const contender = (await contenders()).get(name) as Contender;
    await repeat(10_000, () => contender.execute(succeed));
    const ok = await timed(failures * 4, () => repeat(failures * 4, () => contender.execute(succeed)));
    const both = await timed(failures, () => mixed(failures, contender));
    note(failed, name, both - 4 * ok);
  }
}
for (const [name] of all) {
  const contender = (await contenders()).get(name) as Contender;
  await failing(200, contender);
  const figures: number[] = [];
  for (let round = 0; round < rounds; round += 1) figures.push(await timed(calls / 10, () => failing(calls / 10, contender)));
  refused.set(name, median(figures));
}
/** The decision alone, with the error that tells of it, as the runtime asks for it. */
const breaker = adaptiveBreaker({ name: 'refusing' });
await failing(200, { ours: true, execute: (call) => breaker.execute(call) });
let seen = 0;
const decision = await timed(calls, async () => {
  for (let index = 0; index < calls; index += 1) {
    const leave = breaker.admit();
    if (leave.refused && leave.error().retryAfterMs > 0) seen += 1;
  }
});

answer({
  bare: median(bare),
  bareFailing: median(bareFailing),
  decision,
  decisionsRefused: seen / calls,
  contenders: [...all].map(([name, { ours }]) => ({
    name,
    ours,
    closed: median(closed.get(name) as number[]),
    failing: median(failed.get(name) as number[]),
    refusing: refused.get(name) as number,
  })),
});
process.exit(0);
