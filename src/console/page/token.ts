/**
 * The token that acting needs: from `#token=…` in the address, where it is removed at once, or asked for. Kept for this tab alone, in no address
 * and no cookie.
 */

import { signal } from '@preact/signals';

const key = 'statewarden-token';

export const token = signal<string | undefined>(sessionStorage.getItem(key) ?? undefined);

/** Before the address is read for anything else. */
export function takeTokenFromAddress(): void {
  const match = /(?:^#|[?&])token=([^&]+)/.exec(location.hash);
  if (match === null) return;
  keepToken(decodeURIComponent(match[1] as string));
  const rest = location.hash.replace(match[0].startsWith('#') ? /^#token=[^&]+&?/ : /token=[^&]+&?/, '').replace(/[?&]$/, '');
  history.replaceState(null, '', `${location.pathname}${location.search}${rest.startsWith('#') ? rest : `#/${rest}`}`);
}

export function keepToken(value: string): void {
  sessionStorage.setItem(key, value);
  token.value = value;
}

export function forgetToken(): void {
  sessionStorage.removeItem(key);
  token.value = undefined;
}

interface Question {
  /** Why the last one was not taken. */
  readonly refused?: string;
  readonly answer: (token: string | undefined) => void;
}

/** The dialog that is open. */
export const question = signal<Question | undefined>(undefined);

/** Undefined: the person would rather not. */
export async function askForToken(refused?: string): Promise<string | undefined> {
  question.peek()?.answer(undefined);
  return new Promise((resolve) => {
    question.value = {
      ...(refused === undefined ? {} : { refused }),
      answer: (given) => {
        question.value = undefined;
        if (given !== undefined) keepToken(given);
        resolve(given);
      },
    };
  });
}
