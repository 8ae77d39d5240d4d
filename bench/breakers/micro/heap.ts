/** What breakers weigh, with a little traffic in each, and how many timers they keep. A process of its own, with the collector at hand. */

import { adaptiveBreaker, breakerRegistry } from '../../statewarden.js';
import { answer, parameters } from '../../processes/parameters.js';
import { cockatiel, opossum } from '../policies/peers.js';

const { count, contender } = parameters<{ readonly count: number; readonly contender: string }>();
const collect = (globalThis as { gc?: () => void }).gc as () => void;

/** Array buffers are among what is external. */
function bytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Immediate').length;
const callsEach = 5;
const failure = new Error('the service failed');
const call = async (index: number): Promise<number> => {
  if (index === 0) throw failure;
  return index;
};

const keys = Array.from({ length: count }, (_, index) => `provider/model-${String(index)}`);
const kept: object[] = [];
const before = bytes();
if (contender === 'statewarden') {
  const registry = breakerRegistry(adaptiveBreaker({ name: 'llm' }), { maximum: count });
  kept.push(registry);
  for (const key of keys) {
    for (let index = 0; index < callsEach; index += 1) await registry.get(key).execute(() => call(index)).catch(() => undefined); // prettier-ignore
  }
} else if (contender === 'cockatiel') {
  const { circuitBreaker, handleAll, SamplingBreaker } = await cockatiel();
  for (let each = 0; each < count; each += 1) {
    const policy = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000 }) });
    kept.push(policy);
    for (let index = 0; index < callsEach; index += 1) await policy.execute(() => call(index)).catch(() => undefined);
  }
} else {
  const Opossum = opossum();
  for (let each = 0; each < count; each += 1) {
    const breaker = new Opossum((run: () => Promise<number>) => run(), { timeout: false });
    kept.push(breaker);
    for (let index = 0; index < callsEach; index += 1) await breaker.fire(() => call(index)).catch(() => undefined);
  }
}
const weight = (bytes() - before) / count;
answer({ contender, count, bytes: weight, timers: timers(), kept: kept.length });
process.exit(0);
