/** Figures as people read them. */

export function perSecond(figure: number): string {
  return `${Math.round(figure).toLocaleString('en-US')}/s`;
}

export function milliseconds(figure: number): string {
  if (figure < 1) return `${(figure * 1000).toFixed(0)} µs`;
  return `${figure.toFixed(figure < 100 ? 2 : 0)} ms`;
}

export function bytes(figure: number): string {
  if (Math.abs(figure) >= 2 ** 20) return `${(figure / 2 ** 20).toFixed(1)} MiB`;
  if (Math.abs(figure) >= 10_240) return `${(figure / 1024).toFixed(1)} KiB`;
  return `${figure.toFixed(Math.abs(figure) < 100 ? 1 : 0)} B`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}
