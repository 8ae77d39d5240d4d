/**
 * The conformance suite of the artifact contract, in numbered sentences, for any driver. A driver's own test is one call with a factory. What a fixture cannot do
 * is announced as skipped, never silently left out. Not tried here: crashes, a disk that is full; they are a driver's own.
 */

import { contentCases } from './artifact-cases/contents.js';
import { keepingCases } from './artifact-cases/keeping.js';
import { ArtifactScene, type ArtifactCase, type ArtifactsFixture } from './artifact-cases/scene.js';
import type { TestRunner } from './describe-store.js';

const groups: readonly (readonly [string, readonly ArtifactCase[]])[] = [
  ['contents', contentCases],
  ['keeping', keepingCases],
];

/** Declares the suite's cases. `factory` gives an empty, unopened place for each case, and one more up front that is only asked what it can do and then disposed of. */
export function describeArtifacts(
  name: string,
  factory: () => ArtifactsFixture,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  const { describe, it } = runner;
  const sample = factory();
  const lack = sample.damage === undefined ? 'its fixture cannot damage artifacts' : undefined;
  void sample.dispose?.();
  let number = 0;
  describe(`${name}, as an artifact store`, () => {
    for (const [group, cases] of groups) {
      describe(group, () => {
        for (const { title, needs, run } of cases) {
          number += 1;
          const numbered = `${String(number).padStart(2, '0')} ${title}`;
          const test = async (): Promise<void> => {
            const scene = new ArtifactScene(factory());
            try {
              await run(scene);
            } finally {
              await scene.end();
            }
          };
          if (needs === undefined || lack === undefined) it(numbered, test);
          else it.skip(`${numbered} (not for this store: ${lack})`, test);
        }
      });
    }
  });
}
