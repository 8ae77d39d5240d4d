/** A breaker for each key, no more than so many; and the board that keeps those of one runtime. */

import { expect } from 'chai';
import fc from 'fast-check';
import { allOf } from '#src/breakers/all-of.js';
import { BreakerBoard, isGuardPattern, type GuardPattern } from '#src/breakers/board.js';
import {
  adaptiveBreaker,
  breakerRegistry,
  bulkhead,
  consecutiveBreaker,
  type Breaker,
  type BreakerChange,
  type BreakerOptions,
  type BreakerRegistry,
  type Permit,
} from '#src/breakers/index.js';
import { failing } from '../bad-input/failing.js';
import { runs } from '../properties/runs.js';
import { bad, chance, good, HandClock, once, permitOf, refusalOf, times } from './by-hand.js';

interface World {
  readonly clock: HandClock;
  readonly registry: BreakerRegistry;
}

function world(maximum: number, options: Partial<BreakerOptions & { failures: number }> = {}): World {
  const clock = new HandClock();
  const shared = { clock, random: chance(1) };
  return {
    clock,
    registry: breakerRegistry(consecutiveBreaker({ name: 'llm', failures: 1, ...shared, ...options }), { maximum, ...shared }),
  };
}

const keysOf = ({ registry }: World): string[] => [...registry.breakers()].map(({ name }) => name.slice(4)).sort();

