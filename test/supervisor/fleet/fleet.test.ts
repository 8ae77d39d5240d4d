/** Fleets at work: jobs are kept, given to whoever is idle, and each comes to one end; members come, go and are renewed under them. */

import { expect } from 'chai';
import { setup } from 'xstate';
import { createRuntime, fleet, memory, supervisor, type FleetStatus, type JobResult, type Store } from 'statewarden';
import { SimulatedClock, settled } from 'statewarden/testing';
import { armFailpoints } from '#src/core/failpoint.js';
import type { AgentRecord } from '#src/persistence/store.js';
import { readMind } from '#src/supervisor/tree.js';
import { failing } from '../../bad-input/failing.js';
import { until } from '../team.js';
import { crew, kindsWith, open, World, type Job } from './crew.js';

const job = (n: number): Job => ({ type: 'JOB', n });
const call = (n: number, how: 'waits' | 'fails' | 'hangs' = 'waits'): Job => ({ type: 'CALL', n, how });

describe('a fleet at work', () => {
  it('starts its members a few at a time, tells how far it is, and gives jobs to those that are idle', async () => {
    await using runtime = await open(new World());
    const told: string[] = [];
    await runtime.supervise(crew({ size: 20, startConcurrency: 4 }), {
      onProgress: ({ up, total }) => told.push(`${String(up)}/${String(total)}`),
    });
    expect(told.at(-1)).to.equal('20/20');
    const members = runtime.fleet<'member', { n: number; taken: number }>('crew');
    const jobs = await Promise.all(Array.from({ length: 50 }, (_, n) => members.submit(job(n))));
    const outputs = await Promise.all(jobs.map((one) => one.result()));
    expect(outputs.map(({ n }) => n)).to.deep.equal(Array.from({ length: 50 }, (_, n) => n));
    expect(await members.status()).to.deep.include({ status: 'open', size: 20, up: 20, busy: 0, queued: 0, done: 50, failed: 0 });
  });

  it('answers whoever asks it, from code and from a machine, and takes plain events as jobs', async () => {
    const world = new World();
    await using runtime = await open(world);
    await runtime.supervise(crew());
    expect(await runtime.agent('crew').ask(job(7) as never)).to.include({ n: 7 });
    const chief = await runtime.spawn('chief', { id: 'chief' });
    await chief.send({ type: 'GO', jobs: [job(8)] });
    const answered = await chief.waitFor(({ context }) => context.answers.length === 1);
    expect(answered.context.answers[0]).to.include({ n: 8 });
    await chief.send({ type: 'GO', jobs: [{ type: 'POISON', n: 9 }] });
    const refused = await chief.waitFor(({ context }) => context.answers.length === 2);
    expect(refused.context.answers[1]).to.match(/failed agent "crew\/\d" 3 times: poison/);
    await runtime.agent('crew').send(job(10) as never);
    await until(async () => (await runtime.fleet('crew').status()).done === 3);
  });

  it('takes the output of a member that ends as the result of its job, and begins it anew', async () => {
    await using runtime = await open(new World());
    await runtime.supervise(crew({ size: 1 }));
    const members = runtime.fleet<'member'>('crew');
    const jobs = await Promise.all([1, 2, 3].map((n) => members.submit({ type: 'LAST', n })));
    expect(await Promise.all(jobs.map((one) => one.result()))).to.deep.equal([1, 2, 3].map((n) => ({ n, last: true })));
    expect(await runtime.deadLetters.list()).to.deep.equal([]);
    expect((await runtime.agent<'member'>('crew/1').snapshot()).context.taken).to.equal(0);
  });

  it('loses no job to a poisonous one, keeps that with all that was known, and takes it once when it is redriven', async () => {
    const world = new World();
    await using runtime = await open(world);
    await runtime.supervise(crew());
    const members = runtime.fleet<'member', { n: number }>('crew');
    const jobs = await Promise.all(
      Array.from({ length: 60 }, (_, n) => members.submit(n % 10 === 5 ? { type: 'POISON', n } : job(n), { id: `job ${String(n)}` })),
    );
    const ends = await Promise.allSettled(jobs.map((one) => one.result()));
    expect(ends.flatMap((end, n) => (end.status === 'rejected' ? [n] : []))).to.deep.equal([5, 15, 25, 35, 45, 55]);
    const [letter, ...others] = await runtime.deadLetters.list();
    expect(others).to.have.length(5);
    expect(letter).to.deep.include({ to: 'crew', reason: 'assign', event: { type: 'POISON', n: 5 } });
    expect(letter?.from).to.match(/^crew\/\d$/);
    expect(letter?.details).to.include({ deliveries: 3, message: 'poison', state: 'idle' });
    expect(letter?.details?.stack).to.include('crew.js');
    world.fixed = true;
    expect(await runtime.deadLetters.redrive({ to: 'crew' })).to.include({ redriven: 6 });
    await until(async () => (await members.status()).done === 60);
    expect(await runtime.deadLetters.list()).to.deep.equal([]);
    expect((await members.status()).failed).to.equal(6);
  });

  it('brings a member back to its job when that fails it, so often and no more', async () => {
    const world = new World();
    await using runtime = await open(world);
    // Not even one restart is allowed: those for a job are not counted.
    await runtime.supervise(crew({ size: 1, intensity: 0, attempts: 3 }));
    const members = runtime.fleet<'member'>('crew');
    const one = await members.submit(call(1, 'fails'), { id: 'one' });
    const two = await members.submit(job(2));
    const error = await failing('AGENT_FAILED', () => one.result());
    expect(error.message).to.equal('member "crew/1" failed: no such page');
    expect(world.calls).to.deep.equal([1, 1, 1]);
    expect(await two.result()).to.include({ n: 2, taken: 1 });
    const [letter] = await runtime.deadLetters.list();
    expect(letter).to.deep.include({ to: 'crew', from: 'crew/1', reason: 'activity', event: call(1, 'fails') });
    expect(letter?.details).to.include({ message: 'no such page', state: 'calling', deliveries: 3 });
  });

  it('gives up a job that takes too long, or whose member makes no progress, and begins the member anew', async () => {
    const clock = new SimulatedClock();
    const world = new World();
    await using runtime = await open(world, { clock });
    await runtime.supervise(crew({ size: 2, jobTimeoutMs: 1_000, heartbeatMs: 400, attempts: 1 }));
    const members = runtime.fleet<'member'>('crew');
    const hung = await members.submit(call(1, 'hangs'));
    const failed = hung.result().catch((error: unknown) => (error as Error).message);
    await clock.advance(800);
    expect(await failed).to.equal('member "crew/1" failed: agent "crew/1" made no progress for 400 ms');
    world.fixed = false;
    await clock.advance(100);
    await until(async () => (await members.status()).up === 2);
    expect((await runtime.agent<'member'>('crew/1').snapshot()).value).to.equal('idle');
  });

  it('gives up a job after jobTimeoutMs', async () => {
    const clock = new SimulatedClock();
    await using runtime = await open(new World(), { clock });
    await runtime.supervise(crew({ size: 1, jobTimeoutMs: 1_000, memberShutdownMs: 100 }));
    const members = runtime.fleet<'member'>('crew');
    const slow = await members.submit(call(1, 'hangs'), { id: 'slow' });
    const after = await members.submit(job(2));
    await clock.advance(900);
    expect((await members.status()).busy).to.equal(1);
    await clock.advance(300);
    const error = await failing('TIMEOUT', () => slow.result());
    expect(error.message).to.equal('job "slow" took member "crew/1" longer than 1000 ms');
    expect(await after.result()).to.include({ n: 2 });
    expect((await runtime.deadLetters.list()).map(({ reason, event }) => [reason, event])).to.deep.equal([['timeout', call(1, 'hangs')]]);
  });

  it('has no more jobs under way than its concurrency, and begins no more than its rate', async () => {
    const clock = new SimulatedClock();
    const world = new World();
    await using runtime = await open(world, { clock });
    await runtime.supervise(crew({ size: 5, concurrency: 2 }));
    const members = runtime.fleet<'member'>('crew');
    for (let n = 0; n < 6; n += 1) await members.submit(call(n));
    for (let done = 0; done < 6; done += 2) {
      await until(() => world.waiting.size === 2);
      world.release();
    }
    await until(async () => (await members.status()).done === 6);
    expect(world.most).to.equal(2);

    await runtime.supervise(crew({ size: 5, rate: { limit: 3, periodMs: 1_000 } }));
    for (let n = 0; n < 8; n += 1) await members.submit(job(n));
    const counts: number[] = [];
    for (let second = 0; second < 3; second += 1) {
      await clock.advance(999);
      counts.push((await members.status()).done - 6);
      await clock.advance(1);
    }
    expect(counts).to.deep.equal([3, 6, 8]);
  });

  it('spends of its budget for each job, waits for the next period of one that is exhausted, and fails jobs when there is none', async () => {
    const clock = new SimulatedClock();
    const budgets = { calls: { limit: 5, periodMs: 1_000 }, once: { limit: 3 } };
    await using runtime = await open(new World(), { clock, budgets });
    await runtime.supervise(crew({ budget: { name: 'calls', amount: 2 } }));
    const members = runtime.fleet<'member', { n: number }>('crew');
    const jobs = await Promise.all([1, 2, 3, 4, 5].map((n) => members.submit(job(n))));
    await until(async () => (await members.status()).done === 2);
    expect(await members.status()).to.include({ busy: 0, queued: 3, pausedUntil: clock.startedAt + 1_000 });
    await clock.advance(1_001);
    await until(async () => (await members.status()).done === 4);
    await clock.advance(1_001);
    expect(await Promise.all(jobs.map((one) => one.result()))).to.have.length(5);
    expect(await runtime.budget('calls').status()).to.include({ spent: 2, left: 3 });

    await runtime.supervise(crew({ budget: { name: 'once' } }));
    const ends = await Promise.allSettled((await Promise.all([1, 2, 3, 4].map((n) => members.submit(job(n))))).map((one) => one.result()));
    expect(ends.map(({ status }) => status)).to.deep.equal(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    expect((ends[3] as PromiseRejectedResult).reason).to.include({ code: 'BUDGET_EXHAUSTED', budget: 'once' });
    expect((await runtime.deadLetters.list()).map(({ reason }) => reason)).to.deep.equal(['budget']);
    await failing('UNKNOWN_BUDGET', () => runtime.supervise(crew({ budget: { name: 'none' } })));
  });

  it('takes the same job once, and tells of results that are kept, of later ones, and of jobs that it does not know', async () => {
    await using runtime = await open(new World());
    await runtime.supervise(crew({ keepResults: 2 }));
    const members = runtime.fleet<'member', { n: number }>('crew');
    const [first, again] = await Promise.all([members.submit(job(1), { id: 'a' }), members.submit(job(1), { id: 'a' })]);
    expect(await Promise.all([first.result(), again.result()])).to.deep.equal([await first.result(), await first.result()]);
    await (await members.submit(job(1), { id: 'a' })).result();
    expect((await members.status()).done).to.equal(1);
    const seen: string[] = [];
    const subscription = members.results$.subscribe(({ job: id }) => seen.push(id));
    for (const id of ['b', 'c', 'd']) await (await members.submit(job(2), { id })).result();
    expect(seen).to.deep.equal(['a', 'b', 'c', 'd']);
    subscription.unsubscribe();
    const kept: JobResult[] = [];
    members.results$.subscribe((result) => kept.push(result)).unsubscribe();
    const error = await failing('BAD_INPUT', () => members.job('a').result());
    expect(error.message).to.equal('fleet "crew" knows no job "a"');
    expect(await members.job('d').result()).to.include({ n: 2 });
  });

  it('grows and shrinks, letting members finish, and drains and opens again', async () => {
    const world = new World();
    await using runtime = await open(world);
    await runtime.supervise(crew({ size: 2 }));
    const members = runtime.fleet<'member'>('crew');
    const told: FleetStatus[] = [];
    await members.resize(4, { onProgress: (status) => told.push(status) });
    expect(told.at(-1)).to.include({ size: 4, up: 4 });
    for (let n = 0; n < 4; n += 1) await members.submit(call(n));
    await until(() => world.waiting.size === 4);
    let shrunk = false;
    const shrinking = members.resize(1).then(() => (shrunk = true));
    await members.submit(job(9));
    expect(shrunk, 'all are at work').to.equal(false);
    world.release();
    await shrinking;
    expect(await members.status()).to.include({ size: 1, up: 1 });
    expect((await runtime.store.lookup(['crew/4']))[0]?.status).to.equal('stopped');
    await members.drain();
    expect(await members.status()).to.include({ status: 'drained', done: 5, queued: 0 });
    const held = await members.submit(job(10));
    expect(await members.status()).to.include({ status: 'drained', queued: 1 });
    await members.open();
    await held.result();
    // Those that went come back as new.
    await members.resize(3);
    expect((await runtime.agent<'member'>('crew/2').snapshot()).value).to.equal('idle');
  });

  it('rolls its members to a new version one after the other, while the others go on', async () => {
    const world = new World();
    const store = memory();
    {
      await using runtime = await open(world, { store });
      await runtime.supervise(crew({ size: 3 }));
      const members = runtime.fleet<'member', { version: number }>('crew');
      expect(await (await members.submit(job(0))).result()).to.include({ version: 1, taken: 1 });
      await members.submit(call(1), { id: 'long' });
      await until(() => world.waiting.size === 1);
    }
    await rollTo2(world, store);
    // And are of it for good.
    await using runtime = await open(world, { store }, 2);
    await runtime.supervise(crew({ size: 3 }));
    const members = runtime.fleet<'member', { version: number }>('crew');
    for (let n = 10; n < 16; n += 1) expect(await (await members.submit(job(n))).result()).to.include({ version: 2 });
  });

  async function rollTo2(world: World, store: Store): Promise<void> {
    await using runtime = await open(world, { store }, 2);
    await runtime.supervise(crew({ size: 3 }));
    const members = runtime.fleet<'member', { version: number; n: number }>('crew');
    // They go on with the machine they were made with.
    expect(await (await members.submit(job(2))).result()).to.include({ version: 1 });
    let rolled = false;
    const rolling = members.roll({ atOnce: 2 }).then(() => (rolled = true));
    await until(async () => (await members.status()).rolling?.done === 2);
    expect(await (await members.submit(job(3))).result()).to.include({ version: 2 });
    expect(rolled, 'one is at its job').to.equal(false);
    world.release();
    expect(await members.job('long').result()).to.include({ n: 1 });
    await rolling;
    for (let n = 4; n < 10; n += 1) expect(await (await members.submit(job(n))).result()).to.include({ version: 2 });
  }

  it('ends a roll with the first member that does not come up, which goes on as it was', async () => {
    const world = new World();
    const store = memory();
    {
      await using runtime = await open(world, { store });
      await runtime.supervise(crew({ size: 3 }));
    }
    let broken = false;
    const { member, chief } = kindsWith(world);
    // Its states are others, so it has to begin anew; and it cannot.
    const machine = setup({ types: { context: {} as { n: number } } }).createMachine({
      id: 'member',
      context: () => {
        if (broken) throw new Error('not like this');
        return { n: 1 };
      },
      initial: 'waiting',
      states: { waiting: {} },
    });
    const agents = { member: { machine, version: 2, previous: [member] }, chief };
    await using runtime = await createRuntime({ store, agents });
    await runtime.supervise(crew({ size: 3 }));
    const members = runtime.fleet('crew');
    broken = true;
    const error = await failing('SUPERVISION', () => members.roll());
    expect(error.message).to.equal('fleet "crew": roll-stopped: member "crew/1" did not come up: not like this');
    await until(async () => (await members.status()).up === 3);
    for (const n of [1, 2, 3]) {
      const { value } = await runtime.agent(`crew/${String(n)}`).snapshot();
      expect(value as unknown).to.equal('idle');
    }
    broken = false;
    await members.roll();
    expect((await runtime.agent('crew/3').snapshot()).value).to.equal('waiting');
  });

  it('goes on with its jobs in the next process', async () => {
    const world = new World();
    const store = memory();
    {
      await using runtime = await open(world, { store });
      await runtime.supervise(crew({ size: 2 }));
      const members = runtime.fleet<'member'>('crew');
      for (let n = 0; n < 6; n += 1) await members.submit(n < 2 ? call(n) : job(n), { id: `j${String(n)}` });
      await until(() => world.waiting.size === 2);
      world.waiting.clear();
      expect(await members.status()).to.include({ busy: 2, queued: 4, done: 0 });
    }
    await using runtime = await open(world, { store });
    await runtime.supervise(crew({ size: 2 }));
    const members = runtime.fleet<'member', { n: number }>('crew');
    await until(() => world.waiting.size === 2);
    world.release();
    const outputs = await Promise.all(Array.from({ length: 6 }, (_, n) => members.job(`j${String(n)}`).result()));
    expect(outputs.map(({ n }) => n)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect((await runtime.tree())[0]?.children?.[0]?.fleet).to.include({ done: 6, up: 2 });
  });

  it('counts no failure to the next job when its member failed once more before a crash, and it has not heard of that', async () => {
    const store = memory();
    const world = new World();
    const spec = crew({ size: 1, attempts: 2 });
    {
      await using runtime = await open(world, { store });
      await runtime.supervise(spec);
      const members = runtime.fleet<'member'>('crew');
      // The member fails, and its start is not reported.
      armFailpoints('supervisor:start=throw');
      await members.submit(call(0, 'fails'), { id: 'bad' });
      await members.submit(job(1), { id: 'good' });
      await until(async () => (await members.status()).up === 0);
      const failure = { reason: 'activity', message: 'no such page', at: 0 };
      const event = JSON.stringify({ type: 'statewarden.exited', id: 'crew/1', how: 'failed', counts: true, failure, at: 0, random: 0 });
      await runtime.store.post([{ to: 'crew', messageId: undefined, event, from: 'crew/1', replyTo: undefined, acceptedAt: 0 }], Infinity);
    }
    armFailpoints(undefined);
    await using runtime = await open(world, { store });
    await runtime.supervise(spec);
    const members = runtime.fleet<'member'>('crew');
    expect(await members.job('good').result()).to.deep.equal({ n: 1, taken: 1, version: 1 });
    expect((await failing('AGENT_FAILED', () => members.job('bad').result())).message).to.match(/no such page/);
    expect(world.calls, 'not called again').to.deep.equal([0]);
  });

  it('gives a job to an idle member while another waits for its restart, and takes back one in its place', async () => {
    const world = new World();
    const clock = new SimulatedClock();
    await using runtime = await open(world, { clock, budgets: { calls: { limit: 2, periodMs: 1_000 } } });
    await runtime.supervise(crew({ size: 2, delay: { initialMs: 60_000, jitter: 'none' } }));
    const members = runtime.fleet<'member', { n: number }>('crew');
    await members.submit(call(1, 'fails'));
    await until(async () => (await members.status()).up === 1);
    expect(await (await members.submit(job(2))).result()).to.include({ n: 2 });

    // Declared otherwise: four are asked for at once, two have to wait.
    await runtime.supervise(crew({ size: 2, budget: { name: 'calls' } }));
    world.fixed = true;
    await clock.advance(60_001);
    const order: string[] = [];
    members.results$.subscribe(({ job: id }) => order.push(id));
    await Promise.all([3, 4, 5, 6, 7].map((n) => members.submit(job(n), { id: String(n) })));
    for (let second = 0; second < 4; second += 1) await clock.advance(1_001);
    await until(async () => (await members.status()).done === 7);
    expect(order.slice(-5)).to.deep.equal(['3', '4', '5', '6', '7']);
  });

  it('gives a job that waited for its budget to a member that was stopped meanwhile, when that is back', async () => {
    await using runtime = await open(new World(), { budgets: { calls: { limit: 100 } } });
    await runtime.supervise(crew({ size: 1, budget: { name: 'calls' }, intensity: 1_000 }));
    const members = runtime.fleet<'member', { n: number }>('crew');
    for (let n = 0; n < 12; n += 1) {
      const submitted = members.submit(job(n));
      for (let turn = 0; turn < n % 6; turn += 1) await settled(1);
      await runtime
        .agent('crew/1')
        .stop()
        .catch(() => undefined);
      const end = await (await submitted).result().catch((error: unknown) => (error as { code: string }).code);
      expect(end === 'AGENT_STOPPED' || (end as { n: number }).n === n).to.equal(true);
    }
  });

  it('hears of results that are not kept, and knows when it can say nothing of a job', async () => {
    await using runtime = await open(new World());
    await runtime.supervise(crew({ keepResults: 0 }));
    const members = runtime.fleet<'member', { n: number }>('crew');
    expect(await (await members.submit(job(1), { id: 'a' })).result()).to.include({ n: 1 });
    const late = await members.submit(job(2), { id: 'late' });
    await (await members.submit(job(2))).result();
    await failing('BAD_INPUT', () => late.result());
    const again = await members.submit(job(1), { id: 'a' });
    await failing('BAD_INPUT', () => again.result());
  });

  it('takes the options it is declared with, and lets nobody else come and go', async () => {
    await using runtime = await open(new World());
    await runtime.supervise(crew({ size: 1 }));
    await runtime.supervise(crew({ size: 2, intensity: 77, heartbeatMs: 9_000, memberShutdownMs: 10 }));
    const members = runtime.fleet<'member'>('crew');
    await until(async () => (await members.status()).up === 2);
    const mind = await readMind(runtime.store, (await runtime.store.lookup(['crew']))[0] as AgentRecord);
    expect(mind.state.spec.intensity).to.equal(77);
    expect(mind.state.children.map(({ heartbeatMs, shutdownMs }) => [heartbeatMs, shutdownMs])).to.deep.equal([
      [9_000, 10],
      [9_000, 10],
    ]);
    const error = await failing('SUPERVISION', () => runtime.supervise(crew({ kind: 'chief' })));
    expect(error.message).to.equal('fleet "crew" has members of kind "member", not "chief"');
    const alone = await runtime.supervise(fleet('alone', { kind: 'member', size: 1 }));
    for (const refused of [() => alone.terminate('alone/1'), () => alone.spawn('member', { id: 'x' })]) {
      expect((await failing('SUPERVISION', refused)).message).to.match(/: fleet$/);
    }
  });

  it('refuses what cannot be, naming the place, before anything is started', async () => {
    await using runtime = await open(new World());
    const bad: readonly (readonly [string, object, RegExp])[] = [
      ['UNKNOWN_KIND', { kind: 'nobody' }, /supervisor "team" › supervisor "crew": no agents of kind "nobody"/],
      ['BAD_INPUT', { size: -1 }, /size is -1/],
      ['BAD_INPUT', { size: 1.5 }, /size is 1.5/],
      ['BAD_INPUT', { concurrency: 0 }, /concurrency is 0/],
      ['BAD_INPUT', { rate: { limit: 0, periodMs: 10 } }, /rate.limit is 0/],
      ['BAD_INPUT', { rate: { limit: 1, periodMs: 0 } }, /rate.periodMs is 0/],
      ['BAD_INPUT', { jobTimeoutMs: 0 }, /jobTimeoutMs is 0/],
      ['BAD_INPUT', { attempts: 0 }, /attempts is 0/],
      ['BAD_INPUT', { startConcurrency: 0 }, /startConcurrency is 0/],
      ['BAD_INPUT', { keepResults: -1 }, /keepResults is -1/],
      ['BAD_INPUT', { heartbeatMs: 0 }, /heartbeatMs is 0/],
      ['BAD_INPUT', { budget: { name: '' } }, /budget.name is ""/],
      ['BAD_INPUT', { budget: { name: 'calls', amount: -1 } }, /budget.amount is -1/],
      ['BAD_INPUT', { memberShutdownMs: -1 }, /memberShutdownMs is -1/],
    ];
    for (const [code, options, message] of bad) {
      const error = await failing(code, () => runtime.supervise(crew(options)));
      expect(error.message).to.match(message);
    }
    expect(await runtime.tree()).to.deep.equal([]);
    await runtime.supervise(crew());
    const members = runtime.fleet<'member'>('crew');
    await failing('BAD_EVENT', () => members.submit({ type: 'statewarden.fleet' } as never));
    await failing('BAD_INPUT', () => members.resize(-1));
    await failing('BAD_INPUT', () => members.roll({ atOnce: 0 }));
    expect((await failing('SUPERVISION', () => runtime.fleet('team').status())).message).to.equal('supervisor "team" is no fleet');
    expect((await failing('SUPERVISION', () => runtime.fleet('nobody').submit(job(1)))).message).to.equal('supervisor "nobody" is nowhere');
    const kinds = kindsWith(new World());
    const older = { machine: kinds.chief.machine, version: 2 };
    const conflict = await failing('BAD_INPUT', () =>
      createRuntime({ store: memory(), agents: { chief: { ...kinds.chief, version: 2, previous: [older] } } }),
    );
    expect(conflict.message).to.equal('agents.chief.previous has version 2');
  });

  it('is a supervisor like any other: it gives up, and is started again with its jobs', async () => {
    const world = new World();
    await using runtime = await open(world, { limits: { maxDeliveries: 1 } });
    const spec = supervisor({
      id: 'root',
      intensity: 0,
      children: [fleet('crew', { kind: 'member', size: 2, intensity: 0, memberShutdownMs: 10 })],
    });
    const tree = await runtime.supervise(spec);
    const members = runtime.fleet<'member', { n: number }>('crew');
    await members.submit(call(1), { id: 'kept' });
    await until(() => world.waiting.size === 1);
    // Members that fail without a job count.
    const { ended } = tree;
    await runtime.agent<'member'>('crew/2').send({ type: 'CALL', n: 2, how: 'fails' });
    expect(await ended).to.deep.equal({ type: 'intensity', child: 'crew' });
    expect((await failing('SUPERVISION', () => members.status())).message).to.match(/has ended/);
    world.fixed = true;
    await runtime.supervise(spec, { revive: true });
    await until(() => world.waiting.has(1));
    world.release();
    expect(await members.job('kept').result()).to.include({ n: 1 });
  });
});
