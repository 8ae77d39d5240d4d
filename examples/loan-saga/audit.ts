/** Whether the books balance: by what the bank has executed, and by what the office's ledger says of it. Each line that it gives is a fault. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import type { Deed, Loan, Statement } from './bank/books.js';
import type { LoanOutcome } from './loan/machine.js';

const vault = 1_000_000;

export async function audit(dir: string, loan: Loan, { decision }: LoanOutcome, statement: Statement): Promise<readonly string[]> {
  const faults: string[] = [];
  const expect = (what: string, found: unknown, wanted: unknown): void => {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      faults.push(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  };
  const granted = decision === 'granted';
  expect('the vault', statement.vault, granted ? vault - loan.amount : vault);
  expect('lent', statement.lent, granted ? loan.amount : 0);
  expect('reserved', statement.reserved, granted ? loan.amount : 0);
  expect('applications', statement.applications, granted ? [loan.id] : []);
  expect('cases', statement.cases, granted ? [loan.id] : []);
  expect('letters', statement.letters.length <= 1 && (!granted || statement.letters.length === 1), true);
  const times = (deed: Deed): number => statement.executed.filter(({ what }) => what === deed).length;
  for (const deed of new Set(statement.executed.map(({ what }) => what))) expect(`${deed} executed`, times(deed), 1);
  for (const [done, undone] of pairs) {
    if (!granted) expect(`${undone} for ${done}`, times(undone), times(done));
    else expect(`${undone} of a granted loan`, times(undone), 0);
  }
  if (!granted) expect('newest first', order(statement), true);
  faults.push(...(await ledgerFaults(dir, loan, granted, times)));
  return faults;
}

const pairs = [
  ['open', 'withdraw'],
  ['identify', 'forget'],
  ['reserve', 'release'],
  ['disburse', 'recall'],
] as const satisfies readonly (readonly [Deed, Deed])[];
const activities: Readonly<Record<string, Deed>> = {
  intake: 'open',
  identity: 'identify',
  credit: 'reserve',
  disburse: 'disburse',
  notify: 'notify',
};

/** The money comes back first, the application goes last; identity and credit were checked at the same time. */
function order({ executed }: Statement): boolean {
  const place = (deed: Deed): number => executed.findIndex(({ what }) => what === deed);
  const recall = place('recall');
  const middle = [place('forget'), place('release')].filter((index) => index >= 0);
  const withdraw = place('withdraw');
  return middle.every((index) => recall < index && index < (withdraw < 0 ? Infinity : withdraw));
}

/** Whether the office died over a letter of which nobody knows now. */
export async function leftInDoubt(dir: string, { id }: Loan): Promise<boolean> {
  const file = join(dir, 'loans.db');
  if (!existsSync(file)) return false;
  const store = await sqlite(file).open({ now: Date.now });
  try {
    const [agent] = await store.lookup([id]);
    const operations = agent === undefined ? [] : await store.operations(agent.key);
    return operations.some(({ activity, status }) => activity === 'notify' && status === 'started');
  } finally {
    await store.close();
  }
}

async function ledgerFaults(dir: string, { id }: Loan, granted: boolean, times: (deed: Deed) => number): Promise<string[]> {
  const store = await sqlite(join(dir, 'loans.db')).open({ now: Date.now });
  try {
    const faults = [...(await store.check())];
    const [agent] = await store.lookup([id]);
    for (const { activity, status, id: operation } of agent === undefined ? [] : await store.operations(agent.key)) {
      const deed = activities[activity];
      if (deed === undefined) {
        if (activity === 'compensation.undo' && status !== 'succeeded') faults.push(`${operation} is ${status}`);
        continue;
      }
      const wanted = times(deed) === 0 ? ['failed', 'cancelled'] : granted || activity === 'notify' ? ['succeeded'] : ['compensated'];
      if (!wanted.includes(status)) faults.push(`${activity} is ${status}, and was executed ${String(times(deed))} times`);
    }
    return faults;
  } finally {
    await store.close();
  }
}
