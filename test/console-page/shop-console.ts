/** A shop on a SQLite store of its own, with its console on a free port. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Runtime } from 'statewarden';
import { serveConsole, type ServedConsole } from 'statewarden/console';
import { Bank, fillShop, openShop, type Send } from './fleet.js';

export const token = 'a-token-for-the-tests-of-the-page';

export interface Shop extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly bank: Bank;
  readonly send: Send;
  readonly path: string;
  console: ServedConsole;
}

export async function openShopConsole(): Promise<Shop> {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-page-'));
  const path = join(folder, 'agents.db');
  const bank = new Bank();
  const runtime = await openShop(path, bank);
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
    send,
    path,
    console: served,
    [Symbol.asyncDispose]: async () => {
      await shop.console.close();
      await runtime.close();
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
