/** Lives of the scenario, each a process: how it ended, and what the checker makes of the folder it left. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkerPath, type Verdict } from './checker.js';
import { scenarioPath } from './scenario.js';

/** Writes to die at, where it is not each in turn: a driver that is broken on purpose need not be tried at all of them. */
export const onlyWrites = (process.env['STATEWARDEN_TEST_WRITES'] ?? '').split(',').filter(Boolean).map(Number);
const longestLifeMs = 60_000;
/** What goes on after a crash and lives longer than this waits for what does not come, and is ended. */
const longestAfterMs = Number(process.env['STATEWARDEN_TEST_LIFE_MS'] ?? longestLifeMs);

/** The writes of one of `lanes` lanes, from 1 on, in order. */
export function* writesOf(lane: number, lanes: number): Iterable<number> {
  if (onlyWrites.length > 0) yield* onlyWrites.filter((_, index) => index % lanes === lane - 1);
  else for (let write = lane; ; write += lanes) yield write;
}

export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Life {
  /** `NAME=ACTION@PASSING`, joined by `;`. */
  readonly failpoints?: string;
  /** Checkpoints of a megabyte that are written at the end. */
  readonly hoarded?: number;
  /** What the process is run under: `['strace', …]`. */
  readonly under?: readonly string[];
}

export function live(folder: string, { failpoints, hoarded = 0, under = [] }: Life = {}): Promise<End> {
  const { STATEWARDEN_FAILPOINTS: _, ...env } = process.env;
  return run([...under, process.execPath, '--no-warnings', scenarioPath, folder, String(hoarded)], {
    ...env,
    ...(failpoints === undefined ? {} : { STATEWARDEN_FAILPOINTS: failpoints }),
  });
}

/** A life of another program: `script` with its arguments, killed where `failpoints` says. */
export async function lifeOf(script: string, args: readonly string[], failpoints = ''): Promise<Omit<End, 'stdout'>> {
  const env = { ...process.env, STATEWARDEN_FAILPOINTS: failpoints };
  const { code, signal, stderr } = await run([process.execPath, '--no-warnings', script, ...args], env);
  return { code, signal, stderr };
}

/** The checker's verdict on what is in a folder. */
export async function judge(folder: string): Promise<Verdict> {
  const { code, stdout, stderr } = await run([process.execPath, '--no-warnings', checkerPath, folder], process.env);
  if (code !== 0) throw new Error(`the checker failed: ${stderr}`);
  return JSON.parse(stdout) as Verdict;
}

function run([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<End> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => (stdout += String(text)));
    child.stderr.on('data', (text) => (stderr += String(text)));
    const limitMs = (env['STATEWARDEN_FAILPOINTS'] ?? '') === '' ? longestAfterMs : longestLifeMs;
    const late = setTimeout(() => {
      stderr += `it does not come to an end within ${String(limitMs)} ms\n`;
      child.kill('SIGKILL');
    }, limitMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
