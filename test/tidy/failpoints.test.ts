/** The list of failpoints is read from the source: a name that no test mentions fails here. */

import { expect } from 'chai';
import { spawnSync } from 'node:child_process';

describe('the failpoints', () => {
  it('are literals, each of its own, each mentioned in a test', () => {
    const { stdout } = spawnSync(process.execPath, ['scripts/failpoints.mjs', '--json'], { encoding: 'utf8' });
    const { failpoints, faults } = JSON.parse(stdout) as { failpoints: unknown[]; faults: string[] };
    expect(faults).to.deep.equal([]);
    expect(failpoints).to.have.length.above(5);
  });
});
