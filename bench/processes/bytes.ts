/**
 * One agent with a large context and many small events, each awaited. Counts what the process hands to the operating system to write
 * (`wchar` of /proc/self/io: every thread, database and write-ahead log alike) and what the kernel accounts as sent to storage (`write_bytes`).
 */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ledger } from '../machines.js';
import { createRuntime, sqlite, type CheckpointPolicy } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly contextBytes: number;
  readonly events: number;
  readonly policy: 'every-turn' | 'boundaries';
}

export interface Figures {
  readonly written: number;
  readonly storageBytes: number;
  readonly fileBytes: number;
  readonly seconds: number;
}

const { folder, contextBytes, events, policy } = parameters<Parameters>();
const file = join(folder, 'agents.db');
const checkpoints: { checkpoints?: CheckpointPolicy } = policy === 'every-turn' ? { checkpoints: policy } : {};
const runtime = await createRuntime({ store: sqlite(file), agents: { ledger: { machine: ledger, version: 1 } }, ...checkpoints });
const agent = await runtime.spawn('ledger', { id: 'one', input: { bytes: contextBytes } });
const before = io();
const started = performance.now();
for (let index = 0; index < events; index += 1) await agent.send({ type: 'NOTE', amount: 1 });
const seconds = (performance.now() - started) / 1000;
const after = io();
await runtime.close();
answer({
  written: after.wchar - before.wchar,
  storageBytes: after.write_bytes - before.write_bytes,
  fileBytes: statSync(file).size,
  seconds,
} satisfies Figures);

function io(): { wchar: number; write_bytes: number } {
  const read = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  const text = readFileSync('/proc/self/io', 'utf8');
  return { wchar: read('wchar'), write_bytes: read('write_bytes') };
}
