/**
 * Measuring processes: each gets its parameters as one JSON argument and answers with JSON lines on standard output. What it
 * writes to standard error is kept for the message when it fails. None outlives the bench.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  readonly script: string;
  readonly parameters: object;
  readonly execArgv?: readonly string[];
  readonly cwd?: string;
  /** Default 300,000. */
  readonly timeoutMs?: number;
}

const running = new Set<MeasuringChild>();
const keptErrorText = 4_000;
/** How long one that was asked to end may take: a peer ends the processes that it started itself. */
const graceMs = 5_000;
const defaultTimeoutMs = 300_000;

export class MeasuringChild {
  readonly startedAt = performance.now();
  /** Resolves when the process is gone, however it went. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  readonly #answers: string[] = [];
  #waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  #errorText = '';
  #gone: Error | undefined;

  constructor({ script, parameters, execArgv = [], cwd, timeoutMs = defaultTimeoutMs }: ChildOptions) {
    this.#process = spawn(process.execPath, [...execArgv, script, JSON.stringify(parameters)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    running.add(this);
    let late = '';
    const timer = setTimeout(() => {
      late = `took longer than ${String(timeoutMs / 1000)} s and `;
      this.end();
    }, timeoutMs);
    const { stdout, stderr } = this.#process;
    if (stdout === null || stderr === null) throw new Error('a measuring process has no output');
    stderr.setEncoding('utf8').on('data', (text: string) => (this.#errorText = (this.#errorText + text).slice(-keptErrorText)));
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => {
      // Peers print other things too; an answer is an object.
      if (!line.startsWith('{')) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#answers.push(line);
      else waiting.resolve(line);
    });
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        running.delete(this);
        clearTimeout(timer);
        const said = this.#errorText.trim().split('\n').slice(-6).join('\n');
        this.#gone = new Error(`${script.split('/').at(-1) ?? script} ${late}${how}${said === '' ? '' : `: ${said}`}`);
        this.#waiting?.reject(this.#gone);
        resolve();
      };
      this.#process.once('error', (error) => end(error.message));
      this.#process.once('close', (code, signal) =>
        end(signal === null ? `ended with ${String(code)} and no answer` : `was ended by ${signal}`),
      );
    });
  }

  /** The next answer. Rejects when the process ends without one. */
  async answer<T>(): Promise<T> {
    const ready = this.#answers.shift();
    if (ready !== undefined) return JSON.parse(ready) as T;
    if (this.#gone !== undefined) throw this.#gone;
    const line = await new Promise<string>((resolve, reject) => (this.#waiting = { resolve, reject }));
    return JSON.parse(line) as T;
  }

  /** Asks it to end, and kills it when it does not. */
  end(): void {
    this.#process.kill('SIGTERM');
    setTimeout(() => this.kill(), graceMs).unref();
  }

  /** `kill -9`. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

/** Runs a process to its end and gives its answer. */
export async function measure<T>(options: ChildOptions): Promise<T> {
  const child = new MeasuringChild(options);
  try {
    return await child.answer<T>();
  } finally {
    const grace = setTimeout(() => child.end(), 10_000);
    await child.ended;
    clearTimeout(grace);
  }
}

/** Ends every process that still runs. */
export function endChildren(): void {
  for (const child of running) child.end();
}
