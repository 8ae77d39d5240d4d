/**
 * What `statewarden dev` puts before a program (`node --import`): every runtime that is made in it serves its console, the first one where `dev` says. The program knows nothing of it. In threads of the program, and in programs
 * that it starts, it does nothing.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import type { Runtime } from '../runtime.js';

/** What `dev` says, in STATEWARDEN_CONSOLE. */
export interface PreloadOrder {
  readonly port: number;
  /** Holds the token: an environment is seen by more than a file that only its owner reads. */
  readonly tokenFile: string;
  /** Where it is told that a console is served: `PreloadReport` as JSON. */
  readonly reportFile: string;
  /** Of a pipe that closes when `dev` is gone. */
  readonly lifeline: number;
  /** Serve a console. */
  readonly serve: boolean;
}

export interface PreloadReport {
  readonly store: string;
  /** Why there is no console. */
  readonly error?: string;
}

const text = process.env['STATEWARDEN_CONSOLE'];
if (text !== undefined && isMainThread) {
  delete process.env['STATEWARDEN_CONSOLE'];
  begin(JSON.parse(text) as PreloadOrder);
}

function begin({ port, tokenFile, reportFile, lifeline, serve }: PreloadOrder): void {
  const runtimes = new Set<Runtime>();
  /** A program that does not listen to signals itself is ended in good order; one that does has its own. */
  const end = (signal: 'SIGTERM' | 'SIGINT', code: number): void => {
    process.on(signal, () => {
      if (process.listenerCount(signal) > 1) return;
      void Promise.allSettled([...runtimes].map((runtime) => runtime.close())).then(() => process.exit(code));
    });
  };
  // Whoever started this is gone: so is the reason to run.
  const line = new Socket({ fd: lifeline });
  line.on('error', () => undefined);
  line.on('close', () => process.kill(process.pid, 'SIGTERM'));
  line.resume();
  line.unref();
  let served = 0;
  (globalThis as Record<symbol, unknown>)[Symbol.for('statewarden.witness')] = async (runtime: Runtime): Promise<void> => {
    if (runtimes.size === 0 && served === 0) {
      end('SIGTERM', 143);
      end('SIGINT', 130);
    }
    runtimes.add(runtime);
    runtime.tools.whenClosing(() => void runtimes.delete(runtime));
    // Only one at a time can be where `dev` says; another has none.
    if (!serve || runtimes.size > 1) return;
    const report = (told: PreloadReport): void => {
      writeFileSync(`${reportFile}.new`, JSON.stringify(told), { mode: 0o600 });
      renameSync(`${reportFile}.new`, reportFile);
    };
    served += 1;
    const store = runtime.tools.storeName;
    try {
      const { serveConsole } = await import('./server.js');
      await serveConsole(runtime, { port, token: readFileSync(tokenFile, 'utf8').trim() });
      report({ store });
    } catch (error) {
      report({ store, error: (error as Error).message });
    }
  };
}
