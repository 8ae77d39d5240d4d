/** An agent: its chart, its turns, what it has, and any moment of its past. */

import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { MachineChart } from '../../actors/chart.js';
import { activeIn } from '../../charts/active.js';
import type { AgentDetail, MachinePage } from '../api.js';
import { ended, restart, send, stop } from './agent-actions.js';
import { ChartView } from './chart-view.js';
import { about, useLoaded } from './client.js';
import { Icon } from './icons.js';
import { onKeys } from './keys.js';
import { litBetween } from './lit.js';
import { Panels } from './panels.js';
import { Act, Age, Empty, Loading, StateName, Status, Trouble } from './parts.js';
import { ask, hrefOf, route } from './route.js';
import { useReturn, useTold } from './stream.js';
import { Timeline, turnTitle } from './timeline.js';
import { Watched } from './watched.js';
import { count, time } from './words.js';

export function AgentView({ id }: { readonly id: string }): VNode {
  const watched = useMemo(() => new Watched(id), [id]);
  useEffect(() => () => watched.close(), [watched]);
  useTold('agent', (event) => watched.told(event), [watched]);
  useReturn(() => void watched.load());
  useSignalEffect(() => {
    const asked = Number(route.value.query.get('at') ?? '');
    void watched.look(asked > 0 ? asked : undefined);
  });
  const detail = watched.detail.value;
  const failure = watched.failure.value;
  if (detail === undefined) {
    return (
      <div class="view agent">
        <header class="agent-head">
          <div class="agent-name">
            <Back />
            <h1>{id}</h1>
          </div>
        </header>
        <div class="panel-body">
          {failure === undefined ? <Loading /> : <Trouble failure={failure} retry={() => void watched.load()} />}
        </div>
      </div>
    );
  }
  return <Agent watched={watched} detail={detail} />;
}

function Agent({ watched, detail }: { readonly watched: Watched; readonly detail: AgentDetail }): VNode {
  const look = (at: number | undefined): void => ask({ at });
  const step = (by: number): void => {
    // Keys may come faster than the moments they lead to.
    const from = Number(route.peek().query.get('at') ?? '') || watched.last.peek();
    const to = Math.max(1, from + by);
    look(to >= watched.last.peek() && by > 0 ? undefined : Math.min(to, watched.last.peek()));
  };
  useEffect(
    () =>
      onKeys({
        ArrowLeft: () => step(-1),
        ArrowRight: () => step(1),
        Home: () => look(1),
        End: () => look(undefined),
        l: () => look(undefined),
        e: () => void send(detail),
      }),
    [watched, detail.id],
  );
  return (
    <div class="view agent">
      <AgentHead detail={detail} />
      <div class="agent-grid">
        <div class="agent-left">
          <Charted watched={watched} detail={detail} />
          <Scrubber watched={watched} look={look} step={step} />
          <Panels watched={watched} detail={detail} />
        </div>
        <Timeline watched={watched} look={look} />
      </div>
    </div>
  );
}

function Back(): VNode {
  return (
    <a class="back" href={hrefOf(['agents'])} aria-label="All agents" title="All agents">
      <Icon name="chevron" />
    </a>
  );
}

function AgentHead({ detail }: { readonly detail: AgentDetail }): VNode {
  const { id, kind, version, status, state, updatedAt, supervisor, node, failure, archived } = detail;
  const over = ended.includes(status) ? `The agent is ${status}.` : undefined;
  return (
    <header class="agent-head">
      <div class="agent-name">
        <Back />
        <h1>{id}</h1>
        <Status of={status} />
        <StateName value={state} />
        {archived === true && <span class="tag">archived</span>}
      </div>
      <div class="agent-facts">
        <span>
          {kind} <span class="muted">v{version}</span>
        </span>
        {supervisor !== undefined && (
          <span>
            <span class="muted">under</span> <a href={hrefOf(['tree'])}>{supervisor}</a>
          </span>
        )}
        {node !== undefined && (
          <span title={`Node ${node.name} on ${node.host}, process ${String(node.pid)}`}>
            <span class="muted">on</span> {node.name}
          </span>
        )}
        <span>
          <span class="muted">changed</span> <Age at={updatedAt} />
        </span>
      </div>
      <div class="head-tools">
        <Act icon="send" kind="main" not={over} onClick={() => void send(detail)}>
          Send
        </Act>
        <Act
          icon="restart"
          not={supervisor === undefined ? 'No supervisor is above it that could begin it anew.' : undefined}
          onClick={() => void restart(detail)}
        >
          Restart
        </Act>
        <Act
          icon="stop"
          not={over ?? (status === 'suspended' ? 'Its supervisor has it down already.' : undefined)}
          onClick={() => void stop(detail)}
        >
          Stop
        </Act>
      </div>
      {failure !== undefined && (
        <p class="agent-failure">
          <Icon name="warning" />
          {failure}
        </p>
      )}
    </header>
  );
}

