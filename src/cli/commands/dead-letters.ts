/** `statewarden dead-letters`: events that no agent could take, oldest first, with the reason. */

import { away, brief, stored } from '../output.js';
import type { ExitCode, Session } from '../session.js';

export interface DeadLetterOptions {
  /** Position after which to begin. */
  readonly after: number;
  readonly limit: number;
}

export async function deadLetters({ store, output, now }: Session, { after, limit }: DeadLetterOptions): Promise<ExitCode> {
  const found = await store.deadLetters({ after, limit: limit + 1 });
  const letters = found.slice(0, limit);
  const next = found.length > limit ? (letters.at(-1)?.position ?? null) : null;
  if (output.json) {
    const documents = letters.map(({ position, to, from, reason, at, event }) => ({
      position,
      to,
      from: from ?? null,
      reason,
      at,
      event: stored(event),
    }));
    output.document({ deadLetters: documents, next });
    return 0;
  }
  if (letters.length === 0) {
    output.line('no dead letters');
    return 0;
  }
  output.table(letters, [
    { title: 'POSITION', text: ({ position }) => String(position), align: 'right' },
    { title: 'AT', text: ({ at }) => away(at, now()) },
    { title: 'TO', text: ({ to }) => to },
    { title: 'FROM', text: ({ from }) => from ?? '' },
    { title: 'REASON', text: ({ reason }) => reason, colour: () => 'yellow' },
    { title: 'EVENT', text: ({ event }) => brief(event) },
  ]);
  if (next !== null) output.line(output.paint('dim', `… more: --after ${String(next)}, or --limit`));
  return 0;
}
