/** Writing without inventing: counts, names of sources, recurring words, and the strongest quotes. */

import { citation, compareText, type Findings, type Quote } from '../../findings.js';
import { isFurniture, isStopWord, stem, words } from '../../text/tokens.js';
import type { Tasks } from '../language-model.js';

export function write(prompt: Tasks['write']['prompt']): Tasks['write']['answer'] {
  if (prompt.part === 'section') return { paragraphs: [lead(prompt.findings)] };
  return { paragraphs: prompt.findings.map(line) };
}

function lead({ quotes, topic }: Findings): string {
  if (quotes.length === 0) return 'No passage stood up to the critic.';
  const bySource = counted(quotes.map(({ path }) => path));
  const [most, share] = bySource[0] ?? ['', 0];
  const sources = bySource.length === 1 ? `one file, \`${most}\`` : `${numeral(bySource.length)} files`;
  const first = `${capital(numeral(quotes.length))} passage${quotes.length === 1 ? '' : 's'} from ${sources}.`;
  const leader = bySource.length > 1 && share > (bySource[1]?.[1] ?? 0) ? ` \`${most}\` says most about it.` : '';
  const recurring = recurringWords(quotes, new Set(words(topic.title).map(stem)));
  const common = recurring.length > 1 ? ` Words that recur: ${recurring.map((word) => `*${word}*`).join(', ')}.` : '';
  return first + leader + common;
}

function line({ topic, quotes }: Findings): string {
  const [best] = quotes;
  if (best === undefined) return `**${topic.title}**: nothing that stood up to the critic.`;
  return `**${topic.title}**: “${best.text}” (\`${citation(best)}\`)`;
}

function recurringWords(quotes: readonly Quote[], except: ReadonlySet<string>): string[] {
  const shown = new Map<string, string>();
  const each = quotes.flatMap(({ text }) => {
    const own = new Map<string, string>();
    for (const word of words(text))
      if (!isStopWord(word) && !isFurniture(word) && word.length > 2 && !except.has(stem(word))) own.set(stem(word), word);
    for (const [key, word] of own) if (!shown.has(key)) shown.set(key, word);
    return [...own.keys()];
  });
  return counted(each)
    .filter(([, count]) => count >= 2)
    .slice(0, 4)
    .map(([key]) => shown.get(key) ?? key);
}

/** Most frequent first, then by text. */
function counted(items: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts].sort(([one, many], [other, few]) => few - many || compareText(one, other));
}

function numeral(count: number): string {
  return ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'][count] ?? String(count);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
