/**
 * A reference to an agent, wherever it is: in memory, at rest in the store, held by another node, or ended. It holds nothing itself,
 * so any number of references to any number of agents cost no more than their own few bytes.
 */

import { Observable } from '../core/observables.js';
import {
  createActor,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EmittedFrom,
  type EventFrom,
  type EventObject,
  type OutputFrom,
  type SnapshotFrom,
} from 'xstate';
import type { Agent } from '../actors/agent.js';
import { seen } from '../actors/seen.js';
import { agentFailed, suspendedError } from '../actors/agent-failure.js';
import type { Receipt } from '../actors/draft.js';
import { readCheckpoint } from '../actors/restore.js';
import {
  AgentOwnedError,
  AgentStoppedError,
  DeadLetterError,
  LeaseLostError,
  MailboxFullError,
  RuntimeClosedError,
  type StatewardenError,
  TimeoutError,
  UnknownAgentError,
} from '../core/errors.js';
import type { LoadedAgent } from '../persistence/store.js';
import { endingOf } from './ending.js';
import type { PastState } from './history.js';
import type { Node } from './node.js';
import { historyOf, pastOf, stateAt, type HistoryPage, type PastPage } from './past.js';
import type { ResolvedOptions } from './options.js';
import type { Presence } from './presence.js';

export interface AgentRef<TMachine extends AnyStateMachine = AnyStateMachine> {
  readonly id: string;
  /**
   * Sends an event; resolves once its turn is durable. With a `messageId` the same event sent twice is taken once.
   * An agent that another node holds gets it through its mailbox: then it resolves once it is durable there.
   * @throws BadEventError, EventTooLargeError, NotSerializableError, UnknownAgentError, DeadLetterError (the agent has ended),
   * MailboxFullError, SnapshotVersionError (the agent is parked), LeaseLostError
   */
  send(event: EventFrom<TMachine>, options?: { readonly messageId?: string }): Promise<Receipt>;
  /** Sends an event and resolves to what the machine answers with `reply(…)`. Default limit 30,000 ms. @throws TimeoutError and what `send` throws */
  ask<TReply = unknown>(
    event: EventFrom<TMachine>,
    options?: { readonly messageId?: string; readonly timeoutMs?: number },
  ): Promise<TReply>;
  /** The latest committed snapshot. */
  snapshot(): Promise<SnapshotFrom<TMachine>>;
  /** Committed snapshots, the current one first; completes when the agent ends or the runtime is closed. Watching keeps the agent in memory. */
  readonly snapshots$: Observable<SnapshotFrom<TMachine>>;
  /** What the machine emits, after the commit. */
  readonly emitted$: Observable<EmittedFrom<TMachine>>;
  /** The first committed snapshot, from the current one on, that satisfies. @throws TimeoutError; AgentStoppedError when it ended before */
  waitFor(
    predicate: (snapshot: SnapshotFrom<TMachine>) => boolean,
    options?: { readonly timeoutMs?: number },
  ): Promise<SnapshotFrom<TMachine>>;
  /** The machine's output, whenever it ends. @throws AgentFailedError, AgentStoppedError */
  result(): Promise<OutputFrom<TMachine>>;
  /**
   * Its turns so far, run again from the journal in actors that do nothing: what each was about, where the agent stood after it, what it asked for.
   * @throws UnknownAgentError, UnknownKindError, CorruptRecordError, ArtifactMissingError
   */
  history(page?: HistoryPage): Promise<PastPage>;
  /** Where it stood after the turn of a sequence number: state, context, children. @throws as `history`; BadInputError when there is no such turn */
  at(sequenceNumber: number): Promise<PastState>;
  /** Ends the agent; resolves once that is durable. An agent that has ended already stays as it is. */
  stop(): Promise<void>;
}

const defaultAskMs = 30_000;

export class Reference implements AgentRef {
  readonly id: string;
  readonly #node: Node;
  readonly #options: ResolvedOptions;

  constructor(node: Node, options: ResolvedOptions, id: string) {
    this.#node = node;
    this.#options = options;
    this.id = id;
  }

