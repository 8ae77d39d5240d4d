/** The command line on a store with supervision trees: how they are drawn, why agents are down, what a poisonous event failed of. */

import { expect } from 'chai';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { setup } from 'xstate';
import { createRuntime, supervisor } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { parsed, statewarden, type Ran } from './command-line.js';
import { sampleStore, type SampleStore } from './sample-store.js';
import { agents, supervisedStore } from './supervised-store.js';

const ago = '\\d+ (?:ms|s) ago';

describe('statewarden, on a store with supervisors', () => {
  let sample: SampleStore;
  before(async () => {
    sample = await supervisedStore();
  });
  after(() => sample.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden([...args, '--store', sample.path]);

  interface Drawn {
    readonly id: string;
    readonly kind: string | null;
    readonly children?: readonly Drawn[];
    readonly [name: string]: unknown;
  }
  const trees = async (...args: string[]): Promise<readonly Drawn[]> =>
    (parsed((await run('tree', '--json', ...args)).stdout) as { trees?: readonly Drawn[] }).trees ?? [];

  describe('tree', () => {
    it('draws a line for each supervisor and child: how it stands, its restarts, its last failure', async () => {
      const { code, stdout, stderr } = await run('tree', 'desk');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const expected = [
        `desk  supervisor one-for-one  running  started ${ago}`,
        `├─ desk/ann  clerk  running  reading  started ${ago}`,
        `├─ desk/bob  clerk  running  reading  3 restarts  started ${ago}  failed ${ago} \\(guard\\): .* Cannot read properties of undefined .*`,
        `├─ phones  supervisor rest-for-one  running  started ${ago}`,
        `│  └─ phones/cid  clerk  waiting  calling  restart in \\d+ (?:min|h)  failed ${ago} \\(activity\\): the line is dead for good`,
        '└─ desk/done  clerk  ended \\(done\\)  home',
        'no runtime is up: they go on so when one starts',
      ];
      const lines = stdout.trimEnd().split('\n');
      expect(lines).to.have.length(expected.length);
      for (const [index, line] of expected.entries()) expect(lines[index]).to.match(new RegExp(`^${line}$`));
    });

    it('says why a supervisor has ended, and why one below it did', async () => {
      const { stdout } = await run('tree', 'over');
      const [over, inner, dan] = stdout.split('\n');
      expect(over).to.equal('over  supervisor one-for-one  ended  gave up: too many restarts, the last for child "over/inner"');
      expect(inner).to.match(
        /^└─ over\/inner {2}.* down {2}gave up: .*"over\/dan" {2}failed .* \(supervisor\): gave up: too many restarts, .*"over\/dan"$/,
      );
      expect(dan).to.match(/^ {3}└─ over\/dan {2}clerk {2}down {2}calling {2}failed .* \(activity\): the line is dead for good$/);
    });

    it('cuts off more than fifty children of one supervisor, unless all are asked for', async () => {
      const lines = (await run('tree', 'halls')).stdout.split('\n');
      expect(lines.filter((line) => /^├─ halls\/\d{4} /.test(line))).to.have.length(50);
      expect(lines).to.include('└─ … and 3 more, all running (--all)');
      const { stdout } = await run('tree', '--all', 'halls');
      expect(stdout)
        .to.match(/^└─ halls\/0053 /m)
        .and.not.to.include('more (');
      expect((await trees('halls'))[0]?.children).to.have.length(53);
    });

    it('draws all trees of a store, which may be named first or last', async () => {
      const { stdout } = await statewarden(['tree', sample.path], { cwd: tmpdir() });
      expect(stdout.split('\n').filter((line) => /^\w/.test(line) && line.includes(' supervisor '))).to.have.length(3);
      const idOf = async (...words: string[]): Promise<string | undefined> =>
        (parsed((await statewarden(['tree', '--json', ...words], { cwd: tmpdir() })).stdout) as { trees?: readonly Drawn[] }).trees?.[0]
          ?.id;
      expect(await idOf(sample.path, 'phones')).to.equal('phones');
      expect(await idOf('phones', sample.path)).to.equal('phones');
    });

    it('fits its lines into the width it is given', async () => {
      const { stdout } = await statewarden(['tree', sample.path], { env: { COLUMNS: '60' } });
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).to.be.at.most(60);
    });

    it('has stable names in JSON', async () => {
      const all = await trees();
      expect(all.map(({ id }) => id)).to.deep.equal(['desk', 'halls', 'over']);
      const [desk, , over] = all;
      expect(desk).to.include({ id: 'desk', kind: null, status: 'running', agent: 'active', strategy: 'one-for-one', exit: null });
      expect(desk).to.include.keys('state', 'restart', 'restarts', 'startedAt', 'dueAt', 'failure', 'children');
      expect(over?.['exit']).to.deep.equal({ type: 'intensity', child: 'over/inner' });
      expect(over?.['startedAt']).to.equal(null);
      expect(over?.children?.[0]).to.include({ status: 'down', startedAt: null });
      const cid = desk?.children?.find(({ id }) => id === 'phones')?.children?.[0];
      expect(cid).to.include({ kind: 'clerk', status: 'waiting', agent: 'suspended', state: 'calling', restart: 'transient' });
      expect(cid?.['dueAt']).to.be.a('number');
      expect(cid?.['failure']).to.include({ reason: 'activity' });
      expect(cid).not.to.include.keys('children');
    });

    it('names supervisors that come close to a wrong id, and the supervisor of an agent that is none', async () => {
      expect(await run('tree', 'dsk')).to.deep.include({
        code: 1,
        stdout: '',
        stderr: 'UNKNOWN_AGENT: no agent has the id "dsk"\nhint: Did you mean "desk"?\n',
      });
      expect(await run('tree', 'desk/ann')).to.deep.include({
        code: 1,
        stdout: '',
        stderr: 'BAD_INPUT: agent "desk/ann" is no supervisor\nhint: It is a child of "desk": give that id.\n',
      });
    });

    for (const [args, expected] of [
      [['a.db', 'desk', 'more'], /Unused args: "more"/],
      [['--al'], /[Uu]nknown option "--al"\nhint: Try statewarden tree --help/],
      [['a.db', 'desk', '--store', 'b.db'], /two stores: "a.db" and --store "b.db"/],
    ] as const) {
      it(`is called wrongly with: ${args.join(' ')}`, async () => {
        const { code, stdout, stderr } = await statewarden(['tree', ...args]);
        expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
        expect(stderr)
          .to.match(/^USAGE: /)
          .and.to.match(expected);
      });
    }

    it('says so when there is no supervisor', async () => {
      const other = await sampleStore();
      try {
        expect(await statewarden(['tree', other.path])).to.deep.equal({ code: 0, stdout: 'no supervisors\n', stderr: '' });
        expect(parsed((await statewarden(['tree', other.path, '--json'])).stdout)).to.deep.equal({ trees: [], live: false });
        const { code, stderr } = await statewarden(['tree', other.path, 'clerk']);
        expect(code).to.equal(1);
        expect(stderr).to.match(/^BAD_INPUT: agent "clerk" is no supervisor\nhint: .*statewarden show/);
      } finally {
        other.remove();
      }
    });

    it('says why a child is parked, which its supervisor does not know', async () => {
      const place = await supervisedStore(0);
      try {
        const other = setup({}).createMachine({ id: 'clerk', initial: 'writing', states: { writing: {} } });
        {
          await using runtime = await createRuntime({ store: sqlite(place.path), agents: { clerk: { machine: other, version: 1 } } });
          await runtime
            .agent('desk/ann')
            .snapshot()
            .catch(() => undefined);
          const parked = async (): Promise<boolean> => (await runtime.store.lookup(['desk/ann']))[0]?.status === 'parked';
          while (!(await parked())) await setTimeout(2);
        }
        const [, ann] = (await statewarden(['tree', place.path, 'desk'])).stdout.split('\n');
        expect(ann).to.match(/^├─ desk\/ann {2}clerk {2}running \(parked\) {2}reading {2}parked: .*state "reading" is gone$/);
        const { trees: drawn } = parsed((await statewarden(['tree', place.path, 'desk', '--json'])).stdout) as {
          trees?: { children: { agent: string; parked: string | null }[] }[];
        };
        const [parked, bob] = drawn?.[0]?.children ?? [];
        expect(parked).to.include({ status: 'running', agent: 'parked' });
        expect(parked?.parked).to.include('state "reading" is gone');
        expect(bob?.parked).to.equal(null);
      } finally {
        place.remove();
      }
    });

    it('shows a tree at work, and what was stopped by hand', async () => {
      const place = await supervisedStore(0);
      try {
        await using runtime = await createRuntime({ store: sqlite(place.path), agents });
        const halls = await runtime.supervise(supervisor({ id: 'halls', children: [{ id: 'halls/eve', kind: 'clerk' }] }));
        await halls.terminate('halls/eve');
        const { code, stdout } = await statewarden(['tree', place.path, 'halls']);
        expect(code).to.equal(0);
        expect(stdout).to.match(/^halls {2}.*\n└─ halls\/eve {2}clerk {2}terminated {2}reading\n$/);
        expect(parsed((await statewarden(['tree', place.path, '--json'])).stdout)['live']).to.equal(true);
      } finally {
        place.remove();
      }
    });
  });

  describe('show and ls', () => {
    it('show why an agent is down, whose child it is, and which event failed', async () => {
      const cid = (await run('show', 'phones/cid')).stdout;
      expect(cid)
        .to.match(/^status +suspended$/m)
        .and.to.match(/^reason +Error: the line is dead for good$/m)
        .and.to.match(/^supervisor +phones$/m);
      const bob = (await run('show', 'desk/bob')).stdout;
      expect(bob)
        .to.match(/^supervisor +desk$/m)
        .and.not.to.match(/^reason |^failed event/m);
      const { agent } = parsed((await run('show', 'desk/bob', '--json')).stdout) as { agent?: Record<string, unknown> };
      expect(agent).to.include({ supervisor: 'desk', status: 'active' });
    });

    it('show a supervisor by why it ended and where its children are to be seen', async () => {
      const { stdout } = await run('show', 'over');
      expect(stdout)
        .to.match(/^reason +gave up: too many restarts, the last for child "over\/inner"$/m)
        .and.to.include('its children: statewarden tree "over"')
        .and.not.to.include('Context');
    });

    it('find those that are down by their status', async () => {
      const { agents: found } = parsed((await run('ls', '--status', 'suspended', '--json')).stdout) as { agents?: { id: string }[] };
      expect(found?.map(({ id }) => id)).to.deep.equal(['over', 'over/dan', 'over/inner', 'phones/cid']);
    });
  });

  describe('doctor', () => {
    it('names each tree that gave up, and what to do; not what gave up below it, nor a tree that was shut down', async () => {
      const place = await supervisedStore(0);
      try {
        {
          await using runtime = await createRuntime({ store: sqlite(place.path), agents });
          await (await runtime.supervise(supervisor({ id: 'halls' }))).shutdown();
        }
        const { code, stdout } = await statewarden(['doctor', place.path]);
        expect(code).to.equal(0);
        expect(stdout)
          .to.match(new RegExp(`\nGave up\n  over: gave up: too many restarts, the last for child "over/inner" \\(${ago}\\)\n\n`))
          .and.to.match(/^notice: 1 supervisor gave up and stays down .*revive: true/m);
        const { gaveUp, findings } = parsed((await statewarden(['doctor', place.path, '--json'])).stdout) as {
          gaveUp?: { id: string; exit: object; at: number }[];
          findings?: { code: string }[];
        };
        expect(gaveUp?.map(({ id, exit }) => ({ id, exit }))).to.deep.equal([
          { id: 'over', exit: { type: 'intensity', child: 'over/inner' } },
        ]);
        expect(gaveUp?.[0]?.at).to.be.a('number');
        expect(findings?.map(({ code }) => code)).to.deep.equal(['GAVE_UP', 'DEAD_LETTERS']);
      } finally {
        place.remove();
      }
    });
  });

  describe('dead-letters', () => {
    it('tells what a poisonous event failed of, how often, and where its agent stood', async () => {
      const { stdout } = await run('dead-letters', 'show', '1');
      expect(stdout)
        .to.match(/^reason +guard$/m)
        .and.to.match(/^error +Unable to evaluate guard .*reading': Cannot read properties of undefined \(reading 'lines'\)$/m)
        .and.to.match(/^deliveries +3, all failed$/m)
        .and.to.match(/^state +reading$/m)
        .and.to.match(/^after event +1$/m)
        .and.to.match(/^stack\n {2}Error: Unable to evaluate guard .*\n(.*\n)* {6}at /m);
      const { deadLetters } = parsed((await run('dead-letters', 'show', '1', '--json')).stdout) as {
        deadLetters?: { details: Record<string, unknown> }[];
      };
      expect(deadLetters?.[0]?.details).to.include({ reason: 'guard', deliveries: 3, state: 'reading', sequenceNumber: 1 });
      expect(deadLetters?.[0]?.details['stack']).to.match(/^Error: /);
      expect(deadLetters?.[0]?.details['message']).to.match(/Cannot read/);
    });

    it('shows the error of each group', async () => {
      const { stdout } = await run('dead-letters', '--groups');
      expect(stdout).to.match(/ERROR\n[0-9a-f]{8} +1 +1 agent .* guard +READ +Unable to evaluate guard /);
      const { groups } = parsed((await run('dead-letters', '--groups', '--json')).stdout) as { groups?: { message: string }[] };
      expect(groups?.[0]?.message).to.match(/Cannot read properties/);
    });
  });
});
