/** How hard the properties try: each names its own number of runs, `PROPERTY_RUNS=10` multiplies them all. A failure prints its seed and path. */

const factor = Number(process.env['PROPERTY_RUNS'] ?? 1);

export function runs(count: number): { readonly numRuns: number; readonly includeErrorInReport: boolean } {
  // What has failed, and not only for which values: mocha does not print causes.
  return { numRuns: Math.ceil(count * factor), includeErrorInReport: true };
}

/** Time for so many runs, with plenty to spare; mocha's own limit is for one run. */
export const timeoutMs = 60_000 * Math.max(1, factor);
