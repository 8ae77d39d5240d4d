/** Who waits for an agent's turns to be durable. */

interface Waiting {
  readonly sequenceNumber: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Durability {
  #waiting: Waiting[] = [];

  wait(sequenceNumber: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ sequenceNumber, resolve, reject }));
  }

  /** Turns up to this one are durable. */
  reached(sequenceNumber: number): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((one) => one.sequenceNumber > sequenceNumber);
    for (const one of waiting) if (one.sequenceNumber <= sequenceNumber) one.resolve();
  }

  lost(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }
}
