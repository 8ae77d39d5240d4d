/** The interval of E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (JASA 22, 1927): what share lies behind `hits` of `trials`, also when there are few. */

/** z of a one-sided 95 %. */
export const likely = 1.64;

export function wilsonLower(hits: number, trials: number, z = likely): number {
  if (trials === 0) return 0;
  const { centre, spread, scale } = wilson(hits, trials, z);
  return Math.max(0, (centre - spread) / scale);
}

export function wilsonUpper(hits: number, trials: number, z = likely): number {
  if (trials === 0) return 1;
  const { centre, spread, scale } = wilson(hits, trials, z);
  return Math.min(1, (centre + spread) / scale);
}

function wilson(hits: number, trials: number, z: number): { centre: number; spread: number; scale: number } {
  const share = hits / trials;
  const square = (z * z) / trials;
  return {
    centre: share + square / 2,
    spread: z * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials)),
    scale: 1 + square,
  };
}
