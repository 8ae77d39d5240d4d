/** A node's sign of life, on a clock that is moved by hand: what waits for it, and what does not. */

import { expect } from 'chai';
import { Lease } from '#src/runtime/lease.js';
import { ManualClock, settled } from './manual-clock.js';

const leaseMs = 4_000;

/** A lease whose store answers as it is told to, and what it has done. */
async function started() {
  const clock = new ManualClock();
  const done: string[] = [];
  const answers: (() => Promise<boolean>)[] = [];
  const hold: Partial<Record<'letGo' | 'renewed', Promise<void>>> = {};
  const lease = new Lease({
    store: {
      node: 1,
      nodes: async () => [],
      notes: async () => [],
      heartbeat: async () => {
        done.push('sign');
        return (answers.shift() ?? (async () => true))();
      },
    },
    clock,
    leaseMs,
    remote: false,
    pulse: undefined,
    changed: async () => undefined,
    lapsed: () => done.push('lapsed'),
    letGo: async () => {
      await hold.letGo;
      done.push('let go');
    },
    renewed: async () => {
      await hold.renewed;
      done.push('renewed');
    },
    moved: async () => undefined,
    failed: () => done.push('failed'),
  });
  await lease.start();
  return { clock, done, answers, hold, lease };
}

function gate(): { readonly shut: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const shut = new Promise<void>((resolve) => (open = resolve));
  return { shut, open };
}

describe('a lease', () => {
  it('is certain while its last confirmed sign is younger than a term', async () => {
    const { clock, done, lease } = await started();
    await clock.advance(10 * leaseMs);
    expect(lease.confirmed()).to.equal(undefined);
    expect(done.filter((one) => one !== 'sign')).to.deep.equal([]);
    lease.stop();
  });

  it('asks once for all who wait, and lets them go on when nobody has taken anything', async () => {
    const { clock, done, answers, lease } = await started();
    const { shut, open } = gate();
    answers.push(() => shut.then(() => true));
    await clock.advance(leaseMs + 1);
    expect(done).to.deep.equal(['sign']);
    const waited = [1, 2].map(async (who) => {
      await lease.confirmed();
      done.push(`goes on ${String(who)}`);
    });
    await settled();
    expect(done).to.deep.equal(['sign']);
    open();
    await Promise.all(waited);
    expect(done).to.deep.equal(['sign', 'goes on 1', 'goes on 2']);
    lease.stop();
  });

  it('lets nobody go on before what others have taken is let go; then all, and gives its signs, while the rest is still brought back', async () => {
    const { clock, done, answers, hold, lease } = await started();
    const [letGo, renewed] = [gate(), gate()];
    [hold.letGo, hold.renewed] = [letGo.shut, renewed.shut];
    answers.push(async () => false);
    await clock.advance(leaseMs / 4);
    const waited = lease.confirmed();
    expect(waited).to.be.instanceOf(Promise);
    void waited?.then(() => done.push('goes on'));
    await settled();
    expect(done).to.deep.equal(['sign']);
    letGo.open();
    await waited;
    expect(done).to.deep.equal(['sign', 'let go', 'goes on']);
    expect(lease.confirmed()).to.equal(undefined);
    await clock.advance(leaseMs);
    expect(done.filter((one) => one === 'sign').length).to.be.at.least(4);
    expect(lease.confirmed()).to.equal(undefined);
    renewed.open();
    await settled();
    expect(done).to.include('renewed');
    lease.stop();
  });

  it('asks again after a sign that failed, and lets everybody go on when it is stopped', async () => {
    const { clock, done, answers, lease } = await started();
    answers.push(...Array.from({ length: 5 }, () => () => Promise.reject(new Error('away'))));
    await clock.advance(leaseMs);
    const first = lease.confirmed();
    await clock.advance(leaseMs / 2);
    await first;
    expect(lease.confirmed()).to.equal(undefined);
    answers.push(...Array.from({ length: 50 }, () => () => Promise.reject(new Error('away'))));
    await clock.advance(2 * leaseMs);
    const second = lease.confirmed();
    lease.stop();
    await second;
    expect(done).to.include('failed');
  });
});
