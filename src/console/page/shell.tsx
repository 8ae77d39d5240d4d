/** The frame around every view: where one can go, whether the line stands, who may act, dark or light, help. */

import { signal } from '@preact/signals';
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { RuntimePage } from '../api.js';
import { about, enterToken } from './client.js';
import { Dialog } from './dialog.js';
import { FormDialog } from './form.js';
import { Icon, type IconName } from './icons.js';
import { onKeys } from './keys.js';
import { dismiss, notices } from './notices.js';
import { go, hrefOf, view } from './route.js';
import { line, useTold } from './stream.js';
import { narrow, switchTheme, theme } from './theme.js';
import { forgetToken, question, token } from './token.js';
import { short } from './words.js';

export const places: readonly {
  readonly name: string;
  readonly title: string;
  readonly icon: IconName;
  readonly key: string;
  readonly short?: string;
}[] = [
  { name: 'agents', title: 'Agents', icon: 'agents', key: 'a' },
  { name: 'tree', title: 'Supervision', icon: 'tree', key: 't' },
  { name: 'breakers', title: 'Breakers', icon: 'breakers', key: 'b' },
  { name: 'letters', title: 'Dead letters', short: 'Letters', icon: 'letters', key: 'd' },
  { name: 'people', title: 'People', icon: 'people', key: 'p' },
  { name: 'runtime', title: 'Runtime', icon: 'runtime', key: 'r' },
];

const helpOpen = signal(false);

