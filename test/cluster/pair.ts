/** Two processes on one store, each with agents of its own that it keeps until it is gone, and a witness: what comes of it when one of them is killed, is stopped for a while, or has a wrong clock. The same is tried on every store that processes share. */

import { expect } from 'chai';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { startLaborer, storeAt, type Labor, type Place } from './laborer.js';
import { Witness } from './witness.js';

const each = 10;
const patienceMs = 60_000;
const minuteMs = 60_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const idsOf = (name: string): string[] => Array.from({ length: each }, (_, index) => `${name}/${String(index)}`);

class Pair {
  readonly witness: Witness;
  readonly #place: Place;
  readonly #children: ChildProcess[] = [];

  constructor(place: Place, witness: Witness) {
    this.#place = place;
    this.witness = witness;
  }

  /** With the default lease. Its agents go to the other only when it is gone. */
  start(name: string, more: Partial<Labor> = {}): Promise<ChildProcess> {
    const { port } = this.witness;
    const agents = idsOf(name);
    return startLaborer(
      {
        place: this.#place,
        name,
        witness: port,
        agents,
        workMs: 100,
        restMs: 0,
        node: { spread: false },
        ...more,
      },
      (child) => this.#children.push(child),
    );
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + patienceMs; !holds(); await pause(50)) expect(Date.now(), what).to.be.below(end);
  }

  /** All of its agents have begun something anew, whoever runs them. */
  async moving(name: string): Promise<void> {
    const since = this.witness.now();
    const { pieces } = this.witness;
    await this.until(`the agents of ${name} go on`, () => idsOf(name).every((id) => (pieces.get(id)?.at(-1)?.from ?? 0) > since));
  }

  /** The other one runs all of its agents. */
  async taken(name: string, since: number): Promise<void> {
    await this.until(`the agents of ${name} are run by the other`, () => this.witness.elsewhere(idsOf(name), name, since).length === each);
  }

  /** Nobody is run by both, nothing is left out or done again but what was under way; and nothing was taken from anybody that should not have been. */
  async check(fences: Readonly<Record<string, number>>, whole = true): Promise<void> {
    // A check of everything is of a store that stands still.
    if (whole) await this.#kill();
    expect(this.witness.faults()).to.deep.equal([]);
    const store = await (await storeAt(this.#place)).open({ now: Date.now });
    try {
      for (const [name, fence] of Object.entries(fences)) {
        const records = await store.lookup(idsOf(name));
        expect([...new Set(records.map((record) => record?.fence))], `the fences of the agents of ${name}`).to.deep.equal([fence]);
      }
      if (whole) expect(await store.check()).to.deep.equal([]);
    } finally {
      await store.close();
    }
  }

  async #kill(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  async end(): Promise<void> {
    await this.#kill();
    this.witness.stop();
  }
}

/** `at`: a store that nobody has used. */
export function pairsTakeOver(at: () => Promise<Place>): void {
  let pair: Pair;
  beforeEach(async () => (pair = new Pair(await at(), await Witness.start())));
  afterEach(() => pair.end());

  it('goes on with every agent of one that is killed, and none is run by both', async () => {
    const [one] = await Promise.all([pair.start('one'), pair.start('other')]);
    await pair.moving('one');
    one.kill('SIGKILL');
    await pair.taken('one', pair.witness.died('one'));
    await pair.moving('one');
    await pair.moving('other');
    await pair.check({ one: 2, other: 1 });
  });

  it('goes on with the agents of one that is stopped past its lease, which runs none of them and writes nothing when it wakes', async () => {
    const [one] = await Promise.all([pair.start('one'), pair.start('other')]);
    await pair.moving('one');
    one.kill('SIGSTOP');
    // What it said before is read by then.
    await pause(200);
    const stoppedAt = pair.witness.suspended('one');
    await pair.taken('one', stoppedAt);
    one.kill('SIGCONT');
    await pair.moving('one');
    await pause(2_000);
    // What was begun in the store before it was stopped may begin outside when it wakes; nothing after that.
    for (const id of idsOf('one')) expect(pair.witness.lateBegins(id, 'one'), id).to.be.at.most(1);
    await pair.moving('one');
    await pair.check({ one: 2, other: 1 });
  });

  it('is harmed by no clock that is a minute wrong: nobody is taken from a live one, and one that is killed is taken over', async () => {
    const [ahead] = await Promise.all([
      pair.start('ahead', { skewMs: minuteMs }),
      pair.start('behind', { skewMs: -minuteMs }),
      pair.start('right'),
    ]);
    // Longer than a term.
    for (const end = Date.now() + 6_000; Date.now() < end;)
      await Promise.all(['ahead', 'behind', 'right'].map((name) => pair.moving(name)));
    await pair.check({ ahead: 1, behind: 1, right: 1 }, false);
    ahead.kill('SIGKILL');
    await pair.taken('ahead', pair.witness.died('ahead'));
    await pair.moving('ahead');
    await pair.check({ ahead: 2, behind: 1, right: 1 });
  });
}
