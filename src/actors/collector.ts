/**
 * What an agent's actor tree asks for during a turn, written into the agent's draft: timers, actions, messages, operations.
 * Nothing is done here; `releases` of the draft do it, in order, once the draft is durable.
 */

import type { AnyActorLogic, AnyActorRef, EventObject } from 'xstate';
import { encode, encodeThrown } from '../core/codec.js';
import { checksum } from '../core/checksum.js';
import { BadEventError } from '../core/errors.js';
import type { TimerRecord } from '../persistence/store.js';
import {
  commandType,
  isEphemeral,
  letterType,
  repliedType,
  replyType,
  spawnType,
  tellType,
  type CommandParams,
  type LetterParams,
  type ReplyParams,
  type SpawnParams,
  type TellParams,
} from './actions.js';
import { isOfAgent, mailAddress, operationAddress, readAddress } from './address.js';
import type { Agent } from './agent.js';
import type { Draft } from './draft.js';
import { checkEvent } from './event-check.js';
import { cancelled, wakeAt, type Operation, type OperationOutcome, type Asked } from './operation.js';
import { tellOf } from './news.js';
import { asData } from './place.js';
import { timerPolicy } from './registration.js';
import type { CollectedAction, TurnSink } from './seam.js';

const farthest = 8_640_000_000_000_000;

/** Event type under which answers and the ends of questions arrive; never seen by machines. */
export const answerType = 'statewarden.answer';

interface Change {
  readonly before: object;
  readonly after: object;
}
const none: readonly (readonly [string, Change])[] = [];

