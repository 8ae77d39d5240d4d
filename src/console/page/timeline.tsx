/** The turns of an agent, the newest first: what it took, what it asked for, where it stood then. */

import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import type { OperationLine, TurnLine } from '../api.js';
import { Icon, type IconName } from './icons.js';
import { Empty, StateName, Trouble } from './parts.js';
import { VirtualList } from './virtual-list.js';
import type { Watched } from './watched.js';
import { count, plural, spoken, time } from './words.js';

/** Turns that are not here. */
interface Gap {
  readonly after: number;
  readonly before: number;
}
type Row = TurnLine | Gap;

const isGap = (row: Row): row is Gap => 'before' in row && 'after' in row;
const rowHeight = 46;

export function Timeline({ watched, look }: { readonly watched: Watched; readonly look: (at: number | undefined) => void }): VNode {
  const turns = watched.turns.value;
  const at = watched.at.value;
  const { why, exact } = watched.page.value;
  const operations = watched.detail.value?.operations;
  const attempts = useMemo(() => new Map(operations?.map((operation) => [operation.id, operation])), [operations]);
  const rows = useMemo(() => rowsOf(turns), [turns]);
  const first = turns[0]?.sequenceNumber;
  return (
    <section class="timeline" aria-label="Timeline">
      <h2 class="panel-title">
        Timeline <span class="tally">{count(watched.last.value)}</span>
        {exact === false && (
          <span class="tag bad" title="Run again, the past came out differently from what the store has.">
            inexact
          </span>
        )}
      </h2>
      {why !== undefined && <Trouble failure={why} />}
      {rows.length === 0 && why === undefined ? (
        <Empty icon="runtime" title="No turns yet" />
      ) : (
        <VirtualList
          items={rows}
          rowHeight={rowHeight}
          label="Turns, the newest first"
          keyOf={(row) => (isGap(row) ? `gap ${String(row.after)}` : row.sequenceNumber)}
          anchored
          shown={at === undefined ? undefined : rows.findIndex((row) => !isGap(row) && row.sequenceNumber === at)}
          onEnd={() => void (first !== undefined && !watched.whole.peek() && watched.loadEarlier())}
          row={(row) =>
            isGap(row) ? (
              <button type="button" class="turn gap" onClick={() => void watched.loadBetween(row.after, row.before)}>
                {count(row.before - row.after - 1)} turns passed too quickly to be told: show them
              </button>
            ) : (
              <Turn
                turn={row}
                selected={row.sequenceNumber === at}
                operation={row.operation === undefined ? undefined : attempts.get(row.operation)}
                look={look}
              />
            )
          }
        />
      )}
    </section>
  );
}

function rowsOf(turns: readonly TurnLine[]): readonly Row[] {
  const rows: Row[] = [];
  for (let index = turns.length - 1; index >= 0; index--) {
    const turn = turns[index] as TurnLine;
    rows.push(turn);
    const before = turns[index - 1];
    if (before !== undefined && before.sequenceNumber < turn.sequenceNumber - 1)
      rows.push({ after: before.sequenceNumber, before: turn.sequenceNumber });
  }
  return rows;
}

function iconOf({ kind, timer, sequenceNumber }: TurnLine): IconName {
  if (kind === 'start') return sequenceNumber > 1 ? 'restart' : 'start';
  if (kind === 'stop') return 'stop';
  if (kind === 'outcome') return 'outcome';
  return timer === undefined ? 'event' : 'timer';
}

export function turnTitle({ kind, type, sequenceNumber }: TurnLine): string {
  if (kind === 'start') return sequenceNumber > 1 ? 'restarted' : 'started';
  if (kind === 'stop') return 'stopped';
  return spoken(type).replace(/^(after [^.]*?) in .*$/, '$1');
}

interface TurnProps {
  readonly turn: TurnLine;
  readonly selected: boolean;
  readonly operation: OperationLine | undefined;
  readonly look: (at: number | undefined) => void;
}

function Turn({ turn, selected, operation, look }: TurnProps): VNode {
  const { sequenceNumber, at, kind, state, checkpoint, outcomeStatus, from, to } = turn;
  const failed = kind === 'outcome' && outcomeStatus !== undefined && !['succeeded', 'done'].includes(outcomeStatus);
  return (
    <button
      type="button"
      class={`turn kind-${kind}${selected ? ' selected' : ''}${failed ? ' failed' : ''}`}
      aria-pressed={selected}
      data-turn={sequenceNumber}
      onClick={() => look(selected ? undefined : sequenceNumber)}
    >
      <span class="turn-mark">
        <Icon name={iconOf(turn)} />
      </span>
      <span class="turn-main">
        <span class="turn-type">{turnTitle(turn)}</span>
        {outcomeStatus !== undefined && <span class={`tag ${failed ? 'bad' : ''}`}>{outcomeStatus}</span>}
        {operation !== undefined && operation.attempts > 0 && (
          <span class="tag warn">{plural(operation.attempts, 'retry', 'retries')}</span>
        )}
        {checkpoint === true && (
          <span class="turn-flag" title="The store's checkpoint is of this turn" role="img" aria-label="checkpoint">
            <Icon name="flag" />
          </span>
        )}
      </span>
      <span class="turn-side">
        <span class="turn-number">{sequenceNumber}</span>
      </span>
      <span class="turn-under">
        <StateName value={state} />
        {asked(turn).map((part) => (
          <span key={part} class="asked">
            {part}
          </span>
        ))}
        {from !== undefined && <span class="asked">from {from}</span>}
        {to !== undefined && <span class="asked">to {to}</span>}
      </span>
      <time class="turn-time">{time(at)}</time>
    </button>
  );
}

/** `→ fetch`, `→ 2 messages`. */
function asked({ asked: effects }: TurnLine): readonly string[] {
  if (effects === undefined) return [];
  const { operations, timers, messages, spawns, actions } = effects;
  return [
    ...operations.map(({ activity }) => `→ ${activity}`),
    ...some(spawns.length, 'spawn'),
    ...some(messages.length, 'message'),
    ...some(timers.length, 'timer'),
    ...some(actions.length, 'action'),
  ];
}

const some = (n: number, what: string): readonly string[] => (n === 0 ? [] : [`${String(n)} ${what}${n === 1 ? '' : 's'}`]);
