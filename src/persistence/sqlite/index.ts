/**
 * The embedded store: one SQLite file, written by a thread of its own so that the event loop never waits for the disk. Several
 * processes may open one file; fencing keeps each agent with one of them.
 */

import { setImmediate } from 'node:timers';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { BadInputError, RuntimeClosedError, StorePoisonedError } from '../../core/errors.js';
import type { AgentKey, NodeLease, OpenedStore, Store } from '../store.js';
import type { DatabaseOptions } from './database.js';
import { hostTime } from './host-time.js';
import { fromThrown, type Answer, type Request, type WriterData } from './protocol.js';
import { AskingSignal, newSignal } from './signal.js';
import { packedPlain, unpackOutcomes, writeTape, type Tape } from './tape.js';

export interface SqliteOptions {
  /** How long to wait for a lock that another process holds. Default 5,000. */
  readonly busyMs?: number;
  /** The most pages of 4 KiB the file may have; beyond it the disk counts as full. Default: no limit. */
  readonly maximumPages?: number;
}

/** A store in the SQLite file at `path`, made when it does not exist. @throws BadInputError */
export function sqlite(path: string, options: SqliteOptions = {}): Store {
  if (typeof path !== 'string' || path === '' || path === ':memory:') {
    throw new BadInputError(`sqlite() was given ${JSON.stringify(path)} as the path`, {
      hint: "Give the path of a file: sqlite('./agents.db'). For a store in memory use memory().",
    });
  }
  return {
    name: `sqlite:${path}`,
    capabilities: { durable: true, shared: true },
    open: async ({ lease, now }) => {
      const opened = new SqliteStore({ path, lease, busyMs: options.busyMs ?? 5_000, maximumPages: options.maximumPages }, now);
      await opened.open();
      return opened;
    },
  };
}

/**
 * So long the event loop looks out for an answer without going to sleep: to wake a processor that has may take as long as the sync of a
 * quick disk. With a slower one it sleeps.
 */
const watchfulMs = 0.5;
/** A writer that has not begun within this time may wait for the very processor that looks out. */
const beginMs = 0.05;

/** Of a commit of one agent that was applied. */
const plain = { value: packedPlain };

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
  progress: ((done: number, total: number) => void) | undefined;
}

class SqliteStore implements OpenedStore {
  node = 0;
  readonly gathers = true;
  readonly #now: () => number;
  readonly #worker: Worker;
  readonly #signal: AskingSignal;
  /** Requests under way, oldest first: answers come in order. */
  #pending: Pending[] = [];
  #head = 0;
  #mail: ((agents: readonly AgentKey[]) => void) | undefined;
  /** Of the last request that found none before it. */
  #askedAt = 0;
  /** Whether the writer had answered everything within `watchfulMs`. */
  #isQuick = false;
  #lookingOut = false;
  /** The number of a lone commit that was asked for while nothing else was under way, until it is answered. */
  #alone: number | undefined;
  /** Written anew for each group, and copied when it is sent; let go when nothing is under way. */
  #tape: Tape = [];
  #closing: Promise<void> | undefined;
  #dead: Error | undefined;

