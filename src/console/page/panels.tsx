/** What an agent has, one panel each: context, the turn one looks at, children, mailbox, timers, ledger. */

import type { ComponentChildren, VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { AgentDetail, Moment, OperationLine, TurnLine } from '../api.js';
import { Changes, JsonView } from './json-view.js';
import { Age, AgentLink, Empty, StateName, Status, Trouble } from './parts.js';
import { agentHref, hrefOf } from './route.js';
import type { Watched } from './watched.js';
import { turnTitle } from './timeline.js';
import { bytes, count, duration, moment as inFull, now, plural, spoken } from './words.js';

type Tab = 'context' | 'turn' | 'children' | 'mailbox' | 'timers' | 'ledger';

export function Panels({ watched, detail }: { readonly watched: Watched; readonly detail: AgentDetail }): VNode {
  const [tab, setTab] = useState<Tab>('context');
  const at = watched.at.value;
  const then = watched.moment.value;
  const tabs: readonly (readonly [Tab, string, number | undefined])[] = [
    ['context', 'Context', undefined],
    ['turn', 'Turn', at ?? detail.sequenceNumber],
    ['ledger', 'Ledger', detail.operations.length],
    ['timers', 'Timers', detail.timers.length],
    ['mailbox', 'Mailbox', detail.mailbox.length],
    ['children', 'Children', (then ?? detail).children.length],
  ];
  const onKey = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const next = tabs[(tabs.findIndex(([name]) => name === tab) + step + tabs.length) % tabs.length] as (typeof tabs)[number];
    setTab(next[0]);
    document.getElementById(`tab-${next[0]}`)?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <section class="panels" aria-label="Details">
      <div class="tabs" role="tablist" onKeyDown={onKey}>
        {tabs.map(([name, label, size]) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={name === tab}
            aria-controls="panel"
            tabIndex={name === tab ? 0 : -1}
            onClick={() => setTab(name)}
          >
            {label}
            {size !== undefined && size > 0 && <span class="tally">{size}</span>}
          </button>
        ))}
      </div>
      <div id="panel" class="panel-body" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === 'context' && <Context watched={watched} detail={detail} then={then} />}
        {tab === 'turn' && (
          <TurnPanel
            turn={then?.turn ?? watched.turns.value.find(({ sequenceNumber }) => sequenceNumber === (at ?? detail.sequenceNumber))}
          />
        )}
        {tab === 'ledger' && <Ledger operations={detail.operations} agent={detail.id} />}
        {tab === 'timers' && <Timers detail={detail} />}
        {tab === 'mailbox' && <Mailbox detail={detail} />}
        {tab === 'children' && <Children lines={(then ?? detail).children} agent={detail.id} at={at} />}
      </div>
    </section>
  );
}

function Context({
  watched,
  detail,
  then,
}: {
  readonly watched: Watched;
  readonly detail: AgentDetail;
  readonly then: Moment | undefined;
}): VNode {
  const failure = watched.momentFailure.value;
  if (failure !== undefined) return <Trouble failure={failure} />;
  if (then !== undefined) {
    return (
      <div class="split">
        <div>
          <h3>Changed by turn {then.turn.sequenceNumber}</h3>
          <Changes changes={then.changes} />
        </div>
        <div>
          <h3>Context then{then.exact === false && <span class="tag bad">inexact</span>}</h3>
          <JsonView shown={then.context} changes={then.changes} />
        </div>
      </div>
    );
  }
  const later = detail.sequenceNumber - (detail.contextAt ?? detail.sequenceNumber);
  return (
    <>
      {detail.damage !== undefined && <Trouble failure={detail.damage} />}
      {(detail.outcome?.value ?? undefined) !== undefined && detail.outcome !== undefined && (
        <>
          <h3>Outcome</h3>
          <JsonView shown={detail.outcome} />
          <h3>Context</h3>
        </>
      )}
      {detail.context === undefined ? <Empty icon="agents" title="No context is stored" /> : <JsonView shown={detail.context} />}
      {detail.checkpoint !== undefined && (
        <p class="hint">
          {later > 0 && `As it was after turn ${count(detail.contextAt ?? 0)}; ${plural(later, 'later turn')} in the journal alone. `}
          Checkpoint of turn {count(detail.checkpoint.sequenceNumber)}, {bytes(detail.checkpoint.bytes)}, version{' '}
          {detail.checkpoint.version}.
        </p>
      )}
    </>
  );
}

