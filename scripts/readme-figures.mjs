#!/usr/bin/env node
/**
 * Writes the README's table of figures from bench/results.json, so that no number stands there that was not measured. With `--check` it only
 * says whether the table is the one that the results give; results of another run than the table's are none of its business then.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const results = JSON.parse(readFileSync(at('bench/results.json'), 'utf8'));
const checking = process.argv.includes('--check');
const readme = readFileSync(at('README.md'), 'utf8');
const place = /<!-- figures of (\S+): npm run bench, then node scripts\/readme-figures\.mjs -->\n[^]*?<!-- \/figures -->/;
const found = place.exec(readme);

function stop(message, code) {
  console[code === 0 ? 'log' : 'error'](message);
  process.exit(code);
}

if (found === null) stop('README.md has no place for figures: <!-- figures of … --> … <!-- /figures -->', 1);
if (checking && found[1] !== results.measuredAt)
  stop('bench/results.json is of another run than the figures of README.md: not compared', 0);
if (!results.complete) stop('bench/results.json is of a run that was quick, partial, without peers, or failed: npm run bench', 1);

const { w1, w2, w3, w4, bytes, memory, machine, versions } = results;

const times = (ratio) => `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const rate = (perSecond) => `${Math.round(perSecond).toLocaleString('en-US')}/s`;
const { langGraph, restate, restateAsInstalled } = w3;
const met = (holds) => (holds ? 'met' : 'not met');

const rows = [
  [
    'one event after another, each durable: median',
    `${Math.round(1000 * w1.p50Ms)} µs`,
    `${times(w1.p50VsFdatasync)} a raw append + fdatasync`,
    `≤ 1.5 ×: ${met(w1.p50VsFdatasync <= 1.5)}`,
  ],
  [
    '1,000 agents × 20 events, all durable',
    rate(w2.eventsPerSecond),
    `${percent(w2.vsXState)} of plain XState in memory`,
    `≥ 40 %: ${met(w2.vsXState >= 0.4)}`,
  ],
  ['the same', '', `${percent(w2.vsGroupCommit)} of a raw log with 64 records to a sync`, ''],
  [
    'workflows of five activities',
    rate(w3.workflowsPerSecond),
    `${times(w3.vsLangGraphStateGraph)} LangGraph.js, state graph (${rate(langGraph.stateGraph.workflowsPerSecond)})`,
    '',
  ],
  [
    'the same',
    '',
    `${times(w3.vsLangGraphFunctional)} LangGraph.js, functional (${rate(langGraph.functional.workflowsPerSecond)})`,
    `≥ 20 ×: ${met(w3.vsLangGraph >= 20)}`,
  ],
  ['the same', '', `${times(w3.vsRestateAsInstalled)} Restate as installed (${rate(restateAsInstalled.workflowsPerSecond)})`, ''],
  ['the same', '', `${times(w3.vsRestate)} Restate, tuned (${rate(restate.workflowsPerSecond)})`, `≥ 5 ×: ${met(w3.vsRestate >= 5)}`],
  [
    '`kill -9` with 10,000 activities in flight, until all run again',
    `${(w4.resumedMs / 1000).toFixed(2)} s`,
    '',
    `≤ 2 s: ${met(w4.resumedMs <= 2_000)}`,
  ],
  [
    'bytes written, 1 MB context × 1,000 events',
    '',
    `${percent(bytes.vsEveryTurn)} of a checkpoint per event`,
    `≤ 25 %: ${met(bytes.vsEveryTurn <= 0.25)}`,
  ],
  [
    'memory of a resident idle agent',
    `${Math.round(memory.residentBytes).toLocaleString('en-US')} B`,
    'over XState’s own',
    `≤ 4,096 B: ${met(memory.residentBytes <= 4_096)}`,
  ],
];
const table = [
  '| | Statewarden | beside it | goal |',
  '| --- | ---: | --- | --- |',
  ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  '',
  `Medians of one run on ${machine.cores} cores, Node ${versions.node}, XState ${versions.xstate}, SQLite as durable as \`synchronous=FULL\`; LangGraph.js's checkpointer runs`,
  'with `NORMAL`, which a power cut may cost what it acknowledged.',
].join('\n');

const figures = `<!-- figures of ${results.measuredAt}: npm run bench, then node scripts/readme-figures.mjs -->\n${table}\n<!-- /figures -->`;
if (!checking)
  writeFileSync(
    at('README.md'),
    readme.replace(place, () => figures),
  );
else if (found[0] === figures) console.log('README.md: the figures are those of bench/results.json');
else stop('README.md: the figures are not those of bench/results.json; run node scripts/readme-figures.mjs', 1);