export class Collector implements TurnSink {
  readonly #agent: Agent;
  /** What ends each callback and observable that runs. */
  #running: Set<() => void> | undefined;
  actorCount = 0;
  inTurn = false;
  reviving = false;
  /** Address of whoever asked with the current event. */
  question: string | undefined;
  #changes: Map<string, Change> | undefined;
  /** The current event and its text, so that it is encoded once. */
  event: EventObject | undefined;
  eventText: string | undefined;
  /** Open operations read from the store, by path, while the agent is restored. */
  restoring: Map<string, Operation['record']> | undefined;
  /** A child ended in error since this was looked at last. */
  childFailed = false;
  /** A supervisor has come to its end in this turn. */
  exit: CommandParams['exit'];

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  get #draft(): Draft {
    return this.#agent.draft();
  }

  /** Once the draft is durable. */
  #later(run: () => void): void {
    const { traced } = this.#agent;
    this.#draft.releases.push(traced === undefined ? run : traced.bound(run));
  }

  adopted(root: AnyActorRef): void {
    this.#agent.host.inspection?.adopted(this.#agent, root);
  }

  childErred(): void {
    this.childFailed = true;
  }

  nextActorNumber(): number {
    this.actorCount += 1;
    return this.actorCount;
  }

  timerSet(source: string, id: string, target: string, event: EventObject, delayMs: number): void {
    const agent = this.#agent;
    const timer: TimerRecord = {
      id: `${source}#${id}`,
      dueAt: Math.min(Math.ceil(agent.host.clock.now() + Math.max(0, delayMs)), farthest),
      delayMs,
      policy: timerPolicy(agent.registration, id),
      target,
      event: encode(event, `the event of timer "${id}"`),
    };
    agent.timers.set(timer.id, timer);
    this.#draft.setTimer(timer);
    this.#later(() => agent.host.armTimer(agent.key, timer.id, timer.dueAt));
  }

  timerCancelled(source: string, id: string): void {
    const full = `${source}#${id}`;
    if (this.#agent.forgetTimer(full)) this.#draft.clearTimer(full);
  }

  timersVoided(source: string): void {
    const prefix = `${source}#`;
    for (const id of this.#agent.timerIds()) {
      if (id.startsWith(prefix) && this.#agent.forgetTimer(id)) this.#draft.clearTimer(id);
    }
  }

  action(path: string, action: CollectedAction): void {
    switch (action.type) {
      case tellType:
        this.#tell(action.params as TellParams);
        return;
      case replyType:
        this.#reply(action.params as ReplyParams);
        return;
      case spawnType:
        this.#spawn(action.params as SpawnParams);
        return;
      case letterType:
        this.#letter(action.params as LetterParams);
        return;
      case commandType: {
        const { commands, exit } = action.params as CommandParams;
        if (commands.length > 0) this.#later(() => this.#agent.host.supervise(this.#agent, commands));
        this.exit = exit;
        return;
      }
    }
    const { exec } = action;
    if (exec === undefined) return;
    const agent = this.#agent;
    if (!action.named || isEphemeral(exec)) {
      this.#later(() => agent.perform(action.type, () => exec(action.info as never, action.params as never)));
      return;
    }
    const draft = this.#draft;
    const effects = (draft.effects ??= []);
    const id = `${String(agent.sequenceNumber)}.${String(effects.length)}`;
    effects.push({
      record: {
        id,
        path,
        type: action.type,
        params: action.params === undefined ? undefined : encode(asData(action.params, agent.root), `params of action "${action.type}"`),
        event:
          action.info.event === this.event && this.eventText !== undefined
            ? this.eventText
            : encode(asData(action.info.event, agent.root), 'event'),
      },
      context: action.info.context,
    });
    this.#later(() => {
      agent.perform(action.type, () => exec(action.info as never, action.params as never));
      agent.settleEffect(id);
    });
  }

  #letter({ to, event, from, reason, details }: LetterParams): void {
    const { host } = this.#agent;
    const text = encode(event, 'event');
    const letter = { to, event: text, from, reason, messageId: undefined, details: encode(details, 'details'), at: host.clock.now() };
    (this.#draft.deadLetters ??= []).push(letter);
    if (host.observed) this.#later(() => tellOf(this.#agent, { type: 'dead-letter', to, event: text, reason }));
  }

  #tell({ to, event, messageId, answerTag }: TellParams): void {
    if (typeof to !== 'string' || to === '') {
      throw new BadEventError(`tell() was given ${JSON.stringify(to)} as the receiver`, { hint: 'Give the id of an agent.' });
    }
    checkEvent(event);
    const replyTo = answerTag === undefined ? undefined : mailAddress(answerTag, this.#agent.id);
    this.#send({ to, event: encode(event, 'event'), messageId, replyTo });
    this.#told('message', event.type);
  }

  #send(message: { to: string; event: string; messageId: string | undefined; replyTo: string | undefined }): void {
    const agent = this.#agent;
    (this.#draft.messages ??= []).push({ ...message, from: agent.id, acceptedAt: agent.host.clock.now(), trace: agent.traced?.place });
  }

  /** Whoever listens hears of it once it has left. */
  #told(effect: 'message' | 'reply' | 'spawn', name: string): void {
    const agent = this.#agent;
    if (agent.host.observed) this.#later(() => tellOf(agent, { type: 'effect', agentId: agent.id, effect, name }));
  }

  #reply({ value, to, error }: ReplyParams): void {
    const address = to ?? this.question;
    if (error !== undefined && to === undefined) this.#untake();
    if (address === undefined) return;
    this.#told('reply', this.event?.type ?? '');
    if (error === undefined) this.answer(address, value);
    else this.refuse(address, error);
  }

  /** The current event is forgotten: one with the same message id is taken again. */
  #untake(): void {
    const { marks } = this.#draft;
    const mark = marks?.at(-1);
    if (mark?.sequenceNumber !== this.#agent.sequenceNumber) return;
    marks?.pop();
    this.#agent.marks.forget(mark.messageId);
  }

  /** Answers whoever asked. */
  answer(address: string, value: unknown): void {
    const agent = this.#agent;
    const encoded = encode(value, 'the reply');
    if (isOfAgent(address)) this.#answer(address, `"value":${encoded}`);
    else this.#later(() => agent.host.answer(address, value));
  }

  /** Whoever asked is told that there will be no answer. `details`: of a failure, for who hears of it by mail. */
  refuse(address: string, error: Error, details?: string): void {
    const agent = this.#agent;
    if (isOfAgent(address)) this.#answer(address, `"error":${encodeThrown(error)}`, details);
    else this.#later(() => agent.host.refuse(address, error));
  }

  #answer(address: string, members: string, details?: string): void {
    const agent = this.#agent;
    if (agent.job === address) agent.job = undefined;
    const { mail, name, to } = readAddress(address);
    const event = mail
      ? `{"type":"${repliedType}","tag":${JSON.stringify(name)},${members}${details === undefined ? '' : `,"details":${details}`}}`
      : `{"type":"${answerType}","operation":${JSON.stringify(name)},${members}}`;
    this.#send({ to, event, messageId: mail ? undefined : `answer ${name}`, replyTo: undefined });
  }

  #spawn({ kind, id, input }: SpawnParams): void {
    const agent = this.#agent;
    const { key, version } = agent.host.newAgent(kind, id);
    const draft = this.#draft;
    const trace = agent.traced?.place;
    (draft.spawns ??= []).push({ key, id, kind, version, input: input === undefined ? undefined : encode(input, 'input'), trace });
    this.#told('spawn', kind);
  }

  emitted(path: string, event: EventObject, deliver: () => void): void {
    const agent = this.#agent;
    this.#later(() => {
      deliver();
      if (path === '') agent.emit(event);
    });
  }

  logged(values: readonly unknown[]): void {
    const { host } = this.#agent;
    if (!this.inTurn) host.log(values);
    else this.#later(() => host.log(values));
  }

  promiseStarted(path: string, logic: AnyActorLogic, input: unknown, actor: AnyActorRef): void {
    const agent = this.#agent;
    const known = this.restoring?.get(path);
    if (known !== undefined) {
      this.restoring?.delete(path);
      const { question } = agent.host.operations.traits(logic, path);
      agent.operations.set(path, { record: known, logic, input, question, actor });
      return;
    }
    const traits = agent.host.operations.traits(logic, path);
    const encoded = input === undefined ? undefined : encode(input, `input of activity "${traits.name}"`);
    const hash = encoded === undefined ? '' : `:${checksum(encoded).toString(16)}`;
    const draft = this.#draft;
    let id = `${agent.id}:${path}:${String(agent.sequenceNumber)}${hash}`;
    for (let again = 1; draft.operations?.has(id) === true; again += 1) {
      id = `${agent.id}:${path}:${String(agent.sequenceNumber)}.${String(again)}${hash}`;
    }
    const asked = traits.asks?.(input, id);
    const intendedAt = agent.host.clock.now();
    const wakesAt = traits.wakesAt?.(input, intendedAt);
    const operation: Operation = {
      record: {
        id,
        activity: traits.name,
        path,
        status: traits.status,
        attempts: 0,
        userKey: traits.userKey(input),
        input: encoded,
        outcome: undefined,
        nextRetryAt: undefined,
        intendedIn: agent.sequenceNumber,
        settledIn: 0,
        intendedAt,
        settledAt: undefined,
        parkedBy: undefined,
        saga: traits.saga?.(input, agent.id),
        compensates: traits.compensates?.(input),
        resolutions: undefined,
        artifact: undefined,
      },
      logic,
      input,
      question: traits.question,
      actor,
      trace: agent.traced?.place,
    };
    agent.operations.set(path, operation);
    draft.setOperation(operation.record);
    if (asked !== undefined) this.ask(id, asked);
    if (wakesAt !== undefined) wakeAt(agent, operation, wakesAt);
    this.#later(() => {
      if (agent.operations.get(path) === operation) agent.host.operations.start(agent, operation, false);
    });
  }

  /** Asks another agent; its answer finds the operation. */
  ask(operationId: string, { to, event, messageId }: Asked): void {
    const replyTo = operationAddress(operationId, this.#agent.id);
    this.#send({ to, event: encode(event, 'event'), messageId, replyTo });
    this.#told('message', event.type);
  }

  /** Who is to be told of an operation's end is told with the commit of it. */
  settle(operation: Operation, outcome: OperationOutcome | undefined): void {
    const agent = this.#agent;
    const told = agent.host.operations.settlement(operation, outcome);
    if (told === undefined) return;
    const { to, event, messageId } = told;
    const acceptedAt = agent.host.clock.now();
    const message = { to, messageId, event: encode(event, 'event'), from: agent.id, replyTo: undefined, acceptedAt };
    this.#draft.setSettlement(operation.record.id, { ...message, trace: agent.traced?.place });
  }

  promiseStopped(path: string): void {
    const agent = this.#agent;
    const operation = agent.operations.get(path);
    if (operation === undefined) return;
    agent.operations.delete(path);
    const mayBeDone = agent.host.operations.mayBeDone(agent, operation);
    operation.record = cancelled(operation.record, agent.sequenceNumber, agent.host.clock.now(), mayBeDone);
    this.#draft.setOperation(operation.record);
    this.settle(operation, undefined);
    this.#later(() => agent.host.operations.cancel(operation));
  }

  ephemeralStarted(path: string, start: () => void): void {
    const agent = this.#agent;
    agent.ephemerals.add(path);
    this.#later(() => agent.perform(`start of "${path}"`, start));
  }

  ephemeralStopped(path: string): void {
    this.#agent.ephemerals.delete(path);
  }

  contextChanged(path: string, before: object, after: object): void {
    const changes = (this.#changes ??= new Map<string, Change>());
    changes.set(path, { before: changes.get(path)?.before ?? before, after });
  }

  /** Contexts of children that have changed since they were taken last, by path. */
  takeChanges(): Iterable<readonly [string, Change]> {
    const changes = this.#changes;
    this.#changes = undefined;
    return changes ?? none;
  }

  ephemeralBegan(end: () => void): void {
    (this.#running ??= new Set()).add(end);
  }

  ephemeralEnded(end: () => void): void {
    this.#running?.delete(end);
  }

  /** The agent leaves memory: nothing of it goes on there. */
  endEphemerals(): void {
    for (const end of this.#running ?? []) {
      try {
        end();
      } catch {
        // Nobody is left to be told.
      }
    }
  }

  ephemeralEffect(run: () => void): void {
    const agent = this.#agent;
    this.#later(() => agent.perform('callback', run));
  }

  relayed(target: string, event: EventObject): void {
    this.#agent.relay(target, event);
  }
}
