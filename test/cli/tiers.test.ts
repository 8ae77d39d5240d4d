/** The command line moves agents into an artifact store and back, shows what is in there, and removes for good what nobody needs. */

import { expect } from 'chai';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { inFolder } from '../bad-input/failing.js';
import { parsed, statewarden, type Ran } from './command-line.js';

const order = setup({
  types: { context: {} as { texts: string[] }, events: {} as { type: 'NOTE'; text: string } | { type: 'WAIT' } | { type: 'END' } },
}).createMachine({
  id: 'order',
  context: { texts: [] },
  initial: 'open',
  on: { END: '.ended' },
  states: {
    open: {
      on: { NOTE: { actions: assign({ texts: ({ context, event }) => [...context.texts.slice(-1), event.text] }) }, WAIT: 'waiting' },
    },
    waiting: { after: { 10_000_000: 'open' } },
    ended: { type: 'final' },
  },
});
const agents = { order: { machine: order, version: 1 } };

interface Place {
  readonly path: string;
  readonly artifacts: string;
  readonly run: (...args: string[]) => Promise<Ran>;
}

/** `done-N` have ended, `idle` rests, `waiting` has a timer. Each with so many events of two kilobytes. */
async function place(work: (place: Place) => Promise<void>, { done = 2, events = 3 } = {}): Promise<void> {
  await inFolder(async (folder) => {
    const path = join(folder, 'agents.db');
    const artifacts = join(folder, 'archive');
    {
      await using runtime = await createRuntime({ store: sqlite(path), agents });
      const ids = [...Array.from({ length: done }, (_, n) => `done-${String(n + 1)}`), 'idle', 'waiting'];
      for (const id of ids) {
        const agent = await runtime.spawn('order', { id });
        const random = (): string => Array.from({ length: 200 }, () => Math.random().toString(36)).join('');
        await Promise.all(Array.from({ length: events }, () => agent.send({ type: 'NOTE', text: random() })));
        if (id.startsWith('done')) await agent.send({ type: 'END' });
        if (id === 'waiting') await agent.send({ type: 'WAIT' });
      }
    }
    await work({ path, artifacts, run: (...args) => statewarden([...args, '--store', path], { cwd: folder }) });
  });
}

const kept = (ran: Ran): unknown => parsed(ran.stdout)['kept'];
const list = (ran: Ran, name: string): unknown => parsed(ran.stdout)[name];

