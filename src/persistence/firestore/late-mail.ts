/**
 * Mail that came in the moment in which its receiver ended: after the end had been read, before it was written. Once it is written nothing more comes in, for whoever posts expects the receiver's name to be as it was; what is there then is made dead letters.
 * A node that is killed in between leaves that to the next look at what can run (`runnable`). A transaction would need no second look, and one of a killed node keeps an agent's mailbox locked for a minute.
 */

import type { AgentKey } from '../store.js';
import { isKeptBySender } from '../kept-by-sender.js';
import { Batch } from './batch.js';
import { mostInOne } from './calls.js';
import type { Author } from './draft.js';
import { isRace } from './faults.js';
import { idName, padded } from './places.js';
import { letterFields, mailboxRecord } from './rows.js';

/** Somebody else buries the same. */
const attempts = 12;

/** Of those of the agents that have ended. @throws StoreUnavailableError */
export async function buryLateMail({ calls, cache, nextPosition }: Author, agents: readonly AgentKey[], now: () => number): Promise<void> {
  for (let from = 0; from < agents.length; from += mostInOne) {
    const part = agents.slice(from, from + mostInOne);
    for (let attempt = 1; ; attempt += 1) {
      const { docs } = await calls.query({ collection: 'mailbox', where: [['agent', 'IN', part]] });
      if (docs.length === 0) break;
      const ids = [...new Set(docs.map(({ fields }) => fields['to'] as string))];
      const names = await calls.get(ids.map((id) => calls.path('names', idName(id))));
      const ended = new Map(names.docs.flatMap((name, index) => (name?.fields['ended'] === true ? [[ids[index] as string, name]] : [])));
      const batch = new Batch(calls);
      for (const doc of docs) {
        const message = mailboxRecord(doc);
        const name = ended.get(message.to);
        if (name === undefined || batch.isFull) continue;
        cache.setChunks(calls.path('mailbox', doc.name), doc.chunks);
        batch.verify('names', name.name, name.updateTime);
        batch.remove('mailbox', doc.name, 'there');
        if (isKeptBySender(message.replyTo)) continue;
        const { to, messageId, event, from: sender } = message;
        const position = nextPosition();
        const letter = { position, to, messageId, event, from: sender, reason: 'agent-ended', details: undefined, at: now() };
        batch.put('deadLetters', padded(position), letterFields(letter), { expected: 'absent' });
      }
      if (batch.size === 0) break;
      try {
        await batch.send(cache.chunksOf);
      } catch (error) {
        if (!isRace(error) || attempt === attempts) throw error;
      }
    }
  }
}
