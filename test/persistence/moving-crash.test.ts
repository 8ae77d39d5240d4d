/** `statewarden copy --move` is killed at each of its steps and run again: all agents arrive as they were, once, and in between no runtime runs them anywhere. */

import { expect } from 'chai';
import { join } from 'node:path';
import { createMachine } from 'xstate';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { likeness } from '#src/persistence/moving/likeness.js';
import { inFolder, lifeOf } from '../crash/lives.js';

const agents = { box: { machine: createMachine({ id: 'box', on: { GO: {} } }), version: 1 } };
const main = join(process.cwd(), 'dist', 'cli', 'main.js');

async function contents(path: string): Promise<unknown> {
  const store = await sqlite(path).open({ now: Date.now });
  try {
    const records = await store.list({ limit: 1_000 });
    const wholes = await store.whole(records.map(({ key }) => key));
    const letters = (await store.deadLetters({ after: 0, limit: 1_000 })).map(({ to, event, at, reason }) => [to, event, at, reason]);
    expect(await store.check()).to.deep.equal([]);
    return [wholes.map((whole) => whole && [whole.record.id, likeness(whole)]), letters];
  } finally {
    await store.close();
  }
}

describe('a copy that is killed', function () {
  this.timeout(120_000);

  for (const [place, least] of [
    ['copy:marked', 1],
    ['copy:installed', 3],
    ['copy:complete', 1],
    ['copy:handed-over', 1],
    ['sqlite:before-commit', 5],
  ] as const) {
    it(`is finished by the next, at each passing of ${place}`, () =>
      inFolder(async (folder) => {
        const from = join(folder, 'a.db');
        {
          await using runtime = await createRuntime({ store: sqlite(from), agents });
          for (let n = 0; n < 130; n += 1) await (await runtime.spawn('box', { id: `box/${String(n)}` })).send({ type: 'GO' });
          const message = { messageId: undefined, event: '{"type":"GO"}', from: undefined, replyTo: undefined, acceptedAt: 1 };
          await runtime.store.post(
            [
              { ...message, to: 'nobody' },
              { ...message, to: 'nobody', event: '{"type":"GO","n":2}' },
            ],
            10,
          );
        }
        const before = await contents(from);
        let kills = 0;
        const to = join(folder, 'b.db');
        // One copy, killed again and again, each time a step later.
        for (let killed = true; killed && kills < 40; kills += killed ? 1 : 0) {
          const passing = place === 'copy:installed' ? 1 : kills + 1;
          const end = await lifeOf(main, ['copy', from, to, '--move'], `${place}=crash@${String(passing)}`);
          killed = end.signal === 'SIGKILL';
          if (!killed) {
            // It was killed while it closed the stores: all was done.
            if (place === 'sqlite:before-commit' && end.stderr.includes('have moved already')) break;
            expect(end, `${place} ${String(kills)}`).to.deep.equal({ code: 0, signal: null, stderr: '' });
            break;
          }
          if (place === 'copy:handed-over' || place === 'copy:complete' || place === 'copy:marked') {
            for (const path of [from, to]) {
              const code = await createRuntime({ store: sqlite(path), agents }).then(
                (runtime) => runtime.close().then(() => 'up'),
                (error: unknown) => (error as { code?: string }).code,
              );
              expect(code, `${place} ${path}`).to.equal('STORE_MOVED');
            }
          }
        }
        expect(kills).to.be.at.least(least);
        expect(await contents(to)).to.deep.equal(before);
        await using runtime = await createRuntime({ store: sqlite(to), agents });
        expect((await runtime.agent<'box'>('box/7').send({ type: 'GO' })).sequenceNumber).to.equal(3);
      }));
  }
});
