/** A shop on a SQLite store of its own, with its console on a free port. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Runtime } from 'statewarden';
import { serveConsole, type ServedConsole } from 'statewarden/console';
import { Outside } from '../runtime/trip.js';
import { Bank, fillShop, openShop, type Send } from './fleet.js';

export const token = 'a-token-for-the-tests-of-the-page';

export interface Shop extends AsyncDisposable {
  runtime: Runtime;
  readonly bank: Bank;
  readonly outside: Outside;
  readonly send: Send;
  readonly path: string;
  console: ServedConsole;
  /** Ends the runtime and opens another on the same store. What it was filled with is not done again. */
  reopen(): Promise<void>;
}

export async function openShopConsole(): Promise<Shop> {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-page-'));
  const path = join(folder, 'agents.db');
  const bank = new Bank();
  const outside = new Outside();
  const runtime = await openShop(path, bank, outside);
  const send = await fillShop(runtime);
  // Both orders are paid, or refused, before anybody looks.
  await until(async () =>
    (await runtime.store.list({ limit: 99, prefix: 'orders/' })).every(({ state }) => state?.includes('charging') === false),
  );
  await until(async () => (await runtime.holds.list()).length === 1 && (await runtime.approvals.list()).length === 2);
  for (const type of ['PICKED', 'BOXED', 'SIGNED', 'NOTIFY', 'NOTIFY']) await send('orders/ada', type);
  await until(async () => (await runtime.store.counts()).deadLetters === 2);
  const served = await serveConsole(runtime, { port: 0, token });
  const shop: Shop = {
    runtime,
    bank,
    outside,
    send,
    path,
    console: served,
    reopen: async () => {
      await shop.console.close();
      await shop.runtime.close();
      shop.runtime = await openShop(path, bank, outside);
      shop.console = await serveConsole(shop.runtime, { port: 0, token });
    },
    [Symbol.asyncDispose]: async () => {
      await shop.console.close();
      await shop.runtime.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return shop;
}

export async function until(isSo: () => Promise<boolean>, tries = 2_000): Promise<void> {
  for (let left = tries; !(await isSo()); left -= 1) {
    if (left === 0) throw new Error(`not so: ${isSo.toString()}`);
    await setTimeout(10);
  }
}
