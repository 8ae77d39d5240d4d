/** Machines as a store keeps them, with or without their code, and what one takes where it stands. */

import type { ChartState, MachineChart } from '../actors/chart.js';
import { UnknownKindError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import type { MachineRecord, OpenedStore } from '../persistence/store.js';
import type { MachinePage } from './api.js';

export interface MachineChoice {
  readonly version?: number | undefined;
  readonly schema?: string | undefined;
}

/** @throws UnknownKindError */
export async function machinePage(store: Pick<OpenedStore, 'machines'>, kind: string, choice: MachineChoice): Promise<MachinePage> {
  const machines = await store.machines(kind);
  const { version, schema } = choice;
  const found = chosen(machines, choice);
  if (found === undefined) throw await unknown(store, kind, machines, version, schema);
  const chart = chartIn(found);
  return {
    kind,
    version: found.version,
    schema: found.schema,
    ...(chart === undefined ? {} : { chart }),
    versions: machines.filter((one) => one !== found).map((one) => ({ version: one.version, schema: one.schema })),
  };
}

/** The machine of an agent: of its checkpoint's schema, else the newest of its version. */
export function chosen(machines: readonly MachineRecord[], { version, schema }: MachineChoice): MachineRecord | undefined {
  const fitting = machines.filter(
    (one) => (version === undefined || one.version === version) && (schema === undefined || one.schema === schema),
  );
  return fitting.reduce<MachineRecord | undefined>(
    (best, one) => (best === undefined || one.version >= best.version ? one : best),
    undefined,
  );
}

/** Undefined: it was kept by a version that kept no charts. */
export function chartIn({ definition }: MachineRecord): MachineChart | undefined {
  try {
    const { chart } = JSON.parse(definition) as { readonly chart?: MachineChart };
    return typeof chart?.root === 'object' ? chart : undefined;
  } catch {
    return undefined;
  }
}

async function unknown(
  store: Pick<OpenedStore, 'machines'>,
  kind: string,
  ofKind: readonly MachineRecord[],
  version: number | undefined,
  schema: string | undefined,
): Promise<UnknownKindError> {
  if (ofKind.length > 0) {
    const versions = [...new Set(ofKind.map((one) => String(one.version)))].join(', ');
    const what = [...(version === undefined ? [] : [`version ${String(version)}`]), ...(schema === undefined ? [] : [`schema ${schema}`])];
    return new UnknownKindError(`the store knows no machine ${JSON.stringify(kind)} of ${what.join(', ')}`, {
      hint: `It knows version ${versions}.`,
    });
  }
  const [close] = nearest(kind, [...new Set((await store.machines()).map((one) => one.kind))]);
  return new UnknownKindError(`the store knows no machine ${JSON.stringify(kind)}`, {
    hint: close === undefined ? 'A runtime keeps the machines of its kinds when it starts.' : `Did you mean ${JSON.stringify(close)}?`,
  });
}

/** Types of events that a machine takes in a state, its own states' before those around them. */
export function takes(chart: MachineChart, state: unknown): string[] {
  const types = new Set<string>();
  const visit = (node: ChartState, value: unknown): void => {
    const inner: Readonly<Record<string, unknown>> =
      typeof value === 'string'
        ? { [value]: undefined }
        : typeof value === 'object' && value !== null
          ? (value as Record<string, unknown>)
          : {};
    for (const [key, below] of Object.entries(inner)) {
      const child = node.states?.find((one) => one.key === key);
      if (child !== undefined) visit(child, below);
    }
    for (const { trigger, event } of node.transitions ?? []) if (trigger === 'on' && !event.startsWith('xstate.')) types.add(event);
  };
  visit(chart.root, state);
  return [...types];
}
