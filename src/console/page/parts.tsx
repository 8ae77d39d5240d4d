/** Small things that every view is made of: badges, empty and error states, buttons that say why they cannot be pressed, times. */

import type { ComponentChildren, VNode } from 'preact';
import type { Failure } from '../api.js';
import { whyReadOnly } from './client.js';
import { Icon, type IconName } from './icons.js';
import { told } from './notices.js';
import { agentHref } from './route.js';
import { token } from './token.js';
import { age, moment, now, sentence, stateText } from './words.js';

const tones: Readonly<Record<string, string>> = {
  active: 'live',
  running: 'live',
  started: 'live',
  attempted: 'live',
  closed: 'good',
  done: 'good',
  succeeded: 'good',
  error: 'bad',
  failed: 'bad',
  open: 'bad',
  isolated: 'bad',
  unknown: 'bad',
  parked: 'warn',
  suspended: 'warn',
  held: 'warn',
  degraded: 'warn',
  ramping: 'warn',
  terminated: 'warn',
  restarting: 'warn',
};

export const toneOf = (status: string): string => tones[status] ?? 'calm';

export function Status({ of }: { readonly of: string }): VNode {
  return (
    <span class={`status tone-${toneOf(of)}`}>
      <span class="dot" aria-hidden="true" />
      {of}
    </span>
  );
}

export function StateName({ value }: { readonly value: unknown }): VNode | null {
  const text = stateText(value);
  return text === '' ? null : (
    <code class="state-name" title={text}>
      {text}
    </code>
  );
}

export function Age({ at }: { readonly at: number }): VNode {
  return (
    <time class="age" dateTime={new Date(at).toISOString()} title={moment(at)}>
      {age(at, now.value)}
    </time>
  );
}

export function AgentLink({ id, at }: { readonly id: string; readonly at?: number }): VNode {
  return (
    <a class="agent-link" href={agentHref(id, at)} title={id}>
      {id}
    </a>
  );
}

interface ActProps {
  readonly onClick: () => void;
  readonly children: ComponentChildren;
  readonly kind?: 'main' | 'danger' | 'plain';
  readonly icon?: IconName;
  /** Why not now. */
  readonly not?: string | undefined;
  readonly label?: string;
  /** What it does, where its name says too little. */
  readonly about?: string;
}

/** A button that acts. Where nobody can, it stays where it is and says why. */
export function Act({ onClick, children, kind = 'plain', icon, not, label, about }: ActProps): VNode {
  const why = whyReadOnly() ?? not;
  const locked = token.value === undefined;
  return (
    <button
      type="button"
      class={`button ${kind}`}
      aria-disabled={why !== undefined}
      aria-label={label}
      title={why ?? (locked ? 'Asks for the token first' : about)}
      onClick={() => (why === undefined ? onClick() : told({ kind: 'bad', text: why }))}
    >
      {(locked || whyReadOnly() !== undefined) && <Icon name="lock" />}
      {!locked && whyReadOnly() === undefined && icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** Not that anything is wrong: how things are where a store is looked at without the code of its agents, or where the past is long. */
const quiet: readonly string[] = ['UNKNOWN_KIND', 'PAST_TOO_LONG'];

export function Trouble({ failure, retry }: { readonly failure: Failure; readonly retry?: () => void }): VNode {
  if (quiet.includes(failure.code)) {
    return (
      <div class="trouble note-box" role="note">
        <Icon name="help" />
        <div>
          <p>{sentence(failure.message)}</p>
          {failure.hint !== undefined && <p class="hint">{failure.hint}</p>}
        </div>
      </div>
    );
  }
  return (
    <div class="trouble" role="alert">
      <Icon name="warning" />
      <div>
        <p>
          {sentence(failure.message)} <code class="code">{failure.code}</code>
        </p>
        {failure.hint !== undefined && <p class="hint">{failure.hint}</p>}
        {retry !== undefined && (
          <button type="button" class="button" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

export function Empty({
  icon,
  title,
  children,
}: {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}): VNode {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p class="empty-title">{title}</p>
      {children !== undefined && <p class="hint">{children}</p>}
    </div>
  );
}

export function Loading(): VNode {
  return (
    <div class="loading" role="status" aria-label="Loading">
      <span />
      <span />
      <span />
    </div>
  );
}

export function Head({
  title,
  note,
  children,
}: {
  readonly title: string;
  readonly note?: ComponentChildren;
  readonly children?: ComponentChildren;
}): VNode {
  return (
    <header class="head">
      <h1>{title}</h1>
      {note !== undefined && <p class="note">{note}</p>}
      <div class="head-tools">{children}</div>
    </header>
  );
}