  constructor(options: DatabaseOptions & { readonly lease: NodeLease | undefined }, now: () => number) {
    this.#now = now;
    const signal = newSignal();
    this.#signal = new AskingSignal(signal);
    this.#worker = new Worker(new URL('./writer.js', import.meta.url), { workerData: { options, signal } satisfies WriterData });
    this.#worker.on('message', (answer: Answer) => this.#answered(answer));
    const died = (cause: unknown): void =>
      this.#fail(
        new StorePoisonedError('the writer thread has ended', {
          cause,
          hint: 'Look at the cause, then start again: everything acknowledged is in the file.',
        }),
      );
    this.#worker.on('error', died);
    this.#worker.on('exit', (code) => died(new Error(`exit code ${String(code)}`)));
    this.#worker.unref();
  }

  async open(): Promise<void> {
    try {
      const { node } = await this.#ask<{ node: number }>('open');
      this.node = node;
    } catch (error) {
      this.#closing = Promise.resolve();
      await this.#worker.terminate();
      throw error;
    }
  }

  #ask<T>(method: string, ...parameters: unknown[]): Promise<T> {
    return this.#request(method, parameters, undefined);
  }

  #request<T>(method: string, parameters: unknown[], progress: Pending['progress'], lone = false): Promise<T> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (this.#closing !== undefined) {
      return Promise.reject(new RuntimeClosedError('the store is closed', { hint: 'Open it again.' }));
    }
    return this.#post(method, parameters, progress, lone);
  }

  #post<T>(method: string, parameters: unknown[], progress: Pending['progress'], lone = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const alone = this.#pending.length === this.#head;
      // A request under way keeps the process up; an idle store does not.
      if (alone) this.#worker.ref();
      this.#pending.push({ resolve, reject, progress });
      const now = this.#now();
      const request: Request = { method, lone, alone: lone && alone, parameters, at: { now, host: hostTime(now) } };
      try {
        this.#worker.postMessage(request);
        const number = this.#signal.ask();
        if (!alone) return;
        this.#alone = lone ? number : undefined;
        this.#stayAwake(lone);
      } catch (error) {
        this.#pending.pop();
        if (this.#pending.length === this.#head) this.#worker.unref();
        reject(error as Error);
      }
    });
  }

  /** Keeps the event loop turning while a single request is under way, if the one before was answered quickly. */
  #stayAwake(lone: boolean): void {
    this.#askedAt = systemClock.elapsed();
    if (lone && this.#isQuick && !this.#lookingOut) this.#lookOut();
  }

  #lookOut = (): void => {
    this.#hear();
    const waitedMs = systemClock.elapsed() - this.#askedAt;
    const begun = waitedMs < beginMs || this.#signal.allBegun;
    const lookingOut = begun && waitedMs < watchfulMs && this.#pending.length > this.#head;
    if (lookingOut !== this.#lookingOut) this.#signal.lookOut((this.#lookingOut = lookingOut));
    if (lookingOut) setImmediate(this.#lookOut);
    else this.#hear();
  };

  /** What the writer has told by a word. */
  #hear(): void {
    if (this.#alone === undefined || !this.#signal.isTold(this.#alone)) return;
    this.#alone = undefined;
    this.#settled(plain);
  }

  #answered(answer: Answer): void {
    // What was told by a word was told before.
    this.#hear();
    if ('told' in answer) return;
    if ('mail' in answer) {
      this.#mail?.(answer.mail);
      return;
    }
    if ('progress' in answer) {
      this.#pending[this.#head]?.progress?.(...answer.progress);
      return;
    }
    this.#alone = undefined;
    this.#settled(answer);
  }

  #settled(answer: Extract<Answer, { value: unknown } | { thrown: unknown }>): void {
    const pending = this.#pending[this.#head];
    this.#head += 1;
    if (this.#head === this.#pending.length) {
      this.#isQuick = systemClock.elapsed() - this.#askedAt < watchfulMs;
      this.#pending = [];
      this.#head = 0;
      this.#tape = [];
      this.#worker.unref();
    } else if (this.#head > 1_024) {
      this.#pending = this.#pending.slice(this.#head);
      this.#head = 0;
    }
    if ('thrown' in answer) pending?.reject(fromThrown(answer.thrown));
    else pending?.resolve(answer.value as never);
  }

  #fail(error: Error): void {
    this.#hear();
    if (this.#closing !== undefined || this.#dead !== undefined) return;
    this.#dead = error;
    const pending = this.#pending.slice(this.#head);
    this.#pending = [];
    this.#head = 0;
    for (const { reject } of pending) reject(error);
  }

  commit: OpenedStore['commit'] = async (commits) =>
    unpackOutcomes(await this.#request('commit', [writeTape(commits, this.#tape)], undefined, commits.length === 1));
  heads: OpenedStore['heads'] = (keys) => this.#ask('heads', keys);
  load: OpenedStore['load'] = (agents) => this.#ask('load', agents);
  release: OpenedStore['release'] = (agents) => this.#ask('release', agents);
  lookup: OpenedStore['lookup'] = (agents) => this.#ask('lookup', agents);
  runnable: OpenedStore['runnable'] = (page) => this.#ask('runnable', page);
  dueTimers: OpenedStore['dueTimers'] = (page) => this.#ask('dueTimers', page);
  post: OpenedStore['post'] = (messages, cap) => this.#ask('post', messages, cap);
  mark: OpenedStore['mark'] = (agent, messageId) => this.#ask('mark', agent, messageId);
  keyed: OpenedStore['keyed'] = (activity, userKey) => this.#ask('keyed', activity, userKey);
  parked: OpenedStore['parked'] = (page) => this.#ask('parked', page);
  flagged: OpenedStore['flagged'] = (page) => this.#ask('flagged', page);
  hasArtifacts: OpenedStore['hasArtifacts'] = (names) => this.#ask('hasArtifacts', names);
  expire: OpenedStore['expire'] = (page) => this.#ask('expire', page);
  whole: OpenedStore['whole'] = (agents) => this.#ask('whole', agents);
  install: OpenedStore['install'] = (agents) => this.#ask('install', agents);
  archive: OpenedStore['archive'] = (agents) => this.#ask('archive', agents);
  restore: OpenedStore['restore'] = (agent) => this.#ask('restore', agent);
  remove: OpenedStore['remove'] = (agents) => this.#ask('remove', agents);
  reclaim: NonNullable<OpenedStore['reclaim']> = () => this.#ask('reclaim');
  publish: OpenedStore['publish'] = (notes) => this.#ask('publish', notes);
  notes: OpenedStore['notes'] = (prefix, since) => this.#ask('notes', prefix, since);
  retract: OpenedStore['retract'] = (notes) => this.#ask('retract', notes);
  saveMachines: OpenedStore['saveMachines'] = (machines) => this.#ask('saveMachines', machines);
  machines: OpenedStore['machines'] = (kind) => this.#ask('machines', kind);
  mailbox: OpenedStore['mailbox'] = (agent, after) => this.#ask('mailbox', agent, after);
  heartbeat: OpenedStore['heartbeat'] = () => this.#ask('heartbeat');
  nodes: OpenedStore['nodes'] = () => this.#ask('nodes');
  list: OpenedStore['list'] = (filter) => this.#ask('list', filter);
  inspect: OpenedStore['inspect'] = (agent) => this.#ask('inspect', agent);
  journal: OpenedStore['journal'] = (agent, page) => this.#ask('journal', agent, page);
  operations: OpenedStore['operations'] = (agent) => this.#ask('operations', agent);
  deadLetters: OpenedStore['deadLetters'] = (page) => this.#ask('deadLetters', page);
  redrive: OpenedStore['redrive'] = (positions, to, cap) => this.#ask('redrive', positions, to, cap);
  discard: OpenedStore['discard'] = (positions) => this.#ask('discard', positions);
  counts: OpenedStore['counts'] = () => this.#ask('counts');
  watchTurns: NonNullable<OpenedStore['watchTurns']> = (pulse, limitMs, keys) => this.#ask('watchTurns', pulse, limitMs, keys);
  check: OpenedStore['check'] = (progress) => this.#request('check', [], progress);

  onForeignMail(listener: (agents: readonly AgentKey[]) => void): void {
    this.#mail = listener;
    void this.#ask('watch').catch(() => undefined);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      try {
        if (this.#dead === undefined) await this.#post('close', [], undefined);
      } finally {
        await this.#worker.terminate();
      }
    })();
    return this.#closing;
  }
}
