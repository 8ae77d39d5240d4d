/** Two processes on one file. One is stopped past its lease and its agent taken over; when it goes on, the store refuses what it writes. */

import { expect } from 'chai';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { connect } from '#src/persistence/sqlite/driver.js';
import { inFolder } from './lives.js';
import { holderPath, kinds, leaseMs } from './holder.js';

async function said(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, 'message')) as [string];
  return message;
}

function rows(path: string): unknown {
  const connection = connect(path);
  const journal = connection.prepare('SELECT * FROM journal ORDER BY position').all();
  const agents = connection.prepare('SELECT * FROM agents').all();
  connection.close();
  return { journal, agents };
}

describe('a process that lost its lease', function () {
  this.timeout(30_000);
  for (const goesOn of [true, false]) {
    it(`writes nothing: its agent ${goesOn ? 'went on elsewhere' : 'is held elsewhere, and stands where it left it'}`, () =>
      triesToWrite(goesOn));
  }
});

function triesToWrite(goesOn: boolean): Promise<void> {
  return inFolder(async (folder) => {
    const path = join(folder, 'agents.db');
    const holder = fork(holderPath, [path], { execArgv: ['--no-warnings'] });
    try {
      expect(await said(holder)).to.equal('holding');
      await using runtime = await createRuntime({ store: sqlite(path), agents: kinds, node: { leaseMs, spread: false } });
      const agent = runtime.agent<'counter'>('c');
      await agent.snapshot().then(
        () => expect.fail('it was taken from a live holder'),
        (error: unknown) => expect(error).to.include({ code: 'AGENT_OWNED' }),
      );
      holder.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, leaseMs * 2));
      if (goesOn) expect((await agent.send({ type: 'ADD' }, { messageId: 'from the new holder' })).sequenceNumber).to.equal(3);
      else expect((await agent.snapshot()).context).to.deep.equal({ count: 1 });
      const before = rows(path);
      holder.kill('SIGCONT');
      holder.send('write');
      expect(await said(holder)).to.equal('LEASE_LOST');
      expect(rows(path)).to.deep.equal(before);
      expect((await agent.snapshot()).context).to.deep.equal({ count: goesOn ? 2 : 1 });
    } finally {
      holder.kill('SIGKILL');
    }
  });
}
