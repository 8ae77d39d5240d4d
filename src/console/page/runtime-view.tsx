/** How the runtime does: what it holds, and a few minutes of what it did. */

import type { VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import type { RuntimePage } from '../api.js';
import { about, useLoaded } from './client.js';
import { Age, Empty, Head, Loading, Trouble } from './parts.js';
import { Chart, type Line } from './series.js';
import { useReturn, useTold } from './stream.js';
import { bytes, count, short } from './words.js';

const everyMs = 2_000;

export function RuntimeView(): VNode {
  const { data, failure, reload, put } = useLoaded<RuntimePage>('runtime');
  useReturn(reload);
  useTold('counts', ({ counts }) => put((before) => ({ ...before, counts })), [put]);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), everyMs);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <div class="view">
      <Head title="Runtime" note={about.value !== undefined && `${about.value.store} · Statewarden ${about.value.version}`} />
      {failure !== undefined && <Trouble failure={failure} retry={reload} />}
      {data === undefined && failure === undefined && <Loading />}
      {data !== undefined && (
        <>
          <Counts counts={data.counts} />
          {data.series === undefined ? (
            <Empty icon="runtime" title="No runtime is at work here">
              The store is looked at from outside: what it holds is known, not how fast it goes.
            </Empty>
          ) : (
            <Series series={data.series} />
          )}
          <Nodes nodes={data.nodes} />
        </>
      )}
    </div>
  );
}

function Counts({
  counts: { agents, mailbox, timers, openOperations, deadLetters, bytes: size },
}: {
  readonly counts: RuntimePage['counts'];
}): VNode {
  const all = Object.values(agents).reduce((sum, one) => sum + one, 0);
  const figures: readonly (readonly [string, string])[] = [
    ['agents', count(all)],
    ['active', count(agents.active)],
    ['events waiting', count(mailbox)],
    ['timers set', count(timers)],
    ['open calls', count(openOperations)],
    ['dead letters', count(deadLetters)],
    ['stored', bytes(size)],
  ];
  return (
    <dl class="figures tiles">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const ms = (value: number): string => (value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : short(value));

function Series({ series }: { readonly series: NonNullable<RuntimePage['series']> }): VNode {
  const { at } = series;
  const one = (name: string, values: readonly number[]): readonly Line[] => [{ name, values }];
  return (
    <div class="grid narrow">
      <Chart title="Turns" unit="/s" at={at} lines={one('turns', series.turns)} />
      <Chart title="Commits" unit="/s" at={at} lines={one('commits', series.commits)} />
      <Chart title="Commit group" unit="turns" at={at} lines={one('group', series.groupSize)} />
      <Chart
        title="Latency"
        unit="ms"
        at={at}
        format={ms}
        lines={[
          { name: 'p50', values: series.commitP50 },
          { name: 'p99', values: series.commitP99, second: true },
        ]}
      />
      <Chart title="Written" unit="/s" at={at} lines={one('bytes', series.bytes)} format={bytes} />
      <Chart title="Checkpoints" unit="/s" at={at} bars total lines={one('checkpoints', series.checkpoints)} />
      <Chart title="Recoveries" unit="/s" at={at} bars total lines={one('recoveries', series.recoveries)} />
      <Chart title="Failures" unit="/s" at={at} bars total lines={one('failures', series.failures)} />
    </div>
  );
}

function Nodes({ nodes }: { readonly nodes: RuntimePage['nodes'] }): VNode | null {
  if (nodes.length === 0) return null;
  return (
    <section class="section">
      <h2 class="panel-title">
        Nodes <span class="tally">{nodes.length}</span>
      </h2>
      <ul class="cards">
        {nodes.map(({ node, name, host, pid, seenAt, isUp }) => (
          <li key={node} class="card line">
            <span class={`status tone-${isUp ? 'good' : 'bad'}`}>
              <span class="dot" aria-hidden="true" />
              {isUp ? 'up' : 'gone'}
            </span>
            <b>{name}</b>
            <span class="muted" title={host}>
              on {host.split(' ')[0]}, process {pid}
            </span>
            <span class="grow" />
            <span>
              <span class="muted">seen</span> <Age at={seenAt} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
