/**
 * `statewarden machine [KIND]`: the machines of a store, without their code. One of them as an outline for people, a picture, text for Mermaid or JSON,
 * with what is active in an agent; or what differs between two versions.
 */

import { writeFileSync } from 'node:fs';
import type { ChartState, MachineChart } from '../../actors/chart.js';
import { activeIn } from '../../charts/active.js';
import { compareCharts, differenceInWords } from '../../charts/comparison.js';
import type { Elk } from '../../charts/elk.js';
import { layout } from '../../charts/layout.js';
import { mermaidOf } from '../../charts/mermaid.js';
import { svgOf } from '../../charts/svg.js';
import { linesOf, statesOf } from '../../charts/walk.js';
import { decode } from '../../core/codec.js';
import { KindConflictError, StatewardenError } from '../../core/errors.js';
import type { AgentRecord, MachineRecord } from '../../persistence/store.js';
import { findAgent } from '../agent-id.js';
import { chartIn, chartOfRecord, findMachine, machineFormats, versionName } from '../machines.js';
import { count, printable } from '../output.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

type Format = (typeof machineFormats)[number];

export interface MachineOptions {
  /** Undefined: that of the agent. */
  readonly kind: string | undefined;
  readonly agent: string | undefined;
  readonly version: string | undefined;
  readonly format: string | undefined;
  readonly compare: string | undefined;
  readonly out: string | undefined;
}

/** A file could not be written. */
class FileError extends StatewardenError {
  readonly code = 'FILE_NOT_WRITTEN';
  readonly disposition = 'terminal';
}

export async function machines({ store, output }: Session): Promise<ExitCode> {
  const records = [...(await store.machines())].sort((one, other) =>
    one.kind < other.kind ? -1 : one.kind > other.kind ? 1 : one.version - other.version,
  );
  const rows = records.map((record) => ({ record, states: statesIn(chartIn(record)) }));
  if (output.json) {
    output.document({ machines: rows.map(({ record, states }) => ({ ...identity(record), states: states ?? null })) });
    return 0;
  }
  if (rows.length === 0) output.line('no machines');
  else {
    output.table(rows, [
      { title: 'KIND', text: ({ record }) => record.kind },
      { title: 'VERSION', text: ({ record }) => String(record.version), align: 'right' },
      { title: 'STATES', text: ({ states }) => (states === undefined ? '?' : String(states)), align: 'right' },
      { title: 'SCHEMA', text: ({ record }) => record.schema },
    ]);
    if (rows.some(({ states }) => states === undefined)) output.line(output.paint('dim', '?: stored by an older version, without a chart'));
  }
  return 0;
}

/** The root not counted: it is the machine. */
const statesIn = (chart: MachineChart | undefined): number | undefined =>
  chart === undefined ? undefined : [...statesOf(chart.root)].length - 1;

const identity = ({ kind, version, schema }: MachineRecord): object => ({ kind, version, schema });

/** @throws UsageError, UnknownKindError, UnknownVersionError, ChartMissingError, UnknownAgentError, KindConflictError, FileError */
export async function machine(session: Session, options: MachineOptions): Promise<ExitCode> {
  const format = machineFormats.find((one) => one === options.format);
  if (options.format !== undefined && format === undefined) {
    throw new UsageError(`there is no format "${options.format}"`, `Use one of ${machineFormats.join(', ')}.`);
  }
  const wanted = options.version === undefined ? undefined : versionName('version', options.version);
  if (wanted?.kind !== undefined)
    throw new UsageError(`--version is "${options.version as string}"`, 'Give the version alone: the kind stands before it.');
  const other = options.compare === undefined ? undefined : versionName('compare', options.compare);
  const agent = options.agent === undefined ? undefined : await findAgent(session, options.agent, 'prefix');
  const kind = options.kind ?? agent?.kind ?? '';
  if (agent !== undefined && agent.kind !== kind) {
    throw new KindConflictError(`agent "${agent.id}" is a "${agent.kind}", not a "${kind}"`, {
      hint: `Its machine is shown by: statewarden machine ${agent.kind} --agent ${JSON.stringify(agent.id)}.`,
    });
  }
  const record = await findMachine(session, kind, wanted ?? (await versionOf(session, agent)));
  if (other !== undefined) return compare(session, await findMachine(session, other.kind ?? kind, other), record, options.out);
  const chart = chartOfRecord(record);
  const active = agent === undefined ? undefined : activeOf(agent, chart, session);
  const { output } = session;
  if (format === undefined || output.json) {
    const made = format === undefined || format === 'json' ? undefined : await textIn(format, chart, active);
    const document = {
      ...identity(record),
      ...(agent === undefined ? {} : { agent: agent.id, active: [...(active ?? [])] }),
      ...(made === undefined ? { chart } : { format, text: made }),
    };
    if (!output.json) tell(session, outline(record, chart, active), options.out);
    else if (options.out === undefined) output.document(document);
    else tell(session, `${JSON.stringify(document, undefined, 2)}\n`, options.out);
    return 0;
  }
  tell(session, await textIn(format, chart, active), options.out);
  return 0;
}

