/**
 * Reading agents and taking those that nobody alive holds. Taking raises the fence on condition that the agent is as it was read, and that the node that held it has not been heard of since: a sign of life in between makes the whole take fail, and everything is looked at again.
 */

import { StoreUnavailableError } from '../../core/errors.js';
import { sleep, systemClock } from '../../core/clock.js';
import type { AgentKey, LoadOutcome } from '../store.js';
import { Batch } from './batch.js';
import { headOf, nameFields } from './cache.js';
import type { Doc } from './calls.js';
import type { Content } from './content.js';
import type { Author } from './draft.js';
import { isRace } from './faults.js';
import type { Member, Membership } from './membership.js';
import { agentName, idName } from './places.js';
import { agentRecord, isFinal } from './rows.js';
import type { Stamp } from './values.js';

const attempts = 12;
/** Agents that are taken together: two writes for each. */
const together = 200;

interface Found {
  doc: Doc;
  /** The node that holds it, or held it. */
  readonly holder: Member | undefined;
  readonly way: 'read' | 'take' | 'owned' | 'archived';
  downSince: number | undefined;
}

export class Loading {
  readonly #author: Author;
  readonly #membership: Membership;
  readonly #content: Content;

  constructor(author: Author, membership: Membership, content: Content) {
    this.#author = author;
    this.#membership = membership;
    this.#content = content;
  }

  async load(agents: readonly (string | AgentKey)[]): Promise<LoadOutcome[]> {
    const outcomes: LoadOutcome[] = [];
    for (let index = 0; index < agents.length; index += together)
      outcomes.push(...(await this.#load(agents.slice(index, index + together))));
    return outcomes;
  }

  async #load(agents: readonly (string | AgentKey)[]): Promise<LoadOutcome[]> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { found, readTime } = await this.#look(agents);
      const taken = [...new Map(found.flatMap((one) => (one?.way === 'take' ? [[one.doc.name, one] as const] : []))).values()];
      let at = readTime;
      if (taken.length > 0) {
        try {
          at = await this.#take(taken);
        } catch (error) {
          if (!isRace(error)) throw error;
          if (attempt > 1) await sleep(systemClock, Math.min(10 * 2 ** attempt, 500));
          continue;
        }
      }
      const docs = new Map(
        found.flatMap((one) =>
          one === undefined || one.way === 'owned' || one.way === 'archived' ? [] : [[one.doc.name, one.doc] as const],
        ),
      );
      const loaded = await this.#content.loaded([...docs.values()], at);
      return found.map((one) => this.#outcome(one, loaded));
    }
    throw new StoreUnavailableError(`${this.#author.calls.name}: agents could not be taken`, {
      hint: 'Other nodes take them at the same time; it is tried again.',
    });
  }

  #outcome(found: Found | undefined, loaded: Awaited<ReturnType<Content['loaded']>>): LoadOutcome {
    if (found === undefined) return { outcome: 'absent' };
    const { doc, holder, way, downSince } = found;
    const record = agentRecord(doc);
    if (way === 'owned') return { outcome: 'owned', record, node: (holder as Member).record };
    if (way === 'archived') return { outcome: 'archived', record };
    const view = loaded.get(record.key);
    if (view === undefined) return { outcome: 'absent' };
    if (record.owner === this.#author.node && this.#author.node !== 0) {
      this.#author.cache.setHead({ ...headOf(doc), timers: new Set(view.timers.map(({ id }) => id)) });
    }
    return { outcome: 'loaded', ...view, downSince };
  }

  async #look(agents: readonly (string | AgentKey)[]): Promise<{ found: (Found | undefined)[]; readTime: Stamp | undefined }> {
    const { calls, node } = this.#author;
    const { docs, readTime } = await this.documents(agents);
    const isTaken = (doc: Doc): boolean => {
      const { owner, status, busy, archive } = agentRecord(doc);
      return archive === undefined && node !== 0 && owner !== node && (!isFinal(status) || busy);
    };
    const owners = new Set(
      docs.flatMap((doc) => {
        const owner = doc === undefined || !isTaken(doc) ? undefined : agentRecord(doc).owner;
        return owner === undefined ? [] : [owner];
      }),
    );
    const nodes = owners.size === 0 ? undefined : await calls.get([...owners].map((owner) => calls.path('nodes', String(owner))));
    const members = new Map(
      nodes?.docs.flatMap((doc) =>
        doc === undefined ? [] : [[doc.fields['node'] as number, this.#membership.member(doc, nodes.readTime)] as const],
      ),
    );
    const found = docs.map((doc): Found | undefined => {
      if (doc === undefined) return undefined;
      const { owner, archive } = agentRecord(doc);
      if (archive !== undefined) return { doc, holder: undefined, downSince: undefined, way: 'archived' };
      const holder = owner === undefined ? undefined : members.get(owner);
      return { doc, holder, downSince: undefined, way: !isTaken(doc) ? 'read' : holder?.alive === true ? 'owned' : 'take' };
    });
    return { found, readTime };
  }

  /** Agents' documents, all as they were at one time. */
  async documents(agents: readonly (string | AgentKey)[]): Promise<{ docs: (Doc | undefined)[]; readTime: Stamp | undefined }> {
    const { calls } = this.#author;
    const ids = agents.filter((agent) => typeof agent === 'string');
    const keys = new Map<string, AgentKey>();
    if (ids.length > 0) {
      const { docs } = await calls.get([calls.root, ...ids.map((id) => calls.path('names', idName(id)))]);
      this.#membership.checkRoot(docs[0]);
      docs.slice(1).forEach((doc, index) => doc !== undefined && keys.set(ids[index] as string, doc.fields['key'] as number));
    }
    const paths = agents.map((agent) => {
      const key = typeof agent === 'string' ? keys.get(agent) : agent;
      return key === undefined ? undefined : calls.path('agents', agentName(key));
    });
    const { docs, readTime } = await calls.get([calls.root, ...paths.filter((path) => path !== undefined)]);
    this.#membership.checkRoot(docs[0]);
    let place = 1;
    return { docs: paths.map((path) => (path === undefined ? undefined : docs[place++])), readTime };
  }

  /** Resolves to the time from which on they are this node's. */
  async #take(taken: readonly Found[]): Promise<Stamp> {
    const { calls, cache, node } = this.#author;
    const batch = new Batch(calls);
    for (const { doc, holder } of taken) {
      const record = agentRecord(doc);
      batch.put('agents', agentName(record.key), { owner: node, fence: record.fence + 1 }, { merge: true, expected: doc.updateTime });
      batch.put('names', idName(record.id), nameFields({ ...record, owner: node }), { expected: 'there' });
      if (holder === undefined) continue;
      const name = String(holder.record.node);
      if (holder.closedAt !== undefined || holder.robbed) batch.verify('nodes', name, holder.updateTime);
      else batch.put('nodes', name, { robbed: true }, { merge: true, expected: holder.updateTime });
    }
    const { times, commitTime } = await batch.send(cache.chunksOf);
    for (const found of taken) {
      const { doc, holder } = found;
      const fields = { ...doc.fields, owner: node, fence: agentRecord(doc).fence + 1 };
      found.doc = { ...doc, fields, updateTime: times.get(calls.path('agents', doc.name)) ?? doc.updateTime };
      const record = agentRecord(found.doc);
      const updateTime = times.get(calls.path('names', idName(record.id)));
      if (updateTime !== undefined) cache.setName({ ...nameFields(record), updateTime });
      if (holder !== undefined) found.downSince = Math.max(holder.closedAt ?? holder.record.seenAt, record.updatedAt);
    }
    return commitTime;
  }
}
