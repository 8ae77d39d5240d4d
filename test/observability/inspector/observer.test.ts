/** A user's own observer: told what XState tells, once it is durable, each agent's actors under ids of their own. */

import { expect } from 'chai';
import { createActor, type AnyActorRef, type InspectedActorEvent, type InspectedSnapshotEvent, type InspectionEvent } from 'xstate';
import { createRuntime, memory, supervisor } from 'statewarden';
import { SimulatedClock } from 'statewarden/testing';
import { agents, Heard, seeker } from './machines.js';

const actorOf = ({ actorRef }: InspectionEvent): AnyActorRef => actorRef as AnyActorRef;
const inBrief = (event: InspectionEvent): string => {
  const id = actorOf(event).sessionId;
  switch (event.type) {
    case '@xstate.event':
      return `${id} event ${event.event.type} from ${event.sourceRef?.sessionId ?? 'outside'}`;
    case '@xstate.snapshot':
      return `${id} snapshot ${event.snapshot.status} ${JSON.stringify((event.snapshot as { value?: unknown }).value ?? null)}`;
    default:
      return `${id} ${event.type.slice('@xstate.'.length)}`;
  }
};
const ofInterest = (event: InspectionEvent): boolean => event.type !== '@xstate.microstep';
const endOf =
  (id: string) =>
  (event: InspectionEvent): boolean =>
    event.type === '@xstate.snapshot' && event.rootId === `${id}#x:0` && actorOf(event).id === id && event.snapshot.status !== 'active';

