/** Nodes that tell each other their counts: together they see what none of them sees alone, and one sick node opens nothing but itself. */

import { expect } from 'chai';
import { adaptiveBreaker, consecutiveBreaker, type Breaker, type BreakerChange } from '#src/breakers/index.js';
import { bad, chance, good, HandClock, once, permitOf, refusalOf, times, unavailable } from './by-hand.js';
import { learned } from './traffic.js';

interface Node {
  readonly name: string;
  readonly breaker: Breaker;
  readonly changes: BreakerChange[];
}

/** Nodes with a call a second each, on one clock; they tell each other once a second. */
class Fleet {
  readonly clock = new HandClock();
  readonly nodes: Node[];
  readonly #random = chance(3);

  constructor(count: number, make: (clock: HandClock, seed: number) => Breaker) {
    this.nodes = Array.from({ length: count }, (_, seed) => {
      const breaker = make(this.clock, seed);
      const changes: BreakerChange[] = [];
      breaker.state$.subscribe((change) => changes.push(change));
      return { name: `node ${seed}`, breaker, changes };
    });
  }

  /** @returns how many calls failed */
  run(seconds: number, failing: (node: number) => number, shared = true): number {
    let failed = 0;
    times(seconds, () => {
      for (const [index, { breaker }] of this.nodes.entries()) {
        const outcome = this.#random.next() < failing(index) ? bad : good;
        if (once(breaker, this.clock, outcome, 20) && outcome === bad) failed += 1;
        this.clock.advance(1_000 / this.nodes.length - 20);
      }
      if (shared) this.tell();
    });
    return failed;
  }

  tell(): void {
    const told = this.nodes.map(({ name, breaker }) => ({ name, counters: breaker.exchange() }));
    for (const node of this.nodes) for (const { name, counters } of told) if (name !== node.name) node.breaker.hear(name, counters);
  }

  get states(): readonly string[] {
    return this.nodes.map(({ breaker }) => breaker.state);
  }
}

const knowing = (clock: HandClock, seed: number): Breaker => learned(clock, { rate: () => 0.01, perSecond: 1 }, { random: chance(seed) });

