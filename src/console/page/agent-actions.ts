/** What a person can have an agent do. */

import type { AgentDetail, AgentLine } from '../api.js';
import { act } from './client.js';
import { fill } from './form.js';

export const ended: readonly string[] = ['done', 'error', 'stopped'];

const pathOf = ({ id }: AgentLine): string => `agents/${encodeURIComponent(id)}`;

export async function send(agent: AgentDetail): Promise<void> {
  const values = await fill({
    title: `Send an event to ${agent.id}`,
    fields: [
      {
        name: 'type',
        label: 'Type',
        kind: 'text',
        options: agent.takes,
        ...(agent.takes[0] === undefined ? {} : { value: agent.takes[0] }),
        ...(agent.takes.length === 0 ? {} : { hint: 'These are the events that the machine takes where it stands.' }),
      },
      {
        name: 'rest',
        label: 'Payload (JSON object)',
        kind: 'members',
        value: '{}',
        optional: true,
        hint: 'Its members stand beside the type.',
      },
      { name: 'messageId', label: 'Message id', kind: 'text', optional: true, hint: 'Sent twice with the same id, it is taken once.' },
    ],
    submit: 'Send',
  });
  if (values === undefined) return;
  const { type, rest, messageId } = values;
  const event = { ...(rest as object | undefined), type };
  await act(`Send ${String(type)}`, `${pathOf(agent)}/send`, { event, ...(messageId === undefined ? {} : { messageId }) });
}

export async function stop(agent: AgentLine): Promise<void> {
  const sure = await fill({
    title: `Stop ${agent.id}?`,
    note:
      agent.supervisor === undefined
        ? 'It takes no more events. What is stored of it stays.'
        : 'Its supervisor takes it down. What is stored of it stays and its mail waits, until it is restarted.',
    fields: [],
    submit: 'Stop',
    danger: true,
  });
  if (sure !== undefined) await act('Stop', `${pathOf(agent)}/stop`);
}

export async function restart(agent: AgentLine): Promise<void> {
  const sure = await fill({
    title: `Restart ${agent.id}?`,
    note: ended.includes(agent.status)
      ? 'It begins anew: in its first state, with the input that its supervisor has for it.'
      : 'Its supervisor takes it out of memory and brings it back as the store has it: state and context stay.',
    fields: [],
    submit: 'Restart',
  });
  if (sure !== undefined) await act('Restart', `${pathOf(agent)}/restart`);
}
