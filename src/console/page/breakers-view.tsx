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

/** What a state means for a call. */
const states: Readonly<Record<string, string>> = {
  closed: 'All calls pass.',
  degraded: 'Some calls are held back.',
  open: 'No call passes.',
  ramping: 'A few calls pass, more as they succeed.',
  isolated: 'No call passes until a person releases it.',
};

/** Why it stands as it does. */
const reasons: Readonly<Record<string, string>> = {
  failures: 'Too many calls failed.',
  'consecutive-failures': 'Calls failed one after another.',
  'slow-calls': 'Calls take longer than they should.',
  throttled: 'The service says that it is asked too often.',
  fleet: 'Other nodes see it fail.',
  children: 'What is below it fails.',
  'retry-after': 'The service asked for a pause.',
  'ramp-failed': 'It was tried, and failed again.',
  'open-over': 'Its pause is over.',
  recovered: 'Calls succeed again.',
  isolated: 'A person closed it to all calls.',
  released: 'A person let it go.',
  restored: 'As it stood when the process ended.',
};

function Breaker({ breaker, reload }: { readonly breaker: BreakerLine; readonly reload: () => void }): VNode {
  const { name, level, state, reason, retryAt, calls, failures, rejected, threshold, waiting, past } = breaker;
  const rate = calls === 0 ? 0 : failures / calls;
  const order = (word: 'open' | 'auto'): void => {
    void act(word === 'open' ? `Isolate ${name}` : `Release ${name}`, `breakers/${encodeURIComponent(name)}`, {
      order: word,
    }).then(reload);
  };
  return (
    <li class={`card breaker state-${state}`} data-breaker={name}>
      <div class="card-head">
        <b class="card-title">{name}</b>
        {level !== '' && <span class="muted">guards a {level}</span>}
        <span class="grow" />
        <Status of={state} />
      </div>
      <BreakerSpark past={past} />
      <dl class="figures">
        <div>
          <dt title="In the window that it looks at">calls of late</dt>
          <dd>{count(calls)}</dd>
        </div>
        <div>
          <dt>failed</dt>
          <dd class={threshold !== undefined && rate > threshold ? 'bad' : ''}>
            {calls === 0 ? '–' : `${(rate * 100).toFixed(rate > 0 && rate < 0.1 ? 1 : 0)} %`}
            {threshold !== undefined && <span class="muted"> trips at {Math.round(threshold * 100)} %</span>}
          </dd>
        </div>
        {rejected > 0 && (
          <div>
            <dt>turned away</dt>
            <dd>{count(rejected)}</dd>
          </div>
        )}
        {waiting > 0 && (
          <div>
            <dt title="Calls that are made when it lets them">waiting</dt>
            <dd>{count(waiting)}</dd>
          </div>
        )}
      </dl>
      <p class="hint">
        {states[state]} {reason !== undefined && (reasons[reason] ?? reason)}
        {retryAt !== undefined &&
          (retryAt > now.value ? ` Tries again in ${duration(retryAt - now.value)}.` : ' Tries again at the next call.')}
      </p>
      <div class="buttons">
        <Act
          label={`Isolate ${name}`}
          about="No call passes until it is released"
          not={state === 'isolated' ? 'It is isolated already.' : undefined}
          onClick={() => order('open')}
        >
          Isolate
        </Act>
        <Act
          label={`Release ${name}`}
          about="It lets calls through before its time, a few at first"
          not={state === 'closed' ? 'It is closed: all calls pass.' : undefined}
          onClick={() => order('auto')}
        >
          Release
        </Act>
      </div>
    </li>
  );
}
