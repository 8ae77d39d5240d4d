/** The program that `statewarden dev` runs, as a process of its own: begun with the preload that serves its consoles, ended by SIGTERM, and by SIGKILL when it takes too long. */

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import type { PreloadOrder, PreloadReport } from '../console/preload.js';
import type { Program } from './dev-program.js';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was told to. */
  readonly told: boolean;
  readonly livedMs: number;
}

export interface DevChildOptions {
  readonly program: Program;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly order: Omit<PreloadOrder, 'lifeline'>;
  /** Where its standard output goes: with `--json` only one document is written to ours. */
  readonly stdout: 'inherit' | 2;
  readonly now: () => number;
}

const lifeline = 3;
const preload = new URL('../console/preload.js', import.meta.url).href;

export class DevChild {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #reportFile: string;
  #told = false;

  constructor({ program, args, cwd, env, order, stdout, now }: DevChildOptions) {
    this.#reportFile = order.reportFile;
    rmSync(order.reportFile, { force: true });
    const began = now();
    this.#child = spawn(process.execPath, ['--import', preload, ...program.nodeArgs, program.file, ...args], {
      cwd,
      env: { ...env, STATEWARDEN_CONSOLE: JSON.stringify({ ...order, lifeline }) },
      stdio: ['inherit', stdout, 'inherit', 'pipe'],
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve({ code: 1, signal: null, told: this.#told, livedMs: 0 }));
      this.#child.once('exit', (code, signal) => resolve({ code, signal, told: this.#told, livedMs: now() - began }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What its first runtime has told; undefined until there is one. */
  report(): PreloadReport | undefined {
    try {
      return JSON.parse(readFileSync(this.#reportFile, 'utf8')) as PreloadReport;
    } catch {
      return undefined;
    }
  }

  /** Resolves when it is gone. `patienceMs`: between SIGTERM and SIGKILL. */
  async stop(patienceMs: number): Promise<void> {
    this.#told = true;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
