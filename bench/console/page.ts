/** An open page as a process: reads the stream it is given, and says on demand how late each turn came to it. */

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
    const event = JSON.parse(data.slice(6)) as { type: string; skipped?: number; turns?: { payload?: { value: { at?: number } } }[] };
    if (event.type === 'beat' && !isOpen) {
      isOpen = true;
      process.send?.('open');
    }
    if (event.type !== 'agent') continue;
    const now = Date.now();
    turns += event.turns?.length ?? 0;
    skipped += event.skipped ?? 0;
    for (const { payload } of event.turns ?? []) if (payload?.value.at !== undefined) lags.push(now - payload.value.at);
  }
}
