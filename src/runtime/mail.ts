/**
 * Messages on their way between agents. Each is in its receiver's mailbox, or among the dead letters, before it is spoken of here; this part hands it to
 * a receiver in memory, or brings one there. Invariant: a receiver is handed its mail in order of position.
 */

import { repliedType } from '../actors/actions.js';
import { isMail, isOfAgent, readAddress } from '../actors/address.js';
import type { Agent } from '../actors/agent.js';
import type { WithoutTime } from '../actors/host.js';
import { budgetName } from '../effects/budget/machine.js';
import { encodeThrown } from '../core/codec.js';
import { DeadLetterError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { MessageRecord, OpenedStore, PostOutcome } from '../persistence/store.js';
import type { Answers } from './answers.js';
import type { Presence } from './presence.js';

export interface MailOptions {
  readonly store: OpenedStore;
  /** Messages that a mailbox holds at most. */
  readonly cap: number;
  readonly answers: Answers;
  readonly resident: (idOrKey: string | number) => Agent | undefined;
  readonly presence: (idOrKey: string | number) => Promise<Presence>;
  readonly tell: (event: WithoutTime<RuntimeEvent>) => void;
  readonly failed: (error: unknown) => void;
}

export class Mail {
  readonly #options: MailOptions;
  /** Ids of agents whose mailbox is being read; true when more has come in since. */
  readonly #reading = new Map<string, boolean>();

  constructor(options: MailOptions) {
    this.#options = options;
  }

  /** Puts a message from outside into a mailbox. */
  async post(message: MessageRecord): Promise<PostOutcome> {
    const [outcome] = await this.#options.store.post([message], this.#options.cap);
    if (outcome?.outcome === 'dead-letter') this.#deadLetter(message, outcome.reason);
    return outcome as PostOutcome;
  }

  /** A message of a durable commit, and what became of it; undefined when the store's reply was lost. */
  routed(message: MessageRecord, outcome: PostOutcome | undefined): void {
    if (outcome === undefined) void this.#read(message.to);
    else if (outcome.outcome === 'accepted') {
      const agent = this.#options.resident(outcome.agent);
      const next = agent !== undefined && !agent.gone && !this.#reading.has(message.to);
      if (next) agent.receive({ ...message, position: outcome.position, agent: outcome.agent });
      else void this.#read(message.to);
    } else if (outcome.outcome === 'dead-letter') this.#deadLetter(message, outcome.reason);
  }

  /** There may be mail for an agent that its memory does not know of. */
  nudge(key: number): void {
    this.#options
      .presence(key)
      .then((presence) => (presence.where === 'here' ? this.#read(presence.agent.id) : undefined), this.#options.failed);
  }

  /** Hands over what waits in the store, in order. What is accepted meanwhile is found there too, behind it: see `routed`. */
  async #read(id: string): Promise<void> {
    const { store, presence, failed } = this.#options;
    const underWay = this.#reading.has(id);
    this.#reading.set(id, underWay);
    if (underWay) return;
    try {
      do {
        this.#reading.set(id, false);
        const found = await presence(id);
        if (found.where !== 'here') return;
        for (const message of await store.mailbox(found.agent.key, 0)) found.agent.receive(message);
      } while (this.#reading.get(id) === true);
    } catch (error) {
      failed(error);
    } finally {
      this.#reading.delete(id);
    }
  }

  /** Whoever asked with it is told that nobody will answer. */
  #deadLetter(message: MessageRecord, reason: string): void {
    const { to, event, replyTo, trace } = message;
    this.#options.tell({ type: 'dead-letter', to, event, reason, ...(trace === undefined ? {} : { trace }) });
    if (replyTo === undefined) return;
    const budget = budgetName(to);
    const error = new DeadLetterError(
      budget === undefined ? `the question to agent "${to}" found nobody (${reason})` : `budget "${budget}" is gone (${reason})`,
      {
        hint:
          budget === undefined
            ? 'Spawn the agent before it is asked; the question is kept among the dead letters.'
            : `Its agent was stopped, or never made: declare it with createRuntime({ budgets }), under a new name when "${to}" has ended.`,
      },
    );
    if (isMail(replyTo)) {
      // Who hears of it by mail keeps what was sent; of the end of its own children it hears by itself.
      if (budget !== undefined) void this.#refuse(replyTo, error, message).catch(this.#options.failed);
      return;
    }
    if (!isOfAgent(replyTo)) {
      this.#options.answers.fail(replyTo, error);
      return;
    }
    const { name: operationId, to: askerId } = readAddress(replyTo);
    const asker = this.#options.resident(askerId);
    for (const operation of asker?.operations.values() ?? []) {
      if (operation.record.id !== operationId) continue;
      asker?.host.operations.cancel(operation);
      asker?.settleOperation(operation, { ok: false, error });
    }
  }

  async #refuse(replyTo: string, error: Error, { acceptedAt, trace }: MessageRecord): Promise<void> {
    const { name, to } = readAddress(replyTo);
    const event = `{"type":"${repliedType}","tag":${JSON.stringify(name)},"error":${encodeThrown(error)}}`;
    const message = { to, messageId: undefined, event, from: undefined, replyTo: undefined, acceptedAt, trace };
    this.routed(message, await this.post(message));
  }
}
