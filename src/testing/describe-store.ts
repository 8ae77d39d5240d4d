/**
 * The conformance suite of the store contract: what every driver must do, as numbered sentences. A driver's own test is one call with a factory.
 * What a driver does not claim is announced as skipped, with the reason, never silently left out. Works with any runner that has
 * `describe` and `it` with `it.skip`.
 */

import { archiveCases } from './store-cases/archives.js';
import { commitCases } from './store-cases/commits.js';
import { mailboxCases } from './store-cases/mailboxes.js';
import { noteCases } from './store-cases/notes.js';
import { ownershipCases } from './store-cases/ownership.js';
import { parkedCases } from './store-cases/parked.js';
import { readingCases } from './store-cases/reading.js';
import { resultCases } from './store-cases/results.js';
import { wholeCases } from './store-cases/whole.js';
import { Scene, type Need, type StoreCase, type StoreFixture } from './store-cases/scene.js';

/** What the suite needs of a test runner. */
export interface TestRunner {
  describe(title: string, body: () => void): unknown;
  readonly it: {
    (title: string, test: () => Promise<void>): unknown;
    skip(title: string, test: () => Promise<void>): unknown;
  };
}

const groups: readonly (readonly [string, readonly StoreCase[]])[] = [
  ['commits', commitCases],
  ['mailboxes', mailboxCases],
  ['ownership', ownershipCases],
  ['reading', readingCases],
  ['notes', noteCases],
  ['parked operations', parkedCases],
  ['results', resultCases],
  ['wholes', wholeCases],
  ['archives', archiveCases],
];

/**
 * Declares the suite's cases. `factory` gives an empty, unopened store for each case, and one more up front that is only asked what it can do and
 * then disposed of.
 */
export function describeStore(name: string, factory: () => StoreFixture, runner: TestRunner = globalThis as unknown as TestRunner): void {
  const { describe, it } = runner;
  const sample = factory();
  const lacks: Readonly<Record<Need, string | undefined>> = {
    durable: sample.store.capabilities.durable ? undefined : 'it keeps nothing',
    shared: sample.store.capabilities.shared ? undefined : 'one node at a time may open it',
    corrupt: sample.corrupt === undefined ? 'its fixture cannot change records' : undefined,
    losing: sample.loseAnswer === undefined ? 'its fixture cannot lose an answer' : undefined,
    'moved-time': sample.ownTime === true ? 'its leases go by a time that no case can move' : undefined,
  };
  void sample.dispose?.();
  let number = 0;
  describe(`${name}, as a store`, () => {
    for (const [group, cases] of groups) {
      describe(group, () => {
        for (const { title, needs, run } of cases) {
          number += 1;
          const numbered = `${String(number).padStart(2, '0')} ${title}`;
          const lack = [needs ?? []]
            .flat()
            .map((need) => lacks[need])
            .find((why) => why !== undefined);
          const test = async (): Promise<void> => {
            const scene = new Scene(factory());
            try {
              await run(scene);
            } finally {
              await scene.end();
            }
          };
          if (lack === undefined) it(numbered, test);
          else it.skip(`${numbered} (not for this store: ${lack})`, test);
        }
      });
    }
  });
}
