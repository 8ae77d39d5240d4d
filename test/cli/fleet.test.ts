/** The command line on a store with fleets: how they are drawn and listed, what they are told, and that it waits until it has come true. */

import { expect } from 'chai';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { fold, tally, type Standing } from '#src/cli/children.js';
import { checkRolled } from '#src/cli/commands/fleet-orders.js';
import { newChild, type ChildState } from '#src/supervisor/state.js';
import { parsed, statewarden, type Ran } from './command-line.js';
import { agents, fleetStore, library, until } from './fleet-store.js';
import { sampleStore, type SampleStore } from './sample-store.js';

const ago = '\\d+ (?:ms|s) ago';
const open = (path: string) => createRuntime({ store: sqlite(path), agents });
const resultOf = (ran: Ran): Pick<Ran, 'code' | 'stderr'> => ({ code: ran.code, stderr: ran.stderr });
const done = { code: 0, stderr: '' };

function expectLines(text: string, expected: readonly string[]): void {
  const lines = text.trimEnd().split('\n');
  expect(lines, text).to.have.length(expected.length);
  for (const [index, line] of expected.entries()) expect(lines[index]).to.match(new RegExp(`^${line}$`));
}

describe('statewarden, on a store with fleets', () => {
  let sample: SampleStore;
  before(async () => {
    sample = await fleetStore();
  });
  after(() => sample.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden([...args, '--store', sample.path]);

  describe('tree', () => {
    it("draws a fleet's line with its state, and its members", async () => {
      const ran = await run('tree', 'library');
      expect(resultOf(ran)).to.deep.equal(done);
      expectLines(ran.stdout, [
        `library  supervisor one-for-one  running  started ${ago}`,
        `├─ readers  fleet of 3 × reader · 3 up · 3 busy · 2 queued · 1 done · 1 failed  running  started ${ago}`,
        `│  ├─ readers/1  reader  running  reading  started ${ago}`,
        `│  ├─ readers/2  reader  running  reading  started ${ago}`,
        `│  └─ readers/3  reader  running  reading  3 restarts  started ${ago}  failed ${ago} \\(guard\\): .* \\(reading 'lines'\\)`,
        `└─ hasty  fleet of 1 × reader · 1 up · 0 busy · 0 queued · 0 done · 1 failed  running  started ${ago}`,
        `   └─ hasty/1  reader  running  idle  1 restart  started ${ago}`,
        'no runtime is up: they go on so when one starts',
      ]);
    });

    it('counts members that are alike, unless all are asked for', async () => {
      const { stdout } = await run('tree', 'crowd');
      expect(stdout)
        .to.match(/^crowd {2}fleet of 30 × reader · 30 up · 0 busy · 1 queued · 0 done · 0 failed · drained {2}running/)
        .and.to.match(/^└─ … and 20 more, all running \(--all\)$/m);
      expect(stdout.split('\n').filter((line) => line.startsWith('├─ crowd/'))).to.have.length(10);
      const all = (await run('tree', 'crowd', '--all')).stdout;
      expect(all)
        .to.match(/^└─ crowd\/30 /m)
        .and.not.to.include('more');
    });

    it('has the state of fleets in JSON, and all members', async () => {
      const { trees } = parsed((await run('tree', 'crowds', '--json')).stdout) as { trees?: { children: Record<string, unknown>[] }[] };
      const crowd = trees?.[0]?.children[0];
      expect(trees?.[0]).not.to.include.keys('fleet');
      expect(crowd?.['children']).to.have.length(30);
      expect(crowd?.['fleet']).to.deep.equal({
        status: 'drained',
        kind: 'reader',
        size: 30,
        up: 30,
        busy: 0,
        queued: 1,
        done: 0,
        failed: 0,
        pausedUntil: null,
        rolling: null,
      });
    });

    it('draws first those that are not running, then those that have failed', () => {
      const members = Array.from({ length: 20 }, (_, n) => ({
        n,
        failed: n === 12,
        status: n === 15 ? ('waiting' as const) : ('running' as const),
        agent: n === 17 ? ('parked' as const) : ('active' as const),
      }));
      const { shown, left } = fold(members, 5, ({ failed }) => (failed ? 0 : 1));
      expect(shown.map(({ n }) => n)).to.deep.equal([15, 17, 12, 0, 1]);
      expect(tally(left)).to.equal('… and 15 more, all running (--all)');
      const all: Standing[] = [...members].slice(13);
      expect(tally(all)).to.equal('… and 7 more (--all): 5 running, 1 waiting, 1 running (parked)');
      expect(tally(all.slice(0, 1))).to.equal('… and 1 more, running (--all)');
    });
  });

  describe('fleet', () => {
    it('lists them', async () => {
      const ran = await run('fleet');
      expect(resultOf(ran)).to.deep.equal(done);
      expectLines(ran.stdout, [
        'ID       KIND    STATUS   SIZE  UP  BUSY  QUEUED  DONE  FAILED',
        'crowd    reader  drained    30  30     0       1     0       0',
        'hasty    reader  open        1   1     0       0     0       1',
        'readers  reader  open        3   3     3       2     1       1',
        'no runtime is up: they go on so when one starts',
      ]);
      expect((await statewarden(['fleet', 'ls', sample.path])).stdout).to.equal(ran.stdout);
      expect((await statewarden(['fleet', sample.path])).stdout).to.equal(ran.stdout);
      const { fleets, live } = parsed((await run('fleet', '--json')).stdout) as { fleets?: Record<string, unknown>[]; live?: boolean };
      expect(live).to.equal(false);
      expect(fleets?.map(({ id }) => id)).to.deep.equal(['crowd', 'hasty', 'readers']);
      expect(fleets?.[2]).to.deep.equal({
        id: 'readers',
        status: 'open',
        kind: 'reader',
        size: 3,
        up: 3,
        busy: 3,
        queued: 2,
        done: 1,
        failed: 1,
        pausedUntil: null,
        rolling: null,
        waiting: 0,
      });
    });

    it('says that there is none', async () => {
      const other = await sampleStore();
      try {
        expect(await statewarden(['fleet', other.path])).to.deep.equal({ code: 0, stdout: 'no fleets\n', stderr: '' });
        expect(parsed((await statewarden(['fleet', other.path, '--json'])).stdout)).to.deep.equal({ fleets: [], live: false });
        const { code, stderr } = await statewarden(['fleet', 'show', 'readers', other.path]);
        expect(code).to.equal(1);
        expect(stderr).to.match(/^UNKNOWN_AGENT: there is no fleet "readers"\nhint: This store has none: declare one/);
      } finally {
        other.remove();
      }
    });

    it('shows one: members and their jobs, jobs that wait, the last results', async () => {
      const ran = await run('fleet', 'show', 'readers');
      expect(resultOf(ran)).to.deep.equal(done);
      const { stdout } = ran;
      expect(stdout)
        .to.match(/^status +open$/m)
        .and.to.match(/^supervisor +library$/m)
        .and.to.match(/^members +3 of 3 × reader up, 3 busy$/m)
        .and.to.match(/^jobs +2 queued, 1 done, 1 failed$/m)
        .and.to.match(new RegExp(`^readers/\\d +running +reading +0 +keep-1 +${ago} +0$`, 'm'))
        .and.to.match(new RegExp(`^readers/3 +running +reading +3 +keep-\\d +${ago} +0 +${ago} \\(guard\\): .*'lines'\\)$`, 'm'))
        .and.to.match(new RegExp(`^Jobs that wait\nJOB +QUEUED +EVENT\nkeep-4 +${ago} +\\{ type: 'KEEP' \\}\nkeep-5 `, 'm'))
        .and.to.match(
          /^Results, the last one first\nJOB +MEMBER +STATUS +MS +ENDED +ERROR\nbroken +readers\/3 +failed +\d+ .*'lines'\)\none +readers\/1 +done +\d+ +\d+ m?s ago\n/m,
        );
      expect((await run('fleet', 'show', 'readers', '--limit', '1')).stdout)
        .to.include('… and 2 more, all running (--all)')
        .and.to.include('Jobs that wait: the first 1 of 2\n')
        .and.to.include('Results: the last 1 of 2\n');
      expect((await run('fleet', 'show', 'hasty')).stdout).to.match(
        /^limits +3 attempts each, at most 1 at once, 5 begin in 1 min, 50 ms each$/m,
      );
    });

    it('shows one in JSON', async () => {
      const shown = parsed((await run('fleet', 'show', 'readers', '--json')).stdout) as {
        members?: { id: string; job: { id: string; startedAt: number } | null }[];
        queue?: unknown[];
        results?: Record<string, unknown>[];
      };
      expect(shown).to.include({ id: 'readers', supervisor: 'library', status: 'open', busy: 3, waiting: 0 });
      expect(shown.members?.map(({ job }) => job?.id).sort()).to.deep.equal(['keep-1', 'keep-2', 'keep-3']);
      expect(shown.members?.[0]?.job)
        .to.include({ failures: 0 })
        .and.to.deep.include({ event: { type: 'KEEP' } });
      expect(shown.queue).to.have.length(2);
      expect(shown.results?.[0]).to.include({ job: 'broken', member: 'readers/3', status: 'failed', output: null });
      expect(shown.results?.[0]?.['error']).to.include({ name: 'DeadLetterError' });
      expect(shown.results?.[1]).to.include({ job: 'one', status: 'done', output: 'one is read', error: null });
    });

    for (const [args, expected] of [
      [['show'], /show needs ID\nhint: Write statewarden fleet show ID \[STORE\]\./],
      [['submit', 'readers'], /submit needs EVENT\n/],
      [['resize', 'readers', 'many'], /the size is "many"\nhint: Give a whole number of members from 0 to 100000/],
      [['resize', 'readers', '100001'], /the size is "100001"\n/],
      [['resize', 'readers', ''], /the size is ""\n/],
      [['roll', 'readers', '--at-once', '0'], /--at-once is "0"\n/],
      [['drain', 'readers', '--timeout', '5'], /nothing waits\nhint: Add --wait/],
      [['open', 'readers', '--wait'], /--wait is no option of fleet open\nhint: It has none/],
      [['drain', 'readers', '--id=7'], /--id is no option of fleet drain\nhint: It has --wait, --timeout/],
      [['sumbit', 'readers', 'KEEP'], /"sumbit" is no action and no store\nhint: Did you mean "submit"\?/],
      [['readers'], /"readers" is no action and no store\nhint: One of ls, show, .* comes first/],
      [['drain', 'readers', 'a.db', 'more'], /"more" is one word too many/],
      [['submit', 'readers', '{nojson'], /the event is not JSON/],
      [['--al'], /[Uu]nknown option "--al"/],
    ] as const) {
      it(`is called wrongly with: ${args.join(' ')}`, async () => {
        const { code, stdout, stderr } = await statewarden(['fleet', ...args], {
          cwd: sample.folder,
          env: { STATEWARDEN_STORE: sample.path },
        });
        expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
        expect(stderr)
          .to.match(/^USAGE: /)
          .and.to.match(expected);
      });
    }

    for (const [args, expected] of [
      [['drain', 'readr'], 'UNKNOWN_AGENT: there is no fleet "readr"\nhint: Did you mean "readers"?\n'],
      [['open', 'nobody'], 'UNKNOWN_AGENT: there is no fleet "nobody"\nhint: List them with `statewarden fleet`.\n'],
      [['show', 'library'], 'BAD_INPUT: agent "library" is no fleet\nhint: List the fleets with `statewarden fleet`.\n'],
      [
        ['submit', 'readers/1', 'KEEP'],
        'BAD_INPUT: agent "readers/1" is no fleet\nhint: It is a member of fleet "readers": give that id.\n',
      ],
    ] as const) {
      it(`refuses: ${args.join(' ')}`, async () => {
        expect(await run('fleet', ...args)).to.deep.equal({ code: 1, stdout: '', stderr: expected });
      });
    }

    it('takes no event whose type is ours', async () => {
      const { code, stderr } = await run('fleet', 'submit', 'readers', 'statewarden.fleet');
      expect({ code, stderr: stderr.split(':')[0] }).to.deep.equal({ code: 2, stderr: 'BAD_EVENT' });
    });
  });

  describe('show', () => {
    it('shows a fleet by its state, and where its members and jobs are to be seen', async () => {
      expect((await run('show', 'readers')).stdout)
        .to.match(/^fleet +3 × reader · 3 up · 3 busy · 2 queued · 1 done · 1 failed$/m)
        .and.to.include('its members and jobs: statewarden fleet show "readers"')
        .and.not.to.include('Context');
      expect(parsed((await run('show', 'readers', '--json')).stdout)['fleet']).to.include({ kind: 'reader', queued: 2 });
    });

    it('names the fleet of a member, and its job', async () => {
      const { stdout } = await run('show', 'readers/1');
      expect(stdout)
        .to.match(/^member of +readers$/m)
        .and.to.match(new RegExp(`^job +keep-\\d, begun ${ago}$`, 'm'));
      expect(parsed((await run('show', 'readers/1', '--json')).stdout)).to.deep.include({ fleet: null });
      expect((parsed((await run('show', 'hasty/1', '--json')).stdout) as { job?: unknown }).job).to.equal(null);
    });
  });

  describe('dead-letters', () => {
    it('name the job and its member', async () => {
      expect((await run('dead-letters')).stdout)
        .to.match(/^POSITION +AT +TO +FROM +JOB +REASON +EVENT\n/)
        .and.to.match(/^ +1 .* readers +readers\/3 +broken +guard +\{ type: 'BREAK' \}$/m);
      expect((await run('dead-letters', 'show', '1')).stdout)
        .to.match(/^job +broken$/m)
        .and.to.match(/^member +readers\/3$/m)
        .and.to.match(/^deliveries +3, all failed$/m);
      const late = (await run('dead-letters', 'show', '2')).stdout;
      expect(late)
        .to.match(/^reason +timeout$/m)
        .and.not.to.match(/undefined|unknown/);
      const { deadLetters } = parsed((await run('dead-letters', '--json')).stdout) as { deadLetters?: { details: object }[] };
      expect(deadLetters?.[0]?.details).to.include({ job: 'broken', member: 'readers/3', reason: 'guard' });
      expect(deadLetters?.[1]?.details).to.include({ job: 'late', member: 'hasty/1', reason: 'timeout', sequenceNumber: null });
    });
  });
});

