/** The words after `statewarden holds`, `approvals` and `saga`: what is to be done, with what, in which store, and who says so. */

import { userInfo } from 'node:os';
import { nearest } from '../../core/nearest.js';
import type { Signed } from '../../runtime/holds.js';
import { looksLikeStore } from '../store-url.js';
import { UsageError } from '../usage-error.js';

interface Action {
  /** What it must be told, in order. */
  readonly needs: readonly string[];
  readonly options: readonly string[];
}

const signed = ['by', 'note'] as const;

const commands = {
  holds: {
    ls: { needs: [], options: ['unknown', 'agent', 'limit'] },
    show: { needs: ['OPERATION'], options: [] },
    done: { needs: ['OPERATION'], options: ['result', ...signed] },
    retry: { needs: ['OPERATION'], options: signed },
    fail: { needs: ['OPERATION'], options: signed },
  },
  approvals: {
    ls: { needs: [], options: ['agent', 'limit'] },
    show: { needs: ['OPERATION'], options: [] },
    decide: { needs: ['OPERATION', 'DECISION'], options: signed },
    approve: { needs: ['OPERATION'], options: signed },
    reject: { needs: ['OPERATION'], options: signed },
  },
  saga: {
    ls: { needs: [], options: ['all', 'agent', 'limit'] },
    show: { needs: ['AGENT'], options: ['saga'] },
    resume: { needs: ['AGENT'], options: ['saga', ...signed] },
    skip: { needs: ['AGENT'], options: ['saga', ...signed] },
    abandon: { needs: ['AGENT'], options: ['saga', ...signed] },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Action>>>>;

export type PeopleCommand = keyof typeof commands;
export type PeopleAction<TCommand extends PeopleCommand> = keyof (typeof commands)[TCommand] & string;

export interface PeopleWords<TCommand extends PeopleCommand> {
  readonly action: PeopleAction<TCommand>;
  /** What it was told, as many as it needs. */
  readonly told: readonly string[];
  readonly place: string | undefined;
}

export const peopleOptions = ['unknown', 'agent', 'limit', 'result', 'by', 'note', 'all', 'saga'] as const;

/** `given`: names of the options that were. @throws UsageError */
export function peopleWords<TCommand extends PeopleCommand>(
  command: TCommand,
  words: readonly string[],
  given: readonly string[],
  folder: string,
): PeopleWords<TCommand> {
  const actions: Readonly<Record<string, Action>> = commands[command];
  const [first = ''] = words;
  const known = Object.hasOwn(actions, first);
  if (!known && first !== '' && (words.length > 1 || !looksLikeStore(first, folder))) {
    const [close] = nearest(first, Object.keys(actions));
    const hint = `One of ${Object.keys(actions).join(', ')} comes first: statewarden ${command} show ${String(actions['show']?.needs[0])}.`;
    throw new UsageError(`"${first}" is no action and no store`, close === undefined ? hint : `Did you mean "${close}"?`);
  }
  const action = known ? first : 'ls';
  const { needs, options } = actions[action] as Action;
  const foreign = given.find((name) => !options.includes(name));
  if (foreign !== undefined) {
    const its = options.length === 0 ? 'It has none.' : `It has ${options.map((name) => `--${name}`).join(', ')}.`;
    throw new UsageError(`--${foreign} is no option of ${command} ${action}`, its);
  }
  const rest = known ? words.slice(1) : words;
  const usage = `Write ${['statewarden', command, action, ...needs, '[STORE]'].join(' ')}.`;
  const missing = needs[rest.length];
  if (missing !== undefined) throw new UsageError(`${command} ${action} needs ${needsInWords[missing] ?? missing}`, usage);
  const [place, stray] = rest.slice(needs.length);
  if (stray !== undefined) throw new UsageError(`"${stray}" is one word too many`, usage);
  return { action: action as PeopleAction<TCommand>, told: rest.slice(0, needs.length), place };
}

const needsInWords: Readonly<Record<string, string>> = {
  OPERATION: 'the id of an operation',
  DECISION: 'a decision',
  AGENT: 'the id of an agent',
};

/** `by` undefined: whoever is logged in. @throws UsageError */
export function signature(by: string | undefined, note: string | undefined): Signed {
  const signed = note === undefined ? {} : { note };
  if (by !== undefined) return { by, ...signed };
  try {
    const { username } = userInfo();
    if (username !== '') return { by: username, ...signed };
  } catch {
    // This user has no name here.
  }
  throw new UsageError('it is not known who you are', 'Say so with --by NAME.');
}
