/**
 * The emulators of Google that are measured against, as the tests start them, each with the wire in front of it: there calls are counted, by name and by what they are for, and there they wait as long as a network would make them.
 */

import { firestoreFound, FirestoreEmulator, newProject } from '../../test/cloud/firestore-emulator.js';
import { GrpcWire } from '../../test/cloud/grpc-wire.js';
import { SpannerEmulator, spannerFound } from '../../test/cloud-stores/spanner-emulator.js';
import type { Span } from './load.js';
import type { Place } from './places.js';

/** `group`: it carries events into the journal. `lease`: this node's sign of life, its look at others' and at whether the agents were moved to another store. `mail`: whether anybody wrote to its agents. `look`: what nobody holds, every two seconds, and which timers are due, every twenty. What is not known to be of those is `other`. */
export type Purpose = 'group' | 'lease' | 'mail' | 'look' | 'other';

/** What a request is for, by what stands in it. */
type PurposeOf = (call: string, request: string) => Purpose;

interface Heard {
  readonly call: string;
  readonly purpose: Purpose;
  readonly at: number;
  /** What can be read of one that is for nobody knows what. */
  readonly text: string | undefined;
}

export interface Server {
  /** A new and empty place, without a wire. */
  place(): Promise<Place>;
  stop(): Promise<void>;
}

export interface CloudStore {
  readonly id: Place['store'];
  readonly title: string;
  /** The emulator's version, or why there is none. */
  readonly found: { readonly version: string } | string;
  readonly purposeOf: PurposeOf;
  start(): Promise<Server>;
}

export const cloudStores: readonly CloudStore[] = [
  {
    id: 'firestore',
    title: 'Firestore',
    found: firestoreFound(),
    purposeOf: (call, request) => {
      if (call === 'Listen') return 'mail';
      if (call === 'Commit') return request.includes('/journal/') ? 'group' : request.includes('/nodes/') ? 'lease' : 'other';
      if (call !== 'RunQuery') return 'other';
      return /\x05nodes|\x06moving/.test(request) ? 'lease' : /\x04runs|\x07mailbox|dueAt/.test(request) ? 'look' : 'other';
    },
    start: async () => {
      const emulator = await FirestoreEmulator.start();
      return {
        place: async () => ({ store: 'firestore', port: emulator.port, project: newProject() }),
        stop: () => emulator.stop(),
      };
    },
  },
  {
    id: 'spanner',
    title: 'Spanner',
    found: spannerFound(),
    purposeOf: (call, request) => {
      if (call === 'Commit') return request.includes('journal') ? 'group' : request.includes('nodes') ? 'lease' : 'other';
      if (call !== 'ExecuteStreamingSql') return 'other';
      if (request.includes('mailbox_arrivals')) return 'mail';
      if (request.includes('timers_due')) return 'look';
      return /SELECT n\.(robbed|node, n\.name)|\x06moving/.test(request) ? 'lease' : 'other';
    },
    start: async () => {
      const emulator = await SpannerEmulator.start();
      return {
        place: async () => {
          const { project, instance, database } = await emulator.database();
          await emulator.change(database, ['CREATE TABLE raw (name STRING(64) NOT NULL, data STRING(MAX) NOT NULL) PRIMARY KEY (name)']);
          return { store: 'spanner', port: emulator.port, project, instance, database };
        },
        stop: () => emulator.stop(),
      };
    },
  },
];

/** The wire in front of a server, and all that went over it. */
export class CountingWire {
  readonly #wire: GrpcWire;
  readonly #heard: Heard[] = [];

  private constructor(wire: GrpcWire, { purposeOf }: CloudStore, latencyMs: number) {
    this.#wire = wire;
    wire.fault = () => (latencyMs > 0 ? { delayMs: latencyMs } : undefined);
    wire.heard = (call, bytes, at) => {
      const request = bytes.toString('latin1');
      const purpose = purposeOf(call, request);
      const text = purpose === 'other' ? `${call}: ${request.replace(/[^ -~]+/g, ' ').slice(0, 300)}` : undefined;
      this.#heard.push({ call, purpose, at, text });
    };
  }

  static async start(port: number, store: CloudStore, latencyMs: number): Promise<CountingWire> {
    return new CountingWire(await new GrpcWire(port).start(), store, latencyMs);
  }

  get port(): number {
    return this.#wire.port;
  }

  /** Calls that came in this time, by `Name (purpose)`, or only those for a purpose. */
  within({ from, until }: Span, purpose?: Purpose): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const heard of this.#heard) {
      if (heard.at < from || heard.at > until || (purpose !== undefined && heard.purpose !== purpose)) continue;
      const name = `${heard.call} (${heard.purpose})`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  /** Requests of this time that are for nobody knows what. */
  unknown({ from, until }: Span): string[] {
    return this.#heard.flatMap(({ at, text }) => (at < from || at > until || text === undefined ? [] : [text]));
  }

  stop(): Promise<void> {
    return this.#wire.stop();
  }
}