describe('statewarden fleet, that tells a fleet something', function () {
  this.slow(2_000);
  let place: SampleStore;
  beforeEach(async () => {
    place = await fleetStore(0);
  });
  afterEach(() => place.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden(['fleet', ...args, '--store', place.path]);

  it('keeps it until a runtime starts, a job once for each id', async () => {
    const later = 'no runtime is up, it is taken when one starts';
    expect((await run('submit', 'hasty', 'READ', '--id', '007')).stdout).to.equal(`accepted: job 007, in the mailbox of hasty; ${later}\n`);
    expect(await run('submit', 'hasty', 'READ', '--id', '007')).to.deep.equal({
      code: 0,
      stdout: 'duplicate: job 007 was handed in before\n',
      stderr: '',
    });
    const { job, outcome, position } = parsed((await run('submit', 'hasty', '{"type":"READ","page":"a"}', '--json')).stdout);
    expect(job).to.match(/^[0-9a-f-]{36}$/);
    expect({ outcome, position }).to.include({ outcome: 'accepted' }).and.have.property('position').that.is.a('number');
    expect((await run('resize', 'hasty', '2')).stdout).to.equal(`accepted: resize to 2, in the mailbox of hasty; ${later}\n`);
    expect((await run()).stdout).to.match(/\n3 events not taken yet\n/);
    await using runtime = await open(place.path);
    await runtime.supervise(library());
    const hasty = runtime.fleet<'reader', string>('hasty');
    await until(async () => (await hasty.status()).done === 2);
    expect(await hasty.job(job as string).result()).to.equal('a is read');
    expect(await hasty.job('007').result()).to.equal('undefined is read');
  });

  it('waits until a fleet has its size, and tells when somebody else says otherwise', async () => {
    await using runtime = await open(place.path);
    await runtime.supervise(library());
    const hasty = runtime.fleet<'reader'>('hasty');
    expect(await run('resize', 'hasty', '6', '--wait')).to.deep.equal({ code: 0, stdout: 'resized: 6 × reader up\n', stderr: '' });
    expect(await hasty.status()).to.include({ size: 6, up: 6 });
    const { fleet, outcome } = parsed((await run('resize', 'hasty', '2', '--wait', '--json')).stdout);
    expect({ outcome, fleet }).to.deep.include({ outcome: 'accepted' });
    expect(fleet).to.include({ size: 2, up: 2 });
    expect(await hasty.status()).to.include({ size: 2, up: 2 });
    const busy = run('resize', 'readers', '2', '--wait');
    await until(async () => (await runtime.fleet('readers').status()).size === 2);
    await runtime.fleet('readers').resize(3);
    expect(await busy).to.deep.include({
      code: 1,
      stdout: '',
      stderr: 'SUPERVISION: fleet "readers" was resized to 3 meanwhile\nhint: Somebody else did that: ask, or try again.\n',
    });
  });

  it('waits until a fleet is drained, for so long at most, and opens it again', async () => {
    await using runtime = await open(place.path);
    await runtime.supervise(library());
    const hasty = runtime.fleet<'reader', string>('hasty');
    const { code, stderr } = await run('drain', 'readers', '--wait', '--timeout', '1');
    expect(code).to.equal(1);
    expect(stderr).to.match(/^TIMEOUT: fleet "readers": drain is not done after 1 s: 5 jobs left\nhint: It goes on: /);
    expect((await run('drain', 'hasty', '--wait')).stdout).to.equal('drained: 0 done, 1 failed\n');
    expect(await hasty.status()).to.include({ status: 'drained' });
    expect((await run('submit', 'hasty', '{"type":"READ","page":"a"}', '--id', 'a')).stdout).to.equal(
      'accepted: job a, in the mailbox of hasty; the fleet is drained and begins it when it is opened\n',
    );
    await until(async () => (await hasty.status()).queued === 1);
    expect((await run('drain', 'hasty')).stdout).to.equal('accepted: drain, in the mailbox of hasty\n');
    expect((await run('open', 'hasty')).stdout).to.equal('accepted: open, in the mailbox of hasty\n');
    await until(async () => (await hasty.status()).done === 1);
    expect(await hasty.job('a').result()).to.equal('a is read');
  });

  it('waits until all members have had their turn of a roll', async () => {
    await using runtime = await open(place.path);
    await runtime.supervise(library());
    await runtime.fleet('hasty').resize(4);
    const startedAt = async (): Promise<(number | undefined)[]> =>
      ((await runtime.tree())[0]?.children?.find(({ id }) => id === 'hasty')?.children ?? []).map((member) => member.startedAt);
    const before = await startedAt();
    expect(await run('roll', 'hasty', '--at-once', '2', '--wait')).to.deep.equal({
      code: 0,
      stdout: 'rolled: 4 × reader up\n',
      stderr: '',
    });
    const after = await startedAt();
    expect(after).to.have.length(4);
    for (const [index, at] of after.entries()) expect(at).to.be.above(before[index] as number);
  });

  it('knows a roll that stopped by the members that are the same as before', () => {
    const child = (n: number, run: number, more: Partial<ChildState> = {}): ChildState => ({
      ...newChild({
        id: `f/${String(n)}`,
        kind: 'reader',
        input: undefined,
        restart: 'permanent',
        significant: false,
        shutdownMs: 0,
        heartbeatMs: undefined,
      }),
      status: 'running',
      run,
      ...more,
    });
    const before = [child(1, 1), child(2, 1), child(3, 4)];
    const failure = { reason: 'start', message: 'the shelf is gone', at: 1 } as const;
    expect(() => checkRolled('f', before, [child(1, 2), child(2, 2), child(3, 5), child(4, 1)])).not.to.throw();
    expect(() => checkRolled('f', before, [child(1, 2), child(2, 2, { status: 'waiting', failure }), child(3, 4)])).to.throw(
      'the roll of fleet "f" stopped with 1 member left: member "f/2" did not come up: the shelf is gone',
    );
  });

  it('says so when no node holds the fleet, and when the fleet is down', async () => {
    const nobody = await run('drain', 'readers', '--wait');
    expect(nobody).to.deep.include({ code: 1, stdout: '' });
    expect(nobody.stderr).to.match(/^SUPERVISION: no node seems to hold fleet "readers"\nhint: What it was told is kept /);
    await using runtime = await open(place.path);
    const above = await runtime.supervise(library());
    await above.shutdown();
    const down = await run('resize', 'hasty', '3', '--wait');
    expect(down).to.deep.include({ code: 1, stdout: '' });
    expect(down.stderr).to.match(/^SUPERVISION: fleet "hasty" is down .*\nhint: .*statewarden tree/);
    expect((await run('resize', 'hasty', '3')).stdout).to.match(/; the fleet is down: see statewarden tree\n$/);
  }).timeout(30_000);
});