function Charted({ watched, detail }: { readonly watched: Watched; readonly detail: AgentDetail }): VNode {
  const { kind, version, checkpoint } = detail;
  const schema = checkpoint?.schema;
  const machine = useLoaded<MachinePage>(
    `machines/${encodeURIComponent(kind)}?version=${String(version)}${schema === undefined ? '' : `&schema=${encodeURIComponent(schema)}`}`,
  );
  useReturn(() => machine.failure !== undefined && machine.reload());
  const child = route.value.query.get('child') ?? '';
  const charts = useMemo(() => chartsOf(machine.data?.chart, detail), [machine.data, detail.children]);
  const shown = charts.find(({ path }) => path === child) ?? charts[0];
  const chart = useSignal<MachineChart | undefined>(undefined);
  const path = useSignal('');
  chart.value = shown?.chart;
  path.value = shown?.path ?? '';
  const state = useComputed(() => {
    const then = watched.moment.value;
    const from = watched.at.value === undefined ? watched.detail.value : then;
    return path.value === '' ? from?.state : from?.children.find((one) => one.path === path.value)?.state;
  });
  const active = useComputed<ReadonlySet<string>>(() =>
    chart.value === undefined || state.value === undefined ? new Set<string>() : activeIn(chart.value, state.value),
  );
  const lit = useComputed<ReadonlySet<string>>(() => {
    const drawn = chart.value;
    if (drawn === undefined || path.value !== '') return new Set<string>();
    const then = watched.moment.value;
    if (watched.at.value !== undefined)
      return then === undefined ? new Set<string>() : litBetween(drawn, then.before?.state, then.state, then.turn);
    const turns = watched.turns.value;
    const last = turns.at(-1);
    const before = turns.at(-2);
    if (last?.state === undefined) return new Set<string>();
    return litBetween(drawn, before?.sequenceNumber === last.sequenceNumber - 1 ? before.state : undefined, last.state, last);
  });
  if (machine.failure !== undefined) return <Trouble failure={machine.failure} retry={machine.reload} />;
  if (machine.data === undefined)
    return (
      <div class="chart">
        <Loading />
      </div>
    );
  if (shown === undefined) {
    return (
      <div class="chart">
        <Empty icon="tree" title="No chart is stored">
          Version {version} of {kind} was registered before machines were kept with their charts. The agent stands in{' '}
          <StateName value={detail.state} />.
        </Empty>
      </div>
    );
  }
  return (
    <div class="charted">
      <ChartView chart={shown.chart} active={active} lit={lit} past={watched.at.value !== undefined} />
      {charts.length > 1 && (
        <label class="chart-choice">
          <span class="visually-hidden">Machine</span>
          <select value={shown.path} onChange={(event) => ask({ child: event.currentTarget.value })}>
            {charts.map((one) => (
              <option key={one.path} value={one.path}>
                {one.path === '' ? kind : `${one.path} (${one.src})`}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}

interface Choice {
  readonly path: string;
  readonly src: string;
  readonly chart: MachineChart;
}

/** Of the agent itself and of those of its children that are machines. */
function chartsOf(chart: MachineChart | undefined, { children, kind }: AgentDetail): readonly Choice[] {
  if (chart === undefined) return [];
  const choices: Choice[] = [{ path: '', src: kind, chart }];
  for (const { path, src } of children) {
    const around = choices.findLast((one) => one.path === path.split('/').slice(0, -1).join('/'));
    const inner = around?.chart.actors?.[src]?.chart;
    if (inner !== undefined) choices.push({ path, src, chart: inner });
  }
  return choices;
}

interface ScrubberProps {
  readonly watched: Watched;
  readonly look: (at: number | undefined) => void;
  readonly step: (by: number) => void;
}

function Scrubber({ watched, look, step }: ScrubberProps): VNode {
  const at = watched.at.value;
  const last = watched.last.value;
  const turn = watched.moment.value?.turn;
  const why = watched.detail.value?.replays === false ? 'The code of this kind is not at hand: its past cannot be run again.' : undefined;
  return (
    <div class={at === undefined ? 'scrubber' : 'scrubber past'} role="group" aria-label="Time travel">
      <button
        type="button"
        class="button icon-only"
        aria-label="Turn before"
        title="Turn before (←)"
        disabled={(at ?? last) <= 1}
        onClick={() => step(-1)}
      >
        <Icon name="chevron" />
      </button>
      <input
        type="range"
        min={1}
        max={Math.max(1, last)}
        value={at ?? last}
        aria-label="Turn"
        aria-valuetext={at === undefined ? 'now' : `turn ${String(at)} of ${String(last)}`}
        title={why}
        onInput={(event) => {
          const value = Number(event.currentTarget.value);
          look(value >= last ? undefined : value);
        }}
      />
      <button
        type="button"
        class="button icon-only next"
        aria-label="Turn after"
        title="Turn after (→)"
        disabled={at === undefined}
        onClick={() => step(1)}
      >
        <Icon name="chevron" />
      </button>
      <output class="scrubber-place">
        <b>{count(at ?? last)}</b>
        <span class="muted"> / {count(last)}</span>
        {turn !== undefined && at !== undefined && (
          <span class="scrubber-turn">
            {turnTitle(turn)} <span class="muted">{time(turn.at)}</span>
          </span>
        )}
      </output>
      {at === undefined ? (
        <span class="live-mark">{about.value?.live === true ? 'Live' : 'Now'}</span>
      ) : (
        <button type="button" class="button main" onClick={() => look(undefined)}>
          Back to {about.value?.live === true ? 'live' : 'now'}
        </button>
      )}
    </div>
  );
}
