/** What waits for a person: approvals, operations that are held, sagas that stand. */

import type { ComponentChildren, VNode } from 'preact';
import type { PeoplePage } from '../api.js';
import { act, useLoaded } from './client.js';
import { byField, fill, noteField, type Field } from './form.js';
import { JsonView } from './json-view.js';
import { Act, Age, AgentLink, Empty, Head, Loading, Status, Trouble } from './parts.js';
import { useReturn, useTold } from './stream.js';
import { duration, now, plural, sentence } from './words.js';

type Approval = PeoplePage['approvals'][number];
type Hold = PeoplePage['holds'][number];
type Saga = PeoplePage['sagas'][number];

async function decide(
  what: string,
  path: string,
  order: Readonly<Record<string, unknown>>,
  fields: readonly Field[],
  danger = false,
  note?: string,
): Promise<boolean> {
  const values = await fill({
    title: what,
    ...(note === undefined ? {} : { note }),
    fields: [byField(), noteField, ...fields],
    submit: what.split(':')[0] as string,
    danger,
  });
  return values !== undefined && (await act(what, `people/${path}`, { ...values, ...order })) !== undefined;
}

export function PeopleView(): VNode {
  const { data, failure, reload } = useLoaded<PeoplePage>('people');
  useReturn(reload);
  useTold('people', reload, [reload]);
  const waiting = data === undefined ? 0 : data.approvals.length + data.holds.length + data.sagas.length;
  const after = (done: boolean): void => {
    if (done) reload();
  };
  return (
    <div class="view">
      <Head title="People" note={waiting > 0 && `${plural(waiting, 'decision')} to take`} />
      {failure !== undefined && <Trouble failure={failure} retry={reload} />}
      {data === undefined && failure === undefined && <Loading />}
      {data !== undefined && waiting === 0 && (
        <Empty icon="people" title="Nothing waits for a person">
          Approvals, calls of which nobody knows whether they were carried out, and sagas that could not be undone appear here.
        </Empty>
      )}
      {data !== undefined && (
        <>
          <Section title="Approvals" size={data.approvals.length}>
            {data.approvals.map((approval) => (
              <ApprovalCard key={approval.operation} approval={approval} after={after} />
            ))}
          </Section>
          <Section
            title="Calls that are held"
            size={data.holds.length}
            about="Nobody knows whether they were carried out. What is answered is what their agents go on with."
          >
            {data.holds.map((hold) => (
              <HoldCard key={hold.operation} hold={hold} after={after} />
            ))}
          </Section>
          <Section title="Sagas that stand" size={data.sagas.length} about="What they did was to be undone, and a step could not be.">
            {data.sagas.map((saga) => (
              <SagaCard key={saga.saga} saga={saga} after={after} />
            ))}
          </Section>
        </>
      )}
    </div>
  );
}

function Section({
  title,
  size,
  about,
  children,
}: {
  readonly title: string;
  readonly size: number;
  readonly about?: string;
  readonly children: ComponentChildren;
}): VNode | null {
  if (size === 0) return null;
  return (
    <section class="section">
      <h2 class="panel-title">
        {title} <span class="tally">{size}</span>
      </h2>
      {about !== undefined && <p class="hint section-about">{about}</p>}
      <ul class="cards">{children}</ul>
    </section>
  );
}

function ApprovalCard({ approval, after }: { readonly approval: Approval; readonly after: (done: boolean) => void }): VNode {
  const { operation, agent, title, request, choices, askedAt, deadlineAt } = approval;
  const choose = (choice: string): void => {
    const order = choice === 'rejected' ? 'reject' : 'approve';
    const [words, danger] = choice === 'approved' ? ['Approve', false] : choice === 'rejected' ? ['Reject', true] : [choice, false];
    void decide(`${words}: ${title}`, `approvals/${encodeURIComponent(operation)}`, { order, value: choice }, [], danger).then(after);
  };
  return (
    <li class="card person" data-operation={operation}>
      <div class="card-head">
        <b class="card-title">{title}</b>
        <AgentLink id={agent} />
        <span class="grow" />
        {deadlineAt !== undefined && (
          <span class="tag warn">{deadlineAt > now.value ? `${duration(deadlineAt - now.value)} left` : 'overdue'}</span>
        )}
        <Age at={askedAt} />
      </div>
      {request.value !== null && <JsonView shown={request} />}
      <div class="buttons">
        {choices.map((choice) => (
          <Act key={choice} {...(choice === 'approved' ? ({ kind: 'main', icon: 'check' } as const) : {})} onClick={() => choose(choice)}>
            {choice === 'approved' ? 'Approve' : choice === 'rejected' ? 'Reject' : choice}
          </Act>
        ))}
      </div>
    </li>
  );
}

function HoldCard({ hold, after }: { readonly hold: Hold; readonly after: (done: boolean) => void }): VNode {
  const { operation, agent, activity, input, since, message } = hold;
  const path = `holds/${encodeURIComponent(operation)}`;
  const result: Field = {
    name: 'result',
    label: 'Result (JSON)',
    kind: 'json',
    optional: true,
    hint: 'What the call gave, as the agent is to have it.',
  };
  return (
    <li class="card person" data-operation={operation}>
      <div class="card-head">
        <b class="card-title">{activity}</b>
        <AgentLink id={agent} />
        <span class="grow" />
        <Age at={since} />
      </div>
      <p class="hint">{message === undefined ? 'Whether it was done is not known.' : sentence(message)}</p>
      {input !== undefined && <JsonView shown={input} />}
      <div class="buttons">
        <Act icon="check" onClick={() => void decide(`It was done: ${activity}`, path, { order: 'done' }, [result]).then(after)}>
          It was done
        </Act>
        <Act icon="close" onClick={() => void decide(`It failed: ${activity}`, path, { order: 'failed' }, []).then(after)}>
          It failed
        </Act>
        <Act icon="restart" onClick={() => void decide(`Try again: ${activity}`, path, { order: 'retry' }, []).then(after)}>
          Try again
        </Act>
      </div>
    </li>
  );
}

const sagaOrders = {
  resume: 'The step is tried once more.',
  skip: 'The step was undone by hand: the next one follows.',
  abandon: 'Nothing more is undone: what is left stands.',
} as const;

function SagaCard({
  saga: { saga, agent, status, step, message },
  after,
}: {
  readonly saga: Saga;
  readonly after: (done: boolean) => void;
}): VNode {
  const order = (words: string, name: keyof typeof sagaOrders): void => {
    const path = `sagas/${encodeURIComponent(saga)}`;
    void decide(`${words}: ${saga}`, path, { order: name, agent }, [], name === 'abandon', sagaOrders[name]).then(after);
  };
  return (
    <li class="card person" data-saga={saga}>
      <div class="card-head">
        <b class="card-title">{saga}</b>
        <AgentLink id={agent} />
        <span class="grow" />
        <Status of={status} />
      </div>
      {(step !== undefined || message !== undefined) && (
        <p class="hint">
          {step !== undefined && <code>{step}</code>} {message !== undefined && sentence(message)}
        </p>
      )}
      <div class="buttons">
        <Act kind="main" icon="start" about={sagaOrders.resume} onClick={() => order('Resume', 'resume')}>
          Resume
        </Act>
        <Act about={sagaOrders.skip} onClick={() => order('Skip', 'skip')}>
          Skip the step
        </Act>
        <Act about={sagaOrders.abandon} onClick={() => order('Abandon', 'abandon')}>
          Abandon
        </Act>
      </div>
    </li>
  );
}
