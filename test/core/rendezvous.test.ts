/** Rendezvous hashing: even, the same for everybody, and moving no more than it must. */

import { expect } from 'chai';
import fc from 'fast-check';
import { homeOf } from '#src/core/rendezvous.js';

const names = Array.from({ length: 6_000 }, (_, index) => `orders/o-${String(index)}`);

describe('a home', () => {
  it('is nowhere without places, and the only place there is', () => {
    expect(homeOf('a', [])).to.equal(undefined);
    expect(homeOf('a', [7])).to.equal(7);
  });

  it('is the same in whatever order the places are named, and moves only to a place that has come, or from one that has gone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1_000), { minLength: 2, maxLength: 8 }), fc.string(), (places, name) => {
        const home = homeOf(name, places);
        expect(homeOf(name, [...places].reverse())).to.equal(home);
        const [gone, ...left] = places;
        if (gone !== home) expect(homeOf(name, left)).to.equal(home);
      }),
    );
  });

  it('is spread evenly over neighbouring numbers, also for names that are alike', () => {
    for (const places of [[1, 2], [1, 2, 3], [4, 9, 10, 11, 12], Array.from({ length: 20 }, (_, index) => index + 1)]) {
      const counts = new Map<number, number>();
      for (const name of names) {
        const home = homeOf(name, places) as number;
        counts.set(home, (counts.get(home) ?? 0) + 1);
      }
      const even = names.length / places.length;
      for (const place of places) expect((counts.get(place) ?? 0) / even, `${String(place)} of ${String(places)}`).to.be.within(0.8, 1.2);
    }
  });
});
