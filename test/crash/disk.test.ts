/** A disk that refuses to sync, for real: the system call is made to fail under strace. */

import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { pending } from '../pending.js';
import { inFolder, judge, live } from './lives.js';

const refusing = (nth: number): string[] => {
  const call = `inject=fdatasync:error=EIO:when=${String(nth)}`;
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', call];
};

/** Whether this machine has strace and lets it trace. */
function canTrace(): boolean {
  return spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;
}

describe('a disk that fails to sync', function () {
  this.timeout(60_000);
  for (const nth of [3, 6]) {
    it(`at write ${String(nth)} poisons the writer: nothing more is acknowledged, and recovery reads what there is`, function () {
      if (!canTrace()) pending(this, 'strace is not here, or not allowed to trace');
      return inFolder(async (folder) => {
        const first = await live(folder, { under: refusing(nth) });
        expect(first).to.include({ code: 1, stderr: 'STORE_POISONED\n' });
        expect(await live(folder)).to.include({ code: 0, stderr: '' });
        expect((await judge(folder)).violations).to.deep.equal([]);
      });
    });
  }
});