describe('a registry', () => {
  it('makes a breaker for each key, named after both, and the same one again', () => {
    const { registry } = world(10);
    const a = registry.get('a');
    expect(a.name).to.equal('llm/a');
    expect(registry.get('a')).to.equal(a);
    expect(registry.get('b/c').name).to.equal('llm/b/c');
    permitOf(a).settle(bad);
    expect([a.state, registry.get('b/c').state]).to.deep.equal(['open', 'closed']);
    expect(refusalOf(registry.get('a')).key).to.equal('llm/a');
    expect(registry.size).to.equal(2);
  });

  it('lets the one go that was not used for longest', () => {
    const made = world(3);
    for (const key of ['a', 'b', 'c', 'a', 'd']) made.registry.get(key);
    expect(keysOf(made)).to.deep.equal(['a', 'c', 'd']);
    made.registry.get('e');
    expect(keysOf(made)).to.deep.equal(['a', 'd', 'e']);
  });

  it('never lets one go that is not closed or has calls under way; then calls fall to the parent', () => {
    const made = world(3);
    const { registry, clock } = made;
    permitOf(registry.get('open')).settle(bad);
    registry.get('isolated').isolate();
    const permit = permitOf(registry.get('busy'));
    expect(registry.get('more')).to.equal(registry.parent);
    expect(registry.parent.name).to.equal('llm');
    expect(keysOf(made)).to.deep.equal(['busy', 'isolated', 'open']);
    permit.settle(good);
    expect(registry.get('more').name).to.equal('llm/more');
    expect(keysOf(made)).to.deep.equal(['isolated', 'more', 'open']);
    const open = registry.get('open');
    clock.advance(6_000);
    times(200, () => {
      once(open, clock, good);
      clock.advance(300);
    });
    expect(open.state).to.equal('closed');
    registry.get('last');
    expect(keysOf(made)).to.deep.equal(['isolated', 'last', 'open']);
  });

  it('finds one that can go however many cannot', () => {
    const made = world(100);
    times(95, (index) => made.registry.get(`open ${index}`).isolate());
    times(5, (index) => made.registry.get(`well ${index}`));
    times(5, (index) => expect(made.registry.get(`new ${index}`).name).to.equal(`llm/new ${index}`));
    expect(made.registry.size).to.equal(100);
    expect(keysOf(made).filter((key) => key.startsWith('well'))).to.deep.equal([]);
  });

  it('takes what it stands within for the parent, and has its leave asked for every key', () => {
    const clock = new HandClock();
    const service = consecutiveBreaker({ name: 'provider', level: 'service', clock, random: chance(1) });
    const { registry } = world(1, { within: service });
    expect(registry.parent).to.equal(service);
    const permit = permitOf(registry.get('a'));
    expect(service.figures().inFlight).to.equal(1);
    expect(registry.get('b')).to.equal(service);
    permit.cancel();
    service.isolate();
    expect(refusalOf(registry.get('b'))).to.include({ key: 'provider', level: 'service' });
  });

  it('takes its time and chance from the pattern, when its options do not say', () => {
    const clock = new HandClock();
    const registry = breakerRegistry(consecutiveBreaker({ name: 'llm', failures: 1, clock, random: { next: () => 0.5, id: () => '' } }));
    permitOf(registry.get('a')).settle(bad);
    expect(registry.get('a').waitMs()).to.equal(5_000);
    clock.advance(5_000);
    expect(registry.get('a').state).to.equal('ramping');
  });

  it('tells of every change of every key', () => {
    const { registry, clock } = world(2);
    const changes: string[] = [];
    registry.changes$.subscribe(({ name, from, to }: BreakerChange) => changes.push(`${name} ${from} ${to}`));
    permitOf(registry.get('a')).settle(bad);
    registry.get('b').isolate();
    clock.advance(6_000);
    expect(registry.get('a').state).to.equal('ramping');
    expect(changes).to.deep.equal(['llm/a closed open', 'llm/b closed isolated', 'llm/a open ramping']);
  });

  it('keeps a breaker working that somebody still holds after its key went', () => {
    const { registry, clock } = world(1);
    const held = registry.get('a');
    const fresh = registry.get('b');
    expect(registry.size).to.equal(1);
    times(3, () => once(held, clock, good));
    once(held, clock, bad);
    expect(held.state).to.equal('open');
    expect(held.figures()).to.include({ calls: 4, failures: 1 });
    expect(fresh.figures()).to.include({ calls: 0, failures: 0 });
    expect([...registry.breakers()]).to.deep.equal([fresh]);
    expect(registry.get('a')).to.not.equal(held);
  });

  it('does not count its pattern, nor keys that went, among the children of a stage', () => {
    const clock = new HandClock();
    const stage = consecutiveBreaker({ name: 'stage', level: 'stage', failures: 1e9, openChildren: 1, clock, random: chance(1) });
    const { registry } = world(2, { within: stage });
    for (const key of ['a', 'b', 'c', 'd']) registry.get(key);
    registry.get('c').isolate();
    expect(stage.state).to.equal('closed');
    registry.get('d').isolate();
    expect(stage.state).to.equal('open');
  });

  it('is as a list that is kept in order of use says, whatever happens', () => {
    interface Known {
      breaker: Breaker;
      out: Permit[];
    }
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      what: fc.constantFrom('get', 'get', 'get', 'admit', 'admit', 'end', 'fail', 'isolate', 'release'),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 100, size: 'max' }), (maximum, steps) => {
        const made = world(maximum, { open: { initialMs: 1e9, maximumMs: 1e9, maximumRetryAfterMs: 1e9 } });
        const { registry } = made;
        /** In order of last use: those that are well. */
        const model = new Map<string, Known>();
        for (const { key, what } of steps) {
          const breaker = registry.get(key);
          const known = model.get(key);
          if (known !== undefined) {
            expect(breaker).to.equal(known.breaker);
            if (breaker.state === 'closed') {
              model.delete(key);
              model.set(key, known);
            }
          } else {
            if (model.size === maximum) {
              const goes = [...model].find(([, each]) => each.breaker.state === 'closed' && each.out.length === 0);
              if (goes === undefined) {
                expect(breaker).to.equal(registry.parent);
                continue;
              }
              model.delete(goes[0]);
            }
            expect(breaker.name).to.equal(`llm/${key}`);
            model.set(key, { breaker, out: [] });
          }
          const { out } = model.get(key)!;
          const before = breaker.state;
          if (what === 'admit') {
            const answer = breaker.admit();
            if (!answer.refused) out.push(answer);
          } else if (what === 'end') out.shift()?.settle(good);
          else if (what === 'fail') once(breaker, made.clock, bad);
          else if (what === 'isolate') breaker.isolate();
          else if (what === 'release') breaker.release();
          // Whoever is well again was used just now.
          if (before !== 'closed' && breaker.state === 'closed') model.set(key, model.get(key)!);
          expect(registry.size).to.equal(model.size).and.to.be.at.most(maximum);
          expect(keysOf(made)).to.deep.equal([...model.keys()].sort());
        }
      }),
      runs(200),
    );
  });

  it('learns from all of its keys what is normal, and gives it to a new one', () => {
    const clock = new HandClock();
    const pattern = adaptiveBreaker({ name: 'llm', clock, random: chance(1) });
    const registry = breakerRegistry(pattern, { clock, random: chance(1), maximum: 3 });
    times(60 * 40, (index) => {
      once(registry.get(index % 2 === 0 ? 'a' : 'b'), clock, index % 25 === 0 ? bad : good, 20);
      clock.advance(480);
    });
    const fresh = registry.get('c');
    expect(fresh.figures().expected).to.be.closeTo(0.04, 0.02);
    expect(pattern.figures().expected).to.equal(undefined);
    times(20, () => once(fresh, clock, bad, 20));
    expect(fresh.state).to.equal('open');
    expect(registry.get('a').state).to.equal('closed');
  });
});