describe('statewarden archive and restore', function () {
  this.timeout(60_000);

  it('move agents out and in again, with what they are shown as meanwhile', () =>
    place(async ({ artifacts, run }) => {
      const before = { show: await run('show', 'idle'), journal: await run('journal', 'done-1', '--json') };
      const dry = await run('archive', '--finished', '--idle', '0', '--artifacts', artifacts, '--dry-run');
      expect(dry).to.deep.equal({
        code: 0,
        stderr: '',
        stdout: 'would archive 3 agents\n  done-1\n  done-2\n  idle\nleft 1 with something under way, or waiting for them\n',
      });
      expect(existsSync(artifacts)).to.equal(false);
      const done = await run('archive', '--finished', '--idle', '0', '--artifacts', artifacts);
      expect(done.stdout).to.match(
        /^archived 3 agents: \d+\.\d KiB in \d+\.\d KiB\nleft 1 with something under way, or waiting for them\n$/,
      );
      expect((await run('ls')).stdout)
        .to.match(/^idle .* archived$/m)
        .and.not.match(/^waiting .* archived$/m);
      expect(list(await run('ls', '--json'), 'agents')).to.satisfy(
        (rows: { archived: boolean }[]) => rows.filter(({ archived }) => archived).length === 3,
      );
      // Without the artifact store there is what the record says.
      const bare = await run('show', 'idle');
      expect(bare.stderr).to.equal('agent idle is archived: say where with --artifacts to see the rest of it\n');
      expect(bare.stdout)
        .to.match(/^archived +\d+ m?s ago, artifact [0-9a-f]{12}… of \d/m)
        .and.not.include('Context');
      const told = await run('show', 'idle', '--artifacts', artifacts);
      const context = (ran: Ran): string => ran.stdout.slice(ran.stdout.indexOf('Context'));
      expect(context(told)).to.equal(context(before.show));
      expect(await run('journal', 'done-1', '--json', '--artifacts', artifacts)).to.deep.equal(before.journal);
      expect((await run('doctor')).code).to.equal(0);
      expect(list(await run('archive', 'idle', '--artifacts', artifacts, '--json'), 'kept')).to.deep.equal({ archived: 1 });

      const back = await run('restore', 'idle', '--artifacts', artifacts);
      expect(back).to.deep.equal({ code: 0, stderr: '', stdout: 'restored 1 agent\n' });
      const all = await run('restore', '--all', '--artifacts', artifacts, '--json');
      expect(list(all, 'restored')).to.deep.equal(['done-1', 'done-2']);
      expect(await run('journal', 'done-1', '--json')).to.deep.equal(before.journal);
      expect(context(await run('show', 'idle'))).to.equal(context(before.show));
    }));

  it('choose by age, kind and beginning, and take the artifact store from the surroundings', () =>
    place(async ({ path, artifacts, run }) => {
      const env = { STATEWARDEN_ARTIFACTS: `files:${artifacts}` };
      const archive = (...args: string[]) => statewarden(['archive', ...args, '--json', '--store', path], { env });
      expect(list(await archive('--finished-for', '1h'), 'archived')).to.deep.equal([]);
      expect(list(await archive('--finished', '--prefix', 'done-2'), 'archived')).to.deep.equal(['done-2']);
      expect(list(await archive('--finished', '--kind', 'another'), 'archived')).to.deep.equal([]);
      expect(list(await archive('--idle', '1ms'), 'archived')).to.deep.equal(['idle']);
      writeFileSync(join(path, '..', 'statewarden.config.json'), JSON.stringify({ store: path, artifacts }));
      expect((await run('restore', '--kind', 'order')).stdout).to.equal('restored 2 agents\n');
    }));

  it('leave what a runtime has that is up, but for what has ended', () =>
    place(async ({ path, artifacts, run }) => {
      await using runtime = await createRuntime({ store: sqlite(path), agents });
      await runtime.agent<'order'>('idle').snapshot();
      await (await runtime.spawn('order', { id: 'new' })).send({ type: 'END' });
      const ran = await run('archive', 'idle', 'new', 'done-1', '--artifacts', artifacts, '--json');
      expect(list(ran, 'archived')).to.deep.equal(['new', 'done-1']);
      expect(kept(ran)).to.deep.equal({ held: 1 });
    }));

  it('say what is wrong', () =>
    place(async ({ path, artifacts, run }) => {
      const wrong = async (code: number, error: string, hint: string, ...args: string[]): Promise<void> => {
        const ran = await run(...args);
        expect({ code: ran.code, stderr: ran.stderr }, args.join(' ')).to.deep.equal({ code, stderr: `${error}\nhint: ${hint}\n` });
      };
      await wrong(2, 'USAGE: which agents?', 'Name them, or say --finished, --finished-for 7d, --idle 30d.', 'archive');
      await wrong(2, 'USAGE: which agents?', 'Name them, or say --all, --kind KIND, --prefix PREFIX.', 'restore');
      await wrong(2, 'USAGE: --idle is "soon"', 'Give a number with its unit, ms, s, min, h, d or w: 30d.', 'archive', '--idle', 'soon');
      const where = 'Say so with --artifacts, files:./agents-archive or gs://BUCKET/PREFIX, or STATEWARDEN_ARTIFACTS.';
      await wrong(2, 'USAGE: which artifact store?', where, 'archive', '--finished');
      const scheme = 'Write files:./agents-archive (or the path of a folder alone), or gs://BUCKET/PREFIX.';
      await wrong(2, 'USAGE: there is no artifact store for "ftp:" in this version', scheme, 'restore', '--all', '--artifacts', 'ftp://x');
      const bucket = "Give its name alone: gcs({ bucket: 'my-artifacts' }), or gcs('gs://my-artifacts/agents').";
      await wrong(2, 'USAGE: "" is not the name of a bucket', bucket, 'prune', '--artifacts', 'gs://');
      const absent = await run('archive', 'nobody', '--artifacts', artifacts);
      expect(absent).to.deep.equal({ code: 1, stdout: 'archived 0 agents\n', stderr: 'there is no agent "nobody"\n' });
      await run('archive', 'idle', '--artifacts', artifacts);
      const elsewhere = await run('restore', 'idle', '--artifacts', join(path, '..', 'another'));
      expect(elsewhere.code).to.equal(1);
      expect(elsewhere.stderr).to.match(/^ARTIFACT_MISSING: artifact [0-9a-f]{64} is not in files:.*\nhint: /);
      expect((await run('restore', 'idle', '--artifacts', artifacts)).code).to.equal(0);
    }));
});

