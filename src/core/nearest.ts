/** Names that come close to a mistyped one. */

/** How many are named at most. */
const named = 3;

/** The candidates that are only a few keystrokes away, the nearest first. */
export function nearest(typed: string, candidates: readonly string[]): string[] {
  const most = Math.max(2, Math.floor(typed.length / 3));
  return candidates
    .filter((candidate) => Math.abs(candidate.length - typed.length) <= most)
    .map((candidate) => ({ candidate, distance: distance(typed, candidate) }))
    .filter((one) => one.distance <= most)
    .sort((one, other) => one.distance - other.distance)
    .slice(0, named)
    .map(({ candidate }) => candidate);
}

/** Levenshtein's: how many letters to insert, delete or replace. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] as number) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
