/** What an operation's id says: `AGENT:PLACE:OCCURRENCE`, and `:HASH` when it has an input. */

/** Whose it may be. The agent's own id may have colons in it, what follows has none. */
export function agentsOf(operationId: string): readonly string[] {
  const parts = operationId.split(':');
  return [2, 3].map((rest) => parts.slice(0, -rest).join(':')).filter((id) => id !== '');
}
