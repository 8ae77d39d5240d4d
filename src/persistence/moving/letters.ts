/** Dead letters from one store to another, in their order. The contract has no call that makes one: they are written by the commit of an agent that is made for it and removed. */

import type { DeadLetter, OpenedStore } from '../store.js';

const page = 200;
const carrier = 'statewarden.copy';

async function all(store: OpenedStore): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for (let more = true; more;) {
    const some = await store.deadLetters({ after: letters.at(-1)?.position ?? 0, limit: page });
    letters.push(...some);
    more = some.length === page;
  }
  return letters;
}

/** But for the position, which a store gives. */
function same({ position: _one, ...one }: DeadLetter, { position: _other, ...other }: DeadLetter): boolean {
  const text = (letter: object): string =>
    JSON.stringify(
      Object.entries(letter)
        .filter(([, value]) => value !== undefined)
        .sort(),
    );
  return text(one) === text(other);
}

/** Makes those of `to` the same as those of `from`, whatever a copy that was stopped has left. Resolves to how many there are. */
export async function copyLetters(from: OpenedStore, to: OpenedStore, key: number, at: number): Promise<number> {
  await removeCarrier(to);
  const [wanted, there] = [await all(from), await all(to)];
  if (there.some((letter, index) => wanted[index] === undefined || !same(letter, wanted[index]))) {
    await to.discard(there.map(({ position }) => position));
    there.length = 0;
  }
  const missing = wanted.slice(there.length).map(({ position: _, ...letter }) => letter);
  for (let start = 0; start < missing.length; start += page) {
    const create = start === 0 ? { create: { kind: carrier, version: 1, input: undefined } } : {};
    const deadLetters = missing.slice(start, start + page);
    await to.commit([{ key, id: carrier, fence: 1, expected: 0, sequenceNumber: 0, at, status: 'stopped', deadLetters, ...create }]);
  }
  await removeCarrier(to);
  return wanted.length;
}

async function removeCarrier(store: OpenedStore): Promise<void> {
  const [record] = await store.lookup([carrier]);
  if (record !== undefined)
    await store.remove([{ key: record.key, fence: record.fence, sequenceNumber: record.sequenceNumber, lastMail: 0 }]);
}