describe('a fleet of eight small callers', () => {
  it('opens together within four seconds of an outage', () => {
    const fleet = new Fleet(8, knowing);
    fleet.run(30, () => 0);
    const failed = fleet.run(4, () => 1);
    expect(fleet.states).to.deep.equal(Array(8).fill('open'));
    expect(failed).to.be.lessThan(40);
    expect(fleet.nodes.flatMap(({ changes }) => changes.map(({ reason }) => reason))).to.include('fleet');
  });

  it('would not within twice that time each for itself', () => {
    const fleet = new Fleet(8, knowing);
    fleet.run(30, () => 0);
    fleet.run(4, () => 1, false);
    expect(fleet.states).to.deep.equal(Array(8).fill('closed'));
  });

  it('opens only the one that is sick', () => {
    const fleet = new Fleet(8, knowing);
    fleet.run(30, () => 0);
    fleet.run(120, (node) => (node === 3 ? 1 : 0));
    expect(fleet.nodes.map(({ changes }) => changes.some(({ to }) => to === 'open'))).to.deep.equal([
      false,
      false,
      false,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(fleet.nodes.filter(({ changes }) => changes.length > 0)).to.have.length(1);
  });

  it('tolerates what is normal', () => {
    const fleet = new Fleet(8, knowing);
    fleet.run(300, () => 0.01);
    expect(fleet.nodes.flatMap(({ changes }) => changes)).to.deep.equal([]);
  });

  it('asks a service that is down not eight times as often', () => {
    const alone = new Fleet(1, knowing);
    const eight = new Fleet(8, knowing);
    const failures = [alone, eight].map((fleet) => {
      fleet.run(30, () => 0);
      fleet.run(30, () => 1);
      return fleet.run(600, () => 1);
    });
    expect(failures[0]).to.be.greaterThan(10);
    expect(failures[1]).to.be.lessThan(2.5 * failures[0]!);
  });
});

describe('what other nodes tell', () => {
  it('counts for nothing when they were silent for long', () => {
    const clock = new HandClock();
    const breaker = knowing(clock, 1);
    breaker.hear('other', { calls: 5, failures: 0 });
    times(3, () => once(breaker, clock, bad, 100));
    clock.advance(11_000);
    // The other is forgotten: alone it is no fleet, however bad its calls are.
    const { state } = breaker;
    expect(state).to.equal('closed');
    const period = (silentMs: number): number => {
      const time = new HandClock();
      const own = learned(time, { rate: () => 0.01, perSecond: 1 }, { random: { next: () => 0.5, id: () => '' } });
      times(7, (index) => own.hear(`node ${index}`, { calls: 3, failures: 0 }));
      time.advance(silentMs);
      while (own.state === 'closed') once(own, time, bad, 10);
      return own.waitMs();
    };
    expect(period(0)).to.be.closeTo(40_000, 10);
    expect(period(10_500)).to.be.closeTo(5_000, 10);
  });

  it('is not believed of one alone, unless it makes most of the calls', () => {
    const after = (calls: number, failures: number): string => {
      const clock = new HandClock();
      const breaker = knowing(clock, 1);
      breaker.hear('well', { calls: 20, failures: 0 });
      times(20, () => once(breaker, clock, good, 50));
      times(5, () => {
        clock.advance(100);
        breaker.hear('sick', { calls, failures });
      });
      return breaker.state;
    };
    expect(after(2, 2)).to.equal('closed');
    expect(after(20, 20)).to.equal('open');
  });

  it('shortens an open period when somebody has got through meanwhile', () => {
    const clock = new HandClock();
    const breaker = knowing(clock, 1);
    while (breaker.state === 'closed') once(breaker, clock, bad, 50);
    const wait = breaker.waitMs();
    expect(wait).to.be.greaterThan(4_000);
    // Old news: it was open for everybody then.
    breaker.hear('other', { calls: 3, failures: 0 });
    expect(breaker.waitMs()).to.equal(wait);
    clock.advance(3_000);
    breaker.hear('other', { calls: 3, failures: 3 });
    expect(breaker.state).to.equal('open');
    breaker.hear('other', { calls: 3, failures: 2 });
    expect(breaker.state).to.equal('ramping');
  });

  it('does not shorten what the service itself has asked for', () => {
    const opened = (outcome = unavailable(60)): { clock: HandClock; breaker: Breaker } => {
      const clock = new HandClock();
      const breaker = knowing(clock, 1);
      while (breaker.state === 'closed') once(breaker, clock, outcome, 50);
      clock.advance(3_000);
      return { clock, breaker };
    };
    const { breaker } = opened();
    breaker.hear('other', { calls: 3, failures: 0 });
    expect(breaker.state).to.equal('open');
    expect(breaker.waitMs()).to.be.greaterThan(50_000);
    // Also when it said so after it was open, and when it asked for less than the period.
    const clock = new HandClock();
    const late = knowing(clock, 1);
    const permit = permitOf(late);
    while (late.state === 'closed') once(late, clock, bad, 50);
    permit.settle(unavailable(60));
    clock.advance(3_000);
    late.hear('other', { calls: 3, failures: 0 });
    expect(late.waitMs()).to.equal(57_000);
    const { breaker: soon, clock: time } = opened(unavailable(4));
    soon.hear('other', { calls: 3, failures: 0 });
    expect(soon.waitMs()).to.be.within(900, 1_000);
    time.advance(1_000);
    expect(soon.state).to.equal('ramping');
  });

  it('does nothing to a breaker that does not learn, but for an open period', () => {
    const clock = new HandClock();
    const breaker = consecutiveBreaker({ name: 'api', failures: 2, clock, random: chance(1) });
    times(9, () => breaker.hear('other', { calls: 50, failures: 50 }));
    expect(breaker.state).to.equal('closed');
    times(2, () => permitOf(breaker).settle(bad));
    clock.advance(3_000);
    refusalOf(breaker);
    breaker.hear('other', { calls: 50, failures: 0 });
    expect(breaker.state).to.equal('ramping');
  });

  it('does not move a breaker that was isolated by hand', () => {
    const clock = new HandClock();
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    breaker.isolate();
    clock.advance(60_000);
    breaker.hear('other', { calls: 50, failures: 0 });
    breaker.hear('another', { calls: 50, failures: 50 });
    expect(breaker.state).to.equal('isolated');
  });
});
