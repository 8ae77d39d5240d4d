/** The command line on a store with breakers: how they stand, orders to them, and what waits for them. */

import { expect } from 'chai';
import { setTimeout } from 'node:timers/promises';
import { setup } from 'xstate';
import { activity, createRuntime, type Runtime } from 'statewarden';
import { adaptiveBreaker, breakerRegistry, consecutiveBreaker } from 'statewarden/breakers';
import { sqlite } from 'statewarden/sqlite';
import { currentRate, percent, sparkline } from '#src/cli/breakers.js';
import { ratesUntil } from '#src/runtime/seen-breakers.js';
import { parsed, statewarden, type Ran } from './command-line.js';
import { emptyFolder, sampleStore, type SampleStore } from './sample-store.js';

const hour = 3_600_000;
const open = async (path: string, { up }: { up: boolean }): Promise<Runtime> => {
  const work = activity({
    name: 'work',
    run: (n: number): number => {
      if (!up) throw new Error('down');
      return n;
    },
    retry: { initialMs: 1, jitter: 'none' },
    breaker: consecutiveBreaker({ name: 'search-api', level: 'service', failures: 2, open: { initialMs: hour, maximumMs: hour } }),
  });
  const machine = setup({ actors: { work } }).createMachine({
    initial: 'calling',
    states: { calling: { invoke: { src: 'work', input: 1, onDone: 'done', onError: 'failed' } }, done: {}, failed: {} },
  });
  const runtime = await createRuntime({
    store: sqlite(path),
    agents: { caller: { machine, version: 1 } },
    breakers: [
      consecutiveBreaker({ name: 'research', level: 'stage' }),
      breakerRegistry(adaptiveBreaker({ name: 'llm', timeZone: 'UTC' })),
      adaptiveBreaker({ name: 'mail', timeZone: 'UTC' }),
    ],
    node: { name: 'one' },
  });
  return runtime as unknown as Runtime;
};

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    expect(tries, what).to.be.below(1_000);
    await setTimeout(3);
  }
}

async function breakerStore(): Promise<SampleStore> {
  const place = emptyFolder();
  await using runtime = await open(place.path, { up: false });
  for (let call = 0; call < 10; call += 1) {
    await runtime.breakers
      .get('mail')
      .execute(() => (call === 0 ? Promise.reject(new Error('no')) : Promise.resolve()))
      .catch(() => undefined);
  }
  await runtime.spawn('caller', { id: 'a' });
  await until('open', async () => runtime.breakers.get('search-api').state === 'open');
  for (const id of ['b', 'c']) await runtime.spawn('caller', { id });
  await until('parked', async () => (await runtime.breakers.parked()).length === 3);
  return place;
}

