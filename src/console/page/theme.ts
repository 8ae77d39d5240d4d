/** Dark or light: as the system has it, until a person chooses. */

import { computed, effect, signal } from '@preact/signals';

export type Choice = 'auto' | 'light' | 'dark';

const key = 'statewarden-theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(system.matches);
system.addEventListener('change', () => {
  systemDark.value = system.matches;
});

const stored = localStorage.getItem(key);
export const choice = signal<Choice>(stored === 'light' || stored === 'dark' ? stored : 'auto');
export const theme = computed(() => (choice.value === 'auto' ? (systemDark.value ? 'dark' : 'light') : choice.value));

export function followTheme(): void {
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value;
  });
}

export function switchTheme(): void {
  choice.value = theme.peek() === 'dark' ? 'light' : 'dark';
  localStorage.setItem(key, choice.value);
}

const narrowQuery = matchMedia('(max-width: 720px)');
/** As wide as a phone. */
export const narrow = signal(narrowQuery.matches);
narrowQuery.addEventListener('change', () => {
  narrow.value = narrowQuery.matches;
});
