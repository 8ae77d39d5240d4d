/** All agents, however many: pages are fetched as one scrolls, only rows in sight are in the page, and what changes is put in its place. */

import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AgentLine, AgentList, AgentStatus, Failure } from '../api.js';
import { about, failureOf, get } from './client.js';
import { Icon } from './icons.js';
import { onKeys } from './keys.js';
import { Age, Empty, Loading, StateName, Status, toneOf, Trouble } from './parts.js';
import { agentHref, ask, go, route } from './route.js';
import { useReturn, useTold } from './stream.js';
import { narrow } from './theme.js';
import { VirtualList } from './virtual-list.js';
import { count, stateText } from './words.js';

const statuses: readonly AgentStatus[] = ['active', 'parked', 'suspended', 'done', 'error', 'stopped'];
const filters = ['prefix', 'kind', 'status', 'state'] as const;
type Filter = Readonly<Partial<Record<(typeof filters)[number], string>>>;
const pageSize = 200;
/** A filter that finds little looks on by itself, so often. */
const looks = 20;

interface Found {
  readonly agents: readonly AgentLine[];
  readonly next?: string | undefined;
  readonly counts?: AgentList['counts'];
  readonly scanned: number;
  readonly loading: boolean;
  readonly failure?: Failure;
}

const nothing: Found = { agents: [], scanned: 0, loading: true };

export function AgentsView(): VNode {
  const { query } = route.value;
  const filter: Filter = Object.fromEntries(
    filters.flatMap((name) => (query.get(name) === null ? [] : [[name, query.get(name) as string]])),
  );
  const asked = JSON.stringify(filter);
  const [found, setFound] = useState<Found>(nothing);
  const turn = useRef(0);
  const search = useRef<HTMLInputElement>(null);

  const load = async (after: string | undefined, times = looks): Promise<void> => {
    const mine = after === undefined ? ++turn.current : turn.current;
    setFound((before) => ({ ...before, loading: true }));
    const parameters = new URLSearchParams({ ...filter, limit: String(pageSize), ...(after === undefined ? {} : { after }) });
    try {
      const page = await get<AgentList>(`agents?${parameters.toString()}`);
      if (mine !== turn.current) return;
      const more = page.next !== undefined && page.agents.length < pageSize && times > 1;
      setFound((before) => ({
        agents: after === undefined ? page.agents : [...before.agents, ...page.agents],
        next: page.next,
        counts: page.counts,
        scanned: (after === undefined ? 0 : before.scanned) + page.scanned,
        loading: more,
      }));
      if (more) await load(page.next, times - 1);
    } catch (error) {
      if (mine === turn.current) setFound((before) => ({ ...before, loading: false, failure: failureOf(error) }));
    }
  };

  useEffect(() => {
    const wait = setTimeout(() => void load(undefined), found.agents.length === 0 ? 0 : 120);
    return () => clearTimeout(wait);
  }, [asked]);
  useReturn(() => void load(undefined));
  useTold('agents', ({ agents }) => setFound((before) => merged(before, agents, filter)), [asked]);
  useTold('counts', ({ counts }) => setFound((before) => ({ ...before, counts: counts.agents })));
  useEffect(() => onKeys({ '/': () => search.current?.focus() }), []);

  const kinds = [...new Set([...(about.value?.replays ?? []), ...found.agents.map(({ kind }) => kind)])].sort();
  const total = found.counts === undefined ? 0 : Object.values(found.counts).reduce((sum, one) => sum + one, 0);
  const any = Object.keys(filter).length > 0;
  return (
    <div class="view agents-view">
      <header class="head">
        <h1>Agents</h1>
        <div class="filters" role="search">
          <label class="input-icon">
            <Icon name="search" />
            <span class="visually-hidden">Id begins with</span>
            <input
              ref={search}
              type="search"
              placeholder="Id begins with…"
              value={filter.prefix ?? ''}
              spellcheck={false}
              onInput={(event) => ask({ prefix: event.currentTarget.value })}
              onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
            />
          </label>
          <label>
            <span class="visually-hidden">Kind</span>
            <input
              list="kinds"
              placeholder="Kind"
              class="short"
              value={filter.kind ?? ''}
              spellcheck={false}
              onInput={(event) => ask({ kind: event.currentTarget.value })}
            />
            <datalist id="kinds">
              {kinds.map((kind) => (
                <option key={kind} value={kind} />
              ))}
            </datalist>
          </label>
          <label>
            <span class="visually-hidden">State</span>
            <input
              placeholder="State"
              class="short"
              value={filter.state ?? ''}
              spellcheck={false}
              onInput={(event) => ask({ state: event.currentTarget.value })}
            />
          </label>
          {any && (
            <button type="button" class="button quiet" onClick={() => ask(Object.fromEntries(filters.map((name) => [name, undefined])))}>
              Clear
            </button>
          )}
        </div>
      </header>
      <Counts counts={found.counts} chosen={filter.status} />
      {found.failure !== undefined && <Trouble failure={found.failure} retry={() => void load(undefined)} />}
      <div class="agent-table">
        <div class="agent-row table-head" aria-hidden="true">
          <span>Agent</span>
          <span>Status</span>
          <span>State</span>
          <span>Kind</span>
          <span class="right">Turns</span>
          <span class="right">Changed</span>
        </div>
        {found.agents.length === 0 ? (
          found.loading ? (
            <Loading />
          ) : found.failure === undefined ? (
            <Empty icon="agents" title={any ? 'No agent is like that' : 'No agents yet'}>
              {any
                ? `None of the ${count(total)} in the store has all that is asked for. Ids, kinds and states are as their letters are: small or large.`
                : 'They appear here as soon as the application starts one.'}
            </Empty>
          ) : null
        ) : (
          <VirtualList
            items={found.agents}
            rowHeight={narrow.value ? 58 : 36}
            label="Agents"
            keyOf={({ id }) => id}
            onEnd={() => void (!found.loading && found.next !== undefined && load(found.next))}
            row={(agent) => <AgentRow agent={agent} />}
          />
        )}
      </div>
      <footer class="foot">
        {count(found.agents.length)} shown
        {found.next !== undefined && ', more as you scroll'}
        {any && found.scanned > 0 && `, ${count(found.scanned)} looked at`}
        {found.next !== undefined && !found.loading && found.agents.length < pageSize && (
          <button type="button" class="link" onClick={() => void load(found.next)}>
            Look further
          </button>
        )}
      </footer>
    </div>
  );
}

