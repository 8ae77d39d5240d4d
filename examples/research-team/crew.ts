/** The processes that share a job, each the command itself as a child of this one. One that is killed is started again; one that ends in any other way than with the job done ends the others. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCallLog } from './call-log.js';
import { RunFailedError, RunStoppedError, type RunRequest, type Summary } from './run.js';

export interface CrewRequest extends RunRequest {
  readonly run: string;
  readonly nodes: number;
  /** The job as a command: `main.js` and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
}

/** Tells a child that it is one, and of how many: it reports to its parent and ends with it. */
export const childMark = 'RESEARCH_TEAM_CHILD';

const pollMs = 4;

interface Member {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  over: boolean;
  /** Killed by us, its summary, or in words how else it ended. */
  outcome: 'killed' | Summary | { readonly ended: string };
}

export class Crew {
  readonly #request: CrewRequest;
  readonly #members: Member[];
  #last: Summary | undefined;

  constructor(request: CrewRequest) {
    this.#request = request;
    this.#members = Array.from({ length: request.nodes }, () => this.#start());
    const stop = (): void => this.#stop();
    if (request.signal.aborted) stop();
    else request.signal.addEventListener('abort', stop, { once: true });
  }

  /** Kills one when so many calls are finished and a little later, and starts it again. Resolves to false when one has ended before. */
  async killAt({ calls, delayMs, which }: { readonly calls: number; readonly delayMs: number; readonly which: number }): Promise<boolean> {
    const logPath = join(this.#request.dir, 'calls.jsonl');
    const oneEnded = Promise.race(this.#members.map(({ ended }) => ended));
    const isOver = (): boolean => this.#request.signal.aborted || this.#members.some(({ over }) => over);
    while (!isOver() && finishedCalls(logPath) < calls) await Promise.race([oneEnded, sleep(pollMs)]);
    await Promise.race([oneEnded, sleep(delayMs)]);
    const index = Math.floor(which * this.#members.length);
    const victim = this.#members[index];
    if (victim === undefined || isOver()) return false;
    victim.outcome = 'killed';
    victim.child.kill('SIGKILL');
    await victim.ended;
    if (victim.outcome !== 'killed') return false; // it was done in the same moment
    this.#members[index] = this.#start();
    return true;
  }

  /** What the last of them has to say when all are done. @throws RunFailedError, RunStoppedError */
  async result(): Promise<Summary> {
    await Promise.all(this.#members.map(({ ended }) => ended));
    if (this.#request.signal.aborted) throw new RunStoppedError('stopped');
    for (const { outcome } of this.#members)
      if (typeof outcome === 'object' && 'ended' in outcome) throw new RunFailedError(`the job ended with ${outcome.ended}`);
    return this.#last as Summary;
  }

  #start(): Member {
    const { script, args, run, nodes } = this.#request;
    const child = fork(script, [...args, '--run', run], {
      env: { ...process.env, [childMark]: String(nodes) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    let summary: Summary | undefined;
    child.on('message', (message) => (summary = message as Summary));
    const ended = once(child, 'exit').then(([code, by]: (number | string | null)[]) => {
      member.over = true;
      if (summary !== undefined && (code === 0 || by === 'SIGKILL')) member.outcome = this.#last = summary;
      else if (member.outcome !== 'killed') {
        member.outcome = { ended: by === null ? `exit code ${String(code)}` : String(by) };
        this.#stop();
      }
    });
    const member: Member = { child, ended, over: false, outcome: { ended: '' } };
    return member;
  }

  #stop(): void {
    for (const { child, over } of this.#members) if (!over) child.kill('SIGINT');
  }
}

export function finishedCalls(logPath: string): number {
  return readCallLog(logPath).filter(({ type }) => type === 'done').length;
}
