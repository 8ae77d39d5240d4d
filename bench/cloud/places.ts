/**
 * The stores in the cloud as their users open them, and where a measuring process finds one: a project or a database of its own, behind the wire at which calls are counted. As in `../statewarden.ts`, types come by path and values by name.
 */

import { credentials } from '@grpc/grpc-js';
import type * as Firestore from '../../src/persistence/firestore/index.js';
import type * as Spanner from '../../src/persistence/spanner/index.js';
import type { Store } from '../../src/persistence/store.js';

export type Place =
  | { readonly store: 'firestore'; readonly port: number; readonly project: string }
  | {
      readonly store: 'spanner';
      readonly port: number;
      readonly project: string;
      readonly instance: string;
      readonly database: string;
    };

/** Options of Google's clients for what answers in plain text on this port. */
export function clientOf({ port }: Place) {
  return { servicePath: '127.0.0.1', port, sslCreds: credentials.createInsecure() };
}

/** `onCall`: told by the driver of each of its requests, where it can tell. */
export async function storeAt(place: Place, onCall: (method: string) => void): Promise<Store> {
  if (place.store === 'firestore') {
    const { firestore } = (await import(`statewarden/${place.store}`)) as typeof Firestore;
    return firestore({ project: place.project, emulator: `127.0.0.1:${String(place.port)}`, onCall });
  }
  const { spanner } = (await import(`statewarden/${place.store}`)) as typeof Spanner;
  const { project, instance, database } = place;
  return spanner({ project, instance, database, client: clientOf(place) });
}
