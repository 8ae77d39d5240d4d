/** A store in which people are waited for: held payments, one of which nobody knows, decisions, trips that cannot be undone. Made by the runtime itself, then closed. */

import { expect } from 'chai';
import { setTimeout } from 'node:timers/promises';
import { activity, approval, createRuntime, TerminalError, type Runtime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { caller } from '../runtime/caller.js';
import { Outside, trip } from '../runtime/trip.js';
import { emptyFolder, type SampleStore } from './sample-store.js';

const cut = (): never => {
  throw Object.assign(new Error('the line was cut'), { code: 'ECONNRESET' });
};

/** `works`: payments go through from now on. */
export async function openPeople(path: string, { works = false, outside = new Outside() } = {}): Promise<Runtime> {
  const run = (): unknown => (works ? 'paid' : cut());
  const runtime = await createRuntime({
    store: sqlite(path),
    agents: {
      payer: { machine: caller(activity({ name: 'pay', onUnknown: 'hold', run })), version: 1 },
      careless: { machine: caller(activity({ name: 'post', onUnknown: 'fail', run })), version: 1 },
      lender: { machine: caller(approval()), version: 1 },
      trip: { machine: trip(outside), version: 1 },
    },
    node: { name: 'one' },
  });
  return runtime as unknown as Runtime;
}

export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    expect(tries, what).to.be.below(1_000);
    await setTimeout(3);
  }
}

export async function peopleStore(): Promise<SampleStore> {
  const place = emptyFolder();
  const outside = new Outside();
  await using runtime = await openPeople(place.path, { outside });
  for (const id of ['orders/o-1', 'orders/o-12']) await runtime.spawn('payer', { id, input: { cents: 5, on: new Date(0) } });
  await runtime.spawn('careless', { id: 'letters/l-1', input: 'hello' });
  await runtime.spawn('lender', {
    id: 'loans/l-1',
    input: { title: 'Lend 10,000 to Ada?', details: { score: 712 }, deadlineMs: 172_800_000 },
  });
  await runtime.spawn('lender', { id: 'medals/m-1', input: { title: 'Which?', choices: ['gold', 'silver'] } });
  for (const id of ['trips/t-1', 'trips/t-2', 'trips/t-3']) await runtime.spawn('trip', { id, input: { trip: 'rome' } } as never);
  await until('booked', async () => (await runtime.store.list({ limit: 99, prefix: 'trips/' })).every(({ state }) => state === '"booked"'));
  outside.errors.set('undo hotel', [new TerminalError('the hotel is closed'), new Error('busy')]);
  for (const id of ['trips/t-1', 'trips/t-2']) {
    await runtime.agent(id).send({ type: 'UNDO' } as never);
    const waits = async (): Promise<boolean> => (await runtime.sagas.get(id)).steps.some(({ undoing }) => undoing?.error !== undefined);
    await until(`${id} waits`, waits);
  }
  await until('held', async () => (await runtime.holds.list()).length === 3 && (await runtime.approvals.list()).length === 2);
  await until('unknown', async () => (await runtime.holds.list({ unknown: true })).length === 1);
  return place;
}
