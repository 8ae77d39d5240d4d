/** One loan, through as many lives of the office as it takes, and the audit at its end. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { audit, leftInDoubt } from './audit.js';
import type { Loan, Statement } from './bank/books.js';
import { openBank } from './bank/server.js';
import type { LoanOutcome } from './loan/machine.js';
import type { Failure } from './options.js';

export interface RunRequest {
  /** The script that is run as an office. */
  readonly script: string;
  readonly dir: string | undefined;
  readonly fail: Failure | undefined;
  /** How its lives end, from the first; after them it lives on. */
  readonly deaths: readonly Death[];
  readonly tell: (line: string) => void;
}

/** Where an office dies: at a boundary, or at a failpoint of the runtime. */
export interface Death {
  readonly killAt?: number | string | undefined;
  /** As in `STATEWARDEN_FAILPOINTS`. */
  readonly failpoints?: string;
}

export interface RunSummary extends LoanOutcome {
  readonly fail: Failure | null;
  /** Where its lives ended; fewer than were to when it came to its end before. */
  readonly died: readonly string[];
  readonly lives: number;
  /** Boundaries of the last life. */
  readonly boundaries: number;
  /** What a person was called for, in order. */
  readonly calls: readonly string[];
  readonly faults: readonly string[];
  readonly statement: Statement;
}

/** Set in an office. */
export const officeMark = 'LOAN_OFFICE';

export interface OfficeOrder {
  readonly dir: string;
  readonly bank: string;
  readonly loan: Loan;
  readonly answer: 'yes' | 'no' | 'none';
  readonly killAt: number | string | undefined;
}

const loan: Loan = { id: 'loan-1', customer: 'Grace', amount: 10_000 };
/** What the bank calls the step that is to fail. */
const refusals: Readonly<Record<Failure, readonly string[]>> = {
  intake: ['open'],
  identity: ['identify'],
  credit: ['reserve'],
  approval: [],
  deadline: [],
  disburse: ['disburse'],
  notify: ['notify'],
  recall: ['notify', 'recall'],
};

export async function run({ script, dir: wanted, fail, deaths, tell }: RunRequest): Promise<RunSummary> {
  const dir = wanted ?? mkdtempSync(join(tmpdir(), 'loan-saga-'));
  const bank = await openBank(fail === undefined ? [] : refusals[fail], ['identify', 'disburse']);
  try {
    const order = { dir, bank: bank.url, loan, answer: fail === 'approval' ? 'no' : fail === 'deadline' ? 'none' : 'yes' } as const;
    const died: string[] = [];
    const calls: string[] = [];
    let doubtful = false;
    for (let lives = 1; ; lives += 1) {
      const death = deaths[lives - 1] ?? {};
      const life = await live(script, { ...order, killAt: death.killAt }, death.failpoints ?? '', (line) => {
        if (line.startsWith('alert: ')) calls.push(line.split(' ')[1]?.replace(':', '') ?? '');
        tell(line);
      });
      if (life.outcome === undefined) {
        if (life.how !== 'SIGKILL' || lives > deaths.length) throw new Error(`the office ended with ${life.how}: ${life.stderr}`);
        doubtful ||= await leftInDoubt(dir, loan);
        died.push(life.died ?? `at ${death.failpoints ?? ''}`);
        tell(`the office died ${died.at(-1) ?? ''}; it is started again`);
        continue;
      }
      const statement = bank.statement();
      const faults = [...(await audit(dir, loan, life.outcome, statement))];
      if (doubtful && !calls.includes('held')) faults.push('a letter was in doubt, and nobody was asked');
      if (!doubtful && calls.includes('held')) faults.push('somebody was asked, and nothing was in doubt');
      const { boundaries } = life;
      return { ...life.outcome, fail: fail ?? null, died, lives, boundaries, calls, faults, statement };
    }
  } finally {
    await bank.close();
    if (wanted === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

interface Life {
  readonly outcome: LoanOutcome | undefined;
  readonly boundaries: number;
  readonly died: string | undefined;
  readonly how: string;
  readonly stderr: string;
}

function live(script: string, order: OfficeOrder, failpoints: string, tell: (line: string) => void): Promise<Life> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', script], {
      env: { ...process.env, STATEWARDEN_FAILPOINTS: failpoints, [officeMark]: JSON.stringify(order) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [outcome, boundaries, died, stderr]: [LoanOutcome | undefined, number, string | undefined, string] = [undefined, 0, undefined, ''];
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('{')) ({ outcome, boundaries } = JSON.parse(line) as { outcome: LoanOutcome; boundaries: number });
      else if (line.startsWith('died ')) died = line.slice('died '.length);
      else tell(line);
    });
    child.stderr.on('data', (text) => (stderr += String(text)));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ outcome, boundaries, died, how: String(signal ?? code), stderr }));
  });
}
