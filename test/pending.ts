/** A test that cannot be run here says why in its title, so that no report shows it as merely left out. */

/** Ends the running test as pending. */
export function pending(context: Mocha.Context, why: string): never {
  if (context.test !== undefined) context.test.title += ` (pending: ${why})`;
  return context.skip();
}
