/**
 * The five-step workflow on LangGraph.js with its SQLite checkpointer: one thread per workflow, one super-step per step.
 * Two ways of writing it are measured, a graph of five nodes and the functional API with five tasks; for each, several
 * settings are tried on a smaller number of workflows and the best is measured in full. `durability` stays at what persists each step
 * (`sync` waits for it before the next step, `async`, the default, writes it while the next step runs; `exit` keeps only
 * the end and is not comparable).
 *
 * Its checkpointer opens SQLite in WAL with better-sqlite3's default, synchronous=NORMAL: a power cut may lose what was
 * acknowledged. Prints one JSON line.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, END, START, StateGraph, entrypoint, task } from '@langchain/langgraph';
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite';

const { folder, workflows, tuningWorkflows, repetitions } = JSON.parse(process.argv[2]);
const steps = ['one', 'two', 'three', 'four', 'five'];
const work = async (value) => value + 1;

const State = Annotation.Root({ id: Annotation(), value: Annotation() });

function graph(checkpointer) {
  const builder = new StateGraph(State);
  for (const step of steps) builder.addNode(step, async (state) => ({ value: await work(state.value) }));
  builder.addEdge(START, steps[0]);
  steps.forEach((step, index) => builder.addEdge(step, steps[index + 1] ?? END));
  const compiled = builder.compile({ checkpointer });
  return async (id, durability) => (await compiled.invoke({ id, value: 0 }, { configurable: { thread_id: id }, durability })).value;
}

function functional(checkpointer) {
  const tasks = steps.map((name) => task(name, work));
  const flow = entrypoint({ name: 'five', checkpointer }, async ({ value }) => {
    let current = value;
    for (const run of tasks) current = await run(current);
    return current;
  });
  return (id, durability) => flow.invoke({ id, value: 0 }, { configurable: { thread_id: id }, durability });
}

const shapes = { graph, functional };
let opened = 0;

async function measure({ shape, durability, concurrency }, count) {
  opened += 1;
  const file = join(folder, `langgraph-${opened}.db`);
  const saver = SqliteSaver.fromConnString(file);
  const run = shapes[shape](saver);
  await run('warm', durability);
  let next = 0;
  const started = performance.now();
  const lane = async () => {
    while (next < count) {
      next += 1;
      const value = await run(`w-${next}`, durability);
      if (value !== steps.length) throw new Error(`a workflow ended with ${value}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  const seconds = (performance.now() - started) / 1000;
  const synchronous = saver.db.pragma('synchronous', { simple: true });
  saver.db.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
  return { perSecond: count / seconds, synchronous: ['OFF', 'NORMAL', 'FULL', 'EXTRA'][synchronous] };
}

await measure({ shape: 'graph', durability: 'async', concurrency: 8 }, Math.min(100, tuningWorkflows)); // warm-up

async function best(shape) {
  const tried = [];
  for (const durability of ['async', 'sync']) {
    for (const concurrency of [1, 8, 32, 100]) {
      const setting = { durability, concurrency };
      const { perSecond } = await measure({ shape, ...setting }, tuningWorkflows);
      tried.push({ ...setting, perSecond });
    }
  }
  const { durability, concurrency } = tried.reduce((a, b) => (b.perSecond > a.perSecond ? b : a));
  const figures = [];
  let synchronous;
  for (let index = 0; index < repetitions; index += 1) {
    const result = await measure({ shape, durability, concurrency }, workflows);
    figures.push(result.perSecond);
    synchronous = result.synchronous;
  }
  return { workflowsPerSecond: figures, settings: { durability, concurrency, synchronous }, tried };
}

console.log(JSON.stringify({ stateGraph: await best('graph'), functional: await best('functional') }));
