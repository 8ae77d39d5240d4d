/** Where one is: the part of the address behind `#`, so that a view can be shared and whatever serves the page need know none of them. */

import { computed, signal } from '@preact/signals';

export interface Route {
  /** Decoded; none: the list of agents. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const parts = path.split('/').filter((part) => part !== '');
  return { path: parts.map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal(parse(location.hash));
export const view = computed(() => route.value.path[0] ?? 'agents');
/** The agent that is looked at. */
export const agentShown = computed(() => (view.value === 'agents' ? route.value.path[1] : undefined));

/** From when on the token, if there was one, is out of the address. */
export function followAddress(): void {
  route.value = parse(location.hash);
  addEventListener('hashchange', () => {
    route.value = parse(location.hash);
  });
}

type Query = Readonly<Record<string, string | number | undefined>>;

export function hrefOf(path: readonly string[], query: Query = {}): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') asked.set(name, String(value));
  const text = asked.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

export const agentHref = (id: string, at?: number): string => hrefOf(['agents', id], { at });

export function go(href: string): void {
  location.hash = href;
}

/** Changes what is asked of the same view; the way back does not go through it. */
export function ask(changes: Query): void {
  const { path, query } = route.peek();
  const href = hrefOf(path, { ...Object.fromEntries(query), ...changes });
  history.replaceState(null, '', href);
  route.value = parse(href);
}
