/** Who watches an agent: its committed snapshots, what it emits, its end. Each is told in the order in which it came; one that leaves meanwhile is not. */

import type { AnyMachineSnapshot, EventObject } from 'xstate';
import type { StatewardenError } from '../core/errors.js';
import type { Agent } from './agent.js';

export interface AgentObserver {
  next?(snapshot: AnyMachineSnapshot): void;
  emitted?(event: EventObject): void;
  ended?(agent: Agent): void;
  dropped?(error: StatewardenError): void;
}

export class Observers {
  readonly #observers = new Set<AgentObserver>();

  get size(): number {
    return this.#observers.size;
  }

  /** Returns how to leave. */
  add(observer: AgentObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  next(snapshot: AnyMachineSnapshot): void {
    for (const observer of this.#observers) observer.next?.(snapshot);
  }

  emitted(event: EventObject): void {
    for (const observer of this.#observers) observer.emitted?.(event);
  }

  ended(agent: Agent): void {
    for (const observer of this.#observers) observer.ended?.(agent);
    this.#observers.clear();
  }

  dropped(error: StatewardenError): void {
    for (const observer of this.#observers) observer.dropped?.(error);
    this.#observers.clear();
  }
}
