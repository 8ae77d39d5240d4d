/** The command line was called wrongly: exit code 2, and nothing was done. */

export class UsageError extends Error {
  readonly code = 'USAGE';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}
