/**
 * Reads what a draft has to know. Of what this node knows already nothing is read, unless it is to be looked up (`informed`); then all that the draft may ask about is, in as few requests as can be: whose ids they are, then what hangs on that. What waits for an agent that ends is read last: the less comes in
 * after it, the less is left for `late-mail.ts`.
 */

import type { AgentKey, MessageRecord } from '../store.js';
import { mostInOne, type Doc } from './calls.js';
import { headOf, nameOf } from './cache.js';
import type { Author } from './draft.js';
import { Facts } from './facts.js';
import type { Membership } from './membership.js';
import { agentName, idName, numberName, padded, partName, rangeOf } from './places.js';
import type { ServerClock } from './server-clock.js';

/** What something to be written is about. */
export interface Subject {
  /** Agents that are there. */
  readonly agents?: readonly AgentKey[];
  /** Keys of agents that are to be made, and ids that they are to have. */
  readonly made?: readonly AgentKey[];
  readonly ids?: readonly string[];
  readonly taken?: readonly { readonly agent: AgentKey; readonly position: number }[];
  readonly messages?: readonly MessageRecord[];
  /** Mailboxes are not to be filled beyond a number. */
  readonly capped?: boolean;
  readonly timersOf?: AgentKey;
  /** An agent that ends. */
  readonly ends?: AgentKey;
  /** Positions of dead letters. */
  readonly letters?: readonly number[];
}

export async function gather(
  author: Author,
  membership: Membership,
  clock: ServerClock,
  subjects: readonly Subject[],
  informed: boolean,
): Promise<Facts> {
  const facts = new Facts();
  facts.informed = informed;
  await readHeads(author, membership, clock, facts, subjects);
  const made = new Set(subjects.flatMap((subject) => subject.made ?? []));
  await readDetails(author, facts, subjects);
  const ending = subjects.flatMap(({ ends }) => (ends === undefined || made.has(ends) ? [] : [ends]));
  await readEnds(author, facts, ending);
  return facts;
}

/** Where agents stand and whose ids are. */
async function readHeads(
  { calls, cache }: Author,
  membership: Membership,
  clock: ServerClock,
  facts: Facts,
  subjects: readonly Subject[],
): Promise<void> {
  const keys = new Set<AgentKey>();
  const ids = new Set<string>();
  const created = new Set(subjects.flatMap((subject) => subject.ids ?? []));
  const madeKeys = new Set(subjects.flatMap((subject) => subject.made ?? []));
  for (const { agents = [], made = [], messages = [], ids: wanted = [] } of subjects) {
    for (const key of agents) if (facts.informed || (cache.head(key) === undefined && !madeKeys.has(key))) keys.add(key);
    if (facts.informed) for (const key of made) keys.add(key);
    if (facts.informed) for (const id of wanted) ids.add(id);
    for (const { to } of messages) if (facts.informed || (cache.name(to) === undefined && !created.has(to))) ids.add(to);
  }
  if (keys.size + ids.size === 0) return;
  const [{ docs, readTime }] = await Promise.all([
    calls.get([
      calls.root,
      ...[...keys].map((key) => calls.path('agents', agentName(key))),
      ...[...ids].map((id) => calls.path('names', idName(id))),
    ]),
    // Who is to hear of mail may have changed, too.
    facts.informed && ids.size > 0 ? membership.members() : undefined,
  ]);
  clock.heard(readTime);
  membership.checkRoot(docs[0]);
  let place = 1;
  for (const key of keys) keepHead(facts, cache, key, docs[place++]);
  for (const id of ids) {
    const doc = docs[place++];
    const name = doc === undefined ? undefined : nameOf(doc);
    facts.names.set(id, name);
    if (name === undefined) cache.forget([], [id]);
    else cache.setName(name);
  }
}

function keepHead(facts: Facts, cache: Author['cache'], key: AgentKey, doc: Doc | undefined): void {
  const head = doc === undefined ? undefined : headOf(doc);
  facts.heads.set(key, head);
  if (head === undefined) cache.forget([key], []);
  else cache.setHead(head);
}

/** What hangs on whose ids are: message ids, who has an id that is wanted, how much waits. */
async function readDetails({ calls, cache }: Author, facts: Facts, subjects: readonly Subject[]): Promise<void> {
  const marks = new Map<string, string>();
  const mail = new Map<string, string>();
  const letters = new Map<number, string>();
  const capped = new Set<AgentKey>();
  const timers = new Set<AgentKey>();
  const holders = new Set<AgentKey>();
  for (const subject of subjects) {
    for (const { to, messageId } of subject.messages ?? []) {
      const name = facts.names.get(to) ?? cache.name(to);
      if (name === undefined) continue;
      if (subject.capped === true && !name.ended) capped.add(name.key);
      const mark = messageId === undefined ? undefined : partName(name.key, messageId);
      if (mark !== undefined && (facts.informed || name.ended)) marks.set(mark, calls.path('marks', mark));
    }
    for (const position of subject.letters ?? []) letters.set(position, calls.path('deadLetters', padded(position)));
    if (subject.timersOf !== undefined && (facts.informed || cache.head(subject.timersOf)?.timers === undefined))
      timers.add(subject.timersOf);
    if (!facts.informed) continue;
    for (const { agent, position } of subject.taken ?? []) {
      const name = numberName(agent, position);
      mail.set(name, calls.path('mailbox', name));
    }
    for (const id of subject.ids ?? []) {
      const key = facts.names.get(id)?.key;
      if (key !== undefined && !facts.heads.has(key)) holders.add(key);
    }
  }
  const paths = [
    ...marks.values(),
    ...mail.values(),
    ...letters.values(),
    ...[...holders].map((key) => calls.path('agents', agentName(key))),
  ];
  const [found] = await Promise.all([
    paths.length === 0 ? [] : calls.get(paths).then(({ docs }) => docs),
    ...[...capped].map(async (key) => facts.waiting.set(key, (await calls.total({ collection: 'mailbox', names: rangeOf(key) })).count)),
    ...[...timers].map(async (key) => {
      const { docs } = await calls.query({ collection: 'timers', names: rangeOf(key), select: ['id'] });
      facts.timersOf.set(key, new Set(docs.map(({ fields }) => fields['id'] as string)));
    }),
  ]);
  let place = 0;
  for (const name of marks.keys()) facts.marks.set(name, found[place++]?.fields['sequenceNumber'] as number | undefined);
  for (const name of mail.keys()) facts.mail.set(name, found[place++]);
  for (const position of letters.keys()) facts.letters.set(position, found[place++]);
  for (const key of holders) keepHead(facts, cache, key, found[place++]);
}

/** All that waits for agents that end. */
async function readEnds({ calls, cache }: Author, facts: Facts, agents: readonly AgentKey[]): Promise<void> {
  const keys = [...new Set(agents)];
  for (let index = 0; index < keys.length; index += mostInOne) {
    const part = keys.slice(index, index + mostInOne);
    const found = await calls.query({ collection: 'mailbox', where: [['agent', 'IN', part]] });
    const docs = [...found.docs].sort((one, other) => (one.name < other.name ? -1 : 1));
    for (const key of part) {
      facts.mailOf.set(
        key,
        docs.filter(({ fields }) => fields['agent'] === key),
      );
    }
    for (const doc of docs) cache.setChunks(calls.path('mailbox', doc.name), doc.chunks);
  }
}
