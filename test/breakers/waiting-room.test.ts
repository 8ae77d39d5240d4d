/** The order of those who wait, against a model that is a plain list. */

import { expect } from 'chai';
import fc from 'fast-check';
import { priorities, type Priority } from '#src/breakers/contract.js';
import { WaitingRoom } from '#src/breakers/waiting-room.js';
import { runs } from '../properties/runs.js';

interface Guest {
  readonly caller: string;
  readonly priority: Priority;
  readonly number: number;
}

/** Everybody in order of arrival; callers in order of whose turn it is, by priority. */
class Model {
  readonly guests: Guest[] = [];
  readonly #turns: Record<Priority, string[]> = { high: [], normal: [], low: [] };

  add(guest: Guest): void {
    this.guests.push(guest);
    const turns = this.#turns[guest.priority];
    if (!turns.includes(guest.caller)) turns.push(guest.caller);
  }

  /** Of each priority the first of the caller whose turn it is. */
  first(): Guest | undefined {
    for (const priority of priorities) {
      const [caller] = this.#turns[priority];
      if (caller !== undefined) return this.#of(caller, priority)[0];
    }
    return undefined;
  }

  delete(guest: Guest): boolean {
    if (!this.guests.includes(guest)) return false;
    const { caller, priority } = guest;
    const wasFirst = this.#of(caller, priority)[0] === guest;
    this.guests.splice(this.guests.indexOf(guest), 1);
    const turns = this.#turns[priority];
    const left = this.#of(caller, priority).length > 0;
    // Whoever had the turn goes to the end of the row; whoever lost one who was not up yet has lost nothing else.
    if (!left || wasFirst) turns.splice(turns.indexOf(caller), 1);
    if (left && wasFirst) turns.push(caller);
    return true;
  }

  #of(caller: string, priority: Priority): Guest[] {
    return this.guests.filter((guest) => guest.caller === caller && guest.priority === priority);
  }
}

describe('the waiting room', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ caller: fc.constantFrom('a', 'b', 'c'), priority: fc.constantFrom(...priorities) }) },
    { weight: 3, arbitrary: fc.constant('next' as const) },
    { weight: 2, arbitrary: fc.nat({ max: 1_000 }) },
  );

  it('lets go by priority, callers in turn, the calls of each first in first out, and anybody can leave', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const room = new WaitingRoom<Guest>();
        const model = new Model();
        const all: Guest[] = [];
        for (const each of steps) {
          if (each === 'next') {
            const first = room.first();
            expect(first).to.equal(model.first());
            if (first !== undefined) expect(room.delete(first)).to.equal(model.delete(first));
          } else if (typeof each === 'number') {
            const guest = all[each % all.length];
            if (guest !== undefined) expect(room.delete(guest)).to.equal(model.delete(guest));
          } else {
            const guest = { ...each, number: all.length };
            all.push(guest);
            room.add(guest);
            model.add(guest);
          }
          expect(room.size).to.equal(model.guests.length);
          expect(room.first()).to.equal(model.first());
          expect([...room.values()].map(({ number }) => number).sort((a, b) => a - b)).to.deep.equal(
            model.guests.map(({ number }) => number),
          );
        }
        for (let first = room.first(); first !== undefined; first = room.first()) {
          expect(first).to.equal(model.first());
          room.delete(first);
          model.delete(first);
        }
        expect(model.guests).to.deep.equal([]);
      }),
      runs(120),
    );
  });

  it('does not let a thousand calls of one caller keep out the single one of another', () => {
    const room = new WaitingRoom<Guest>();
    for (let number = 0; number < 1_000; number += 1) room.add({ caller: 'greedy', priority: 'normal', number });
    const modest: Guest = { caller: 'modest', priority: 'normal', number: 0 };
    room.add(modest);
    room.delete(room.first()!);
    expect(room.first()).to.equal(modest);
  });

  it('does not know whoever is not there', () => {
    const room = new WaitingRoom<Guest>();
    const guest: Guest = { caller: 'a', priority: 'low', number: 0 };
    expect(room.delete(guest)).to.equal(false);
    room.add(guest);
    expect(room.delete({ ...guest })).to.equal(false);
    expect(room.delete(guest)).to.equal(true);
    expect(room.delete(guest)).to.equal(false);
    expect([room.size, room.first()]).to.deep.equal([0, undefined]);
  });
});
