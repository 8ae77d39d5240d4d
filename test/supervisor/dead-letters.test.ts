import { expect } from 'chai';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filter, firstValueFrom } from 'rxjs';
import { assign, setup } from 'xstate';
import { createRuntime, memory, supervisor, type Runtime, type Store } from 'statewarden';
import { failing } from '../bad-input/failing.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';
import { agents, open, redriverPath } from './redriver.js';

type Collectors = Runtime<typeof agents>;

/** So many events, each for one of the agents in turn, posted while none of them exists. */
async function bury(runtime: Collectors, count: number, to: readonly string[] = ['c'], type = 'N'): Promise<void> {
  const messages = Array.from({ length: count }, (_, n) => ({
    to: to[n % to.length] as string,
    messageId: undefined,
    event: JSON.stringify({ type, n }),
    from: undefined,
    replyTo: undefined,
    acceptedAt: n,
  }));
  await runtime.store.post(messages, Infinity);
}

async function taken(runtime: Collectors, count: number, id = 'c'): Promise<readonly number[]> {
  const { context } = await runtime
    .agent<'collector'>(id)
    .waitFor((snapshot) => (snapshot.context as { taken: number[] }).taken.length >= count, { timeoutMs: 10_000 });
  return context.taken;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('dead letters', () => {
  const runtimeOn = (store: Store, more: Partial<Parameters<typeof createRuntime>[0]> = {}): Promise<Collectors> =>
    createRuntime({ store, agents, ...more }) as Promise<Collectors>;

  it('are listed as their senders sent them, and found by what they have in common', async () => {
    await using runtime = await runtimeOn(memory());
    await runtime.store.post(
      [
        {
          to: 'c',
          messageId: 'm',
          event: '{"type":"WHEN","at":{"$sw":"date","v":0}}',
          from: 'b',
          replyTo: undefined,
          acceptedAt: 1,
        },
      ],
      10,
    );
    await bury(runtime, 3, ['c', 'd']);
    const [first, ...rest] = await runtime.deadLetters.list();
    expect(first).to.deep.include({ to: 'c', from: 'b', messageId: 'm', reason: 'no-such-agent', details: undefined });
    expect(first?.event).to.deep.equal({ type: 'WHEN', at: new Date(0) });
    expect(rest.map(({ to }) => to)).to.deep.equal(['c', 'd', 'c']);
    expect(await runtime.deadLetters.list({ to: 'd' })).to.deep.equal([rest[1]]);
    expect(await runtime.deadLetters.list({ type: 'N', to: 'c' })).to.deep.equal([rest[0], rest[2]]);
    expect(await runtime.deadLetters.list({ reason: 'agent-ended' })).to.deep.equal([]);
    expect(await runtime.deadLetters.list({ group: rest[0]?.group ?? '' })).to.deep.equal(rest);
    expect(await runtime.deadLetters.list([rest[2]?.position ?? 0, first?.position ?? 0])).to.deep.equal([first, rest[2]]);
    expect(await runtime.deadLetters.list({}, { after: first?.position ?? 0, limit: 2 })).to.deep.equal(rest.slice(0, 2));
  });

  it('are grouped by reason and type of event, the largest group first', async () => {
    await using runtime = await runtimeOn(memory());
    await bury(runtime, 2, ['c'], 'FEW');
    await bury(runtime, 1_200, ['c', 'd', 'e']);
    const ended = await runtime.spawn('collector', { id: 'z' });
    await ended.stop();
    await ended.send({ type: 'N', n: 1 }).catch(() => undefined);
    const groups = await runtime.deadLetters.groups();
    expect(groups.map(({ reason, type, count, receivers }) => [reason, type, count, receivers])).to.deep.equal([
      ['no-such-agent', 'N', 1_200, 3],
      ['no-such-agent', 'FEW', 2, 1],
      ['agent-ended', 'N', 1, 1],
    ]);
    expect(new Set(groups.map(({ group }) => group)).size).to.equal(3);
    expect(await runtime.deadLetters.groups({ type: 'FEW' })).to.deep.equal([groups[1]]);
  });

  it('that failed a supervised agent keep the error and where it stood, and are grouped by the message', async () => {
    const fragile = setup({ types: { events: {} as { type: 'TRY'; why: string } | { type: 'MOVE' } } }).createMachine({
      initial: 'here',
      states: { here: { on: { MOVE: 'there' } }, there: {} },
      on: {
        TRY: {
          actions: assign(({ event }) => {
            throw new Error(event.why);
          }),
        },
      },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { fragile: { machine: fragile, version: 1 } } });
    const children = ['a', 'b'].map((id) => ({ id, kind: 'fragile' }));
    await runtime.supervise(supervisor({ id: 'team', children }));
    await runtime.agent<'fragile'>('a').send({ type: 'MOVE' });
    for (const [id, why] of [
      ['a', 'no bread'],
      ['a', 'no wine'],
      ['b', 'no bread'],
    ] as const) {
      const dead = firstValueFrom(runtime.events$.pipe(filter((event) => event.type === 'dead-letter')));
      await runtime
        .agent<'fragile'>(id)
        .send({ type: 'TRY', why }, { messageId: `${id} ${why}` })
        .catch(() => undefined);
      await dead;
    }
    while ((await runtime.deadLetters.list()).length < 3) await settled();
    const letters = await runtime.deadLetters.list();
    expect(letters.map(({ details }) => details?.deliveries)).to.deep.equal([3, 3, 3]);
    const [first] = letters;
    const { stack, ...details } = first?.details ?? {};
    expect(details).to.deep.equal({ reason: 'assign', deliveries: 3, message: 'no bread', state: 'there', sequenceNumber: 2 });
    expect(stack).to.match(/^Error: no bread\n +at /);
    const groups = await runtime.deadLetters.groups();
    expect(groups.map(({ reason, type, message, count, receivers }) => [reason, type, message, count, receivers])).to.deep.equal([
      ['assign', 'TRY', 'no bread', 2, 2],
      ['assign', 'TRY', 'no wine', 1, 1],
    ]);
    expect((await runtime.deadLetters.list({ group: groups[1]?.group ?? '' })).map(({ to }) => to)).to.deep.equal(['a']);
  });

  for (const residentAgents of [100, 1]) {
    it(`are redriven in order, to agents in memory and at rest (at most ${String(residentAgents)} resident)`, async () => {
      await using runtime = await runtimeOn(memory(), { limits: { residentAgents } });
      await bury(runtime, 1_300, ['c', 'd']);
      for (const id of ['c', 'd', 'e', 'f']) await runtime.spawn('collector', { id });
      const seen: number[] = [];
      const report = await runtime.deadLetters.redrive({}, { progress: (done, total) => seen.push(done, total) });
      expect(report).to.deep.equal({ redriven: 1_300, duplicates: 0, kept: {}, absent: 0 });
      expect(seen).to.deep.equal([500, 1_300, 1_000, 1_300, 1_300, 1_300]);
      expect(await taken(runtime, 650, 'c')).to.deep.equal(upTo(1_300).filter((n) => n % 2 === 0));
      expect(await taken(runtime, 650, 'd')).to.deep.equal(upTo(1_300).filter((n) => n % 2 === 1));
      expect(await runtime.deadLetters.list()).to.deep.equal([]);
    });
  }

  it('stay when nobody can take them, and say why; another agent can', async () => {
    await using runtime = await runtimeOn(memory(), { limits: { mailbox: 2 } });
    await runtime.spawn('collector', { id: 'c' });
    await bury(runtime, 2, ['x', 'y']);
    await (await runtime.spawn('collector', { id: 'y' })).stop();
    expect(await runtime.deadLetters.redrive({})).to.deep.equal({
      redriven: 0,
      duplicates: 0,
      kept: { 'no-such-agent': 1, 'agent-ended': 1 },
      absent: 0,
    });
    const positions = (await runtime.deadLetters.list()).map(({ position }) => position);
    expect(positions).to.have.length(2);
    const report = await runtime.deadLetters.redrive([...positions, ...positions], { to: 'c' });
    expect(report).to.deep.equal({ redriven: 2, duplicates: 0, kept: {}, absent: 2 });
    expect(await taken(runtime, 2)).to.deep.equal([0, 1]);
  });

  it('whose message ids were accepted meanwhile are dead letters no more, and are not taken twice', async () => {
    await using runtime = await runtimeOn(memory());
    await runtime.store.post(
      [{ to: 'c', messageId: 'm', event: '{"type":"N","n":7}', from: undefined, replyTo: undefined, acceptedAt: 1 }],
      10,
    );
    const agent = await runtime.spawn('collector', { id: 'c' });
    await agent.send({ type: 'N', n: 7 }, { messageId: 'm' });
    expect(await runtime.deadLetters.redrive({})).to.include({ redriven: 0, duplicates: 1 });
    expect(await runtime.deadLetters.list()).to.deep.equal([]);
    expect((await agent.snapshot()).context.taken).to.deep.equal([7]);
  });

  it('are redriven at the rate that was asked for, until told to stop', async () => {
    const clock = new ManualClock();
    await using runtime = await runtimeOn(memory(), { clock });
    await bury(runtime, 100);
    await runtime.spawn('collector', { id: 'c' });
    const stop = new AbortController();
    let done = 0;
    const redriving = runtime.deadLetters.redrive({}, { perSecond: 20, signal: stop.signal, progress: (now) => (done = now) });
    await settled();
    const atOnce = done;
    expect(atOnce, 'a tenth of a second’s worth').to.equal(2);
    await clock.advance(1_000);
    expect(done).to.equal(22);
    await clock.advance(2_000);
    expect(done).to.equal(62);
    stop.abort();
    expect(await redriving).to.include({ redriven: 62 });
    expect(await runtime.deadLetters.list()).to.have.length(38);
  });

  it('that arrive while a redrive runs are not part of it', async () => {
    const clock = new ManualClock();
    await using runtime = await runtimeOn(memory(), { clock });
    await bury(runtime, 3);
    const redriving = runtime.deadLetters.redrive({}, { to: 'c', perSecond: 1 });
    await settled();
    await bury(runtime, 1, ['late']);
    await runtime.spawn('collector', { id: 'c' });
    await clock.advance(10_000);
    const { redriven, kept } = await redriving;
    expect(redriven + (kept['no-such-agent'] ?? 0)).to.equal(3);
    expect((await runtime.deadLetters.list({ to: 'late' })).length).to.equal(1);
  });

  it('are discarded for good, and counted', async () => {
    await using runtime = await runtimeOn(memory());
    await bury(runtime, 1_001);
    await bury(runtime, 2, ['d']);
    const [letter] = await runtime.deadLetters.list({ to: 'd' });
    expect(await runtime.deadLetters.discard([letter?.position ?? 0, 999_999])).to.equal(1);
    expect(await runtime.deadLetters.discard({ to: 'c' })).to.equal(1_001);
    expect(await runtime.deadLetters.list()).to.have.length(1);
  });

  it('that cannot be read are named, and can be discarded', async () => {
    await using runtime = await runtimeOn(memory());
    await runtime.store.post(
      [{ to: 'c', messageId: undefined, event: '{"type":', from: undefined, replyTo: undefined, acceptedAt: 1 }],
      10,
    );
    const error = await failing('CORRUPT_RECORD', () => runtime.deadLetters.list());
    const position = Number(/^dead letter (\d+) for agent "c"/.exec(error.message)?.[1]);
    expect(await runtime.deadLetters.discard([position])).to.equal(1);
    expect(await runtime.deadLetters.list()).to.deep.equal([]);
  });

  it('refuse what is no position, no rate', async () => {
    await using runtime = await runtimeOn(memory());
    await bury(runtime, 1);
    for (const wrong of [0, -1, 1.5, NaN, '1' as never]) {
      await failing('BAD_INPUT', () => runtime.deadLetters.redrive([wrong]));
      await failing('BAD_INPUT', () => runtime.deadLetters.discard([wrong]));
    }
    for (const perSecond of [0, -1, NaN]) await failing('BAD_INPUT', () => runtime.deadLetters.redrive({}, { perSecond }));
    expect(await runtime.deadLetters.list()).to.have.length(1);
    await runtime.close();
    await failing('RUNTIME_CLOSED', () => runtime.deadLetters.list());
  });

  describe('a thousand of them, redriven by processes that are killed', () => {
    // Before the transaction, before its sync, after it: the event is a dead letter, either, or mail.
    for (const failpoint of ['sqlite:before-commit', 'sqlite:before-sync', 'sqlite:after-commit']) {
      it(`at ${failpoint} are each taken exactly once`, async () => {
        const folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
        try {
          const path = join(folder, 'agents.db');
          {
            await using runtime = await open(path);
            await bury(runtime, 1_000);
            await runtime.spawn('collector', { id: 'c' });
          }
          let crashes = 0;
          for (const passing of [4, 9, 14]) {
            const child = fork(redriverPath, [path], {
              env: { ...process.env, STATEWARDEN_FAILPOINTS: `${failpoint}=crash@${String(passing)}` },
              execArgv: ['--no-warnings'],
            });
            crashes += await new Promise<number>((resolve) => child.on('exit', (_, signal) => resolve(signal === 'SIGKILL' ? 1 : 0)));
          }
          expect(crashes, 'the failpoint was met each time').to.equal(3);
          await using runtime = await open(path);
          const report = await runtime.deadLetters.redrive({});
          expect(report.redriven, 'some were left').to.be.within(1, 999);
          expect(await taken(runtime, 1_000)).to.deep.equal(upTo(1_000));
          expect(await runtime.deadLetters.list()).to.deep.equal([]);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      });
    }
  });
});
