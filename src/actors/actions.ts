/**
 * Actions for machines that talk to other agents. They are ordinary XState actions; the runtime recognises them by their type
 * when they reach it, records them in the turn's own commit and acts on them once that is durable. Outside a runtime they do nothing.
 */

import { enqueueActions, type EventObject, type MachineContext } from 'xstate';

export const tellType = 'statewarden.tell';
export const replyType = 'statewarden.reply';
export const spawnType = 'statewarden.spawn';
/** What a supervisor wants done; its `params` are a list of commands. */
export const commandType = 'statewarden.command';
/** An event that a fleet gives up. */
export const letterType = 'statewarden.letter';

/** Type under which whoever has put an `answerTag` on a message hears the answer; as an event like any other. */
export const repliedType = 'statewarden.replied';

/** What an expression of these actions is given. */
export interface ActionArguments<TContext extends MachineContext, TEvent extends EventObject> {
  readonly context: TContext;
  readonly event: TEvent;
}

type Expression<TContext extends MachineContext, TEvent extends EventObject, T> = T | ((args: ActionArguments<TContext, TEvent>) => T);

/** A value that is no function. */
type Plain = string | number | boolean | null | undefined | Readonly<Record<string, unknown>> | readonly unknown[];

/**
 * An action that fits any machine with this context and these events. It has none of XState's phantom members (`_out_TEvent`, …):
 * nothing in a call says what they are, so they would be inferred as `never` and the action would fit no machine.
 */
export type AgentAction<TContext extends MachineContext, TExpressionEvent extends EventObject> = (
  args: ActionArguments<TContext, TExpressionEvent>,
) => void;

export interface TellParams {
  readonly to: string;
  readonly event: EventObject;
  readonly messageId: string | undefined;
  /** It is a question, and the answer comes as an event of `repliedType` with this tag. */
  readonly answerTag?: string;
}
export interface ReplyParams {
  readonly value: unknown;
  readonly to: string | undefined;
  /** There is no answer, and why. When it is the current event's, that is as if it had never come: one with the same message id is taken again. */
  readonly error?: Error | undefined;
}
export interface LetterParams {
  readonly to: string;
  readonly event: EventObject;
  readonly from: string;
  readonly reason: string;
  readonly details: object;
}
export interface SpawnParams {
  readonly kind: string;
  readonly id: string;
  readonly input: unknown;
}

/** Of a supervisor's turn. `exit`: it has ended; `failed` when it gave up. */
export interface CommandParams {
  readonly commands: readonly unknown[];
  readonly exit: { readonly how: 'shutdown' | 'failed'; readonly text: string; readonly message: string } | undefined;
}

/**
 * Sends an event to another agent, by id. It is written to that agent's mailbox in this agent's own commit and taken exactly
 * once. Sent to an id that does not exist, or whose agent has ended, it becomes a dead letter.
 *
 * `messageId`: the receiver takes the same id once, however often it is sent.
 */
export function tell<TContext extends MachineContext, TExpressionEvent extends EventObject>(
  to: Expression<TContext, TExpressionEvent, string>,
  event: Expression<TContext, TExpressionEvent, EventObject>,
  options: { readonly messageId?: Expression<TContext, TExpressionEvent, string> } = {},
): AgentAction<TContext, TExpressionEvent> {
  return leaving(tellType, { name: 'tell', to, event }, (args: ActionArguments<TContext, TExpressionEvent>): TellParams => ({
    to: resolve(to, args),
    event: resolve(event, args),
    messageId: options.messageId === undefined ? undefined : resolve(options.messageId, args),
  }));
}

/**
 * Answers the question (`ask`) that the current event carries. To answer later, keep `askedBy(event)` in the context
 * and give it as `to`. Without a question it does nothing.
 */
export function reply<TContext extends MachineContext, TExpressionEvent extends EventObject>(
  value: Plain | ((args: ActionArguments<TContext, TExpressionEvent>) => unknown),
  options: { readonly to?: Expression<TContext, TExpressionEvent, string | undefined> } = {},
): AgentAction<TContext, TExpressionEvent> {
  return leaving(replyType, { name: 'reply' }, (args: ActionArguments<TContext, TExpressionEvent>): ReplyParams => ({
    value: resolve<ActionArguments<TContext, TExpressionEvent>, unknown>(value, args),
    to: options.to === undefined ? undefined : resolve(options.to, args),
  }));
}

/** Makes an agent of a registered kind, in this agent's own commit. If the id exists already, nothing happens. */
export function spawnAgent<TContext extends MachineContext, TExpressionEvent extends EventObject>(
  kind: string,
  options: Expression<TContext, TExpressionEvent, { readonly id: string; readonly input?: unknown }>,
): AgentAction<TContext, TExpressionEvent> {
  return leaving(spawnType, { name: 'spawnAgent', to: kind }, (args: ActionArguments<TContext, TExpressionEvent>): SpawnParams => {
    const { id, input } = resolve(options, args);
    return { kind, id, input };
  });
}

const ephemeralMark = Symbol.for('statewarden.ephemeral');

/** Marks a named action as at most once: it is run after the commit, not recorded, and not run again after a crash. */
export function ephemeral<T extends (...args: never[]) => unknown>(action: T): T {
  const copy = ((...args: never[]) => action(...args)) as T;
  return Object.defineProperty(copy, ephemeralMark, { value: true });
}

export function isEphemeral(action: unknown): boolean {
  return typeof action === 'function' && ephemeralMark in action;
}

const questions = new WeakMap<object, string>();

/** The address of whoever asked with this event; undefined when it is not a question. It may be kept in the context. */
export function askedBy(event: EventObject): string | undefined {
  return questions.get(event);
}

/** Remembers that an event is a question, for the turn that takes it. */
export function markQuestion(event: EventObject, address: string): void {
  questions.set(event, address);
}

const times = new WeakMap<object, number>();

/** When the current event was taken, epoch milliseconds: the same when the turn is run again. Known to supervisors only. */
export function takenAt(event: EventObject): number {
  return times.get(event) ?? 0;
}

export function markTime(event: EventObject, at: number): void {
  times.set(event, at);
}

/** How an action of ours is written, for who draws it: what is not a function of the moment. */
export interface Wording {
  readonly name: string;
  readonly to?: unknown;
  readonly event?: unknown;
}
const wordings = new WeakMap<object, Wording>();

/** Of an action that `tell`, `reply` or `spawnAgent` has made. */
export function wordingOf(action: object): Wording | undefined {
  return wordings.get(action);
}

function leaving<TArguments>(type: string, wording: Wording, params: (args: TArguments) => object): never {
  // `enqueue` hands an action object over as it is; XState's types only know the machine's own action names.
  const action = enqueueActions((args) => {
    (args.enqueue as unknown as (action: object) => void)({ type, params: params(args as TArguments) });
  });
  wordings.set(action, wording);
  return action as never;
}

function resolve<TArguments, T>(expression: T | ((args: TArguments) => T), args: TArguments): T {
  return typeof expression === 'function' ? (expression as (args: TArguments) => T)(args) : expression;
}
