/** The ids of messages that an agent has taken, with the turns that took them. Memory may hold only the newest: the store knows the others. */

export class MessageMarks {
  #marks: Map<string, number> | undefined;
  #complete = true;

  /** Those that were read from the store; `complete` when it has no others. */
  remember(marks: readonly { readonly messageId: string; readonly sequenceNumber: number }[], complete: boolean): void {
    if (marks.length > 0) this.#marks = new Map(marks.map(({ messageId, sequenceNumber }) => [messageId, sequenceNumber]));
    this.#complete = complete;
  }

  /** Whether memory alone can say if this message was taken. */
  knows(messageId: string): boolean {
    return this.#complete || this.#marks?.has(messageId) === true;
  }

  /** The turn that took it. */
  get(messageId: string): number | undefined {
    return this.#marks?.get(messageId);
  }

  /** As if it had not been taken. */
  forget(messageId: string): void {
    this.#marks?.delete(messageId);
  }

  set(messageId: string, sequenceNumber: number): void {
    (this.#marks ??= new Map()).set(messageId, sequenceNumber);
  }
}
