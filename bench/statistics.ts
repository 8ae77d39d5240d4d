/** Medians and percentiles of measured figures. Percentiles are by nearest rank: always a figure that was measured. */

export function sorted(figures: readonly number[]): number[] {
  return [...figures].sort((a, b) => a - b);
}

export function percentile(figures: readonly number[], share: number): number {
  const ordered = sorted(figures);
  const rank = Math.max(1, Math.ceil(share * ordered.length));
  const figure = ordered[rank - 1];
  if (figure === undefined) throw new Error('no figures were measured');
  return figure;
}

/** The middle figure; of an even number the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const ordered = sorted(figures);
  const middle = ordered.length / 2;
  const [below, above] = [ordered[Math.ceil(middle) - 1], ordered[Math.floor(middle)]];
  if (below === undefined || above === undefined) throw new Error('no figures were measured');
  return (below + above) / 2;
}

/** To so many significant digits, for records that people read. */
export function round(figure: number, digits = 4): number {
  return figure === 0 || !Number.isFinite(figure) ? figure : Number(figure.toPrecision(digits));
}