describe('statewarden prune', function () {
  this.timeout(60_000);

  it('removes agents that ended, archived or not, with their archives, and gives the space back', () =>
    place(
      async ({ path, artifacts, run }) => {
        const full = statSync(path).size;
        expect(full).to.be.greaterThan(4_000_000);
        await run('archive', '--finished', '--prefix', 'done-1', '--artifacts', artifacts);
        const dry = await run('prune', '--finished-for', '0', '--dry-run', '--json');
        expect(list(dry, 'removed')).to.have.lengthOf(20);
        expect(statSync(path).size).to.be.at.least(full);
        const ran = await run('prune', '--finished-for', '0', '--prefix', 'done-1', '--json', '--archived', '--artifacts', artifacts);
        expect(list(ran, 'removed')).to.have.lengthOf(11);
        const afterFirst = statSync(path).size;
        expect(list(ran, 'space')).to.deep.include({ after: afterFirst });
        expect(afterFirst).to.be.lessThan(full * 0.6);
        const last = await run('prune', '--keep', '2', '--artifacts', artifacts);
        expect(last.stdout).to.match(/^removed 7 agents, 0 dead letters\nremoved 0 artifacts, 0 B\nthe store has .* less\n$/);
        // Two that ended and two that have not, of twenty-two.
        expect(statSync(path).size).to.be.lessThan(full * 0.3);
        expect(list(await run('ls', '--json'), 'agents')).to.have.lengthOf(4);
        expect((await run('doctor')).code).to.equal(0);
        expect((await run('journal', 'idle', '--json')).code).to.equal(0);
      },
      { done: 20, events: 100 },
    ));

  it('removes old dead letters, and nothing when nothing was said', () =>
    place(async ({ run }) => {
      for (const n of [1, 2]) await run('send', 'done-1', JSON.stringify({ type: 'NOTE', text: String(n) }));
      expect((await run('prune', '--keep-size')).stdout).to.equal('removed 0 agents, 0 dead letters\n');
      expect((await run('prune', '--keep-size', '--dead-letters-for', '1h')).stdout).to.include(', 0 dead letters');
      expect((await run('prune', '--keep-size', '--dead-letters-for', '0', '--dry-run')).stdout).to.include(', 2 dead letters');
      expect((await run('prune', '--keep-size', '--dead-letters-for', '0')).stdout).to.include(', 2 dead letters');
      expect(list(await run('dead-letters', '--json'), 'deadLetters') ?? []).to.deep.equal([]);
    }));

  it('removes beside a runtime that is up, and says that the file keeps its size', () =>
    place(async ({ path, run }) => {
      await using runtime = await createRuntime({ store: sqlite(path), agents });
      const ran = await run('prune', '--finished-for', '0');
      expect(ran.stdout).to.equal(
        'removed 2 agents, 0 dead letters\nthe file keeps its size while a runtime has it open: what was freed is used again\n',
      );
      expect((await (await runtime.spawn('order', { id: 'done-1' })).snapshot()).context.texts).to.deep.equal([]);
    }));
});
