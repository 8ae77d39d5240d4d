/**
 * The gateway's mind against a world that does its worst: requests with one key at several gateways, a store whose replies get lost, gateways that die
 * at any step, an upstream that answers, refuses, breaks off or falls silent, and time that passes. Whatever happens, upstream carries the operation
 * out at most once, unless it said that it did not; and all who are told what came of it are told the same.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { StoreUnavailableError } from 'statewarden';
import { memoryKeys, type KeyStore } from 'statewarden/gateway';
import { SimulatedClock } from 'statewarden/testing';
import { Flight, type FlightOptions, type Landing } from '#src/gateway/flight.js';
import type { Sent } from '#src/gateway/upstream.js';

/**
 * Of one call of the store: it works; it was not done; it was done and nobody heard; the gateway stood still before it
 * for longer than its lease; it died before, or after it.
 */
const faults = ['none', 'none', 'none', 'not done', 'done unheard', 'slow', 'died before', 'died after'] as const;
type Fault = (typeof faults)[number];

/** `gone`: carried out, and the gateway died before the answer came. */
const behaviours = ['ok', 'ok', 'error', 'no-store', 'large', 'busy', 'refused', 'reset', 'lost', 'gone'] as const;
type Behaviour = (typeof behaviours)[number];

interface Step {
  readonly requests: number;
  readonly faults: readonly Fault[];
  readonly behaviour: Behaviour;
  readonly ms: number;
  readonly other: boolean;
}

const never = new Promise<never>(() => undefined);

/** One gateway's way to the store, that does to each call what the step says. */
function faulty(store: KeyStore, plan: Fault[], clock: SimulatedClock): KeyStore {
  const dead = { is: false };
  const through = async <T>(call: () => Promise<T>): Promise<T> => {
    const fault = dead.is ? 'died before' : (plan.shift() ?? 'none');
    if (fault === 'died before' || fault === 'died after') dead.is = true;
    if (fault === 'died before') return never;
    const unheard = new StoreUnavailableError(fault, { hint: 'a test' });
    if (fault === 'not done') throw unheard;
    if (fault === 'slow') await new Promise<void>((resolve) => clock.setTimeout(resolve, 1_500));
    const value = await call();
    if (fault === 'done unheard') throw unheard;
    return fault === 'died after' ? never : value;
  };
  return {
    name: 'faulty',
    open: () => store.open(),
    close: () => store.close(),
    health: () => store.health(),
    claim: (...args) => through(() => store.claim(...args)),
    markSent: (...args) => through(() => store.markSent(...args)),
    renew: (...args) => (dead.is ? never : store.renew(...args)),
    settle: (...args) => through(() => store.settle(...args)),
    release: (...args) => through(() => store.release(...args)),
  };
}

async function run(steps: readonly Step[], onUnknown: 'hold' | 'release'): Promise<{ carriedOut: number; told: Set<string> }> {
  const clock = new SimulatedClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const store = memoryKeys({ clock });
  let ids = 0;
  let carriedOut = 0;
  const told = new Set<string>();
  const send = async (behaviour: Behaviour): Promise<Sent> => {
    const does = !['busy', 'refused', 'lost'].includes(behaviour);
    if (does) carriedOut += 1;
    const body = Buffer.from(`operation ${carriedOut}`);
    const answer = (status: number, headers: [string, string][] = []): Sent => ({ kind: 'answer', answer: { status, headers, body } });
    await Promise.resolve();
    switch (behaviour) {
      case 'ok':
        return answer(200);
      case 'error':
        return answer(500);
      case 'no-store':
        return answer(200, [['Cache-Control', 'no-store']]);
      case 'large':
        return { kind: 'large', head: { status: 200, headers: [] }, body: undefined as never };
      case 'busy':
        return answer(429);
      case 'refused':
        return { kind: 'unreachable', detail: 'refused' };
      case 'reset':
      case 'lost':
        return { kind: 'broken', reason: 'reset', detail: behaviour };
      case 'gone':
        return never;
    }
  };
  const listen = (landing: Landing): void => {
    if ('answer' in landing.first && 'body' in landing.first.answer && landing.first.answer.status !== 429) {
      told.add(Buffer.from(landing.first.answer.body).toString());
    }
  };
  for (const { requests, faults: plan, behaviour, ms, other } of steps) {
    for (let nth = 0; nth < requests; nth += 1) {
      const options: FlightOptions = {
        store: faulty(store, [...plan], clock),
        upstream: { send: () => send(behaviour) },
        clock,
        random: { next: () => 0, id: () => `token ${(ids += 1)}` },
        header: 'Idempotency-Key',
        notStoredHeader: 'Idempotency-Stored',
        onUnknown,
        ttlMs: 86_400_000,
        leaseMs: 1_000,
        waitMs: 60_000,
        maximumAnswerBytes: 1_000,
      };
      const flight = new Flight(
        'key',
        other ? 'another request' : 'the request',
        { method: 'POST', target: '/', headers: [] },
        Buffer.from(''),
        options,
      );
      flight.passengers = 1;
      void flight.landing.then(listen);
    }
    await clock.advance(ms);
  }
  await clock.advance(5_000);
  return { carriedOut, told };
}

const step = fc.record({
  requests: fc.integer({ min: 1, max: 3 }),
  faults: fc.array(fc.constantFrom(...faults), { maxLength: 5 }),
  behaviour: fc.constantFrom(...behaviours),
  ms: fc.constantFrom(0, 5, 100, 700, 1_500),
  other: fc.constantFrom(false, false, false, true),
});
const numRuns = 300 * Number(process.env['PROPERTY_RUNS'] ?? 1);

describe('the gateway against its worst world', function () {
  this.timeout(120_000 * Number(process.env['PROPERTY_RUNS'] ?? 1));

  it('has an operation carried out at most once, and tells all the same of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const { carriedOut, told } = await run(steps, 'hold');
        expect(carriedOut).to.be.at.most(1);
        expect(told.size).to.be.at.most(1);
      }),
      { numRuns },
    );
  });

  it('has it carried out in the end when nothing goes wrong any more and nothing is unknown', async () => {
    const harmless = fc.record({ ...stepParts(), behaviour: fc.constantFrom('busy' as const, 'refused' as const) });
    const last: Step = { requests: 1, faults: [], behaviour: 'ok', ms: 2_000, other: false };
    await fc.assert(
      fc.asyncProperty(fc.array(harmless, { maxLength: 6 }), async (steps) => {
        const before: Step[] = steps.map((one) => ({
          ...one,
          faults: one.faults.filter((fault) => fault === 'none' || fault === 'not done'),
        }));
        const { carriedOut, told } = await run([...before, { ...last, behaviour: 'busy', ms: 5_000 }, last], 'hold');
        expect(carriedOut).to.equal(1);
        expect([...told]).to.deep.equal(['operation 1']);
      }),
      { numRuns },
    );
  });

  it('may have it carried out twice only where it was told to release what is unknown', async () => {
    const twice: Step[] = [
      { requests: 1, faults: [], behaviour: 'reset', ms: 2_000, other: false },
      { requests: 1, faults: [], behaviour: 'ok', ms: 2_000, other: false },
    ];
    expect((await run(twice, 'hold')).carriedOut).to.equal(1);
    expect((await run(twice, 'release')).carriedOut).to.equal(2);
  });
});

function stepParts() {
  return {
    requests: fc.integer({ min: 1, max: 3 }),
    faults: fc.array(fc.constantFrom(...faults), { maxLength: 5 }),
    ms: fc.constantFrom(0, 5, 100, 700, 1_500),
    other: fc.constant(false),
  };
}