describe('an inspect observer', function () {
  this.timeout(30_000);

  it('is told of a new agent what XState itself tells, in the same order', async () => {
    const heard = new Heard<InspectionEvent>();
    {
      await using runtime = await createRuntime({ store: memory(), agents, inspect: heard.next });
      const agent = await runtime.spawn('seeker', { id: 's-1', input: {} });
      await agent.send({ type: 'UP' });
      await agent.send({ type: 'END' });
      await heard.first(endOf('s-1'));
    }
    const plain: InspectionEvent[] = [];
    const actor = createActor(seeker, { id: 's-1', input: {}, inspect: (event) => void plain.push(event) });
    const ids = new Map<unknown, string>();
    actor.start();
    actor.send({ type: 'UP' });
    actor.send({ type: 'END' });
    // XState counts the process's actors.
    for (const { actorRef } of plain) if (!ids.has(actorRef)) ids.set(actorRef, `s-1#x:${ids.size}`);
    const expected = plain.filter((event) => event.type.startsWith('@xstate.') && event.type !== '@xstate.action').filter(ofInterest);
    const told = heard.all.filter(ofInterest);
    const named = (events: readonly InspectionEvent[], name: (id: string) => string): string[] =>
      events.map(inBrief).map((line) => line.replace(/\S*x:\d+/g, name));
    const plainNames = new Map([...ids].map(([ref, name]) => [(ref as AnyActorRef).sessionId, name]));
    expect(named(told, (id) => id)).to.deep.equal(named(expected, (id) => plainNames.get(id) ?? id));
  });

  it('has the machine, the agent and its parents at hand, and no snapshot that was not told', async () => {
    const heard = new Heard<InspectionEvent>();
    await using runtime = await createRuntime({ store: memory(), agents, inspect: { next: heard.next } });
    await runtime.spawn('seeker', { id: 's-1', input: { a: 1 } });
    await runtime.spawn('seeker', { id: 's-2', input: {} });
    const child = (await heard.first(
      (event) => event.type === '@xstate.actor' && actorOf(event).sessionId.startsWith('s-2#x:1'),
    )) as InspectedActorEvent;
    const ref = actorOf(child);
    expect(ref._parent?.sessionId).to.equal('s-2#x:0');
    expect(ref.id).to.equal('helper');
    expect((ref as unknown as { logic: { config: { id: string } } }).logic.config.id).to.equal('helper');
    expect(new Set(heard.all.map(({ rootId }) => rootId))).to.deep.equal(new Set(['s-1#x:0', 's-2#x:0']));
    const root = actorOf(heard.all[0] as InspectionEvent);
    expect((root.getSnapshot() as { context: unknown }).context).to.deep.equal({ a: 1 });
  });

  it('hears of no turn before it is durable, nor of one that never is', async () => {
    const heard = new Heard<InspectionEvent>();
    await using runtime = await createRuntime({ store: memory(), agents, inspect: heard.next });
    const agent = await runtime.spawn('seeker', { id: 's-1', input: {} });
    await agent.send({ type: 'UP' });
    const before = heard.all.length;
    const sent = agent.send({ type: 'SET', context: { b: 2 } });
    const root = actorOf(heard.all[0] as InspectionEvent);
    // The turn has run, or runs now; the store has not answered.
    expect(heard.all.length).to.equal(before);
    expect((root.getSnapshot() as { context: object }).context).to.deep.equal({});
    await sent;
    await heard.first((event) => event.type === '@xstate.snapshot' && 'b' in ((event.snapshot as { context?: object }).context ?? {}));
    expect((root.getSnapshot() as { context: object }).context).to.deep.equal({ b: 2 });
  });

  it('is shown how an agent failed, and a child of it', async () => {
    const heard = new Heard<InspectionEvent>();
    await using runtime = await createRuntime({ store: memory(), agents, inspect: heard.next });
    for (const [id, type] of [
      ['s-1', 'BREAK'],
      ['s-2', 'BREAK_HELPER'],
    ] as const) {
      const agent = await runtime.spawn('seeker', { id, input: {} });
      await agent.send({ type });
      const end = (await heard.first(endOf(id))) as InspectedSnapshotEvent;
      expect(end.snapshot.status).to.equal('error');
    }
    const helpers = heard.all.filter((event) => actorOf(event).id === 'helper' && event.rootId === 's-2#x:0');
    const last = helpers.filter((event) => event.type === '@xstate.snapshot').at(-1) as InspectedSnapshotEvent;
    expect(((last.snapshot as { error?: unknown }).error as Error).message).to.equal('the helper broke');
  });

  it('hears nothing of a supervised turn that fails, and of the agent again when it is back', async () => {
    const heard = new Heard<InspectionEvent>();
    await using runtime = await createRuntime({ store: memory(), agents, inspect: heard.next, limits: { maxDeliveries: 1 } });
    const team = await runtime.supervise(supervisor({ id: 'team', strategy: 'one-for-one', intensity: 5, periodMs: 60_000 }));
    const agent = await team.spawn('seeker', { id: 's-1', input: {} });
    await agent.send({ type: 'BREAK' }).catch(() => undefined);
    const announced = (): number => heard.all.filter((event) => event.type === '@xstate.actor' && actorOf(event).id === 's-1').length;
    await heard.first(() => announced() > 1);
    expect(heard.all.some((event) => event.type === '@xstate.event' && event.event.type === 'BREAK')).to.equal(false);
    expect(new Set(heard.all.map(({ rootId }) => rootId))).to.deep.equal(new Set(['s-1#x:0']));
    expect(heard.all.every((event) => event.type !== '@xstate.snapshot' || event.snapshot.status === 'active')).to.equal(true);
  });

  it('is told of agents that come back as they are, and nothing of their past', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('seeker', { id: 's-1', input: {} });
      for (let n = 0; n < 5; n += 1) await agent.send({ type: 'UP' });
    }
    const heard = new Heard<InspectionEvent>();
    await using runtime = await createRuntime({ store, agents, inspect: heard.next });
    const agent = runtime.agent<'seeker'>('s-1');
    await agent.send({ type: 'LOOK' });
    await heard.first((event) => event.type === '@xstate.event' && event.event.type === 'LOOK');
    // Actors are counted on.
    const lines = heard.all.filter(ofInterest).map((event) => inBrief(event).replace(/x:[1-9]\d*/, 'x:n'));
    expect(lines.slice(0, 5)).to.deep.equal([
      's-1#x:0 actor',
      's-1#x:n actor',
      's-1#x:0 snapshot active "resting"',
      's-1#x:n snapshot active {}',
      's-1#x:0 event LOOK from outside',
    ]);
    const helper = heard.all[3] as InspectedSnapshotEvent;
    expect((helper.snapshot as unknown as { context: unknown }).context).to.deep.equal({ n: 5 });
  });

  it('changes nothing of what an agent writes', async () => {
    const written = async (inspect: { inspect?: (event: InspectionEvent) => void }): Promise<unknown> => {
      await using runtime = await createRuntime({ store: memory(), agents, clock: new SimulatedClock(), ...inspect });
      const agent = await runtime.spawn('seeker', { id: 's-1', input: {} });
      for (const type of ['UP', 'UP', 'LOOK', 'UP'] as const) await agent.send({ type });
      await agent.waitFor((snapshot) => snapshot.context['found'] !== undefined);
      for (const type of ['UP', 'UP'] as const) await agent.send({ type });
      const kept = await runtime.store.inspect('s-1');
      return { checkpoint: kept?.checkpoint, tail: kept?.tail, timers: kept?.timers, state: kept?.record.state };
    };
    const heard = new Heard<InspectionEvent>();
    expect(await written({ inspect: heard.next })).to.deep.equal(await written({}));
    expect(heard.all).to.not.deep.equal([]);
  });

  it('that throws harms nobody, and the logger is told', async () => {
    const logged: unknown[][] = [];
    const inspect = (): void => {
      throw new Error('no room');
    };
    await using runtime = await createRuntime({ store: memory(), agents, inspect, logger: (...values) => void logged.push(values) });
    const agent = await runtime.spawn('seeker', { id: 's-1', input: {} });
    await agent.send({ type: 'UP' });
    expect((await agent.snapshot()).status).to.equal('active');
    expect(String(logged[0]?.[1])).to.contain('no room');
  });

  it('is refused when it is none', async () => {
    for (const inspect of [null, 7, {}, 'stately']) {
      const made = await createRuntime({ store: memory(), agents, inspect: inspect as never }).catch((error: unknown) => error);
      expect(made).to.have.property('code', 'BAD_INPUT');
      expect(made).to.have.property('hint').that.contains('stately()');
    }
  });
});
