/** To a relay that is there already, as `createInspectorServer` of @statelyai/inspect is one: connects, and again whenever it was lost. While it is not connected nothing is done for it. */

import { WebSocket } from 'ws';
import type { Clock, TimerHandle } from '../../core/clock.js';
import { leftOut } from './message.js';
import { defaultLimits, Outbox, type OutboxLimits } from './outbox.js';
import type { RelayEvents } from './relay.js';

/** Before it is tried again. */
const pauseMs = 2_000;

export class Sender {
  readonly #url: string;
  readonly #events: RelayEvents;
  readonly #clock: Clock;
  readonly #limits: OutboxLimits;
  #socket: WebSocket | undefined;
  #timer: TimerHandle;
  #isClosed = false;

  constructor(url: string, events: RelayEvents, clock: Clock, limits: Partial<OutboxLimits> = {}) {
    this.#url = url;
    this.#events = events;
    this.#clock = clock;
    this.#limits = { ...defaultLimits, ...limits };
  }

  start(): void {
    if (this.#isClosed) return;
    const socket = (this.#socket = new WebSocket(this.#url, { perMessageDeflate: false, handshakeTimeout: 5_000 }));
    let outbox: Outbox | undefined;
    // Whoever only looks keeps no process alive.
    socket.on('upgrade', (response) => void response.socket.unref());
    socket.on('open', () => {
      outbox = new Outbox({
        clock: this.#clock,
        write: (text, written) => socket.send(text, written),
        cutOff: () => socket.terminate(),
        leftOut,
        limits: this.#limits,
      });
      this.#events.joined(outbox);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (outbox !== undefined) {
        outbox.close();
        this.#events.left?.(outbox);
      }
      if (this.#isClosed) return;
      this.#timer = this.#clock.setTimeout(() => this.start(), pauseMs);
      (this.#timer as { unref?(): void }).unref?.();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#timer);
    this.#socket?.terminate();
  }
}
