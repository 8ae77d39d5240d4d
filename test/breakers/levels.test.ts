/** Call, service, stage: leave of all levels is needed, what an inner one refuses is handed back, and a stage closes with its children and opens with them. */

import { expect } from 'chai';
import fc from 'fast-check';
import { adaptiveBreaker, consecutiveBreaker, type Breaker, type BreakerChange, type Permit } from '#src/breakers/index.js';
import { runs } from '../properties/runs.js';
import { bad, chance, good, HandClock, monday, once, permitOf, refusalOf, times } from './by-hand.js';

interface Levels {
  readonly clock: HandClock;
  readonly stage: Breaker;
  readonly service: Breaker;
  readonly call: Breaker;
}

function levels(more: { stage?: object; service?: object; call?: object } = {}): Levels {
  const clock = new HandClock();
  const shared = { clock, random: { next: () => 0.5, id: () => '' } };
  const stage = consecutiveBreaker({ name: 'stage', level: 'stage', failures: 1e9, ...shared, ...more.stage });
  const service = consecutiveBreaker({ name: 'service', level: 'service', failures: 1e9, within: stage, ...shared, ...more.service });
  // Others, so that one service is not yet half of the stage.
  for (const name of ['other', 'third']) consecutiveBreaker({ name, level: 'service', within: stage, ...shared });
  const call = consecutiveBreaker({ name: 'call', within: service, ...shared, ...more.call });
  return { clock, stage, service, call };
}

const all = ({ stage, service, call }: Levels): readonly Breaker[] => [stage, service, call];

describe('levels', () => {
  it('need the leave of each, and each hears what came of the call', () => {
    const world = levels();
    const permit = permitOf(world.call);
    for (const breaker of all(world)) expect(breaker.figures().inFlight).to.equal(1);
    permit.settle(bad);
    permit.settle(bad);
    for (const breaker of all(world)) expect(breaker.figures()).to.include({ inFlight: 0, calls: 1, failures: 1 });
    permitOf(world.service).settle(good);
    expect(all(world).map((breaker) => breaker.figures().calls)).to.deep.equal([2, 2, 1]);
    permitOf(world.call).cancel();
    expect(all(world).map((breaker) => breaker.figures().calls)).to.deep.equal([2, 2, 1]);
    expect([world.stage.within, world.service.within, world.call.within]).to.deep.equal([undefined, world.stage, world.service]);
  });

  it('are asked from the outside in: the outermost that refuses is the one that is named', () => {
    const world = levels();
    world.call.isolate();
    expect(refusalOf(world.call)).to.include({ key: 'call', level: 'call' });
    world.service.isolate();
    expect(refusalOf(world.call)).to.include({ key: 'service', level: 'service', state: 'isolated' });
    world.stage.isolate();
    expect(refusalOf(world.call)).to.include({ key: 'stage', level: 'stage' });
    expect(all(world).map((breaker) => breaker.figures().rejected)).to.deep.equal([1, 1, 1]);
    expect(world.call.waitMs()).to.equal(Infinity);
  });

  it('classify each in its own way', () => {
    const world = levels({ stage: { classify: () => 'ignored' }, service: { classify: () => 'success' } });
    permitOf(world.call).settle(bad);
    expect(all(world).map((breaker) => [breaker.figures().calls, breaker.figures().failures])).to.deep.equal([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
  });

  it('take what an inner one refuses for no failure, and no call', () => {
    const world = levels();
    times(5, () => permitOf(world.call).settle(bad));
    expect(world.call.state).to.equal('open');
    times(100, () => refusalOf(world.call));
    for (const breaker of [world.stage, world.service])
      expect(breaker.figures()).to.include({ calls: 5, failures: 5, rejected: 0, inFlight: 0 });
  });

  it('hand tokens and places back when an inner one refuses: the outer ones are as if nobody had asked', () => {
    let handedBack = 0;
    const tick = fc.record({
      waitMs: fc.integer({ min: 0, max: 600 }),
      refused: fc.integer({ min: 0, max: 4 }),
      calls: fc.integer({ min: 0, max: 3 }),
      everyNth: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(tick, { minLength: 5, maxLength: 60, size: 'max' }), (ticks) => {
        const [asked, left] = [levels(), levels()] as const;
        for (const { stage, service, call } of [asked, left]) {
          call.isolate();
          for (const breaker of [stage, service]) breaker.isolate();
          for (const breaker of [stage, service]) breaker.release();
        }
        let number = 0;
        for (const { waitMs, refused, calls, everyNth } of ticks) {
          for (const { clock } of [asked, left]) clock.advance(waitMs);
          times(refused, () => {
            const refusal = refusalOf(asked.call);
            // What an outer one refuses itself it refuses in both worlds.
            if (refusal.key === 'call') handedBack += 1;
            else expect(refusalOf(left.service).key).to.equal(refusal.key);
          });
          // Time acts on both when they are asked.
          for (const { service } of [asked, left]) service.waitMs();
          times(calls, () => {
            number += 1;
            const answers = [asked, left].map(({ service }) => service.admit());
            expect(answers[0]!.refused).to.equal(answers[1]!.refused);
            for (const answer of answers) if (!answer.refused) answer.settle(number % everyNth === 0 && everyNth > 4 ? bad : good);
          });
          for (const [index, breaker] of [asked.stage, asked.service].entries()) {
            expect(breaker.figures()).to.deep.equal([left.stage, left.service][index]!.figures());
            expect(breaker.state).to.equal([left.stage, left.service][index]!.state);
          }
        }
      }),
      runs(100),
    );
    expect(handedBack).to.be.greaterThan(500);
  });

  it('have all as many calls under way as there are permits out, whatever is refused', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('admit', 'good', 'bad', 'cancel') },
      { weight: 1, arbitrary: fc.record({ which: fc.integer({ min: 0, max: 2 }), isolate: fc.boolean() }) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 8_000 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const world = levels({ call: { failures: 2 }, service: { failures: 4 }, stage: { failures: 6 } });
        const out: Permit[] = [];
        for (const next of steps) {
          if (typeof next === 'number') world.clock.advance(next);
          else if (typeof next === 'object') {
            const breaker = all(world)[next.which]!;
            if (next.isolate) breaker.isolate();
            else breaker.release();
          } else if (next === 'admit') {
            const answer = world.call.admit();
            if (!answer.refused) out.push(answer);
          } else if (next === 'cancel') out.shift()?.cancel();
          else out.shift()?.settle(next === 'good' ? good : bad);
          for (const breaker of all(world)) expect(breaker.figures().inFlight).to.equal(out.length);
        }
      }),
      runs(150),
    );
  });
});

