/** Short messages at the foot of the page: what was done, what was refused. */

import { signal } from '@preact/signals';

export interface Notice {
  readonly kind: 'good' | 'bad';
  readonly text: string;
  readonly code?: string;
  readonly hint?: string;
}

export const notices = signal<readonly (Notice & { readonly id: number })[]>([]);
let last = 0;

export function told(notice: Notice): void {
  last += 1;
  const id = last;
  notices.value = [...notices.peek().slice(-2), { ...notice, id }];
  setTimeout(() => dismiss(id), notice.kind === 'good' ? 4_000 : 10_000);
}

export function dismiss(id: number): void {
  notices.value = notices.peek().filter((notice) => notice.id !== id);
}
