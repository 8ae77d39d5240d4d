/**
 * Calls are answered in the order made. Writes go one after the other; a read begins when the writes before it are done, beside other reads. Commits that come while others are written are written together.
 */

export class Order<Commit, Outcome> {
  readonly #commit: (commits: readonly Commit[]) => Promise<readonly Outcome[]>;
  #written: Promise<unknown> = Promise.resolve();
  #answered: Promise<unknown> = Promise.resolve();
  /** Waits to be written, and nothing after it does. */
  #batch: { readonly commits: Commit[]; readonly outcomes: Promise<readonly Outcome[]> } | undefined;

  constructor(commit: (commits: readonly Commit[]) => Promise<readonly Outcome[]>) {
    this.#commit = commit;
  }

  commit(commits: readonly Commit[]): Promise<readonly Outcome[]> {
    const start = this.#batch?.commits.length ?? 0;
    if (this.#batch === undefined) {
      const waiting: Commit[] = [];
      const outcomes = this.#write(() => {
        if (this.#batch?.commits === waiting) this.#batch = undefined;
        return this.#commit(waiting);
      });
      this.#batch = { commits: waiting, outcomes };
    }
    for (const commit of commits) this.#batch.commits.push(commit);
    return this.#answer(this.#batch.outcomes.then((all) => all.slice(start, start + commits.length)));
  }

  write<T>(work: () => Promise<T>): Promise<T> {
    this.#batch = undefined;
    return this.#answer(this.#write(work));
  }

  read<T>(work: () => Promise<T>): Promise<T> {
    return this.#answer(this.#written.then(work));
  }

  #write<T>(work: () => Promise<T>): Promise<T> {
    const written = this.#written.then(work);
    this.#written = written.catch(() => undefined);
    return written;
  }

  #answer<T>(result: Promise<T>): Promise<T> {
    const before = this.#answered;
    const answer = result.then(
      (value) => before.then(() => value),
      (error: unknown) =>
        before.then(() => {
          throw error;
        }),
    );
    this.#answered = answer.catch(() => undefined);
    return answer;
  }
}
