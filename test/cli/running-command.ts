/** A command that runs until it is stopped: what it says, line by line, and how it ends. */

import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface Running {
  readonly pid: number;
  /** Both outputs so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Waits for a text in either output. */
  says(text: RegExp): Promise<RegExpExecArray>;
  signal(signal: NodeJS.Signals): void;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Ends it by all means. */
  kill(): Promise<void>;
}

export function runCommand(args: readonly string[], where: { readonly cwd: string; readonly env?: Record<string, string> }): Running {
  const { STATEWARDEN_STORE: _, ...env } = process.env;
  const main = join(process.cwd(), 'dist', 'cli', 'main.js');
  const child = spawn(process.execPath, ['--no-warnings', main, ...args], {
    cwd: where.cwd,
    env: { ...env, ...where.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  let over = false;
  void ended.then(() => (over = true));
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    says: async (text) => {
      for (let tries = 0; ; tries += 1) {
        const found = text.exec(stdout) ?? text.exec(stderr);
        if (found !== null) return found;
        if (over || tries > 5_000) throw new Error(`never said ${String(text)}:\n${stdout}\n${stderr}`);
        await setTimeout(10);
      }
    },
    signal: (signal) => void child.kill(signal),
    ended,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** One that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
