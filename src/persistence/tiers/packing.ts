/**
 * An agent as one object: a line that says what it is, then everything about the agent, compressed (Brotli). The line can be read without unpacking, with `head -1`.
 *
 * Invariant: `unpack(await pack(agent))` equals `agent`, but for what the store keeps of an archived one: its mailbox is not in it. Members are named in the object, so one made by an older version
 * is read by a newer one. What is read is verified twice: by the artifact store as it was put, and here as it was packed.
 */

import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { crc32c } from '../../core/crc32c.js';
import { CorruptRecordError, StoreSchemaError } from '../../core/errors.js';
import {
  agentMembers,
  checkpointMembers,
  effectMembers,
  markMembers,
  operationMembers,
  segmentMembers,
  timerMembers,
} from '../record-members.js';
import type { AgentRecord, CheckpointRecord, WholeAgent } from '../store.js';

const magic = 'statewarden-archive';
const format = 1;
/** 5 of 11: more takes several times as long for some percent. */
const quality = 5;

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

const tables = {
  record: agentMembers,
  checkpoint: checkpointMembers,
  journal: segmentMembers,
  timers: timerMembers,
  operations: operationMembers,
  effects: effectMembers,
  marks: markMembers,
} as const;

/** Rows of values, `null` for what is undefined: no member is ever null. */
interface Table {
  readonly members: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

type Packed = { readonly input: string | null } & { readonly [K in keyof typeof tables]: Table };

export interface PackedAgent {
  readonly bytes: Uint8Array;
  /** Before it was compressed. */
  readonly unpackedBytes: number;
}

/** @throws RangeError when it is more than a string can hold */
export async function pack(agent: WholeAgent): Promise<PackedAgent> {
  const table = (name: keyof typeof tables, records: readonly unknown[]): Table => ({
    members: tables[name],
    rows: records.map((record) => tables[name].map((member) => (record as Record<string, unknown>)[member] ?? null)),
  });
  const packed: Packed = {
    input: agent.input ?? null,
    record: table('record', [agent.record]),
    checkpoint: table('checkpoint', agent.checkpoint === undefined ? [] : [agent.checkpoint]),
    journal: table('journal', agent.journal),
    timers: table('timers', agent.timers),
    operations: table('operations', agent.operations),
    effects: table('effects', agent.effects),
    marks: table('marks', agent.marks),
  };
  const text = Buffer.from(JSON.stringify(packed));
  const body = await compress(text, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: text.length },
  });
  const { id, kind, sequenceNumber } = agent.record;
  const about = { [magic]: format, id, kind, sequenceNumber, bytes: text.length, crc32c: crc32c(text) };
  return { bytes: Buffer.concat([Buffer.from(`${JSON.stringify(about)}\n`), body]), unpackedBytes: text.length };
}

/** `name`: of the object, for the message. @throws CorruptRecordError, StoreSchemaError */
export async function unpack(object: Uint8Array, name: string): Promise<WholeAgent> {
  const end = object.indexOf(10);
  const about = readJson(Buffer.from(object.subarray(0, Math.max(end, 0))).toString()) as Record<string, unknown> | undefined;
  const version = about?.[magic];
  if (typeof version !== 'number') throw corrupt(name, 'it is not an archived agent');
  if (version > format) {
    throw new StoreSchemaError(`${name} has format ${String(version)}; this version of Statewarden knows ${String(format)}`, {
      hint: 'Upgrade statewarden.',
    });
  }
  const length = about?.['bytes'] as number;
  let text: Uint8Array;
  try {
    text = await decompress(object.subarray(end + 1), { maxOutputLength: Math.max(1, length) });
  } catch (cause) {
    throw corrupt(name, 'it cannot be decompressed', cause);
  }
  if (text.length !== length) throw corrupt(name, `it has ${String(text.length)} bytes, decompressed, instead of ${String(length)}`);
  if (crc32c(text) !== about?.['crc32c']) throw corrupt(name, 'the checksum is wrong');
  const packed = readJson(Buffer.from(text).toString()) as Packed | undefined;
  if (packed === undefined) throw corrupt(name, 'it is not JSON');
  const [record] = records<AgentRecord>(packed.record, tables.record);
  return {
    record: record as AgentRecord,
    input: packed.input ?? undefined,
    checkpoint: records<CheckpointRecord>(packed.checkpoint, tables.checkpoint)[0],
    journal: records(packed.journal, tables.journal),
    timers: records(packed.timers, tables.timers),
    operations: records(packed.operations, tables.operations),
    effects: records(packed.effects, tables.effects),
    mailbox: [],
    marks: records(packed.marks, tables.marks),
    artifacts: [],
  };
}

/** With every member that records have today. */
function records<T>({ members, rows }: Table, known: readonly (keyof T & string)[]): T[] {
  return rows.map((row) => {
    const record: Record<string, unknown> = Object.fromEntries(known.map((member) => [member, undefined]));
    members.forEach((member, index) => (record[member] = row[index] ?? undefined));
    return record as T;
  });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function corrupt(name: string, what: string, cause?: unknown): CorruptRecordError {
  return new CorruptRecordError(`${name} is damaged: ${what}`, { cause, hint: 'Restore it from a backup of the artifact store.' });
}
