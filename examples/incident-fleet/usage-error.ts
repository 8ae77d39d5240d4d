/** The command was called in a way that cannot work: nothing was changed, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  constructor(
    message: string,
    /** What to do instead, in one sentence. */
    readonly hint: string,
  ) {
    super(message);
  }
}
