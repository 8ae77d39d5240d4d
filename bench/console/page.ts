/** An open page as a process, the console's or, at a `ws:` address, the inspector's: reads the stream it is given, and says on demand how late each turn came to it. */

import { WebSocket } from 'ws';

export interface Lags {
  /** Milliseconds from the sending of a turn to its telling here, of every turn that was told. */
  readonly lags: readonly number[];
  readonly turns: number;
  readonly skipped: number;
}

const [url = ''] = process.argv.slice(2);
const lags: number[] = [];
let [turns, skipped] = [0, 0];
let isOpen = false;
process.on('message', () => process.send?.({ lags, turns, skipped } satisfies Lags));

interface Sent {
  readonly at?: number;
}

function told(turn: Sent | undefined): void {
  turns += 1;
  if (turn?.at !== undefined) lags.push(Date.now() - turn.at);
}

function opened(): void {
  if (isOpen) return;
  isOpen = true;
  process.send?.('open');
}

if (url.startsWith('ws:')) await inspector();
else await page();

async function page(): Promise<void> {
  const response = await fetch(url);
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(part, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = text
        .slice(0, end)
        .split('\n')
        .find((one) => one.startsWith('data: '));
      text = text.slice(end + 2);
      if (data === undefined) continue;
      const event = JSON.parse(data.slice(6)) as { type: string; skipped?: number; turns?: { payload?: { value: Sent } }[] };
      if (event.type === 'beat') opened();
      if (event.type !== 'agent') continue;
      skipped += event.skipped ?? 0;
      for (const { payload } of event.turns ?? []) told(payload?.value);
    }
  }
}

async function inspector(): Promise<void> {
  const socket = new WebSocket(url);
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string; event?: Sent & { type: string } };
    if (message.type === '@xstate.actor') opened();
    if (message.type === '@xstate.snapshot' && message.event?.type === 'ADD') told(message.event);
  });
  await new Promise((resolve, reject) => socket.once('error', reject).once('close', resolve));
}
