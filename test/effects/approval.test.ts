import { expect } from 'chai';
import { setup, type PromiseActorLogic } from 'xstate';
import {
  approval,
  createRuntime,
  memory,
  type Alert,
  type Approval,
  type ApprovalRequest,
  type PendingApproval,
  type Runtime,
  type RuntimeEvent,
  type Store,
} from 'statewarden';
import { approvalActivity, decide } from '#src/runtime/holds.js';
import { failing } from '../bad-input/failing.js';
import { caller } from '../runtime/caller.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';

const minute = 60_000;
const lend = { title: 'Lend 10,000 to Ada?', details: { cents: 1_000_000, since: new Date(0) } };

interface World {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly alerts: Alert[];
  readonly events: RuntimeEvent[];
  open(limits?: object): Promise<Runtime>;
}

function world(): World {
  const store = memory();
  const clock = new ManualClock();
  const alerts: Alert[] = [];
  const events: RuntimeEvent[] = [];
  const idle = setup({ types: { events: {} as { type: 'PING' } } }).createMachine({ initial: 'on', states: { on: {} } });
  return {
    store,
    clock,
    alerts,
    events,
    open: async (limits = {}) => {
      const runtime = (await createRuntime({
        store,
        clock,
        limits,
        alerts: [(alert) => void alerts.push(alert)],
        agents: { caller: { machine: caller(approval()), version: 1 }, idle: { machine: idle, version: 1 } },
      })) as unknown as Runtime;
      runtime.events$.subscribe((event) => events.push(event));
      return runtime;
    },
  };
}

async function ask(runtime: Runtime, request: unknown, id = 'a'): Promise<void> {
  await runtime.spawn('caller', { id, input: request });
  await settled();
}

async function pending(runtime: Runtime): Promise<PendingApproval> {
  const [one] = await runtime.approvals.list();
  if (one === undefined) throw new Error('nothing waits');
  return one;
}

async function ledger(runtime: Runtime, id = 'a') {
  const [record] = await runtime.store.lookup([id]);
  return runtime.store.operations(record?.key ?? 0);
}
const told = (one: World): string[] => one.alerts.map(({ alert }) => alert);

