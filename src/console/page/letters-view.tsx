/** Dead letters, by what went wrong: looked at, sent again, thrown away. */

import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { LetterGroup, LetterLine, LetterPage } from '../api.js';
import { act, failureOf, get, useLoaded } from './client.js';
import { fill } from './form.js';
import { Icon } from './icons.js';
import { JsonView } from './json-view.js';
import { told } from './notices.js';
import { Act, Age, AgentLink, Empty, Head, Loading, Trouble } from './parts.js';
import { ask, route } from './route.js';
import { useReturn, useTold } from './stream.js';
import { count, plural } from './words.js';

export function LettersView(): VNode {
  const { query } = route.value;
  const [group, to] = [query.get('group'), query.get('to')];
  const parameters = new URLSearchParams({
    limit: '100',
    ...(to === null ? {} : { to }),
    ...(group === null ? {} : { group }),
  });
  const path = `dead-letters?${parameters.toString()}`;
  const { data, failure, reload, put } = useLoaded<LetterPage>(path);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  useReturn(reload);
  useTold('dead-letters', reload, [reload]);
  useEffect(() => setChosen(new Set()), [path]);
  const letters = data?.letters ?? [];
  const there = letters.filter(({ position }) => chosen.has(position)).map(({ position }) => position);
  const choose = (positions: readonly number[], on: boolean): void =>
    setChosen((before) => {
      const after = new Set(before);
      for (const position of positions)
        if (on) after.add(position);
        else after.delete(position);
      return after;
    });
  const after = (done: unknown): void => {
    if (done === undefined) return;
    setChosen(new Set());
    reload();
    // How letters group is read from all of them, and kept by the server for a second.
    setTimeout(reload, 1_200);
  };
  const redrive = async (positions: readonly number[]): Promise<void> => {
    const values = await fill({
      title: `Send ${plural(positions.length, 'letter')} again?`,
      fields: [{ name: 'to', label: 'To', kind: 'text', optional: true, hint: 'Left empty, each goes to the agent it was for.' }],
      submit: 'Redrive',
    });
    if (values !== undefined)
      after(await act('Redrive', 'dead-letters/redrive', { positions, ...(values['to'] === undefined ? {} : { to: values['to'] }) }));
  };
  const discard = async (positions: readonly number[]): Promise<void> => {
    const sure = await fill({
      title: `Throw ${plural(positions.length, 'letter')} away?`,
      note: 'They cannot be brought back.',
      fields: [],
      submit: 'Discard',
      danger: true,
    });
    if (sure !== undefined) after(await act('Discard', 'dead-letters/discard', { positions }));
  };
  const more = async (next: number): Promise<void> => {
    try {
      const page = await get<LetterPage>(`${path}&after=${String(next)}`);
      put(({ next: _, ...before }) => ({
        ...before,
        letters: [...before.letters, ...page.letters],
        ...(page.next === undefined ? {} : { next: page.next }),
      }));
    } catch (error) {
      told({ kind: 'bad', text: failureOf(error).message });
    }
  };
  const total = data?.groups.reduce((sum, group) => sum + group.count, 0) ?? 0;
  const none = there.length === 0 ? 'Choose letters first.' : undefined;
  return (
    <div class="view">
      <Head title="Dead letters" note={data !== undefined && total > 0 && `${plural(total, 'event')} that no agent could take`}>
        {letters.length > 0 && (
          <>
            <Act kind="main" icon="restart" not={none} onClick={() => void redrive(there)}>
              Redrive{there.length > 0 && ` ${count(there.length)}`}
            </Act>
            <Act not={none} onClick={() => void discard(there)}>
              Discard
            </Act>
          </>
        )}
      </Head>
      {failure !== undefined && <Trouble failure={failure} retry={reload} />}
      {data === undefined && failure === undefined && <Loading />}
      {data !== undefined && total === 0 && (
        <Empty icon="letters" title="No dead letters">
          Events that no agent could take wait here, to be sent again or thrown away.
        </Empty>
      )}
      {data !== undefined && total > 0 && (
        <div class="letters">
          <Groups groups={data.groups} total={total} chosen={group} />
          <div>
            <label class="letter-all">
              <input
                type="checkbox"
                checked={there.length === letters.length && letters.length > 0}
                onChange={(event) =>
                  choose(
                    letters.map(({ position }) => position),
                    event.currentTarget.checked,
                  )
                }
              />
              Choose {letters.length === 1 ? 'the letter' : `all ${count(letters.length)}`} shown
            </label>
            <ul class="cards">
              {letters.map((letter) => (
                <Letter
                  key={letter.position}
                  letter={letter}
                  chosen={chosen.has(letter.position)}
                  choose={(on) => choose([letter.position], on)}
                />
              ))}
            </ul>
            {data.next !== undefined && (
              <button type="button" class="button" onClick={() => void more(data.next as number)}>
                More
              </button>
            )}
          </div>
        </div>
      )}
    </div>
  );
}

interface GroupsProps {
  readonly groups: readonly LetterGroup[];
  readonly total: number;
  readonly chosen: string | null;
}

function Groups({ groups, total, chosen }: GroupsProps): VNode {
  return (
    <nav class="groups" aria-label="By error">
      <button type="button" aria-pressed={chosen === null} onClick={() => ask({ group: undefined })}>
        <span>All</span>
        <b>{count(total)}</b>
      </button>
      {groups.map(({ group, reason, type, message, count: size }) => (
        <button key={group} type="button" aria-pressed={group === chosen} onClick={() => ask({ group })}>
          <span>
            <code class="code">{reason}</code> {type}
            <span class="group-message">{message}</span>
          </span>
          <b>{count(size)}</b>
        </button>
      ))}
    </nav>
  );
}

function Letter({
  letter,
  chosen,
  choose,
}: {
  readonly letter: LetterLine;
  readonly chosen: boolean;
  readonly choose: (on: boolean) => void;
}): VNode {
  const { position, to, from, reason, at, type, event, details } = letter;
  return (
    <li class={chosen ? 'card letter chosen' : 'card letter'} data-letter={position}>
      <input
        type="checkbox"
        checked={chosen}
        aria-label={`Letter ${String(position)}: ${type}`}
        onChange={(change) => choose(change.currentTarget.checked)}
      />
      <details>
        <summary>
          <span class="caret" aria-hidden="true" />
          <b>{type}</b>
          <span class="letter-way">
            {from !== undefined && <span class="muted">{from}</span>}
            <Icon name="outcome" />
            <AgentLink id={to} />
          </span>
          <span class="grow" />
          <Age at={at} />
        </summary>
        <p class="letter-error">
          <code class="code">{reason}</code>
        </p>
        <h3>Event</h3>
        <JsonView shown={event} />
        {details !== undefined && (
          <>
            <h3>Details</h3>
            <JsonView shown={details} />
          </>
        )}
      </details>
    </li>
  );
}
