/**
 * Drivers that are broken on purpose, each in a copy of the built package in which a few words of the driver are others. The real suites are run in the copy, by mocha in a process of its own: what they find is found by the very cases that
 * try the driver as it is. A change whose words are not there, or not as often as it says, fails; so does a case of a name that nothing has.
 */

import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pending } from '../pending.js';

/** What is put in place of what, in a file of `dist/`, everywhere in it. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly put: string;
  /** How often it is there; 1 when absent. */
  readonly times?: number;
}

export interface Mutant {
  /** What is wrong with it, after "that". */
  readonly fault: string;
  readonly changes: readonly Change[];
  /** Ends of the titles of cases that must fail, by suite. */
  readonly caughtBy: Readonly<Record<string, readonly string[]>>;
  /** More for the environment of its run. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Mutation {
  readonly store: string;
  /** Test files of each suite, without `.test.ts`. */
  readonly suites: Readonly<Record<string, readonly string[]>>;
  readonly mutants: readonly Mutant[];
  /** So long may a process of the crash suite go on after a crash with a broken driver. */
  readonly lifeMs?: number;
  /** Asked for when the cases run. */
  readonly env?: () => Readonly<Record<string, string>>;
}

interface Report {
  readonly passed: readonly string[];
  readonly pending: readonly string[];
  /** What each case failed with, by its whole title. */
  readonly failed: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** A broken driver may leave a case waiting for ever. */
const caseMs = 20_000;
const runMs = 150_000;
/** Whether the cases' own words are printed: `STATEWARDEN_TEST_WHY=1`. */
const isTold = process.env['STATEWARDEN_TEST_WHY'] !== undefined;

/** Declares a test for each broken driver and suite, and one for the driver as it is. */
export function mutationCases({ store, suites, mutants, lifeMs = 15_000, env = () => ({}) }: Mutation): void {
  const casesOf = ({ caughtBy }: Mutant): string[] => Object.values(caughtBy).flat();
  const filesOf = ({ caughtBy }: Mutant): string[] => Object.keys(caughtBy).flatMap((suite) => suites[suite] ?? []);
  let folder = '';

  before(() => (folder = copied()));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it(`${store} as it is passes every case that a broken one fails`, async () => {
    const cases = [...new Set(mutants.flatMap(casesOf))];
    const { passed, failed, pending: waiting } = await run(folder, [...new Set(mutants.flatMap(filesOf))], cases, env());
    expect(failed).to.deep.equal({});
    for (const title of cases) {
      expect(passed.some((name) => name.endsWith(title)) || waiting.some((name) => name.includes(title)), title).to.equal(true);
    }
  });

  for (const mutant of mutants) {
    describe(`${store} that ${mutant.fault}`, () => {
      let report: Promise<Report> | undefined;
      for (const [suite, cases] of Object.entries(mutant.caughtBy)) {
        it(`fails the ${suite} suite: ${cases.join('; ')}`, async function () {
          report ??= changed(folder, mutant.changes, () =>
            run(folder, filesOf(mutant), casesOf(mutant), { STATEWARDEN_TEST_LIFE_MS: String(lifeMs), ...env(), ...mutant.env }),
          );
          const { failed, pending: waiting } = await report;
          if (waiting.some((name) => cases.some((title) => name.includes(title)))) pending(this, 'so is that case');
          if (isTold) process.stdout.write(`${JSON.stringify(failed, null, 2)}\n`);
          for (const title of cases) expect(Object.keys(failed).filter((name) => name.endsWith(title)).length, title).to.be.at.least(1);
        });
      }
    });
  }
}

/** The package as it is built, and its tests. */
function copied(): string {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-mutant-'));
  const filter = (path: string): boolean => ['', '.js'].includes(extname(path));
  for (const part of ['dist', join('.build', 'test')]) cpSync(join(root, part), join(folder, part), { recursive: true, filter });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function changed<T>(folder: string, changes: readonly Change[], work: () => Promise<T>): Promise<T> {
  const before = new Map<string, string>();
  try {
    for (const { file, find, put, times = 1 } of changes) {
      const path = join(folder, 'dist', file);
      const text = readFileSync(path, 'utf8');
      if (!before.has(path)) before.set(path, text);
      const parts = text.split(find);
      expect(parts.length - 1, `${find} in ${file}`).to.equal(times);
      writeFileSync(path, parts.join(put));
    }
    return await work();
  } finally {
    for (const [path, text] of before) writeFileSync(path, text);
  }
}

async function run(
  folder: string,
  files: readonly string[],
  cases: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Report> {
  const wanted = cases.map((title) => title.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
  const output = join(folder, 'report.json');
  const options = ['--no-config', '--exit', '--timeout', String(caseMs), '--reporter', 'json', '--reporter-option', `output=${output}`];
  const mocha = [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...options, '--grep', `(${wanted})$`];
  const child = spawn(process.execPath, [...mocha, ...files.map((file) => `.build/test/${file}.test.js`)], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let said = '';
  child.stderr.on('data', (text) => (said += String(text)));
  /** With the processes that it has begun: a case that was given up leaves its own. */
  const kill = (): void => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // All have ended.
    }
  };
  const late = setTimeout(kill, runMs);
  await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  clearTimeout(late);
  kill();
  let report: Record<'passes' | 'pending' | 'failures', { readonly fullTitle: string; readonly err: { readonly message?: string } }[]>;
  try {
    report = JSON.parse(readFileSync(output, 'utf8')) as typeof report;
  } catch (cause) {
    throw new Error(`the suites did not come to an end: ${said}`, { cause });
  }
  return {
    passed: report.passes.map(({ fullTitle }) => fullTitle),
    pending: report.pending.map(({ fullTitle }) => fullTitle),
    failed: Object.fromEntries(report.failures.map(({ fullTitle, err }) => [fullTitle, err.message ?? ''])),
  };
}