function Counts({ counts, chosen }: { readonly counts: AgentList['counts'] | undefined; readonly chosen: string | undefined }): VNode {
  const all = counts === undefined ? undefined : statuses.reduce((sum, status) => sum + counts[status], 0);
  return (
    <div class="counts" role="group" aria-label="Status">
      <button type="button" aria-pressed={chosen === undefined} onClick={() => ask({ status: undefined })}>
        <b>{all === undefined ? '–' : count(all)}</b> all
      </button>
      {statuses.map((status) => (
        <button
          key={status}
          type="button"
          class={`tone-${toneOf(status)}${(counts?.[status] ?? 0) === 0 ? ' none' : ''}`}
          aria-pressed={chosen === status}
          onClick={() => ask({ status: chosen === status ? undefined : status })}
        >
          <span class="dot" aria-hidden="true" />
          <b>{counts === undefined ? '–' : count(counts[status])}</b> {status}
        </button>
      ))}
    </div>
  );
}

function AgentRow({ agent }: { readonly agent: AgentLine }): VNode {
  const { id, status, state, kind, sequenceNumber, updatedAt, busy, failure } = agent;
  const href = agentHref(id);
  return (
    <a
      class={`agent-row${busy ? ' busy' : ''}`}
      href={href}
      data-agent={id}
      onClick={(event) => event.button === 0 && !event.metaKey && !event.ctrlKey && (event.preventDefault(), go(href))}
    >
      <span class="cell-id" title={id}>
        {id}
      </span>
      <span class="cell-status" title={failure}>
        <Status of={status} />
      </span>
      <span class="cell-state" key={String(sequenceNumber)}>
        <StateName value={state} />
      </span>
      <span class="cell-kind muted">{kind}</span>
      <span class="cell-turns figure">{count(sequenceNumber)}</span>
      <span class="cell-age muted">
        <Age at={updatedAt} />
      </span>
    </a>
  );
}

/** What is told takes its place among what is there; what lies beyond the last page is not known here yet. */
function merged(found: Found, told: readonly AgentLine[], filter: Filter): Found {
  const news = new Map(told.map((agent) => [agent.id, agent]));
  const agents = found.agents.flatMap((agent) => {
    const fresh = news.get(agent.id);
    if (fresh === undefined) return [agent];
    news.delete(agent.id);
    // Whoever no longer fits stays until the list is asked for again: rows do not vanish under the pointer.
    return [fresh];
  });
  const last = found.agents.at(-1)?.id;
  const born = [...news.values()].filter(
    (agent) => fits(agent, filter) && (found.next === undefined || (last !== undefined && agent.id < last)),
  );
  if (born.length === 0) return { ...found, agents };
  return { ...found, agents: [...agents, ...born].sort((one, other) => (one.id < other.id ? -1 : 1)) };
}

function fits({ id, kind, status, state }: AgentLine, filter: Filter): boolean {
  return (
    id.startsWith(filter.prefix ?? '') &&
    (filter.kind === undefined || kind === filter.kind) &&
    (filter.status === undefined || status === filter.status) &&
    (filter.state === undefined || stateText(state).includes(filter.state))
  );
}