function Rows({ rows }: { readonly rows: readonly (readonly [string, ComponentChildren])[] }): VNode {
  return (
    <dl class="rows">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function TurnPanel({ turn }: { readonly turn: TurnLine | undefined }): VNode {
  if (turn === undefined) return <Empty icon="event" title="This turn is not here" />;
  const { asked, payload, from, to, timer, messageId, operation, outcomeStatus, state } = turn;
  const list = (items: readonly string[]): VNode => (
    <ul class="plain">
      {items.map((item, index) => (
        <li key={index}>{item}</li>
      ))}
    </ul>
  );
  const rows: (readonly [string, ComponentChildren])[] = [
    ['Took', <code key="t">{turnTitle(turn)}</code>],
    ['At', inFull(turn.at)],
    ...(state === undefined ? [] : [['Came to', <StateName key="s" value={state} />] as const]),
    ...(from === undefined ? [] : [['From', <AgentLink key="f" id={from} />] as const]),
    ...(to === undefined ? [] : [['For', <code key="o">{to}</code>] as const]),
    ...(timer === undefined ? [] : [['Timer', <span key="i">{spoken(timer)}</span>] as const]),
    ...(messageId === undefined ? [] : [['Message', <code key="m">{messageId}</code>] as const]),
    ...(operation === undefined ? [] : [['Operation', <code key="p">{operation}</code>] as const]),
    ...(outcomeStatus === undefined ? [] : [['Outcome', <Status key="u" of={outcomeStatus} />] as const]),
    ...(payload === undefined ? [] : [['Event', <JsonView key="e" shown={payload} />] as const]),
  ];
  if (asked !== undefined) {
    const { operations, timers, timersCleared, messages, spawns, actions } = asked;
    if (operations.length > 0)
      rows.push(['Activities', list(operations.map(({ activity, path }) => `${activity}${path === '' ? '' : ` in ${spoken(path)}`}`))]);
    if (timers.length > 0)
      rows.push([
        'Timers set',
        list(
          timers.map(({ id, delayMs }) =>
            id.startsWith('#xstate.after.') || id.startsWith('xstate.after.') ? spoken(id) : `${id}: ${duration(delayMs)}`,
          ),
        ),
      ]);
    if (timersCleared.length > 0) rows.push(['Timers cleared', list(timersCleared.map(spoken))]);
    if (messages.length > 0) rows.push(['Messages', list(messages.map((message) => `${message.type} → ${message.to}`))]);
    if (spawns.length > 0) rows.push(['Spawned', list(spawns.map(({ id, kind }) => `${id} (${kind})`))]);
    if (actions.length > 0) rows.push(['Actions', list(actions)]);
  }
  return <Rows rows={rows} />;
}

function Ledger({ operations, agent }: { readonly operations: readonly OperationLine[]; readonly agent: string }): VNode {
  if (operations.length === 0)
    return (
      <Empty icon="letters" title="No calls">
        What the agent asks of the outside is listed here, with its attempts.
      </Empty>
    );
  return (
    <ul class="cards">
      {[...operations]
        .sort((one, other) => other.intendedIn - one.intendedIn)
        .map((operation) => (
          <Operation key={operation.id} operation={operation} agent={agent} />
        ))}
    </ul>
  );
}

function Operation({ operation, agent }: { readonly operation: OperationLine; readonly agent: string }): VNode {
  const {
    id,
    activity,
    path,
    status,
    attempts,
    intendedIn,
    settledIn,
    intendedAt,
    settledAt,
    nextRetryAt,
    parkedBy,
    saga,
    compensates,
    input,
    outcome,
    artifact,
  } = operation;
  return (
    <li class="card">
      <details>
        <summary>
          <span class="caret" aria-hidden="true" />
          <b>{activity}</b>
          <Status of={status} />
          {attempts > 0 && (
            <span class="tag warn">
              {settledAt === undefined ? plural(attempts, 'failed attempt') : plural(attempts, 'retry', 'retries')}
            </span>
          )}
          {nextRetryAt !== undefined && <span class="tag warn">next try {inTime(nextRetryAt)}</span>}
          {parkedBy !== undefined && <span class="tag warn">waits for {parkedBy}</span>}
          <span class="grow" />
          <span class="figure">{settledAt === undefined ? <Age at={intendedAt} /> : duration(settledAt - intendedAt)}</span>
        </summary>
        <Rows
          rows={[
            ['Id', <code key="i">{id}</code>],
            ...(path === '' ? [] : [['In', <code key="p">{spoken(path)}</code>] as const]),
            [
              'Asked in',
              <a key="a" href={agentHref(agent, intendedIn)}>
                turn {intendedIn}
              </a>,
            ],
            ...(settledIn === undefined
              ? []
              : [
                  [
                    'Settled in',
                    <a key="s" href={agentHref(agent, settledIn)}>
                      turn {settledIn}
                    </a>,
                  ] as const,
                ]),
            ...(saga === undefined ? [] : [['Saga', <code key="g">{saga}</code>] as const]),
            ...(compensates === undefined ? [] : [['Undoes', <code key="c">{compensates}</code>] as const]),
            ...(input === undefined ? [] : [['Input', <JsonView key="n" shown={input} />] as const]),
            ...(outcome === undefined ? [] : [['Outcome', <JsonView key="o" shown={outcome} />] as const]),
            ...(artifact === undefined ? [] : [['Artifact', <code key="r">{artifact}</code>] as const]),
          ]}
        />
      </details>
    </li>
  );
}

function Timers({ detail }: { readonly detail: AgentDetail }): VNode {
  if (detail.timers.length === 0)
    return (
      <Empty icon="timer" title="No timers are set">
        What its machine does after a time, and events that it sends with a delay, are listed here.
      </Empty>
    );
  return (
    <ul class="cards">
      {[...detail.timers]
        .sort((one, other) => one.dueAt - other.dueAt)
        .map(({ id, dueAt, delayMs, policy, target, event }) => (
          <li class="card timer" key={id}>
            <div class="timer-line">
              <b>{spoken(event)}</b>
              {target !== '' && <span class="muted">→ {target}</span>}
              <span class="grow" />
              <b class="figure" title={inFull(dueAt)}>
                {inTime(dueAt)}
              </b>
            </div>
            <progress max={1} value={delayMs === 0 ? 1 : Math.max(0, Math.min(1, 1 - (dueAt - now.value) / delayMs))} aria-label="Passed" />
            <p class="hint">
              {id} · of {duration(delayMs)} · {policy}
            </p>
          </li>
        ))}
    </ul>
  );
}

const inTime = (at: number): string =>
  at <= now.value ? 'due' : `in ${duration(Math.max(1_000, Math.round((at - now.value) / 1_000) * 1_000))}`;

function Mailbox({ detail }: { readonly detail: AgentDetail }): VNode {
  if (detail.mailbox.length === 0)
    return (
      <Empty icon="letters" title="The mailbox is empty">
        Events that were accepted and not yet taken wait here.
      </Empty>
    );
  return (
    <ul class="cards">
      {detail.mailbox.map(({ position, type, event, from, acceptedAt }) => (
        <li class="card" key={position}>
          <details>
            <summary>
              <span class="caret" aria-hidden="true" />
              <b>{type}</b>
              {from !== undefined && <span class="muted">from {from}</span>}
              <span class="grow" />
              <Age at={acceptedAt} />
            </summary>
            <JsonView shown={event} />
          </details>
        </li>
      ))}
    </ul>
  );
}

interface ChildrenProps {
  readonly lines: AgentDetail['children'];
  readonly agent: string;
  readonly at: number | undefined;
}

function Children({ lines, agent, at }: ChildrenProps): VNode {
  if (lines.length === 0)
    return (
      <Empty icon="tree" title="No children">
        Actors that its machine invokes or spawns are listed here.
      </Empty>
    );
  return (
    <ul class="cards">
      {lines.map(({ path, src, status, state }) => (
        <li class="card line" key={path}>
          {state === undefined ? (
            <b>{path}</b>
          ) : (
            <a class="agent-link" href={hrefOf(['agents', agent], { at, child: path })} title="Show its chart">
              {path}
            </a>
          )}
          <span class="muted">{src}</span>
          <Status of={status} />
          <StateName value={state} />
        </li>
      ))}
    </ul>
  );
}
