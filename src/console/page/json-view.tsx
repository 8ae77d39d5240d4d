/** A value as a tree that opens and shuts. What changed is marked, what was cut says so. */

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { Change, Shown } from '../api.js';
import { brief } from './words.js';

interface Marks {
  readonly cut: ReadonlySet<string>;
  readonly changed: ReadonlyMap<string, Change['kind']>;
}

const atOnce = 100;
const pointer = (path: string, key: string): string => `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;

export function JsonView({ shown, changes = [] }: { readonly shown: Shown; readonly changes?: readonly Change[] }): VNode {
  const marks: Marks = { cut: new Set(shown.cut), changed: new Map(changes.map(({ path, kind }) => [path, kind])) };
  return (
    <div class="json">
      <Value value={shown.value} path="" depth={0} marks={marks} />
    </div>
  );
}

interface ValueProps {
  readonly name?: string;
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
  readonly marks: Marks;
}

function Value({ name, value, path, depth, marks }: ValueProps): VNode {
  const changesInside = [...marks.changed.keys()].some((changed) => changed.startsWith(`${path}/`));
  const [choice, setChoice] = useState<boolean | undefined>(undefined);
  const [limit, setLimit] = useState(atOnce);
  const kind = marks.changed.get(path);
  const label = name === undefined ? null : <span class="json-key">{name}</span>;
  const cut = marks.cut.has(path) && <span class="json-cut">cut</span>;
  const mark = kind === undefined ? '' : ` changed ${kind}`;
  if (typeof value !== 'object' || value === null) {
    return (
      <div class={`json-row${mark}`}>
        {label}
        <Leaf value={value} />
        {cut}
      </div>
    );
  }
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((one: unknown, index) => [String(index), one] as const)
    : Object.entries(value);
  const size = Array.isArray(value) ? `[${String(entries.length)}]` : `{${String(entries.length)}}`;
  const open = choice ?? (changesInside || (depth < 2 && entries.length <= 40));
  if (entries.length === 0) {
    return (
      <div class={`json-row${mark}`}>
        {label}
        <span class="json-size">{Array.isArray(value) ? '[]' : '{}'}</span>
        {cut}
      </div>
    );
  }
  return (
    <div class={`json-branch${mark}`}>
      <button type="button" class="json-toggle" aria-expanded={open} onClick={() => setChoice(!open)}>
        <span class="caret" aria-hidden="true" />
        {label}
        <span class="json-size">{size}</span>
        {!open && <span class="json-brief">{brief(value, 60)}</span>}
        {cut}
      </button>
      {open && (
        <div class="json-inside">
          {entries.slice(0, limit).map(([key, one]) => (
            <Value key={key} name={key} value={one} path={pointer(path, key)} depth={depth + 1} marks={marks} />
          ))}
          {entries.length > limit && (
            <button type="button" class="link" onClick={() => setLimit(limit + 10 * atOnce)}>
              {entries.length - limit} more
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Leaf({ value }: { readonly value: unknown }): VNode {
  if (typeof value === 'string') {
    const secret = value === '…redacted';
    return <span class={secret ? 'json-secret' : 'json-string'}>{secret ? 'redacted' : JSON.stringify(value)}</span>;
  }
  return <span class={typeof value === 'number' ? 'json-number' : 'json-word'}>{String(value)}</span>;
}

/** What a turn changed: before, after. */
export function Changes({ changes }: { readonly changes: readonly Change[] }): VNode {
  if (changes.length === 0) return <p class="hint">The context is the same as before this turn.</p>;
  return (
    <ul class="changes">
      {changes.map(({ path, kind, before, after }) => (
        <li key={path} class={kind}>
          <code class="path">{path === '' ? '(all)' : path.slice(1).replaceAll('/', '.')}</code>
          {kind !== 'added' && (
            <span class="was">
              <span class="sign">−</span>
              {brief(before, 400)}
            </span>
          )}
          {kind !== 'removed' && (
            <span class="is">
              <span class="sign">+</span>
              {brief(after, 400)}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
