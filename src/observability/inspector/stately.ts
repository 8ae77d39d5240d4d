/**
 * `inspect: stately()`: live agents in the Stately inspector, through a relay of this process's own on 127.0.0.1, or through one that is there already. While nobody is connected agents are not
 * listened to. Who joins is told of the agents in memory as they are, then of what goes on.
 */

import type { InspectionEvent } from 'xstate';
import type { Agent } from '../../actors/agent.js';
import { systemClock, type Clock } from '../../core/clock.js';
import { BadInputError } from '../../core/errors.js';
import { LiveInspection, type Inspector } from './live.js';
import { messageOf } from './message.js';
import type { Parcel } from './outbox.js';
import { checkRelay, Relay, type Client, type RelayEvents, type RelayOptions } from './relay.js';
import { Sanitiser, type SanitiseOptions } from './sanitise.js';
import { Sender } from './sender.js';

export interface StatelyOptions extends Omit<RelayOptions, 'clock'>, SanitiseOptions {
  /** A relay to send to instead of one of our own: `ws://localhost:8080` of `createInspectorServer()`. It is tried until it is there. */
  readonly server?: string | undefined;
  /** Agents that are shown. Default: all. */
  readonly filter?: ((agent: { readonly id: string; readonly kind: string }) => boolean) | undefined;
  /** Told, once the relay listens, where a browser finds it, token and all. Default: a line on standard error. */
  readonly onListening?: ((url: string) => void) | undefined;
}

/** @throws BadInputError */
export function stately(options: StatelyOptions = {}): Inspector {
  const { server, onListening = announceUrl } = options;
  if (server !== undefined && !/^wss?:\/\//.test(server)) {
    throw new BadInputError(`the inspector's server is ${JSON.stringify(server)}`, { hint: "Give server: 'ws://localhost:8080'." });
  }
  // What is wrong with the options is said here, not when the runtime starts.
  checkRelay(options);
  return {
    async open(agents, failed) {
      const audience = new Audience(options, agents, failed, systemClock);
      if (server !== undefined) {
        const sender = new Sender(server, audience, systemClock, options.limits);
        sender.start();
        return { inspection: audience.live, close: async () => sender.close() };
      }
      const relay = new Relay(options, audience);
      await relay.listen();
      onListening(relay.url);
      return { inspection: audience.live, close: () => relay.close() };
    },
  };
}

function announceUrl(url: string): void {
  process.stderr.write(`statewarden: inspect at ${url}\n`);
}

/** All who look, and what each has been told of. */
class Audience implements RelayEvents {
  readonly live: LiveInspection;
  readonly #agents: () => readonly Agent[];
  readonly #failed: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #sanitiser: Sanitiser;
  /** Agents that a client has still to be told of, before it hears what goes on in them. */
  readonly #clients = new Map<Client, Set<Agent>>();

  constructor(options: StatelyOptions, agents: () => readonly Agent[], failed: (error: unknown) => void, clock: Clock) {
    this.#agents = agents;
    this.#failed = failed;
    this.#clock = clock;
    this.#sanitiser = new Sanitiser(options);
    this.live = new LiveInspection({ tell: (event, agent) => this.#tell(event, agent), failed, filter: options.filter });
  }

  joined(client: Client): void {
    this.live.start();
    const agents = this.#agents();
    const waiting = new Set(agents);
    this.#clients.set(client, waiting);
    void this.#introduce(client, agents, waiting).catch(this.#failed);
  }

  left(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.live.stop();
  }

  /** One after the other, as fast as it reads. */
  async #introduce(client: Client, agents: readonly Agent[], waiting: Set<Agent>): Promise<void> {
    for (const agent of agents) {
      if (!(await client.ready())) return;
      waiting.delete(agent);
      for (const event of this.live.look(agent)) {
        const parcel = this.#parcel(event);
        if (parcel !== undefined) client.send(parcel);
      }
    }
  }

  #tell(event: InspectionEvent, agent: Agent): void {
    let parcel: Parcel | undefined;
    for (const [client, waiting] of this.#clients) {
      if (waiting.has(agent)) continue;
      parcel ??= this.#parcel(event);
      if (parcel === undefined) return;
      client.send(parcel);
    }
  }

  #parcel(event: InspectionEvent): Parcel | undefined {
    const message = messageOf(event, this.#clock.now(), this.#sanitiser);
    return message === undefined ? undefined : { type: message.type, sessionId: message.sessionId, text: JSON.stringify(message) };
  }
}