  send(event: unknown, options?: { readonly messageId?: string }): Promise<Receipt> {
    const agent = this.#node.resident(this.id);
    if (agent === undefined || agent.committedSequenceNumber === 0 || agent.status !== 'active' || options?.messageId !== undefined) {
      return this.#send(event, options?.messageId, undefined);
    }
    try {
      this.#node.assertOpen();
      return agent.send(event as never, this.#node.encodeEvent(event), undefined, undefined);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async #send(event: unknown, messageId: string | undefined, replyTo: string | undefined): Promise<Receipt> {
    this.#node.assertOpen();
    return this.deliver(event as EventObject, this.#node.encodeEvent(event), messageId, replyTo);
  }

  /** Sends an event that has been looked at. `text`: encoded. */
  async deliver(event: EventObject, text: string, messageId: string | undefined, replyTo: string | undefined): Promise<Receipt> {
    const node = this.#node;
    for (;;) {
      const resident = node.resident(this.id);
      const here = resident !== undefined && resident.committedSequenceNumber > 0 && resident.status === 'active';
      let presence: Presence = here ? { where: 'here', agent: resident } : await node.presence(this.id);
      // An answer finds its way to code only within one node.
      if (presence.where === 'elsewhere' && replyTo !== undefined) presence = await node.membership.call(presence);
      switch (presence.where) {
        case 'here': {
          const { agent } = presence;
          agent.calledAt = this.#options.clock.elapsed();
          if (messageId !== undefined && !agent.marks.knows(messageId)) {
            const taken = await node.store.mark(agent.key, messageId);
            if (taken !== undefined) agent.marks.set(messageId, taken);
          }
          if (agent.gone) continue; // it left memory while the store was asked
          return agent.send(event, text, messageId, replyTo);
        }
        case 'parked':
          throw presence.error;
        case 'nowhere':
          throw this.#unknown();
        case 'elsewhere':
          if (replyTo !== undefined) throw this.#absent(presence);
          return this.#post(text, messageId, replyTo);
        case 'suspended':
        case 'ended':
          return this.#post(text, messageId, replyTo);
      }
    }
  }

  /** The unfenced way: into the mailbox in the store. */
  async #post(event: string, messageId: string | undefined, replyTo: string | undefined): Promise<Receipt> {
    const outcome = await this.#node.mail.post({
      to: this.id,
      messageId,
      event,
      from: undefined,
      replyTo,
      acceptedAt: this.#options.clock.now(),
      trace: this.#node.tracing?.active(),
    });
    switch (outcome.outcome) {
      case 'accepted':
        return { sequenceNumber: 0, duplicate: false };
      case 'duplicate':
        return { sequenceNumber: outcome.sequenceNumber, duplicate: true };
      case 'full':
        throw new MailboxFullError(`the mailbox of agent "${this.id}" is full`, { hint: 'Send more slowly, or raise limits.mailbox.' });
      case 'dead-letter':
        throw new DeadLetterError(`agent "${this.id}" has ended and takes no more events`, {
          hint: 'The event is kept: `statewarden dead-letters`. Spawn a new agent with another id for new work.',
        });
    }
  }

