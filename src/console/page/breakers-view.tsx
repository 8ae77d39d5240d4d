/** Breakers: what passes, what fails, which are open, and the orders a person may give. */

import type { VNode } from 'preact';
import type { BreakerLine } from '../api.js';
import { act, useLoaded } from './client.js';
import { Act, Empty, Head, Loading, Status, Trouble } from './parts.js';
import { BreakerSpark } from './series.js';
import { useReturn, useTold } from './stream.js';
import { count, duration, now, plural } from './words.js';

export function BreakersView(): VNode {
  const { data, failure, reload, put } = useLoaded<readonly BreakerLine[]>('breakers');
  useReturn(reload);
  useTold('breakers', ({ breakers }) => put(() => breakers), [put]);
  const open = data?.filter(({ state }) => state !== 'closed').length ?? 0;
  return (
    <div class="view">
      <Head
        title="Breakers"
        note={
          data !== undefined &&
          data.length > 0 &&
          `${plural(data.length, 'breaker')}, ${open === 0 ? 'all closed' : `${String(open)} not closed`}`
        }
      />
      {failure !== undefined && <Trouble failure={failure} retry={reload} />}
      {data === undefined && failure === undefined && <Loading />}
      {data?.length === 0 && (
        <Empty icon="breakers" title="No breakers">
          Activities that name a breaker appear here with their calls.
        </Empty>
      )}
      <ul class="grid">
        {data?.map((breaker) => (
          <Breaker key={breaker.name} breaker={breaker} reload={reload} />
        ))}
      </ul>
    </div>
  );
}

function Breaker({ breaker, reload }: { readonly breaker: BreakerLine; readonly reload: () => void }): VNode {
  const { name, level, state, reason, retryAt, calls, failures, rejected, threshold, waiting, past } = breaker;
  const rate = calls === 0 ? 0 : failures / calls;
  const order = (word: 'open' | 'auto'): void => {
    void act(word === 'open' ? `Open breaker ${name}` : `Leave breaker ${name} to itself`, `breakers/${encodeURIComponent(name)}`, {
      order: word,
    }).then(reload);
  };
  return (
    <li class={`card breaker state-${state}`} data-breaker={name}>
      <div class="card-head">
        <b class="card-title">{name}</b>
        {level !== '' && <span class="muted">{level}</span>}
        <span class="grow" />
        <Status of={state} />
      </div>
      <BreakerSpark past={past} />
      <dl class="figures">
        <div>
          <dt>calls</dt>
          <dd>{count(calls)}</dd>
        </div>
        <div>
          <dt>failed</dt>
          <dd class={threshold !== undefined && rate > threshold ? 'bad' : ''}>
            {(rate * 100).toFixed(rate > 0 && rate < 0.1 ? 1 : 0)} %
            {threshold !== undefined && <span class="muted"> of {Math.round(threshold * 100)}</span>}
          </dd>
        </div>
        <div>
          <dt>turned away</dt>
          <dd>{count(rejected)}</dd>
        </div>
        <div>
          <dt>waiting</dt>
          <dd>{count(waiting)}</dd>
        </div>
      </dl>
      {(reason !== undefined || retryAt !== undefined) && (
        <p class="hint">
          {reason}
          {retryAt !== undefined &&
            (retryAt > now.value ? ` Tries again in ${duration(retryAt - now.value)}.` : ' Tries again at the next call.')}
        </p>
      )}
      <div class="buttons">
        <Act label={`Open ${name}`} onClick={() => order('open')}>
          Open
        </Act>
        <Act label={`Release ${name}`} onClick={() => order('auto')}>
          Release
        </Act>
      </div>
    </li>
  );
}
