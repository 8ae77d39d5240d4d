/**
 * The report as Markdown. It depends on the findings only: no times, ids, machine paths or order of arrival, so that the same question
 * to the same documents is the same file, byte for byte, however often the team was killed on the way.
 */

import { citation, compareText, type Findings, type Quote, type Report, type Section } from './findings.js';

export function render(report: Report): string {
  const { title, question, summary, sections, corpus } = report;
  const parts = [
    `# ${title}`,
    `**Question:** ${question}`,
    '## In short',
    summary.map((line) => `- ${line}`).join('\n'),
    '## Findings',
    ...sections.map(renderSection),
    '## What the critic rejected',
    renderRejected(sections.map(({ findings }) => findings)),
    '## Method',
    renderMethod(report),
    '## Sources',
    renderSources(report),
  ];
  const notes = [...new Set([...corpus.notes, ...sections.flatMap(({ findings }) => findings.notes)])].sort(compareText);
  if (notes.length > 0) parts.push('## Left out', notes.map((note) => `- ${note}`).join('\n'));
  return `${parts.join('\n\n')}\n`;
}

function renderSection({ findings, lead }: Section): string {
  const { topic, quotes, spare, remark, rounds } = findings;
  const parts = [`### ${String(topic.number)}. ${topic.title}`, `*${topic.question}* ${lead}`];
  if (quotes.length > 0) parts.push(quotes.map(renderQuote).join('\n'));
  if (spare > 0) parts.push(`The critic accepted ${plural(spare, 'further quote')}, left out here.`);
  if (remark !== '') parts.push(`After ${plural(rounds, 'round')} the critic was still not content: ${remark}.`);
  return parts.join('\n\n');
}

function renderQuote(quote: Quote): string {
  const under = quote.heading === '' ? '' : `, under *${quote.heading}*`;
  return `- “${quote.text}” (\`${citation(quote)}\`${under})`;
}

function renderRejected(findings: readonly Findings[]): string {
  const parts = findings
    .filter(({ rejected }) => rejected.length > 0)
    .map(({ topic, rejected }) => {
      const lines = rejected.map(({ quote, reason }) => `- \`${citation(quote)}\` “${shortened(quote.text)}”: ${reason}`);
      return `**${String(topic.number)}. ${topic.title}**\n\n${lines.join('\n')}`;
    });
  return parts.length === 0 ? 'Nothing.' : parts.join('\n\n');
}

function renderMethod({ corpus, sections, model, researchers }: Report): string {
  const findings = sections.map((section) => section.findings);
  const considered = sum(findings.map(({ passagesConsidered }) => passagesConsidered));
  const accepted = sum(findings.map(({ quotes, spare }) => quotes.length + spare));
  const rejected = sum(findings.map((one) => one.rejected.length));
  const again = findings.filter(({ rounds }) => rounds > 1).length;
  const lines = sum(corpus.files.map((file) => file.lines));
  return [
    `A planner divided the question into ${plural(researchers, 'topic')} after looking through ${plural(corpus.files.length, 'document')} (${plural(lines, 'line')}).`,
    `One researcher for each topic weighed ${plural(considered, 'passage')} and submitted ${plural(accepted + rejected, 'quote')}.`,
    `A critic compared each with the file it came from, rejected ${String(rejected)}, accepted ${String(accepted)}, and sent ${plural(again, 'researcher')} back for more.`,
    `A writer arranged what was left. Language model: ${model}.`,
    'Quotes are verbatim except for line breaks; `file:line` says where they stand.',
  ].join(' ');
}

function renderSources({ corpus, sections }: Report): string {
  const cited = new Map<string, Set<string>>();
  for (const { findings } of sections) {
    for (const quote of findings.quotes) {
      const places = cited.get(quote.path) ?? new Set();
      cited.set(quote.path, places.add(`${String(quote.firstLine).padStart(9, '0')} ${citation(quote).slice(quote.path.length + 1)}`));
    }
  }
  const read = new Set(sections.flatMap(({ findings }) => findings.documentsRead));
  const line = ({ path, lines, sha256 }: Report['corpus']['files'][number]): string => {
    const places = [...(cited.get(path) ?? [])].sort(compareText).map((place) => place.slice(10));
    const use = places.length === 0 ? 'read, not quoted' : `quoted at ${places.join(', ')}`;
    return `- \`${path}\` (${plural(lines, 'line')}, sha256 ${sha256.slice(0, 12)}): ${use}`;
  };
  const used = corpus.files.filter(({ path }) => read.has(path));
  const rest = corpus.files.length - used.length;
  return [...used.map(line), ...(rest === 0 ? [] : [`- ${plural(rest, 'further document')} surveyed, on no researcher’s list`])].join('\n');
}

function shortened(text: string): string {
  if (text.length <= 110) return text;
  let cut = text.slice(0, 108);
  cut = cut.slice(0, Math.max(60, cut.lastIndexOf(' ')));
  // Never inside code: the rest of the line would become code.
  if ((cut.match(/`/g)?.length ?? 0) % 2 === 1) cut = cut.slice(0, cut.lastIndexOf('`'));
  return `${cut.trimEnd()} …`;
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
