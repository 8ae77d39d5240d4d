/** The command line on a store with budgets: how they stand, adding to them, and that they are in nobody's way. */

import { expect } from 'chai';
import { setTimeout } from 'node:timers/promises';
import { setup } from 'xstate';
import { activity, createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { parsed, statewarden, type Ran } from './command-line.js';
import { emptyFolder, sampleStore, type SampleStore } from './sample-store.js';

const call = activity({
  name: 'call',
  run: () => new Promise<number>(() => undefined),
  budget: { name: 'tokens', amount: 300 },
});
const caller = setup({ actors: { call } }).createMachine({
  initial: 'calling',
  states: { calling: { invoke: { src: 'call', input: undefined, onDone: 'done' } }, done: {} },
});
const agents = { caller: { machine: caller, version: 1 } } as const;
const budgets = { tokens: { limit: 1_000, periodMs: 3_600_000 }, cents: { limit: 12.5 } };
const open = (path: string) => createRuntime({ store: sqlite(path), agents, budgets });

async function budgetStore(): Promise<SampleStore> {
  const place = emptyFolder();
  await using runtime = await open(place.path);
  await runtime.budget('tokens').spend(400);
  await runtime.budget('tokens').add(50);
  await runtime
    .budget('tokens')
    .spend(5_000)
    .catch(() => undefined);
  await runtime.budget('cents').spend(12.5);
  await runtime.spawn('caller', { id: 'caller' });
  while ((await runtime.budget('tokens').status()).reserved === 0) await setTimeout(1);
  await runtime.close({ graceMs: 0 });
  return place;
}

describe('statewarden budgets', () => {
  let sample: SampleStore;
  before(async () => {
    sample = await budgetStore();
  });
  after(() => sample.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden([...args, '--store', sample.path]);

  it('lists how they stand', async () => {
    const { code, stdout, stderr } = await run('budgets');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).to.have.length(3);
    expect(lines[0]).to.equal('NAME        LIMIT  SPENT  RESERVED  LEFT  REFUSED  RESETS');
    expect(lines[1]).to.equal('cents        12.5   12.5         0     0        0  by hand');
    expect(lines[2]).to.match(/^tokens {2}1000 \+ 50 {4}400 {7}300 {3}350 {8}1 {2}in (1 h|60 min|59 min)$/);
    expect((await statewarden(['budgets', 'ls', sample.path])).stdout.split('\n')[1]).to.equal(lines[1]);
  });

  it('has stable names in JSON', async () => {
    const { budgets: shown } = parsed((await run('budgets', '--json')).stdout) as { budgets?: Record<string, unknown>[] };
    expect(shown?.[0]).to.deep.equal({
      name: 'cents',
      limit: 12.5,
      spent: 12.5,
      reserved: 0,
      credit: 0,
      left: 0,
      refused: 0,
      periodMs: null,
      resetsAt: null,
      waiting: 0,
    });
    expect(shown?.[1]).to.include({ name: 'tokens', limit: 1_000, spent: 400, reserved: 300, credit: 50, left: 350, periodMs: 3_600_000 });
    expect(shown?.[1]?.['resetsAt']).to.be.a('number');
  });

  it('adds to one, once for each key, and a runtime takes it when it starts', async () => {
    const place = await budgetStore();
    try {
      for (let time = 0; time < 2; time += 1) {
        const { code, stdout } = await statewarden(['budgets', 'add', 'cents', '0.5', place.path, '--key', 'invoice-7']);
        expect({ code, stdout: stdout.split(/[:;]/)[0] }).to.deep.equal({ code: 0, stdout: time === 0 ? 'accepted' : 'duplicate' });
      }
      expect((await statewarden(['budgets', place.path])).stdout).to.match(/\n1 event not taken yet\n$/);
      await using runtime = await open(place.path);
      for (let tries = 0; (await runtime.budget('cents').status()).left !== 0.5; tries += 1) {
        expect(tries, 'the event is not taken').to.be.below(1_000);
        await setTimeout(2);
      }
      await runtime.budget('cents').add(0.5, { key: 'invoice-7' });
      expect((await runtime.budget('cents').status()).left).to.equal(0.5);
    } finally {
      place.remove();
    }
  });

  it('says which budget comes close to a wrong name, and that there is none', async () => {
    expect(await run('budgets', 'add', 'tokns', '5')).to.deep.include({
      code: 1,
      stdout: '',
      stderr: 'UNKNOWN_BUDGET: there is no budget "tokns"\nhint: Did you mean "tokens"?\n',
    });
    const other = await sampleStore();
    try {
      expect((await statewarden(['budgets', other.path])).stdout).to.equal('no budgets\n');
      expect(parsed((await statewarden(['budgets', other.path, '--json'])).stdout)).to.deep.equal({ budgets: [] });
      const { code, stderr } = await statewarden(['budgets', 'add', 'tokens', '5', other.path]);
      expect(code).to.equal(1);
      expect(stderr).to.match(/^UNKNOWN_BUDGET: .*\nhint: This store has none: declare it/);
    } finally {
      other.remove();
    }
  });

  for (const [args, expected] of [
    [['add'], /add to which budget\?/],
    [['add', 'tokens'], /add how much\?/],
    [['add', 'tokens', '5', 'a.db', 'more'], /"more" is one word too many/],
    [['a.db', 'more'], /"more" is one word too many/],
    [['--al'], /[Uu]nknown option "--al"/],
  ] as const) {
    it(`is called wrongly with: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await statewarden(['budgets', ...args], { cwd: sample.folder });
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.match(expected);
    });
  }

  it('refuses what is no amount', async () => {
    for (const amount of ['many', '1e999', '', '0x']) {
      const { code, stderr } = await run('budgets', 'add', 'tokens', amount);
      expect({ code, stderr: stderr.split('\n')[0] }).to.deep.equal({ code: 2, stderr: `USAGE: the amount is "${amount}"` });
    }
    const { code, stderr } = await run('budgets', 'add', 'tokens', '-5');
    expect(code, stderr).to.equal(2);
  });

  it('leaves the other commands as they are', async () => {
    expect((await run('ls')).stdout).to.match(/^budgets\/cents +statewarden\.budget@1 +active +open +\d+ /m);
    const { stdout } = await run('show', 'budgets/tokens');
    expect(stdout)
      .to.match(/^kind +statewarden\.budget, version 1$/m)
      .and.to.match(/limit: 1000/);
    const doctor = await run('doctor', '--json');
    expect(parsed(doctor.stdout)).to.deep.include({ faults: [], inlineActions: [], parked: [] });
    expect((await run('journal', 'budgets/tokens')).stdout).to.match(/budget\.spend/);
    expect((await run('tree')).stdout).to.equal('no supervisors\n');
  });
});