describe('a stage', () => {
  function stageOf(count: number, more: object = {}): { clock: HandClock; stage: Breaker; children: Breaker[]; changes: BreakerChange[] } {
    const clock = new HandClock();
    const stage = consecutiveBreaker({ name: 'stage', level: 'stage', failures: 1e9, clock, random: chance(1), ...more });
    const children = Array.from({ length: count }, (_, index) =>
      consecutiveBreaker({ name: `service ${index}`, level: 'service', failures: 3, within: stage, clock, random: chance(index) }),
    );
    const changes: BreakerChange[] = [];
    stage.state$.subscribe((change) => changes.push(change));
    return { clock, stage, children, changes };
  }
  const breakIt = (child: Breaker): void => {
    times(3, () => permitOf(child).settle(bad));
    expect(child.state).to.equal('open');
  };

  it('is open while half of its services are, or another share that was asked for', () => {
    for (const [share, needed] of [
      [undefined, 2],
      [0.25, 1],
      [0.6, 3],
      [1, 4],
    ] as const) {
      const { stage, children } = stageOf(4, share === undefined ? {} : { openChildren: share });
      times(needed, (index) => {
        expect(stage.state).to.equal('closed');
        breakIt(children[index]!);
      });
      expect(stage.state).to.equal('open');
      for (const child of children) expect(refusalOf(child)).to.include({ key: 'stage', level: 'stage', state: 'open' });
    }
  });

  it('says so whoever asks: its state, its figures, its wait, a call', () => {
    const ways: readonly ((stage: Breaker) => unknown)[] = [
      (stage) => stage.state,
      (stage) => (stage.figures().admittedRate === 0 ? 'open' : 'not'),
      (stage) => (stage.waitMs() > 4_000 ? 'open' : 'not'),
      (stage) => refusalOf(stage).state,
    ];
    for (const way of ways) {
      const { stage, children, changes } = stageOf(1);
      breakIt(children[0]!);
      expect(way(stage)).to.equal('open');
      expect(changes.map(({ to, reason }) => [to, reason])).to.deep.equal([['open', 'children']]);
    }
  });

  it('lets the question of a child through as soon as the child may ask it, and closes when all is well', () => {
    const { clock, stage, children, changes } = stageOf(2);
    const [first] = children as [Breaker];
    breakIt(first);
    expect(stage.state).to.equal('open');
    clock.advance(first.waitMs() + 0.01);
    const probe = permitOf(first);
    expect([first.state, stage.state]).to.deep.equal(['ramping', 'ramping']);
    probe.settle(good);
    times(120, () => {
      for (const child of children) {
        once(child, clock, good, 20);
        clock.advance(230);
      }
    });
    expect([...children.map(({ state }) => state), stage.state]).to.deep.equal(['closed', 'closed', 'closed']);
    expect(changes.map(({ to }) => to)).to.deep.equal(['open', 'ramping', 'closed']);
  });

  it('stays open as long as they are, also when another is open longer', () => {
    const { clock, stage, children } = stageOf(2, { openChildren: 1 });
    const [first, second] = children as [Breaker, Breaker];
    breakIt(first);
    clock.advance(2_000);
    breakIt(second);
    expect(stage.state).to.equal('open');
    const wait = first.waitMs();
    clock.advance(wait - 0.1);
    expect(stage.state).to.equal('open');
    clock.advance(0.2);
    expect(stage.state).to.equal('ramping');
    permitOf(first).settle(bad);
    expect(first.state).to.equal('open');
    expect(stage.state).to.equal('open');
  });

  it('does not outlive the isolation of its children', () => {
    const { clock, stage, children } = stageOf(2);
    for (const child of children) child.isolate();
    expect(stage.state).to.equal('open');
    clock.advance(10_000_000);
    expect(stage.state).to.equal('open');
    for (const child of children) child.release();
    expect(stage.state).to.equal('ramping');
    permitOf(children[0]!).settle(good);
  });

  it('opens again also when it was open for another reason before an isolated child kept it so', () => {
    const { clock, stage, children } = stageOf(3, { openChildren: 0.2 });
    const child = children[0]!;
    breakIt(child);
    expect(stage.state).to.equal('open');
    child.release();
    once(child, clock, bad);
    child.isolate();
    clock.advance(30_000);
    expect(stage.state).to.equal('open');
    child.release();
    expect(stage.state).to.equal('ramping');
  });

  it('opens at once when its children were released before their time', () => {
    const { stage, children } = stageOf(1);
    breakIt(children[0]!);
    expect(stage.state).to.equal('open');
    children[0]!.release();
    expect(stage.state).to.equal('ramping');
    permitOf(children[0]!).settle(good);
  });

  it('can be saved and restored while it is open for the sake of isolated children', () => {
    const { stage, children } = stageOf(1);
    children[0]!.isolate();
    expect(stage.state).to.equal('open');
    const saved = JSON.parse(JSON.stringify(stage.save())) as ReturnType<typeof stage.save>;
    const copy = consecutiveBreaker({ name: 'stage', level: 'stage', clock: new HandClock(monday), random: chance(1) });
    copy.restore(saved);
    expect(copy.state).to.equal('open');
    expect(copy.waitMs()).to.be.within(1, 3_600_000);
  });

  it('always opens again when its services are well, whatever happened to them', () => {
    const step = fc.record({
      child: fc.integer({ min: 0, max: 2 }),
      what: fc.constantFrom('fail', 'fail', 'good', 'isolate', 'release', 'stage isolate', 'stage release', 'wait'),
      waitMs: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.constantFrom(0.2, 0.5, 1), (steps, openChildren) => {
        const { clock, stage, children } = stageOf(3, { openChildren });
        for (const { child, what, waitMs } of steps) {
          const breaker = children[child]!;
          if (what === 'fail') times(3, () => once(breaker, clock, bad));
          else if (what === 'good') once(breaker, clock, good);
          else if (what === 'isolate') breaker.isolate();
          else if (what === 'release') breaker.release();
          else if (what === 'stage isolate') stage.isolate();
          else if (what === 'stage release') stage.release();
          else clock.advance(waitMs);
        }
        for (const breaker of [...children, stage]) if (breaker.state === 'isolated') breaker.release();
        for (let round = 0; round < 2_000 && [...children, stage].some(({ state }) => state !== 'closed'); round += 1) {
          for (const child of children) {
            once(child, clock, good, 10);
            clock.advance(240);
          }
        }
        expect([...children, stage].map(({ state }) => state)).to.deep.equal(['closed', 'closed', 'closed', 'closed']);
      }),
      runs(60),
    );
  });

  it('is one for services only when it is asked for: a service does not open with its calls by default', () => {
    const clock = new HandClock();
    const service = adaptiveBreaker({ name: 'service', level: 'service', clock, random: chance(1) });
    const call = consecutiveBreaker({ name: 'call', within: service, failures: 1, clock, random: chance(1) });
    permitOf(call).settle(bad);
    expect([call.state, service.state]).to.deep.equal(['open', 'closed']);
  });
});
