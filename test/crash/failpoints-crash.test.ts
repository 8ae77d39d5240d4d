/** Every named failpoint, hit with a crash, a throw and a delay, early and late, and again while the life before is being recovered. */

import { expect } from 'chai';
import { inFolder, judge, live, type End } from './lives.js';

interface Place {
  readonly name: string;
  /** A later passing that every run comes to. */
  readonly later: number;
  /** Passed only after a life was cut off. */
  readonly recovering?: true;
  /** Passed only when so many megabytes are written. */
  readonly hoarded?: number;
}

const places: readonly Place[] = [
  { name: 'commit:sealed', later: 6 },
  { name: 'commit:durable', later: 6 },
  { name: 'timer:fire', later: 2 },
  { name: 'effect:perform', later: 3 },
  { name: 'activity:begin', later: 3 },
  { name: 'activity:end', later: 3 },
  { name: 'restore:begin', later: 2, recovering: true },
  { name: 'restore:end', later: 2, recovering: true },
  { name: 'sqlite:before-commit', later: 7 },
  { name: 'sqlite:before-sync', later: 7 },
  { name: 'sqlite:after-commit', later: 7 },
  { name: 'sqlite:mid-group', later: 7 },
  { name: 'sqlite:load-taken', later: 1, recovering: true },
  { name: 'sqlite:checkpoint', later: 1, hoarded: 40 },
];

/** A life that ends in the middle, with all agents under way. */
const cutOff = 'sqlite:after-commit=crash@6';

function died({ code, signal }: End): boolean {
  return signal === 'SIGKILL' || (code !== null && code !== 0);
}

describe('a failpoint', function () {
  this.timeout(60_000);
  for (const { name, later, recovering, hoarded = 0 } of places) {
    it(`${name}: whatever happens there, the next life finishes the work`, () =>
      Promise.all(
        [...new Set(['crash@1', `crash@${String(later)}`, 'throw@1', 'delay:30@1'])].map((action) =>
          inFolder(async (folder) => {
            const what = `${name}=${action}`;
            if (recovering === true) expect((await live(folder, { failpoints: cutOff })).signal, what).to.equal('SIGKILL');
            const hit = await live(folder, { failpoints: what, hoarded });
            if (action.startsWith('crash')) expect(hit, what).to.include({ signal: 'SIGKILL' });
            if (action.startsWith('delay')) expect(hit, what).to.include({ code: 0, stderr: '' });
            // What throws may end the process, an agent's life in memory, or nothing: it is all the same to the next life.
            if (died(hit)) expect(await live(folder, { hoarded }), `after ${what}`).to.include({ code: 0, stderr: '' });
            const { violations } = await judge(folder);
            expect(violations, what).to.deep.equal([]);
          }),
        ),
      ));
  }

  it('is survived again and again, each life cut off in the recovery of the one before', () =>
    inFolder(async (folder) => {
      const lives = [
        'sqlite:after-commit=crash@6',
        'restore:begin=crash@2',
        'sqlite:load-taken=crash@1',
        'restore:end=crash@1',
        'commit:sealed=crash@1',
      ];
      for (const failpoints of lives) expect((await live(folder, { failpoints })).signal, failpoints).to.equal('SIGKILL');
      expect(await live(folder)).to.include({ code: 0, stderr: '' });
      expect((await judge(folder)).violations).to.deep.equal([]);
    }));
});