export function Shell({ children }: { readonly children: ComponentChildren }): VNode {
  useEffect(
    () =>
      onKeys({
        '?': () => {
          helpOpen.value = true;
        },
        T: switchTheme,
        k: () => void enterToken(),
        ...Object.fromEntries(places.map(({ name, key }) => [key, () => go(hrefOf([name]))])),
      }),
    [],
  );
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById('main')?.focus())}>
        To the content
      </a>
      <Bar />
      <Nav />
      <main id="main" tabIndex={-1}>
        {line.value === 'lost' && (
          <p class="lost-notice" role="status">
            <Icon name="warning" /> The line to the server is broken. What you see may be old; connecting again…
          </p>
        )}
        {children}
      </main>
      <div class="notices" role="status" aria-live="polite">
        {notices.value.map(({ id, kind, text, code, hint }) => (
          <div key={id} class={`notice ${kind}`}>
            <Icon name={kind === 'good' ? 'check' : 'warning'} />
            <p>
              {text} {code !== undefined && <code class="code">{code}</code>}
              {hint !== undefined && <span class="hint">{hint}</span>}
            </p>
            <button type="button" class="button icon-only quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
      <FormDialog />
      {question.value !== undefined && <TokenDialog key="token" />}
      {helpOpen.value && <Help />}
    </div>
  );
}

function Bar(): VNode {
  const known = about.value;
  const acts = known?.acts === true;
  return (
    <header class="bar">
      <a class="brand" href={hrefOf(['agents'])}>
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
          <rect class="logo-ground" width="32" height="32" rx="8" />
          <rect class="logo-full" x="7" y="8" width="11" height="7" rx="2.5" />
          <rect class="logo-line" x="14" y="18" width="11" height="7" rx="2.5" />
          <path class="logo-line" d="M12 15v4.5a2 2 0 0 0 2 2" />
        </svg>
        Statewarden
      </a>
      {known !== undefined && (
        <span class="store" title={known.store}>
          {known.store}
        </span>
      )}
      <span class="grow" />
      <span
        class={`line-mark ${line.value}`}
        role="status"
        title={
          known?.live === true
            ? 'A runtime is at work here: what happens is shown as it does.'
            : 'No runtime is at work here: the store is looked at, twice a second.'
        }
      >
        <span class="dot" aria-hidden="true" />
        <span>
          {line.value === 'lost' ? 'reconnecting' : line.value === 'opening' ? 'connecting' : known?.live === true ? 'live' : 'at rest'}
        </span>
      </span>
      {known !== undefined && (
        <button
          type="button"
          class="button quiet token"
          aria-label={acts ? (token.value === undefined ? 'Read-only: enter the token' : 'May act: forget the token') : 'Read-only'}
          title={
            acts
              ? token.value === undefined
                ? 'Acting needs the token (k)'
                : 'The token is kept in this tab. Forget it?'
              : 'This store is only looked at: nobody can act here.'
          }
          disabled={!acts}
          onClick={() => (token.value === undefined ? void enterToken() : forgetToken())}
        >
          <Icon name={token.value === undefined ? 'lock' : 'unlock'} />
          <span class="token-word">{acts && token.value !== undefined ? 'may act' : 'read-only'}</span>
        </button>
      )}
      <button
        type="button"
        class="button icon-only quiet"
        aria-label={`Switch to ${theme.value === 'dark' ? 'light' : 'dark'}`}
        title="Dark or light (T)"
        onClick={switchTheme}
      >
        <Icon name={theme.value === 'dark' ? 'sun' : 'moon'} />
      </button>
      <button type="button" class="button icon-only quiet" aria-label="Keys" title="Keys (?)" onClick={() => (helpOpen.value = true)}>
        <Icon name="help" />
      </button>
    </header>
  );
}

function Nav(): VNode {
  const [counts, setCounts] = useState<RuntimePage['counts'] | undefined>(undefined);
  const [letters, setLetters] = useState<number | undefined>(undefined);
  const [people, setPeople] = useState(0);
  useTold('counts', (event) => {
    setCounts(event.counts);
    setLetters(event.counts.deadLetters);
  });
  useTold('dead-letters', (event) => setLetters(event.count));
  useTold('people', (event) => setPeople(event.waiting));
  const badges: Readonly<Record<string, number | undefined>> = {
    agents: counts === undefined ? undefined : Object.values(counts.agents).reduce((sum, one) => sum + one, 0),
    letters,
    people,
  };
  return (
    <nav class="nav" aria-label="Views">
      {places.map(({ name, title, short: brief = title, icon }) => (
        <a key={name} href={hrefOf([name])} aria-current={view.value === name ? 'page' : undefined}>
          <Icon name={icon} />
          <span class="nav-title">{narrow.value ? brief : title}</span>
          {(badges[name] ?? 0) > 0 && <span class={name === 'agents' ? 'badge' : 'badge call'}>{short(badges[name] as number)}</span>}
        </a>
      ))}
    </nav>
  );
}

function TokenDialog(): VNode {
  const [text, setText] = useState('');
  const asked = question.value;
  const answer = (given: string | undefined): void => asked?.answer(given);
  return (
    <Dialog title="Token" onClose={() => answer(undefined)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== '') answer(text.trim());
        }}
      >
        <p class="hint">Acting needs the token that was printed when the console started. It is kept in this tab until you close it.</p>
        <div class="field">
          <label for="token">Token</label>
          <input
            id="token"
            type="password"
            autocomplete="off"
            value={text}
            aria-invalid={asked?.refused !== undefined}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          {asked?.refused !== undefined && (
            <p class="fault" role="alert">
              {asked.refused}
            </p>
          )}
        </div>
        <footer>
          <button type="button" class="button" onClick={() => answer(undefined)}>
            Cancel
          </button>
          <button type="submit" class="button main">
            Keep
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function Help(): VNode {
  const keys: readonly (readonly [string, string])[] = [
    ...places.map(({ key, title }) => [key, title] as const),
    ['/', 'Search agents'],
    ['← →', 'Turn before, turn after'],
    ['Home End', 'First turn, back to live'],
    ['l', 'Back to live'],
    ['e', 'Send an event to the agent'],
    ['+ − 0', 'Chart: zoom in, out, fit'],
    ['Shift ← →', 'Chart: move'],
    ['Enter', 'Chart: collapse the state in focus'],
    ['k', 'Enter the token'],
    ['T', 'Dark or light'],
    ['?', 'These keys'],
  ];
  return (
    <Dialog title="Keys" onClose={() => (helpOpen.value = false)}>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
