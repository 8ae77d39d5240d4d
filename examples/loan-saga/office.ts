/**
 * One life of the loan office: a process with the runtime on a SQLite file, a clock that moves on by itself, and one person at work, who decides after two days and looks things up at the bank when she is
 * asked to.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, NotHeldError, type Alert, type Runtime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { SimulatedClock } from 'statewarden/testing';
import type { Loan } from './bank/books.js';
import { countedFetch, countedStore, type Boundaries } from './boundaries.js';
import { bankCalls } from './loan/activities.js';
import { loanMachine, twoDaysMs, type LoanOutcome } from './loan/machine.js';

export interface OfficeRequest {
  readonly dir: string;
  readonly bank: string;
  readonly loan: Loan;
  /** What the person says; `none`: she is away, and the deadline passes. */
  readonly answer: 'yes' | 'no' | 'none';
  readonly boundaries: Boundaries;
  readonly tell: (line: string) => void;
}

const person = { by: 'ada@bank.example' };
/** Simulated milliseconds for each step of the clock. */
const stepMs = 25;
/** The runtime's timers are looked at at least so often. */
const lookMs = 30_000;
const lateMs = 60_000;

export async function openOffice({ dir, bank, loan, answer, boundaries, tell }: OfficeRequest): Promise<LoanOutcome> {
  const fetch = countedFetch(globalThis.fetch, boundaries);
  const clock = new SimulatedClock({ now: timeIn(dir) });
  const passes = async (until: number): Promise<void> => {
    clock.jumpTo(Math.max(clock.now(), until));
    writeFileSync(join(dir, 'clock'), String(clock.now()));
    await clock.advance(lookMs);
  };
  let due: Alert[] = [];
  const runtime = await createRuntime({
    store: countedStore(sqlite(join(dir, 'loans.db')), boundaries),
    agents: { loan: { machine: loanMachine(bankCalls(bank, fetch)), version: 1 } },
    clock,
    // The clock leaps over days: a lease is not to end meanwhile.
    node: { leaseMs: twoDaysMs * 100 },
    alerts: [(alert) => void due.push(alert)],
  });
  try {
    runtime.events$.subscribe((event) => {
      if (event.type !== 'activity' || event.phase === 'started') return;
      const error = event.error === undefined ? '' : `: ${event.error.message}`;
      const undoes = event.compensates === undefined || event.compensates === '*' ? '' : ` of ${stateOf(event.compensates)}`;
      tell(`${event.activity}${undoes} ${event.phase}${error}`);
    });
    const agent = await runtime.spawn('loan', { id: loan.id, input: loan });
    const result = agent.result();
    let ended = false;
    const end = result.finally(() => (ended = true));
    end.catch(() => undefined);
    for (let waited = 0; !ended; waited += 1) {
      if (waited * 2 > lateMs) throw new Error('the loan is neither granted nor refused');
      const alerts = due;
      due = [];
      for (const alert of alerts) {
        tell(`alert: ${alert.alert}: ${alert.message}`);
        await attend(runtime as unknown as Runtime, alert, { bank, loan, answer, fetch: globalThis.fetch, passes, tell });
      }
      await clock.advance(stepMs);
      await sleep(1);
    }
    return await end;
  } finally {
    await runtime.close();
  }
}

interface Desk extends Pick<OfficeRequest, 'bank' | 'loan' | 'answer' | 'tell'> {
  readonly fetch: typeof globalThis.fetch;
  /** Time goes by until then: epoch milliseconds. */
  readonly passes: (until: number) => Promise<void>;
}

/** What the person does about an alert. The bank's own people are called: that is not the office's network. */
async function attend(runtime: Runtime, alert: Alert, { bank, loan, answer, fetch, passes, tell }: Desk): Promise<void> {
  try {
    switch (alert.alert) {
      case 'approval-requested': {
        const [asked] = await runtime.approvals.list();
        if (asked === undefined) return;
        if (answer === 'none') {
          await passes(asked.deadline ?? asked.since);
          return;
        }
        await passes(asked.since + twoDaysMs);
        tell(`${person.by}, two days after she was asked: ${answer}`);
        await runtime.approvals.decide(alert.operationId, answer === 'no' ? 'rejected' : 'approved', person);
        return;
      }
      case 'approval-reminder':
        return;
      case 'compensation-failed':
        await fetch(`${bank}/thaw`, { method: 'POST' });
        tell(`${person.by} has the account thawed, and the undoing goes on`);
        await runtime.holds.retry(alert.operationId, { ...person, note: 'thawed' });
        return;
      case 'held': {
        const said = (await (await fetch(`${bank}/notify/${loan.id}`)).json()) as { outcome: string; result?: unknown };
        tell(`${person.by} looks whether the letter was sent: ${said.outcome}`);
        if (said.outcome === 'done') await runtime.holds.done(alert.operationId, said.result, { ...person, note: 'in the outbox' });
        else await runtime.holds.retry(alert.operationId, { ...person, note: 'not in the outbox' });
      }
    }
  } catch (error) {
    // Told of twice, answered once.
    if (!(error instanceof NotHeldError)) throw error;
  }
}

/** An operation's id has the place in the machine where it was asked for. */
function stateOf(operationId: string): string {
  return operationId.split(':')[1]?.split('.').slice(2).join('.') ?? operationId;
}

function timeIn(dir: string): number {
  const file = join(dir, 'clock');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) + lookMs : Date.UTC(2026, 0, 5, 9);
}