  /** `repeated` answers instead when the event was taken before, by its message id. */
  async ask<TReply>(
    event: unknown,
    options: { readonly messageId?: string; readonly timeoutMs?: number; readonly repeated?: () => Promise<TReply> } = {},
  ): Promise<TReply> {
    const question = this.#node.answers.ask();
    // Its answer, if any, was handed over before its end is told.
    const forget = this.#node.ends.wait(this.id, (agent) => {
      if (agent !== undefined) question.fail(this.#unanswered(agent));
    });
    try {
      const { duplicate } = await this.#send(event, options.messageId, question.address);
      if (duplicate && options.repeated !== undefined) return await options.repeated();
      return (await this.#within(
        question.answer,
        options.timeoutMs ?? defaultAskMs,
        'did not answer',
        'Its machine answers with reply(…); raise timeoutMs if it needs longer.',
      )) as TReply;
    } finally {
      forget();
      question.abandon();
    }
  }

  async snapshot(): Promise<AnyMachineSnapshot> {
    const presence = await this.#present();
    if (presence.where === 'here') return seen(presence.agent);
    if (presence.where === 'ended') return this.#still(presence.loaded);
    throw this.#absent(presence);
  }

  get snapshots$(): Observable<AnyMachineSnapshot> {
    return new Observable((subscriber) => {
      let leave: () => void = () => undefined;
      subscriber.add(() => leave());
      const attach = async (): Promise<void> => {
        const presence = await this.#present();
        if (presence.where === 'ended') {
          if (!subscriber.closed) subscriber.next(this.#still(presence.loaded));
          subscriber.complete();
          return;
        }
        if (presence.where !== 'here') throw this.#absent(presence);
        const { agent } = presence;
        if (agent.gone) return attach(); // since it was found
        let started = false;
        const early: AnyMachineSnapshot[] = [];
        const stop = agent.observe({
          next: (snapshot) => void (started ? subscriber.next(snapshot) : early.push(snapshot)),
          ended: () => {
            if (started) subscriber.complete();
          },
          // It left this memory: go on with the one that comes back, or tell why it cannot. Closing the runtime is a good end.
          dropped: (error) => void (error instanceof RuntimeClosedError ? subscriber.complete() : again(error)),
        });
        leave = stop;
        if (subscriber.closed) {
          stop();
          return;
        }
        let first: AnyMachineSnapshot;
        try {
          // Turns on their way to the store were taken before anybody looked: nobody else will show them.
          await agent.whenDurable(agent.sequenceNumber);
          first = await seen(agent);
        } catch (error) {
          if (agent.gone) return; // `dropped` goes on
          throw error;
        }
        if (subscriber.closed) return;
        started = true;
        if (early.length === 0) subscriber.next(first);
        else for (const snapshot of early) subscriber.next(snapshot);
        if (agent.status !== 'active' && agent.status !== 'suspended' && agent.gone) subscriber.complete();
      };
      const again = (error: StatewardenError): Promise<void> | void =>
        error.disposition === 'retry' || error instanceof LeaseLostError || this.#node.isOpen ? attach().catch(fail) : fail(error);
      const fail = (error: unknown): void => subscriber.error(error);
      attach().catch(fail);
    });
  }

  get emitted$(): Observable<never> {
    return new Observable((subscriber) => {
      let leave: () => void = () => undefined;
      subscriber.add(() => leave());
      this.#present().then(
        (presence) => {
          if (presence.where === 'ended') subscriber.complete();
          else if (presence.where !== 'here') subscriber.error(this.#absent(presence));
          else if (!subscriber.closed) {
            leave = presence.agent.observe({
              emitted: (event) => subscriber.next(event as never),
              ended: () => subscriber.complete(),
              dropped: (error) => void (error instanceof RuntimeClosedError ? subscriber.complete() : subscriber.error(error)),
            });
          }
        },
        (error: unknown) => subscriber.error(error),
      );
    });
  }

  waitFor(predicate: (snapshot: never) => boolean, options: { readonly timeoutMs?: number } = {}): Promise<AnyMachineSnapshot> {
    const { timeoutMs } = options;
    let subscription: { unsubscribe(): void } | undefined;
    const found = new Promise<AnyMachineSnapshot>((resolve, reject) => {
      subscription = this.snapshots$.subscribe({
        next: (snapshot) => {
          try {
            if (predicate(snapshot as never)) resolve(snapshot);
          } catch (error) {
            reject(error as Error);
          }
        },
        error: reject,
        complete: () => {
          try {
            this.#node.assertOpen();
            reject(
              new AgentStoppedError(`agent "${this.id}" ended before it was as wanted`, {
                hint: 'Look at its last state with `statewarden show`.',
              }),
            );
          } catch (error) {
            reject(error as Error);
          }
        },
      });
    });
    const limited =
      timeoutMs === undefined
        ? found
        : this.#within(found, timeoutMs, 'was not as wanted', 'Look at its state with `statewarden show`, or raise timeoutMs.');
    return limited.finally(() => subscription?.unsubscribe());
  }

  async result(): Promise<never> {
    const down = await endingOf(this.#node, this.id, { clock: this.#options.clock, refuseParked: true });
    switch (down.status) {
      case 'done':
        return down.output as never;
      case 'error':
      case 'failed':
        throw agentFailed(this.id, down.error);
      case 'stopped':
        throw new AgentStoppedError(`agent "${this.id}" was stopped and has no result`, {
          hint: 'Ask for the result of agents that reach a final state.',
        });
      case 'unknown':
        throw this.#unknown();
    }
  }

  async stop(): Promise<void> {
    if (await this.#node.supervision.stopSuspended(this.id)) return;
    const presence = await this.#present();
    if (presence.where === 'here') await presence.agent.stop();
    else if (presence.where !== 'ended') throw this.#absent(presence);
  }

  history(page?: HistoryPage): Promise<PastPage> {
    return historyOf(pastOf(this.#node, this.#options), this.id, page);
  }

  at(sequenceNumber: number): Promise<PastState> {
    return stateAt(pastOf(this.#node, this.#options), this.id, sequenceNumber);
  }

  async #present(): Promise<Presence> {
    for (;;) {
      this.#node.assertOpen();
      let presence = await this.#node.presence(this.id);
      if (presence.where === 'elsewhere') presence = await this.#node.membership.call(presence);
      if (presence.where === 'here') presence.agent.calledAt = this.#options.clock.elapsed();
      if (presence.where === 'suspended') await this.#node.supervision.whenUp(this.id);
      else if (presence.where !== 'here' || !presence.agent.gone) return presence;
    }
  }

  /** The last snapshot of an agent that has ended, as XState would show it. */
  #still({ record, checkpoint }: LoadedAgent): AnyMachineSnapshot {
    const registration = checkpoint === undefined ? undefined : this.#node.kinds.of(record.kind, checkpoint.version);
    if (checkpoint === undefined || registration === undefined) throw this.#unknown();
    const { snapshot } = readCheckpoint(this.id, checkpoint);
    const actor = createActor(registration.machine, { snapshot: snapshot as never });
    return actor.getSnapshot() as AnyMachineSnapshot;
  }

  async #within<T>(wanted: Promise<T>, timeoutMs: number, what: string, hint: string): Promise<T> {
    const { clock } = this.#options;
    let handle: unknown;
    const expired = new Promise<never>((_, reject) => {
      handle = clock.setTimeout(
        () => reject(new TimeoutError(`agent "${this.id}" ${what} within ${String(timeoutMs)} ms`, { hint })),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([wanted, expired]);
    } finally {
      clock.clearTimeout(handle);
    }
  }

  #absent(presence: Presence): StatewardenError {
    if (presence.where === 'parked') return presence.error;
    if (presence.where === 'suspended') return suspendedError(this.id);
    if (presence.where === 'elsewhere') {
      const { node, host, pid, expiresAt } = presence.node;
      return new AgentOwnedError(`agent "${this.id}" is held by node ${String(node)} (process ${String(pid)} on ${host})`, {
        hint: `Events sent to it go through its mailbox; for the rest use that process, or end it: its lease runs until ${new Date(expiresAt).toISOString()}.`,
      });
    }
    return this.#unknown();
  }

  #unanswered(agent: Agent): StatewardenError {
    if (agent.status === 'error') return agentFailed(this.id, agent.failure);
    return new AgentStoppedError(`agent "${this.id}" ended (${agent.status}) without an answer`, {
      hint: 'Its machine answers with reply(…) before it ends.',
    });
  }

  #unknown(): UnknownAgentError {
    return new UnknownAgentError(`there is no agent "${this.id}"`, {
      hint: 'Make it with runtime.spawn(kind, { id }); `statewarden ls` lists the agents.',
    });
  }
}
