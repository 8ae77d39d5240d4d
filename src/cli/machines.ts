/** From what was typed to a stored machine: its kind, its version, and, where one version was several machines, its schema. */

import type { MachineChart } from '../actors/chart.js';
import { StatewardenError, UnknownKindError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import type { MachineRecord } from '../persistence/store.js';
import { printable } from './output.js';
import type { Session } from './session.js';
import { UsageError } from './usage-error.js';

export const machineFormats = ['json', 'mermaid', 'svg'] as const;

/** The kind has no such version in this store. */
export class UnknownVersionError extends StatewardenError {
  readonly code = 'UNKNOWN_VERSION';
  readonly disposition = 'terminal';
}

/** The store has the machine's structure, and no chart of it. */
export class ChartMissingError extends StatewardenError {
  readonly code = 'CHART_MISSING';
  readonly disposition = 'terminal';
}

export interface VersionName {
  readonly kind: string | undefined;
  readonly version: number;
  /** How its schema begins. */
  readonly schema: string | undefined;
}

/** `2`, `2/1f0c`, `order@2`. @throws UsageError */
export function versionName(option: string, typed: string): VersionName {
  const [, kind, version, schema] = /^(?:(.+)@)?(\d{1,15})(?:\/([0-9a-f]+))?$/.exec(typed) ?? [];
  if (version === undefined) {
    throw new UsageError(
      `--${option} is ${JSON.stringify(typed)}`,
      `Give a version, ${option === 'compare' ? '2, order@2' : '2'} or 2/SCHEMA.`,
    );
  }
  return { kind, version: Number(version), schema };
}

/** Those of a kind, the newest version last. @throws UnknownKindError */
export async function machinesOf({ store }: Session, kind: string): Promise<readonly MachineRecord[]> {
  const records = await store.machines(kind);
  if (records.length > 0) return [...records].sort((one, other) => one.version - other.version);
  const kinds = [...new Set((await store.machines()).map((record) => record.kind))];
  const close = nearest(kind, kinds).map((name) => JSON.stringify(name));
  throw new UnknownKindError(`no machine of kind ${JSON.stringify(kind)} is in this store`, {
    hint: close.length > 0 ? `Did you mean ${close.join(', ')}?` : 'List the kinds with `statewarden machine`.',
  });
}

/** @throws UnknownKindError, UnknownVersionError */
export async function findMachine(session: Session, kind: string, wanted: Omit<VersionName, 'kind'> | undefined): Promise<MachineRecord> {
  const records = await machinesOf(session, kind);
  const version = wanted?.version ?? (records.at(-1) as MachineRecord).version;
  const ofVersion = records.filter((record) => record.version === version);
  const found = ofVersion.filter(({ schema }) => schema.startsWith(wanted?.schema ?? ''));
  const [first] = found;
  if (first === undefined) {
    const named =
      wanted?.schema === undefined ? `version ${String(version)}` : `version ${String(version)} with a schema that begins ${wanted.schema}`;
    const has = ofVersion.length > 0 ? ofVersion.map(nameOf) : [...new Set(records.map((record) => String(record.version)))];
    throw new UnknownVersionError(`kind ${JSON.stringify(kind)} has no ${named}`, { hint: `It has ${has.join(', ')}.` });
  }
  // A store remembers every structure that ran under a number, and not which of them came last.
  const shown = found.find((record) => chartIn(record) !== undefined) ?? first;
  if (found.length > 1) {
    const names = found.map(nameOf).join(', ');
    session.aside.write(`version ${String(version)} was ${String(found.length)} machines: ${names}; this is ${nameOf(shown)}\n`);
  }
  return shown;
}

const nameOf = ({ version, schema }: MachineRecord): string => `${String(version)}/${schema}`;

export function chartIn({ definition }: MachineRecord): MachineChart | undefined {
  return (JSON.parse(definition) as { readonly chart?: MachineChart }).chart;
}

/** @throws ChartMissingError */
export function chartOfRecord(record: MachineRecord): MachineChart {
  const chart = chartIn(record);
  if (chart !== undefined) return chart;
  throw new ChartMissingError(`the store has no chart of ${printable(record.kind)}@${String(record.version)}`, {
    hint: 'It was stored by an older Statewarden; the chart is written when a runtime of this version that has the machine starts.',
  });
}
