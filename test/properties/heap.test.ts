/** The heap against a sorted list, whatever is pushed and popped in whatever order. */

import { expect } from 'chai';
import fc from 'fast-check';
import { Heap } from '#src/core/heap.js';
import { runs } from './runs.js';

interface Item {
  readonly rank: number;
  readonly serial: number;
}

/** A number is pushed; `pop` is popped. */
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -20, max: 20 }) },
  { weight: 2, arbitrary: fc.constant('pop' as const) },
);

describe('a heap', () => {
  it('gives the smallest rank first, each item once, like a list that is kept sorted', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const heap = new Heap<Item>(({ rank }) => rank);
        const model: Item[] = [];
        for (const [serial, step] of [...operations, ...Array.from(operations, () => 'pop' as const)].entries()) {
          if (step === 'pop') {
            expect(heap.peek()?.rank).to.equal(model[0]?.rank);
            const popped = heap.pop();
            expect(popped?.rank).to.equal(model[0]?.rank);
            // Equal ranks leave in any order, but each item leaves once.
            if (popped !== undefined) expect(model.splice(model.indexOf(popped), 1)).to.deep.equal([popped]);
          } else {
            const item = { rank: step, serial };
            heap.push(item);
            const at = model.findIndex(({ rank }) => rank > step);
            model.splice(at < 0 ? model.length : at, 0, item);
          }
          expect(heap.size).to.equal(model.length);
        }
      }),
      runs(200),
    );
  });
});