describe('the board of a runtime', () => {
  const clock = new HandClock();
  const elsewhere = { clock: new HandClock(), random: chance(9) };

  function board(): { board: BreakerBoard; made: string[]; changed: string[] } {
    const made: string[] = [];
    const changed: string[] = [];
    const events = {
      made: ({ name }: Breaker) => made.push(name),
      registered: () => undefined,
      changed: ({ name, to }: BreakerChange) => changed.push(`${name} ${to}`),
    };
    return { board: new BreakerBoard({ clock, random: chance(1) }, events as never), made, changed };
  }

  it('makes a breaker of its own from a pattern, once for each name, with its own clock', () => {
    const pattern = consecutiveBreaker({ name: 'api', failures: 1, ...elsewhere });
    const [one, other] = [board(), board()];
    const guard = one.board.guard(pattern, undefined, []) as Breaker;
    expect(guard).to.not.equal(pattern);
    expect(one.board.guard(pattern, undefined, [])).to.equal(guard);
    expect(one.board.get('api')).to.equal(guard);
    permitOf(guard).settle(bad);
    expect([guard.state, pattern.state, (other.board.guard(pattern, undefined, []) as Breaker).state]).to.deep.equal([
      'open',
      'closed',
      'closed',
    ]);
    clock.advance(6_000);
    expect(guard.state).to.equal('ramping');
    expect(one.made).to.deep.equal(['api']);
    expect(one.changed).to.deep.equal(['api open', 'api ramping']);
    expect(one.board.get('none')).to.equal(undefined);
  });

  it('makes what a pattern stands within as well, the same for all of its children', () => {
    const stage = consecutiveBreaker({ name: 'stage', level: 'stage', ...elsewhere });
    const service = consecutiveBreaker({ name: 'service', level: 'service', within: stage, ...elsewhere });
    const calls = ['a', 'b'].map((name) => consecutiveBreaker({ name, within: service, ...elsewhere }));
    const { board: own, made } = board();
    const guards = calls.map((pattern) => own.guard(pattern, undefined, []) as Breaker);
    expect(guards[0]!.within).to.equal(guards[1]!.within).and.to.equal(own.get('service'));
    expect(own.get('service')!.within).to.equal(own.get('stage'));
    expect(made).to.deep.equal(['stage', 'service', 'a', 'b']);
    expect([...own.breakers()].map(({ name }) => name)).to.have.members(made);
    expect([...own.stages]).to.deep.equal(['stage']);
  });

  it('makes parts of its own of several guards as one', () => {
    const pool = bulkhead({ name: 'pool', concurrency: 1 });
    const pattern = allOf(pool, allOf(consecutiveBreaker({ name: 'api', failures: 1, ...elsewhere })));
    const { board: own } = board();
    const guard = own.guard(pattern, undefined, [])!;
    expect(own.guard(pattern, undefined, [])).to.equal(guard);
    expect(guard).to.not.equal(pattern);
    permitOf(guard).settle(bad);
    expect(own.get('api')!.state).to.equal('open');
    expect(permitOf(pattern).refused).to.equal(false);
  });

  it('leaves a guard of one’s own as it is', () => {
    const pool = bulkhead({ name: 'pool', concurrency: 1 });
    expect(board().board.guard(pool, undefined, [])).to.equal(pool);
    expect(board().board.guard(undefined, undefined, [])).to.equal(undefined);
  });

  it('makes registries of its own, and finds their breakers by name', () => {
    const registry = breakerRegistry(consecutiveBreaker({ name: 'llm', failures: 1, ...elsewhere }), elsewhere);
    const { board: own, made, changed } = board();
    const guard = own.guard(registry, 'openai', []) as Breaker;
    expect(guard.name).to.equal('llm/openai');
    expect(own.guard(registry, 'openai', [])).to.equal(guard);
    expect(registry.size).to.equal(0);
    expect(own.get('llm/openai')).to.equal(guard);
    expect(own.get('llm/other')).to.equal(undefined);
    expect(own.obtain('llm/other')!.name).to.equal('llm/other');
    expect(own.obtain('other/other')).to.equal(undefined);
    expect(own.obtain('llm/openai')).to.equal(guard);
    permitOf(guard).settle(bad);
    expect(changed).to.deep.equal(['llm/openai open']);
    expect(made).to.include.members(['llm/openai', 'llm/other']);
    const told: string[] = [];
    own.changes$.subscribe(({ name, to }) => told.push(`${name} ${to}`));
    own.get('llm/other')!.isolate();
    expect(told).to.deep.equal(['llm/other isolated']);
    expect([...own.registries()].map(({ name }) => name)).to.deep.equal(['llm']);
  });

  it('has a stage guard the activities of the states that are tagged with its name', () => {
    const stage = consecutiveBreaker({ name: 'checkout', level: 'stage', ...elsewhere });
    const api = consecutiveBreaker({ name: 'api', ...elsewhere });
    const inside = consecutiveBreaker({ name: 'inside', within: stage, ...elsewhere });
    const { board: own } = board();
    expect(own.guard(api, undefined, ['checkout'])).to.equal(own.get('api'));
    own.declare(stage);
    expect(own.guard(undefined, undefined, ['checkout', 'other'])).to.equal(own.get('checkout'));
    const guard = own.guard(api, undefined, ['other', 'checkout'])!;
    expect(guard.name).to.equal('checkout+api');
    expect(own.guard(api, undefined, ['checkout'])).to.equal(guard);
    own.get('checkout')!.isolate();
    expect(refusalOf(guard)).to.include({ key: 'checkout', level: 'stage' });
    // Who stands within it anyway asks it once.
    expect(own.guard(inside, undefined, ['checkout'])).to.equal(own.get('inside'));
    const pool = allOf(bulkhead({ name: 'pool', concurrency: 1 }), inside);
    expect(own.guard(pool, undefined, ['checkout'])!.name).to.equal('pool+inside');
  });

  const named = (name: string, more: object = {}): Breaker => consecutiveBreaker({ name, ...elsewhere, ...more });
  const twice: readonly (readonly [string, GuardPattern, GuardPattern, string])[] = [
    ['two breakers', named('x'), named('x'), 'two breakers are named "x" (both call)'],
    ['two levels', named('x'), named('x', { level: 'service' }), 'two breakers are named "x" (call and service)'],
    [
      'an outer one and another',
      named('a', { within: named('x', { level: 'stage' }) }),
      named('x', { level: 'service' }),
      'two breakers are named "x" (stage and service)',
    ],
    ['a breaker and a registry', named('x'), breakerRegistry(named('x')), 'two breakers are named "x" (both call)'],
    [
      'a registry and a breaker',
      breakerRegistry(named('x')),
      named('x', { level: 'stage' }),
      'two breakers are named "x" (call and stage)',
    ],
    ['two registries', breakerRegistry(named('x')), breakerRegistry(named('x')), 'two breakers are named "x" (both call)'],
    ['parts of several as one', allOf(named('x')), allOf(named('x'), named('y')), 'two breakers are named "x" (both call)'],
  ];
  for (const [name, one, other, message] of twice) {
    it(`refuses the same name twice: ${name}`, async () => {
      const { board: own } = board();
      own.declare(one);
      own.declare(one);
      expect((await failing('BAD_INPUT', () => own.declare(other))).message).to.equal(message);
    });
  }

  it('knows what can guard', () => {
    expect([named('x'), breakerRegistry(named('x')), bulkhead({ name: 'p', concurrency: 1 })].map(isGuardPattern)).to.deep.equal([
      true,
      true,
      true,
    ]);
    expect([undefined, null, {}, 'x', { admit: 1 }].map(isGuardPattern)).to.deep.equal([false, false, false, false, false]);
  });
});
