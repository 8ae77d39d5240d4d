/** Who supervises whom. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { Branch } from '../api.js';
import { useLoaded } from './client.js';
import { Age, AgentLink, Empty, Head, Loading, Status, Trouble } from './parts.js';
import { useReturn, useTold } from './stream.js';
import { count, plural } from './words.js';

const atOnce = 200;

export function TreeView(): VNode {
  const { data, failure, reload, put } = useLoaded<readonly Branch[]>('tree');
  useReturn(reload);
  useTold('tree', ({ tree }) => put(() => tree), [put]);
  const [shut, setShut] = useState<ReadonlySet<string>>(new Set());
  const toggle = (id: string): void =>
    setShut((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  const all = data?.flatMap((branch) => [...insideOf(branch)]) ?? [];
  const restarts = all.reduce((sum, branch) => sum + branch.restarts, 0);
  const holders = all.filter(({ children }) => children.length > 0);
  return (
    <div class="view">
      <Head
        title="Supervision"
        note={
          data !== undefined &&
          data.length > 0 &&
          `${plural(all.filter(({ type }) => type !== 'agent').length, 'supervisor')}, ${plural(all.filter(({ type }) => type === 'agent').length, 'agent')}${restarts === 0 ? '' : `, ${plural(restarts, 'restart')}`}`
        }
      >
        {holders.length > 0 && (
          <button type="button" class="button" onClick={() => setShut(shut.size === 0 ? new Set(holders.map(({ id }) => id)) : new Set())}>
            {shut.size === 0 ? 'Collapse all' : 'Expand all'}
          </button>
        )}
      </Head>
      {failure !== undefined && <Trouble failure={failure} retry={reload} />}
      {data === undefined && failure === undefined && <Loading />}
      {data?.length === 0 && (
        <Empty icon="tree" title="Nobody is supervised">
          Supervisors and their children appear here: `runtime.supervise()` begins one.
        </Empty>
      )}
      {data !== undefined && data.length > 0 && (
        <ul class="tree" role="tree" aria-label="Supervision" onKeyDown={moveFocus}>
          {data.map((branch, index) => (
            <Node key={branch.id} branch={branch} depth={1} shut={shut} toggle={toggle} first={index === 0} />
          ))}
        </ul>
      )}
    </div>
  );
}

function* insideOf(branch: Branch): Generator<Branch> {
  yield branch;
  for (const child of branch.children) yield* insideOf(child);
}

interface NodeProps {
  readonly branch: Branch;
  readonly depth: number;
  readonly shut: ReadonlySet<string>;
  readonly toggle: (id: string) => void;
  readonly first?: boolean;
}

function Node({ branch, depth, shut, toggle, first = false }: NodeProps): VNode {
  const { id, type, kind, status, strategy, restarts, failure, children } = branch;
  const [limit, setLimit] = useState(atOnce);
  const holds = children.length > 0;
  const open = holds && !shut.has(id);
  return (
    <li
      role="treeitem"
      aria-level={depth}
      aria-label={id}
      {...(holds ? { 'aria-expanded': open } : {})}
      tabIndex={first ? 0 : -1}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        const wanted = (event.key === 'ArrowRight' && holds && !open) || (event.key === 'ArrowLeft' && open);
        if (wanted) toggle(id);
        if (event.key === 'Enter' && type === 'agent') event.currentTarget.querySelector('a')?.click();
        if (wanted) event.preventDefault();
      }}
    >
      <div class={`tree-row type-${type}`}>
        {holds ? (
          <button type="button" class="tree-toggle" tabIndex={-1} aria-hidden="true" onClick={() => toggle(id)}>
            <span class={open ? 'caret open' : 'caret'} />
          </button>
        ) : (
          <span class="tree-toggle" />
        )}
        <span class="tree-name">{type === 'agent' ? <AgentLink id={id} /> : <b>{id}</b>}</span>
        {type !== 'agent' && <span class="tag">{type === 'fleet' ? 'fleet' : (strategy ?? 'supervisor')}</span>}
        {kind !== undefined && <span class="muted tree-kind">{kind}</span>}
        {holds && !open && <span class="muted">{count(children.length)}</span>}
        <span class="grow" />
        {restarts > 0 && <span class="tag warn">{plural(restarts, 'restart')}</span>}
        <Status of={status} />
        {failure !== undefined && (
          <p class="tree-failure">
            <code class="code">{failure.reason}</code> {failure.message} <Age at={failure.at} />
          </p>
        )}
      </div>
      {open && (
        <ul role="group">
          {children.slice(0, limit).map((child) => (
            <Node key={child.id} branch={child} depth={depth + 1} shut={shut} toggle={toggle} />
          ))}
          {children.length > limit && (
            <li role="none">
              <button type="button" class="link" onClick={() => setLimit(limit + 5 * atOnce)}>
                {count(children.length - limit)} more
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  );
}

function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0) return;
  const items = [...(event.currentTarget as Element).querySelectorAll<HTMLElement>('[role=treeitem]')];
  const next = items[items.indexOf(document.activeElement as HTMLElement) + step];
  if (next === undefined) return;
  next.focus();
  event.preventDefault();
}