describe('statewarden breakers', () => {
  let sample: SampleStore;
  before(async () => {
    sample = await breakerStore();
  });
  after(() => sample.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden([...args, '--store', sample.path]);

  it('lists how they stand', async () => {
    const { code, stdout, stderr } = await run('breakers');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).to.match(/^NAME +LEVEL +STATE +FAILURES +NORMAL +TRIPS AT +ADMITS +WAITING +SINCE +OPEN UNTIL$/);
    expect(lines[1]).to.match(/^llm +call +closed +·{20} +60 % +– +0 +\d+ (ms|s) ago$/);
    expect(lines[2]).to.match(/^mail +call +closed +·{19}▁ 10 % +60 % +– +0 /);
    expect(lines[3]).to.match(/^research +stage +closed /);
    expect(lines[4]).to.match(/^search-api +service +open +·{19}█ 100 % +50 % +0\/s +3 +\d+ (ms|s) ago +in (1 h|\d+ min)$/);
    expect(lines[5]).to.equal('no runtime is up: this is what was last said');
    expect((await statewarden(['breakers', 'ls', sample.path])).stdout.split('\n')[1]).to.match(/^llm /);
    const nodes = (await run('breakers', '--nodes')).stdout.split('\n');
    expect(nodes[4]).to.match(/^search-api +one \(gone\) +\d+ (ms|s) ago +service +open /);
  });

  it('shows one, with what waits for it', async () => {
    const { stdout } = await run('breakers', 'show', 'search-api');
    expect(stdout)
      .to.match(/^kind +consecutive, service$/m)
      .and.to.match(/^since .*: consecutive-failures$/m)
      .and.to.match(/^window +2 calls, 2 failed, 0 slow, \d+ refused, 0 under way$/m)
      .and.to.match(/^waiting +3 activities$/m)
      .and.to.match(/^a +work +search-api +\d+ (ms|s) ago +in (1 h|\d+ min) +a:/m);
    expect((await run('breakers', 'show', 'llm/new')).stdout).to.match(/^state +unknown$/m);
  });

  it('has stable names in JSON', async () => {
    const { breakers, live } = parsed((await run('breakers', '--json')).stdout) as { breakers: Record<string, unknown>[]; live: number };
    expect(live).to.equal(0);
    expect(breakers.map(({ name, state, waiting }) => [name, state, waiting])).to.deep.equal([
      ['llm', 'closed', 0],
      ['mail', 'closed', 0],
      ['research', 'closed', 0],
      ['search-api', 'open', 3],
    ]);
    expect(Object.keys(breakers[3] ?? {})).to.deep.equal([
      'name',
      'level',
      'kind',
      'within',
      'state',
      'reason',
      'since',
      'openUntil',
      'figures',
      'trace',
      'at',
      'ordered',
      'waiting',
      'nodes',
    ]);
    const { parked } = parsed((await run('breakers', 'parked', '--limit', '2', '--json')).stdout) as { parked: Record<string, unknown>[] };
    expect(parked[0]).to.include({ agentId: 'a', activity: 'work', breaker: 'search-api', failedAttempts: 2 });
    expect(parked).to.have.length(2);
  });

  it('is seen in ls and show', async () => {
    const { stdout } = await run('ls');
    expect(stdout.split('\n')[0]).to.match(/UPDATED +WAITS FOR$/);
    expect(stdout).to.match(/^b +caller@1 .* search-api, in (1 h|\d+ min)$/m);
    const { parked } = parsed((await run('ls', '--json')).stdout) as { parked: Record<string, unknown>[] };
    expect(parked.map(({ agentId, breaker }) => [agentId, breaker])).to.deep.equal(['a', 'b', 'c'].map((id) => [id, 'search-api']));
    expect((await run('show', 'b')).stdout).to.match(/ACTIVITY +STATUS +FAILED +WAITS FOR +NEXT RETRY/);
    const { activities } = parsed((await run('show', 'b', '--json')).stdout) as { activities: Record<string, unknown>[] };
    expect(activities[0]).to.include({ parkedBy: 'search-api' });
  });

  it('isolates and releases one while nobody is up, and while somebody is', async () => {
    const place = await breakerStore();
    try {
      expect((await statewarden(['breakers', 'isolate', 'mail', place.path])).stdout).to.equal(
        'isolated: mail; no runtime is up, it holds when one starts\n',
      );
      expect((await statewarden(['breakers', 'isolate', 'llm/gpt', place.path])).code).to.equal(0);
      expect((await statewarden(['breakers', place.path])).stdout)
        .to.match(/^mail +call +closed, to be isolated /m)
        .and.to.match(/^llm\/gpt +to be isolated /m);
      await using runtime = await open(place.path, { up: true });
      expect(runtime.breakers.get('mail').state).to.equal('isolated');
      await until('the note', async () => /^mail +call +isolated /m.test((await statewarden(['breakers', place.path])).stdout));
      expect((await statewarden(['breakers', 'release', 'search-api', place.path])).stdout).to.equal(
        'released: search-api; 1 node follows within a second\n',
      );
      await until('released', async () => runtime.breakers.get('search-api').state !== 'open');
    } finally {
      place.remove();
    }
  });

  it('lets go and ends what waits, whoever is up', async () => {
    const place = await breakerStore();
    try {
      const { parked } = parsed((await statewarden(['breakers', 'parked', 'search-api', place.path, '--json'])).stdout) as {
        parked: { agentId: string; operationId: string }[];
      };
      const operation = parked.find(({ agentId }) => agentId === 'b')?.operationId ?? '';
      expect((await statewarden(['breakers', 'cancel', '--operation', operation, place.path])).stdout).to.equal(
        'cancelled: 1 activity; no runtime is up, taken when one starts\n',
      );
      await using runtime = await open(place.path, { up: true });
      await until('cancelled', async () => (await runtime.breakers.parked()).length === 2);
      expect((await statewarden(['breakers', 'release-parked', 'search-api', place.path])).stdout).to.equal('released: 2 activities\n');
      await until('gone', async () => (await runtime.breakers.parked()).length === 0);
      const { agents } = parsed((await statewarden(['ls', place.path, '--json'])).stdout) as { agents: { id: string; state: unknown }[] };
      expect(agents.map(({ id, state }) => `${id} ${String(state)}`)).to.deep.equal(['a done', 'b failed', 'c done']);
      expect((await statewarden(['breakers', 'parked', place.path])).stdout).to.equal('nothing is parked\n');
    } finally {
      place.remove();
    }
  });

  it('says which breaker comes close to a wrong name, and that there is none', async () => {
    const actions = ['show', 'isolate', 'parked', 'cancel'];
    for (const ran of await Promise.all(actions.map((action) => run('breakers', action, 'serch-api')))) {
      expect(ran).to.deep.equal({
        code: 1,
        stdout: '',
        stderr: 'UNKNOWN_BREAKER: there is no breaker "serch-api"\nhint: Did you mean "search-api"?\n',
      });
    }
    expect((await run('breakers', 'cancel', '--operation', 'x:y:1')).stderr).to.match(/^BAD_INPUT: no operation "x:y:1" is parked/);
    const other = await sampleStore();
    try {
      expect((await statewarden(['breakers', other.path])).stdout).to.equal('no breakers\n');
      expect((await statewarden(['breakers', 'show', 'api', other.path])).stderr).to.match(/hint: This store has none/);
      expect((await statewarden(['ls', other.path])).stdout).to.not.match(/WAITS FOR/);
    } finally {
      other.remove();
    }
  });

  for (const [args, expected] of [
    [['show'], /show needs the name of a breaker/],
    [['cancel'], /Write statewarden breakers cancel NAME\|--operation ID \[STORE\]/],
    [['isolate', 'mail', 'a.db', 'more'], /"more" is one word too many/],
    [['isolat', 'mail'], /"isolat" is no action and no store\nhint: Did you mean "isolate"\?/],
    [['show', 'mail', '--nodes'], /--nodes is no option of breakers show/],
    [['parked', '--limit', 'few'], /--limit is "few"/],
    [['--al'], /[Uu]nknown option "--al"/],
  ] as const) {
    it(`is called wrongly with: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await statewarden(['breakers', ...args], { cwd: sample.folder });
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.match(expected);
    });
  }
});

describe('a trace of failure rates', () => {
  it('is drawn so that its end is now', () => {
    const note = { trace: { everyMs: 10_000, until: 100_000, failureRates: [0, 0.3, null, 1] } } as never;
    expect(ratesUntil(note, 100_500).slice(-5)).to.deep.equal([null, 0, 0.3, null, 1]);
    expect(ratesUntil(note, 125_000).slice(-5)).to.deep.equal([0.3, null, 1, null, null]);
    expect(ratesUntil(note, 1e9).every((rate) => rate === null)).to.equal(true);
    expect(currentRate(ratesUntil(note, 125_000))).to.equal(1);
    expect(currentRate(ratesUntil(note, 200_000))).to.equal(undefined);
    expect(sparkline([0, 0.3, null, 1], 4)).to.equal('▁▃·█');
    expect(sparkline([0, 0.3, null, null], 2)).to.equal('▃·');
    expect([0, 0.004, 0.0213, 0.5, 1].map(percent)).to.deep.equal(['0 %', '0.4 %', '2.1 %', '50 %', '100 %']);
  });
});