/** The machine that the agent's checkpoint was written under. */
async function versionOf(
  { store }: Session,
  agent: AgentRecord | undefined,
): Promise<{ version: number; schema: string | undefined } | undefined> {
  if (agent === undefined) return undefined;
  const loaded = await store.inspect(agent.id);
  const { checkpoint } = loaded ?? {};
  return { version: agent.version, schema: checkpoint?.version === agent.version ? checkpoint.schema : undefined };
}

function activeOf({ id, state, status }: AgentRecord, chart: MachineChart, { aside }: Session): ReadonlySet<string> {
  if (state === undefined) {
    aside.write(`agent ${printable(id)} (${status}) has no state\n`);
    return new Set();
  }
  return activeIn(chart, decode(state));
}

async function textIn(format: Format, chart: MachineChart, active: ReadonlySet<string> | undefined): Promise<string> {
  switch (format) {
    case 'json':
      return `${JSON.stringify(chart, undefined, 2)}\n`;
    case 'mermaid':
      return mermaidOf(chart);
    case 'svg':
      return svgOf(await layout(chart, { elk: await loadElk() }), active === undefined ? {} : { active });
  }
}

/** One and a half megabytes, which only a picture needs. */
async function loadElk(): Promise<Elk> {
  const { default: Engine } = (await import('elkjs/lib/elk.bundled.js')) as unknown as { readonly default: new () => Elk };
  return new Engine();
}

function tell({ output, aside }: Session, text: string, file: string | undefined): void {
  if (file === undefined) {
    output.line(text.replace(/\n$/, ''));
    return;
  }
  try {
    writeFileSync(file, text);
  } catch (error) {
    const { code = 'it failed' } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'its folder is not there' : code === 'EISDIR' ? 'it is a folder' : code;
    throw new FileError(`${JSON.stringify(file)} cannot be written: ${why}`, { hint: 'Give --out another place.', cause: error });
  }
  aside.write(`written to ${printable(file)}\n`);
}

function outline({ kind, version, schema }: MachineRecord, chart: MachineChart, active: ReadonlySet<string> | undefined): string {
  const all = [...statesOf(chart.root)];
  const transitions = all.reduce((sum, { transitions: own = [] }) => sum + own.length, 0);
  const head = `${kind}@${String(version)}  ${count(all.length - 1, 'state')}, ${count(transitions, 'transition')}, schema ${schema}`;
  const names = new Map(all.map(({ id, key }) => [id, key]));
  const draw = (state: ChartState, margin: string): string[] => {
    const mark = active?.has(state.id) === true ? '● ' : '';
    const type = state.type === 'atomic' || state.type === 'compound' ? '' : `  (${state.type})`;
    const first = state.type === 'compound' ? (state.initial ?? []).map((id) => `  → ${names.get(id) ?? id}`).join('') : '';
    return [
      `${margin}${mark}${state.key}${type}${first}`,
      ...linesOf(state, names).map((line) => `${margin}    ${line}`),
      ...(state.states ?? []).flatMap((child) => draw(child, `${margin}  `)),
    ];
  };
  return `${[head, '', ...draw(chart.root, '')].map(printable).join('\n')}\n`;
}

function compare(session: Session, before: MachineRecord, after: MachineRecord, file: string | undefined): ExitCode {
  const { output } = session;
  const { differences, refuses } = compareCharts(chartOfRecord(before), chartOfRecord(after));
  const document = { before: identity(before), after: identity(after), refuses, differences };
  const name = ({ kind, version }: MachineRecord): string => `${kind}@${String(version)}`;
  const head = `${name(before)} → ${name(after)}: ${differences.length === 0 ? 'nothing differs' : count(differences.length, 'difference')}`;
  const foot = refuses
    ? ['', 'An agent whose checkpoint rests in a state marked so does not fit any more: it is parked until a migration lifts it.']
    : [];
  const lines = [head, ...differences.map(differenceInWords), ...foot].map(printable);
  const text = output.json ? `${JSON.stringify(document, undefined, 2)}\n` : `${lines.join('\n')}\n`;
  tell(session, text, file);
  return 0;
}