describe('approval()', () => {
  it('is asked for, told of, listed and decided by code', async () => {
    const one = world();
    await using runtime = await one.open();
    await ask(runtime, { ...lend, deadlineMs: minute });
    const waiting = await pending(runtime);
    expect(waiting).to.deep.equal({
      agentId: 'a',
      operationId: waiting.operationId,
      since: one.clock.now(),
      title: lend.title,
      details: lend.details,
      choices: ['approved', 'rejected'],
      deadline: one.clock.now() + minute,
    });
    expect(await runtime.approvals.get(waiting.operationId)).to.deep.equal(waiting);
    expect(one.alerts).to.have.lengthOf(1);
    expect(one.alerts[0]).to.include({ alert: 'approval-requested', agentId: 'a', operationId: waiting.operationId, message: lend.title });
    expect(await runtime.holds.list()).to.deep.equal([]);
    await one.clock.advance(5_000);
    await runtime.approvals.decide(waiting.operationId, 'rejected', { by: 'ada', note: 'too much' });
    expect(await runtime.agent('a').result()).to.deep.equal({ decision: 'rejected', by: 'ada', note: 'too much', at: one.clock.now() });
    expect(await runtime.approvals.list()).to.deep.equal([]);
    expect((await ledger(runtime)).map(({ activity, status }) => [activity, status])).to.deep.equal([[approvalActivity, 'succeeded']]);
    // Its deadline comes to nothing.
    await one.clock.advance(2 * minute);
    expect(told(one)).to.deep.equal(['approval-requested']);
  });

  it('is decided once: the second is told who was first, at once and after a restart', async () => {
    const one = world();
    const runtime = await one.open();
    await ask(runtime, lend);
    const { operationId } = await pending(runtime);
    const [first, second] = await Promise.allSettled([
      runtime.approvals.decide(operationId, 'approved', { by: 'ada' }),
      runtime.approvals.decide(operationId, 'rejected', { by: 'bob' }),
    ]);
    expect(first.status).to.equal('fulfilled');
    const refused = (second as PromiseRejectedResult).reason as Error & { by: string };
    expect(refused).to.include({ code: 'NOT_HELD', by: 'ada' });
    expect(refused.message).to.match(/was answered by ada at 1970-/);
    expect(await runtime.agent('a').result()).to.include({ decision: 'approved', by: 'ada' });
    expect(await failing('NOT_HELD', () => runtime.approvals.get(operationId))).to.include({ by: 'ada' });
    await runtime.close();
    await using again = await one.open();
    expect(await failing('NOT_HELD', () => again.approvals.decide(operationId, 'approved', { by: 'cyd' }))).to.include({ by: 'ada' });
  });

  it('is decided while no node runs its agent; who comes second is told who was first also then', async () => {
    const one = world();
    const runtime = await one.open();
    await ask(runtime, { ...lend, deadlineMs: minute });
    const { operationId } = await pending(runtime);
    await runtime.close();
    const store = await one.store.open({ now: () => one.clock.now() });
    const place = { store, cap: 10, now: () => one.clock.now() };
    await decide(place, operationId, 'approved', { by: 'ada' });
    expect(await failing('NOT_HELD', () => decide(place, operationId, 'rejected', { by: 'bob' }))).to.include({ by: 'ada' });
    await store.close();
    // The answer was there before the deadline, though it is taken long after.
    await one.clock.advance(3 * minute);
    await using again = await one.open();
    expect(await again.agent('a').result()).to.include({ decision: 'approved', by: 'ada', at: one.clock.now() - 3 * minute });
  });

  it('expires at its deadline: its machine meets ApprovalExpiredError, and so does who answers later', async () => {
    const one = world();
    const runtime = await one.open();
    await ask(runtime, { ...lend, deadlineMs: minute });
    const { operationId } = await pending(runtime);
    await one.clock.advance(minute - 1);
    expect(await runtime.approvals.list()).to.have.lengthOf(1);
    await one.clock.advance(1);
    expect(await runtime.agent('a').result()).to.equal(`nobody decided within ${String(minute)} ms: ${lend.title}`);
    const [line] = await ledger(runtime);
    expect(line?.status).to.equal('failed');
    expect(line?.outcome).to.include('APPROVAL_EXPIRED');
    await failing('APPROVAL_EXPIRED', () => runtime.approvals.decide(operationId, 'approved', { by: 'ada' }));
    await failing('APPROVAL_EXPIRED', () => runtime.approvals.get(operationId));
    await runtime.close();
    await using again = await one.open();
    await failing('APPROVAL_EXPIRED', () => again.approvals.decide(operationId, 'approved', { by: 'ada' }));
  });

  it('takes exactly one of an answer and a deadline of the same moment', async () => {
    for (const order of ['answer first', 'deadline first'] as const) {
      const one = world();
      await using runtime = await one.open();
      await ask(runtime, { ...lend, deadlineMs: 1_000 });
      const { operationId } = await pending(runtime);
      // Somebody else's clock, a moment behind: to them the deadline has not passed.
      const store = await one.store.open({ now: () => one.clock.now() - 1 });
      const place = { store, cap: 10, now: () => one.clock.now() - 1 };
      const answer = (): Promise<unknown> => decide(place, operationId, 'approved', { by: 'ada' }).catch((error: unknown) => error);
      let refused: unknown;
      if (order === 'answer first') {
        refused = await answer();
        await one.clock.advance(1_000);
      } else {
        one.clock.setTimeout(() => void answer().then((error) => (refused = error)), 1_000);
        await one.clock.advance(1_000);
      }
      const result = await runtime.agent('a').result();
      await settled();
      const [line] = await ledger(runtime);
      const resolutions = JSON.parse(line?.resolutions ?? '[]') as { order: string }[];
      expect(resolutions, order).to.have.lengthOf(1);
      if (refused === undefined) {
        expect(result, order).to.include({ decision: 'approved', by: 'ada' });
        expect(resolutions[0]?.order).to.equal('done');
      } else {
        expect(result, order).to.match(/^nobody decided within 1000 ms/);
        expect(resolutions[0]?.order).to.equal('expired');
        expect(refused).to.include({ code: 'APPROVAL_EXPIRED' });
      }
      expect(refused === undefined, order).to.equal(order === 'answer first');
      expect(await runtime.deadLetters.list()).to.deep.equal([]);
      await store.close();
    }
  });

  it('is refused from its deadline on, also when nothing has noticed yet that it has passed', async () => {
    const one = world();
    const runtime = await one.open();
    await ask(runtime, { ...lend, deadlineMs: 1_000 });
    const { operationId } = await pending(runtime);
    await runtime.close();
    await one.clock.advance(1_000);
    const store = await one.store.open({ now: () => one.clock.now() });
    await failing('APPROVAL_EXPIRED', () => decide({ store, cap: 10, now: () => one.clock.now() }, operationId, 'approved', { by: 'ada' }));
    await store.close();
    await using again = await one.open();
    await one.clock.advance(1);
    expect(await again.agent('a').result()).to.match(/^nobody decided within 1000 ms/);
  });

  it('reminds, each time with an id of its own, until somebody decides or time is over', async () => {
    const one = world();
    await using runtime = await one.open();
    await ask(runtime, { ...lend, remindEveryMs: 1_000, deadlineMs: 3_500 });
    await one.clock.advance(2_999);
    expect(told(one)).to.deep.equal(['approval-requested', 'approval-reminder', 'approval-reminder']);
    expect(new Set(one.alerts.map(({ id }) => id)).size, 'a receiver drops what it knows by its id').to.equal(3);
    await one.clock.advance(10_000);
    expect(told(one)).to.have.lengthOf(4);
    expect(await runtime.agent('a').result()).to.match(/^nobody decided/);
    await ask(runtime, { ...lend, remindEveryMs: 1_000 }, 'b');
    await one.clock.advance(1_000);
    await runtime.approvals.decide((await pending(runtime)).operationId, 'approved', { by: 'ada' });
    await one.clock.advance(10_000);
    expect(one.alerts.filter(({ agentId }) => agentId === 'b')).to.have.lengthOf(2);
  });

  it('lets its agent leave memory, and reminds, takes answers and expires all the same', async () => {
    const one = world();
    await using runtime = await one.open({ residentAgents: 1 });
    await ask(runtime, { ...lend, remindEveryMs: 1_000, deadlineMs: 5_000 });
    await ask(runtime, { ...lend, deadlineMs: minute }, 'b');
    await runtime.spawn('idle', { id: 'c' });
    await settled();
    const left = (): string[] => one.events.flatMap((event) => (event.type === 'passivated' ? [event.agentId] : []));
    expect(left()).to.include.members(['a', 'b']);
    await one.clock.advance(1_000);
    await settled();
    expect(told(one)).to.deep.equal(['approval-requested', 'approval-requested', 'approval-reminder']);
    const [, other] = await runtime.approvals.list();
    await runtime.approvals.decide(other?.operationId ?? '', 'approved', { by: 'ada' });
    await settled();
    expect(await runtime.agent('b').result()).to.include({ decision: 'approved' });
    await one.clock.advance(10_000);
    expect(await runtime.agent('a').result()).to.match(/^nobody decided within 5000 ms/);
  });

  it('goes on after a restart: it is told of again, reminds at the same times, and expires when it was to', async () => {
    const one = world();
    const runtime = await one.open();
    await ask(runtime, { ...lend, remindEveryMs: 1_000, deadlineMs: 5_000 });
    await one.clock.advance(1_500);
    await runtime.close();
    {
      await using again = await one.open();
      await settled();
      expect(told(one)).to.deep.equal(['approval-requested', 'approval-reminder', 'approval-requested']);
      expect(one.alerts[2]).to.deep.include({ id: one.alerts[0]?.id, operationId: one.alerts[0]?.operationId, message: lend.title });
      await one.clock.advance(500);
      expect(told(one).at(-1)).to.equal('approval-reminder');
      expect(one.alerts).to.have.lengthOf(4);
      expect((await pending(again)).deadline).to.equal(1_005_000);
    }
    // Its deadline passes while nobody is up.
    await one.clock.advance(60_000);
    await using last = await one.open();
    await one.clock.advance(1);
    expect(await last.agent('a').result()).to.match(/^nobody decided within 5000 ms/);
  });

  it('offers its own choices, and takes no others', async () => {
    const one = world();
    const choose: PromiseActorLogic<Approval<'gold' | 'silver'>, ApprovalRequest> = approval<'gold' | 'silver'>();
    expect(choose).to.be.an('object');
    await using runtime = await one.open();
    await ask(runtime, { title: 'Which?', choices: ['gold', 'silver'] });
    const { operationId, choices } = await pending(runtime);
    expect(choices).to.deep.equal(['gold', 'silver']);
    const error = await failing('BAD_INPUT', () => runtime.approvals.decide(operationId, 'approved', { by: 'ada' }));
    expect(error.hint).to.equal('Use one of gold, silver.');
    for (const signed of [{}, { by: ' ' }, { by: 'x'.repeat(201) }, { by: 'ada', note: 7 }]) {
      await failing('BAD_INPUT', () => runtime.approvals.decide(operationId, 'gold', signed as never));
    }
    await failing('BAD_INPUT', () => runtime.holds.done(operationId, 'gold', { by: 'ada' }));
    await failing('UNKNOWN_OPERATION', () => runtime.holds.get(operationId));
    await failing('UNKNOWN_OPERATION', () => runtime.approvals.decide('a:nowhere:1', 'gold', { by: 'ada' }));
    await runtime.approvals.decide(operationId, 'gold', { by: 'ada' });
    expect(await runtime.agent('a').result()).to.include({ decision: 'gold', by: 'ada' });
  });

  it('is cancelled when its state is left: nobody is waited for any more', async () => {
    const one = world();
    await using runtime = await one.open();
    await ask(runtime, { ...lend, deadlineMs: 1_000, remindEveryMs: 100 });
    const { operationId } = await pending(runtime);
    await runtime.agent('a').send({ type: 'LEAVE' } as never);
    await settled();
    expect(await runtime.approvals.list()).to.deep.equal([]);
    expect((await failing('NOT_HELD', () => runtime.approvals.decide(operationId, 'approved', { by: 'ada' }))).message).to.include(
      'is cancelled, not held',
    );
    await one.clock.advance(2_000);
    expect(told(one)).to.deep.equal(['approval-requested']);
    expect((await ledger(runtime))[0]?.status).to.equal('cancelled');
  });

  for (const [what, request] of Object.entries({
    nothing: undefined,
    'no title': { details: 1 },
    'an empty title': { title: '' },
    'no choices': { title: 'x', choices: [] },
    'the same choice twice': { title: 'x', choices: ['a', 'a'] },
    'a choice that is no word': { title: 'x', choices: ['a', 7] },
    'choices that are no list': { title: 'x', choices: 'approved' },
    'a deadline of no time': { title: 'x', deadlineMs: 0 },
    'a deadline that is no number': { title: 'x', deadlineMs: 'soon' },
    'an endless deadline': { title: 'x', deadlineMs: Infinity },
    'reminders without a pause': { title: 'x', remindEveryMs: -1 },
  })) {
    it(`fails for its machine and is asked of nobody when it is given ${what}`, async () => {
      const one = world();
      const runtime = await one.open();
      await ask(runtime, request);
      expect(await runtime.agent('a').result()).to.match(/^approval\(\): (title|choices|deadlineMs|remindEveryMs) is /);
      expect(await ledger(runtime)).to.deep.equal([]);
      expect(one.alerts).to.deep.equal([]);
      await runtime.close();
      await using again = await one.open();
      expect(await again.approvals.list()).to.deep.equal([]);
    });
  }

  it('says by itself that it needs a runtime', async () => {
    const { createActor, toPromise } = await import('xstate');
    const actor = createActor(approval(), { input: lend });
    actor.subscribe({ error: () => undefined });
    actor.start();
    await failing('BAD_INPUT', () => toPromise(actor));
  });
});
